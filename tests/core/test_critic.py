"""The mathematics of the critic by value: each function against its paper's formula, written out in plain Python."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

import pytest

pytest.importorskip("torch")

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.training.trainers.critic import Scale, gae, value_loss, whiten
from tests.core.papers import reference_gae, reference_value_loss

numbers = st.floats(-3, 3, width=32)
Row = tuple[list[float], int]  # a number for each of 5 positions, and how many of these are tokens
rows = st.lists(st.tuples(st.lists(numbers, min_size=5, max_size=5), st.integers(1, 5)), min_size=1, max_size=4)


def masked(made: Sequence[Row]) -> tuple[torch.Tensor, torch.Tensor]:
    """Numbers (B, 5) and their mask; what is beyond the mask stays what it is."""
    return torch.tensor([row for row, _ in made]), torch.tensor([[1.0] * n + [0.0] * (5 - n) for _, n in made])


@given(rows, st.lists(numbers, min_size=4, max_size=4), st.sampled_from([0.0, 0.5, 0.95, 1.0]))
def test_advantages_are_those_of_the_paper(made: list[Row], rewards: list[float], lam: float) -> None:
    """Row by row, whatever the critic says of the padding; 0 there."""
    values, mask = masked(made)
    estimated = gae(torch.tensor(rewards[: len(made)]), values, mask, lam)
    for row, (own, n) in enumerate(made):
        expected = reference_gae(rewards[row], own[:n], lam) + [0.0] * (5 - n)
        assert estimated[row].tolist() == pytest.approx(expected, abs=1e-4)


def test_advantages_by_hand() -> None:
    """Earning more than was expected is an advantage, earning less is none; half of it reaches one token back."""
    values, mask = torch.tensor([[0.25, 0.5, 9.0], [0.5, 0.5, 0.5]]), torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]])
    advantages = gae(torch.tensor([1.0, 0.0]), values, mask, 0.5)
    assert advantages.tolist() == [[0.25 + 0.5 * 0.5, 0.5, 0.0], [-0.125, -0.25, -0.5]]


@given(rows)
def test_whitening_takes_the_mean_and_the_deviation_of_the_tokens(made: list[Row]) -> None:
    values, mask = masked(made)
    whitened = whiten(values, mask)
    tokens = [value for row, n in made for value in row[:n]]
    mean, deviation = statistics.fmean(tokens), statistics.pstdev(tokens)
    for row, (own, n) in enumerate(made):
        assert whitened[row, n:].tolist() == [0.0] * (5 - n)
        if deviation > 1e-3:
            expected = [(value - mean) / deviation for value in own[:n]]
            assert whitened[row, :n].tolist() == pytest.approx(expected, abs=1e-3)


def test_whitening_equal_numbers_gives_none() -> None:
    assert whiten(torch.full((2, 2), 3.0), torch.ones(2, 2)).abs().max() == 0


@settings(max_examples=50)
@given(rows, st.integers(0, 2**31), st.sampled_from([0.05, 0.2, 1.0]))
def test_the_value_loss_is_that_of_the_paper(made: list[Row], seed: int, clip: float) -> None:
    values, mask = masked(made)
    generator = torch.Generator().manual_seed(seed)
    old_values, returns = (torch.randn(values.shape, generator=generator) for _ in range(2))
    lengths = [n for _, n in made]

    def tokens(of: torch.Tensor) -> list[float]:
        return [value for row, n in zip(of.tolist(), lengths, strict=True) for value in row[:n]]

    expected = reference_value_loss(tokens(values), tokens(old_values), tokens(returns), clip)
    assert value_loss(values, old_values, returns, mask, clip).item() == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_the_value_loss_counts_the_worse_of_both_errors() -> None:
    """A leap to the target itself still pays for the clipped estimate, one away from it for its whole length."""
    one = torch.ones(1, 1)
    assert value_loss(one, 0 * one, one, one, 0.2).item() == pytest.approx(0.5 * 0.8**2)
    assert value_loss(-one, 0 * one, one, one, 0.2).item() == pytest.approx(0.5 * 2.0**2)


@given(st.lists(st.lists(numbers, min_size=1, max_size=6), min_size=1, max_size=5))
def test_rewards_are_scaled_by_all_that_were_earned(steps: list[list[float]]) -> None:
    """The mean and the deviation over all steps so far, as if they had been kept."""
    scale = Scale()
    for step in steps:
        scale.update(torch.tensor(step, dtype=torch.float64))
    earned = [reward for step in steps for reward in step]
    mean, deviation = statistics.fmean(earned), statistics.pstdev(earned)
    assert scale.count == len(earned)
    assert scale.mean == pytest.approx(mean, abs=1e-9)
    if deviation > 1e-3:
        assert scale.deviation == pytest.approx(deviation)
        scaled = scale.scaled(torch.tensor(earned, dtype=torch.float64)).tolist()
        assert scaled == pytest.approx([(reward - mean) / deviation for reward in earned])
        assert (statistics.fmean(scaled), statistics.pstdev(scaled)) == pytest.approx((0.0, 1.0), abs=1e-9)


@pytest.mark.parametrize("earned", [[], [0.7], [0.7, 0.7, 0.7]])
def test_rewards_without_a_deviation_are_not_blown_up(earned: list[float]) -> None:
    scale = Scale()
    scale.update(torch.tensor(earned, dtype=torch.float64))
    assert scale.deviation == 1.0
    scaled = scale.scaled(torch.tensor([1.7], dtype=torch.float64)).item()
    assert math.isclose(scaled, 1.7 - (0.7 if earned else 0.0), abs_tol=1e-9)
