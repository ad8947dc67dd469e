"""Which prompts a model on this machine reads together. Pure functions over tokens and lengths."""

from __future__ import annotations

import math
from collections.abc import Sequence


def shared_prefix(prompts: Sequence[list[int]]) -> int:
    """How many tokens all `prompts` begin with, at most all but one of the shortest: a model has to read something."""
    if not prompts:
        return 0
    # What the first and the last in the order of sorting have in common, all between them have too.
    first, last = min(prompts), max(prompts)
    shortest = min(map(len, prompts))
    same = next((at for at, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), shortest)
    return max(0, min(same, shortest - 1))


def pack(lengths: Sequence[int], budget: int, max_members: int) -> list[list[int]]:
    """The positions of `lengths` in groups to be read together, prompts of like length in one.

    A group has at most `most` members, and takes at most `budget` tokens with each member padded to the longest; a
    prompt that is longer alone stands alone. The groups come in the order of their first members: where cases are
    asked in random order, a run that ends early has not seen the short ones only.
    """
    waiting = sorted(range(len(lengths)), key=lambda at: (-lengths[at], at))
    groups = []
    while waiting:
        fit = max(1, min(max_members, budget // max(1, lengths[waiting[0]])))
        # Evened out, as a small last group costs nearly as much as a full one.
        size = math.ceil(len(waiting) / math.ceil(len(waiting) / fit))
        groups.append(sorted(waiting[:size]))
        waiting = waiting[size:]
    return sorted(groups)


def consecutive_slices(lengths: Sequence[int], budget: int) -> list[slice]:
    """`lengths` cut into runs of neighbours that take at most `budget` with each padded to the longest of its run."""
    runs, start = [], 0
    for at in range(1, len(lengths) + 1):
        if at == len(lengths) or max(lengths[start : at + 1]) * (at + 1 - start) > budget:
            runs.append(slice(start, at))
            start = at
    return runs
