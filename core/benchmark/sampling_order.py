"""The order in which a benchmark asks: random and stratified, so that it may stop early and still be fair."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TypeVar

from storage.schema import Example

# Five answers show that a model works, not how accurate it is.
SMOKE_TEST_SIZE = 5

# What a family is told apart by: a name or a number of its first member.
Stratum = Callable[[Example], str | int]
T = TypeVar("T", bound=Example)


def sampling_order(examples: Sequence[T], seed: int) -> list[T]:
    """`examples` in a random order in which every beginning of the list holds each level, and within it each decision
    and domain, in about its share.

    A family stays together, and belongs to the cell of its first member. Families are merged from strata into larger
    ones: domains of one decision, decisions of one level, then levels. The family at position i of the n of a stratum
    gets the sort key (i + u) / n with u uniform in [0, 1): a stratified random order.
    """
    families: dict[str, list[T]] = defaultdict(list)
    for example in sorted(examples, key=lambda example: example.id):
        families[example.family].append(example)
    strata: list[Stratum] = [
        lambda example: example.level,
        lambda example: example.decision,
        lambda example: example.domain,
    ]
    ordered = _merge_strata(list(families.values()), strata, random.Random(seed))
    return [example for members in ordered for example in members]


def _merge_strata(families: list[list[T]], strata: Sequence[Stratum], rng: random.Random) -> list[list[T]]:
    """`families` in a random order in which the groups of the first of `strata` are spread evenly, and so on within."""
    if not strata:
        rng.shuffle(families)
        return families
    groups: dict[str | int, list[list[T]]] = defaultdict(list)
    for members in families:
        groups[strata[0](members[0])].append(members)
    keyed: list[tuple[float, list[T]]] = []
    for name in sorted(groups):
        ordered = _merge_strata(groups[name], strata[1:], rng)
        keyed += [((position + rng.random()) / len(ordered), members) for position, members in enumerate(ordered)]
    keyed.sort(key=lambda pair: pair[0])
    return [members for _, members in keyed]


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
