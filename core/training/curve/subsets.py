"""Which examples each cell of a learning curve learns from: nested, stratified, and families whole."""

from __future__ import annotations

import hashlib
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import accumulate

from storage.schema import Example

# Each size is half of the next one, as long as the smallest still has so many examples of each decision.
STEP = 2.0
FEWEST_OF_EACH = 2


def curve_sizes(largest: int, number: int, decisions: int) -> list[int]:
    """`number` sizes up to `largest`, each half of the next one, or less apart where the smallest would be too small.

    There are fewer where whole numbers would be the same.
    """
    smallest = min(largest, max(decisions * FEWEST_OF_EACH, largest / STEP ** (number - 1)))
    if number == 1:
        return [largest]
    ratio = (largest / smallest) ** (1 / (number - 1))
    return sorted({*(round(smallest * ratio**position) for position in range(number - 1)), largest})


def nested_order(examples: Sequence[Example], seed: int) -> list[list[Example]]:
    """The families in a random order in which every beginning has decisions and levels in about their shares.

    Families of the same decisions and levels are a stratum. They are shuffled, and those of a stratum spread evenly
    over the order from a random start (systematic sampling). A larger subset holds each smaller one of the same seed.
    """
    families: dict[str, list[Example]] = defaultdict(list)
    for example in sorted(examples, key=lambda example: example.id):
        families[example.family].append(example)
    strata: dict[tuple[tuple[str, int], ...], list[list[Example]]] = defaultdict(list)
    for members in families.values():
        strata[tuple(sorted({(member.decision, member.level) for member in members}))].append(members)
    rng = random.Random(f"learning curve/{seed}")
    keyed: list[tuple[float, list[Example]]] = []
    for stratum in sorted(strata):
        rng.shuffle(strata[stratum])
        start = rng.random()
        keyed += [
            ((position + start) / len(strata[stratum]), members) for position, members in enumerate(strata[stratum])
        ]
    return [members for _, members in sorted(keyed, key=lambda pair: pair[0])]


def subset(order: Sequence[Sequence[Example]], size: int) -> list[Example]:
    """The beginning of `order` that has nearest to `size` examples; one family at least."""
    totals = list(accumulate(len(members) for members in order))
    nearest = min(range(len(totals)), key=lambda position: abs(totals[position] - size))
    return [example for members in order[: nearest + 1] for example in members]


def fingerprint(examples: Iterable[Example]) -> str:
    """What tells one set of examples from another, and an example from a later version of it."""
    lines = sorted(f"{example.id}/{example.version}/{example.decision}" for example in examples)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
