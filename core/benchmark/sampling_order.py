"""In which order a benchmark asks: at random and stratified, so that it may stop early and still be fair."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from typing import TypeVar

from storage.schema import Example

# Five answers are a smoke signal, not an accuracy.
SMOKE_TEST_SIZE = 5

CellKey = tuple[str, int, str]
T = TypeVar("T", bound=Example)


def sampling_order(examples: Sequence[T], seed: int) -> list[T]:
    """`examples` at random, such that every beginning of the list holds each cell in about its share.

    A family stays together, at the place of its first cell. The families of a cell are shuffled, and the one at
    position i of n gets the place (i + u) / n with u uniform in [0, 1): a stratified random order.
    """
    families: dict[str, list[T]] = defaultdict(list)
    for one in sorted(examples, key=lambda one: one.id):
        families[one.family].append(one)
    cells: dict[CellKey, list[list[T]]] = defaultdict(list)
    for members in families.values():
        cells[members[0].domain, members[0].level, members[0].decision].append(members)
    rng = random.Random(seed)
    placed: list[tuple[float, list[T]]] = []
    for place in sorted(cells):
        rng.shuffle(cells[place])
        number = len(cells[place])
        placed += [((position + rng.random()) / number, members) for position, members in enumerate(cells[place])]
    placed.sort(key=lambda pair: pair[0])
    return [one for _, members in placed for one in members]


def smoke_test_sample(examples: Sequence[T], seed: int) -> list[T]:
    """Five of `examples` (fewer, if there are fewer): each decision in turn, of levels that differ where they can."""
    waiting = sampling_order(examples, seed)
    chosen: list[T] = []
    while waiting and len(chosen) < SMOKE_TEST_SIZE:

        def seen(one: T) -> tuple[int, int, int]:
            same = [other for other in chosen if other.decision == one.decision]
            return (
                len(same),
                sum(other.level == one.level for other in chosen),
                sum(other.domain == one.domain for other in chosen),
            )

        best = min(waiting, key=seen)
        chosen.append(best)
        waiting.remove(best)
    return chosen
