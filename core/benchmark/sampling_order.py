"""The order in which a benchmark asks: random and stratified, so that it may stop early and still be fair."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from typing import TypeVar

from storage.schema import Example

# Five answers show that a model works, not how accurate it is.
SMOKE_TEST_SIZE = 5

CellKey = tuple[str, int, str]
T = TypeVar("T", bound=Example)


def sampling_order(examples: Sequence[T], seed: int) -> list[T]:
    """`examples` in a random order in which every beginning of the list holds each cell in about its share.

    A family stays together, and belongs to the cell of its first member. The families of a cell are shuffled, and the
    one at position i of n gets the sort key (i + u) / n with u uniform in [0, 1): a stratified random order.
    """
    families: dict[str, list[T]] = defaultdict(list)
    for example in sorted(examples, key=lambda example: example.id):
        families[example.family].append(example)
    cells: dict[CellKey, list[list[T]]] = defaultdict(list)
    for members in families.values():
        cells[members[0].domain, members[0].level, members[0].decision].append(members)
    rng = random.Random(seed)
    keyed: list[tuple[float, list[T]]] = []
    for cell in sorted(cells):
        rng.shuffle(cells[cell])
        n = len(cells[cell])
        keyed += [((position + rng.random()) / n, members) for position, members in enumerate(cells[cell])]
    keyed.sort(key=lambda pair: pair[0])
    return [example for _, members in keyed for example in members]


def smoke_test_sample(examples: Sequence[T], seed: int) -> list[T]:
    """Five of `examples` (or all, if there are fewer), spread over decisions, levels and domains as far as they go."""
    waiting = sampling_order(examples, seed)
    chosen: list[T] = []
    while waiting and len(chosen) < SMOKE_TEST_SIZE:

        def repetitions(example: T) -> tuple[int, int, int]:
            return (
                sum(other.decision == example.decision for other in chosen),
                sum(other.level == example.level for other in chosen),
                sum(other.domain == example.domain for other in chosen),
            )

        best = min(waiting, key=repetitions)
        chosen.append(best)
        waiting.remove(best)
    return chosen
