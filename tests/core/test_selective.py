"""How well a confidence tells right answers from wrong ones, against plain references."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.benchmark.selective import auroc, e_aurc

answers = st.lists(st.tuples(st.sampled_from([0.1, 0.3, 0.5, 0.7, 0.9]), st.booleans()), min_size=1, max_size=30)


def plain_auroc(pairs: list[tuple[float, bool]]) -> float | None:
    """The share of pairs of a right and a wrong answer in which the right one is surer; a tie counts half."""
    right = [confidence for confidence, is_right in pairs if is_right]
    wrong = [confidence for confidence, is_right in pairs if not is_right]
    wins = [1.0 if first > second else 0.5 if first == second else 0.0 for first, second in product(right, wrong)]
    return sum(wins) / len(wins) if wins else None


def arrays(pairs: list[tuple[float, bool]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([pair[0] for pair in pairs]), np.array([float(pair[1]) for pair in pairs])


@given(answers)
def test_auroc_is_the_share_of_pairs(pairs: list[tuple[float, bool]]) -> None:
    expected = plain_auroc(pairs)
    estimated = auroc(*arrays(pairs))
    assert estimated is None if expected is None else estimated == pytest.approx(expected)


def test_e_aurc_by_hand() -> None:
    # Kept in this order: right, wrong, right. Risks 0, 1/2, 1/3; at best 0, 0, 1/3.
    pairs = [(0.9, True), (0.7, False), (0.5, True)]
    assert e_aurc(*arrays(pairs)) == pytest.approx((0 + 0.5 + 1 / 3) / 3 - (1 / 3) / 3)


@given(answers)
def test_e_aurc_is_zero_for_a_perfect_order_and_never_below(pairs: list[tuple[float, bool]]) -> None:
    assert e_aurc(*arrays(pairs)) >= -1e-12
    perfect = [(1.0 if is_right else 0.0, is_right) for _, is_right in pairs]
    assert e_aurc(*arrays(perfect)) == pytest.approx(0.0)


@given(answers)
def test_the_order_of_tied_answers_does_not_count(pairs: list[tuple[float, bool]]) -> None:
    assert e_aurc(*arrays(pairs)) == pytest.approx(e_aurc(*arrays(pairs[::-1])))
