"""Decides which prompts a model on this machine reads together. Pure functions over tokens and lengths."""

from __future__ import annotations

import math
from collections.abc import Sequence


def shared_prefix(prompts: Sequence[list[int]]) -> int:
    """How many first tokens all `prompts` share, short of the whole shortest prompt: a model has to read something."""
    if not prompts:
        return 0
    # In sorted order, all prompts share what the first and the last share.
    first, last = min(prompts), max(prompts)
    shortest = min(map(len, prompts))
    differing = next((position for position, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), shortest)
    return max(0, min(differing, shortest - 1))


def pack(lengths: Sequence[int], budget: int, max_members: int) -> list[list[int]]:
    """The positions of `lengths` in groups to be read together; a group holds prompts of similar length.

    A group has at most `max_members` members, and takes at most `budget` tokens with each member padded to the longest.
    A prompt that exceeds the budget is a group of its own. The groups come in the order of their first members: if
    cases are asked in random order, a run that ends early has seen long ones as well as short ones.
    """
    waiting = sorted(range(len(lengths)), key=lambda position: (-lengths[position], position))
    groups = []
    while waiting:
        fit = max(1, min(max_members, budget // max(1, lengths[waiting[0]])))
        # Groups get even sizes, as a small last group costs nearly as much as a full one.
        size = math.ceil(len(waiting) / math.ceil(len(waiting) / fit))
        groups.append(sorted(waiting[:size]))
        waiting = waiting[size:]
    return sorted(groups)


def length_groups(lengths: Sequence[int], pass_tokens: int) -> list[list[int]]:
    """The positions of `lengths` in groups, each of which is read in one pass and padded to its longest.

    Of all ways to divide them, this takes the fewest tokens, where a pass costs `pass_tokens` beside those it reads.
    """
    order = sorted(range(len(lengths)), key=lambda position: lengths[position])
    # cheapest[end]: what the `end` shortest cost, and where their last group starts.
    cheapest = [(0, 0)]
    for end in range(1, len(order) + 1):
        longest = lengths[order[end - 1]]
        cheapest.append(
            min((cheapest[start][0] + pass_tokens + (end - start) * longest, start) for start in range(end))
        )
    groups: list[list[int]] = []
    end = len(order)
    while end:
        start = cheapest[end][1]
        groups.append(sorted(order[start:end]))
        end = start
    return groups[::-1]


def consecutive_slices(lengths: Sequence[int], budget: int) -> list[slice]:
    """Slices of neighbouring `lengths` that take at most `budget` tokens, each padded to the longest of its slice."""
    runs, start = [], 0
    for end in range(1, len(lengths) + 1):
        if end == len(lengths) or max(lengths[start : end + 1]) * (end + 1 - start) > budget:
            runs.append(slice(start, end))
            start = end
    return runs


def padded_length(length: int, multiple: int) -> int:
    """`length` rounded up to a multiple: with few lengths, the allocator finds memory of the right size again."""
    return -(-length // multiple) * multiple
