"""Batches by length, and the beginning that prompts share."""

from __future__ import annotations

from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.models.batching import consecutive_slices, length_groups, pack, shared_prefix

pytestmark = pytest.mark.pure

LENGTHS = st.lists(st.integers(1, 400), max_size=80)
PROMPTS = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=8), min_size=1, max_size=6)


@given(LENGTHS, st.integers(1, 3000), st.integers(1, 40))
def test_each_prompt_is_in_one_group_that_keeps_within_the_budget(lengths: list[int], budget: int, most: int) -> None:
    groups = pack(lengths, budget, most)
    assert sorted(position for group in groups for position in group) == list(range(len(lengths)))
    for group in groups:
        padded = len(group) * max(lengths[position] for position in group)
        assert len(group) == 1 or (len(group) <= most and padded <= budget)


@given(LENGTHS, st.integers(1, 3000), st.integers(1, 40))
def test_groups_hold_like_lengths_and_come_by_their_first_members(lengths: list[int], budget: int, most: int) -> None:
    groups = pack(lengths, budget, most)
    assert [group[0] for group in groups] == sorted(min(group) for group in groups)
    spans = sorted(
        (min(lengths[position] for position in group), max(lengths[position] for position in group)) for group in groups
    )
    assert all(before[1] <= after[0] for before, after in pairwise(spans))


def test_groups_are_of_like_size_rather_than_full_with_a_small_rest() -> None:
    assert [len(group) for group in pack([10] * 100, 10_000, 32)] == [25, 25, 25, 25]


@given(PROMPTS)
def test_all_begin_with_the_shared_prefix_and_have_something_left(prompts: list[list[int]]) -> None:
    same = shared_prefix(prompts)
    assert all(prompt[:same] == prompts[0][:same] and len(prompt) > same for prompt in prompts)
    shortest = min(map(len, prompts))
    assert same == shortest - 1 or len({prompt[same] for prompt in prompts}) > 1


def test_no_prompts_share_nothing() -> None:
    assert shared_prefix([]) == 0


@given(LENGTHS, st.integers(1, 3000))
def test_neighbours_are_cut_into_runs_that_keep_within_the_budget(lengths: list[int], budget: int) -> None:
    runs = consecutive_slices(lengths, budget)
    assert [position for run in runs for position in range(len(lengths))[run]] == list(range(len(lengths)))
    for run in runs:
        padded = len(lengths[run]) * max(lengths[run])
        assert len(lengths[run]) == 1 or padded <= budget
    for first, second in pairwise(runs):
        joined = lengths[first.start : second.start + 1]
        assert len(joined) * max(joined) > budget


def tokens_read(groups: list[list[int]], lengths: list[int], pass_tokens: int) -> int:
    return sum(pass_tokens + len(group) * max(lengths[position] for position in group) for group in groups)


@given(st.lists(st.integers(1, 400), min_size=1, max_size=8), st.integers(0, 500))
def test_groups_of_one_pass_each_read_the_fewest_tokens(lengths: list[int], pass_tokens: int) -> None:
    groups = length_groups(lengths, pass_tokens)
    assert sorted(position for group in groups for position in group) == list(range(len(lengths)))
    order = sorted(range(len(lengths)), key=lambda position: lengths[position])
    divisions = (
        [order[start:end] for start, end in pairwise((0, *cuts, len(order)))]
        for count in range(len(order))
        for cuts in combinations(range(1, len(order)), count)
    )
    fewest = min(tokens_read(division, lengths, pass_tokens) for division in divisions)
    assert tokens_read(groups, lengths, pass_tokens) == fewest


def test_no_lengths_are_no_groups() -> None:
    assert length_groups([], 64) == []
