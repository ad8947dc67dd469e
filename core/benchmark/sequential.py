"""Confidence sequences: intervals that may be looked at after every answer, and are valid at all looks together.

They are built by betting (Waudby-Smith and Ramdas 2024, "Estimating means of bounded random variables by betting"). If
the mean is m, no bet on the values makes money in the long run, so a capital of 1 ever reaches 1/alpha with a
probability of at most alpha (Ville's inequality). Bets that the mean is above m stake the share c of the highest
possible stake, for each c of a fixed grid. The capital is the weighted mean of theirs (a mixture, as in section 4 of
the paper and in Cover's portfolios).

The estimate is of the mean over the population that the examples are drawn from, "cases like these", and not of the
mean of the finite benchmark: that one would be certain at its end, and says less. A family is bet on as a whole, by
its sum, since its members depend on each other. Bets are on sums and not on means of families, because families differ
in size: it is the accuracy over examples that keeps the martingale, E[sum - m * size] = 0.

The order of asking is random and stratified. Step by step the capital is then no martingale, since the mean of a
stratum may differ from m. But over a round of all strata these differences sum to 0. With fixed shares (no share
depends on what was seen) the expected product over the round is at most 1, because the geometric mean is below the
arithmetic one. Errors are rarer than in a plain random order, as tests/bench/gate.py shows.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

# Shares of the highest stake: small ones for means close to m. Tuned for benchmarks of 30 to 3,000 examples.
_SMALLEST, _LARGEST, _SHARES = 0.005, 0.98, 20
# A forecast of more examples than this is of no use.
MAX_NEEDED = 100_000
_CHUNK_SIZE = 10_000

# Sum and size of a family.
Block = tuple[float, int]


class Families:
    """Examples in the order of asking, by family; a family counts once all of its examples have values.

    Answers come back in another order, short ones first. Families are therefore released in the order of asking and
    not of answering: up to the first that is not complete.
    """

    def __init__(self, asking_order: Iterable[tuple[str, str]]) -> None:
        """`asking_order` has (example, family)."""
        members: dict[str, list[str]] = defaultdict(list)
        for example, family in asking_order:
            members[family].append(example)
        self._waiting = list(members.values())
        self._values: dict[str, float] = {}
        self._next = 0
        self.examples: list[str] = []
        self.largest = max(map(len, self._waiting), default=1)

    def put(self, example: str, value: float) -> None:
        """Store the value (0 to 1) of an example."""
        self._values[example] = value

    def take(self) -> list[Block]:
        """Take the families that have become complete since the last call; adds their examples to `examples`."""
        blocks = list[Block]()
        while self._next < len(self._waiting):
            members = self._waiting[self._next]
            if not all(example in self._values for example in members):
                break
            blocks.append((sum(self._values[example] for example in members), len(members)))
            self.examples += members
            self._next += 1
        return blocks


class ConfidenceSequence:
    """An interval for a mean of values from 0 to 1 that holds with `level` certainty at all times together.

    It tests whether the mean is above `above` and whether it is below `below` (both between 0 and 1): `above_at` and
    `below_at` are the numbers of examples at which that became certain, None until then. Each side may err with half
    of 1 - level. Adding values costs the same however many were added before.
    """

    def __init__(self, *, above: float, below: float, largest: int, level: float) -> None:
        """`largest` is the size of the largest family that will come."""
        import numpy as np

        self.n = 0
        self.sum = 0.0
        self._largest = largest
        self._goal = float(np.log(2 / (1 - level)))
        self._sides = [_Side(above, mirrored=False), _Side(1 - below, mirrored=True)]
        self._seen: Counter[Block] = Counter()

    @property
    def above_at(self) -> int | None:
        return self._sides[0].crossed_at

    @property
    def below_at(self) -> int | None:
        return self._sides[1].crossed_at

    def add(self, blocks: Sequence[Block]) -> None:
        """Add the next families: the sum of each, from 0 to its size, and its size."""
        for start in range(0, len(blocks), _CHUNK_SIZE):
            part = blocks[start : start + _CHUNK_SIZE]
            for side in self._sides:
                self._bet(side, part)
            self._seen.update(part)
            self.n += sum(size for _, size in part)
            self.sum += sum(total for total, _ in part)

    def _bet(self, side: _Side, blocks: Sequence[Block]) -> None:
        import numpy as np

        gains = _gains(np.array(blocks), side.null, side.mirrored, self._largest)
        path = gains.cumsum(axis=0) + side.capital
        side.capital = path[-1]
        if side.crossed_at is None and (crossed := np.flatnonzero(_log_mixture(path) >= self._goal)).size:
            until_crossed = blocks[: int(crossed[0]) + 1]
            side.crossed_at = self.n + sum(size for _, size in until_crossed)
            side.seen_at_crossing = self._seen + Counter(until_crossed)

    def interval(self) -> tuple[float, float]:
        """The lower and upper end as of now; an end that has excluded its threshold stays beyond it."""
        now = self._bound(self._seen, mirrored=False), 1 - self._bound(self._seen, mirrored=True)
        then = [self._bound(side.seen_at_crossing, side.mirrored) for side in self._sides]
        low, high = max(now[0], then[0]), min(now[1], 1 - then[1])
        return (low, high) if low <= high else now

    def _bound(self, seen: Counter[Block], mirrored: bool) -> float:
        """The largest m for which the bets that the mean is above m have won; their capital falls as m rises."""
        import numpy as np

        if not seen:
            return 0.0
        blocks, counts = np.array(list(seen)), np.array(list(seen.values()))
        low, high = 0.0, 1.0
        for _ in range(30):
            null = (low + high) / 2
            won = _log_mixture(counts @ _gains(blocks, null, mirrored, self._largest)) >= self._goal
            low, high = (null, high) if won else (low, null)
        return low

    def more_above(self) -> int | None:
        """How many more examples like those seen would show the mean to be above `above`; None if none or too many."""
        return self._more_needed(self._sides[0])

    def more_below(self) -> int | None:
        """How many more examples would show the mean to be below `below`; None if none or too many."""
        return self._more_needed(self._sides[1])

    def _more_needed(self, side: _Side) -> int | None:
        import numpy as np

        if side.crossed_at is not None:
            return 0
        if not self._seen:
            return None
        families = sum(self._seen.values())
        counts = np.array(list(self._seen.values()))
        growth = counts @ _gains(np.array(list(self._seen)), side.null, side.mirrored, self._largest) / families
        size = self.n / families
        return smallest_sufficient(lambda more: bool(_log_mixture(side.capital + growth * (more / size)) >= self._goal))


class _Side:
    """The bets that a mean is above `null`: the log capital of each share, and when all together have won."""

    def __init__(self, null: float, mirrored: bool) -> None:
        import numpy as np

        self.null = null
        self.mirrored = mirrored
        self.capital = np.zeros(_SHARES)
        self.crossed_at: int | None = None
        self.seen_at_crossing: Counter[Block] = Counter()


def _gains(blocks: np.ndarray, null: float, mirrored: bool, largest: int) -> np.ndarray:
    """What each family of `blocks` (F, 2) adds to the log capital of each share: (F, shares)."""
    import numpy as np

    sums, sizes = blocks[:, :1], blocks[:, 1:]
    above = (sizes - sums if mirrored else sums) / null - sizes
    gains: np.ndarray = np.log1p(_grid()[0] * above / largest)
    return gains


def _log_mixture(capital: np.ndarray) -> np.ndarray:
    """The log capital of all shares together; `capital` is the log capital of each, (..., shares)."""
    import numpy as np

    mixed: np.ndarray = np.logaddexp.reduce(capital + _grid()[1], axis=-1)
    return mixed


@cache
def _grid() -> tuple[np.ndarray, np.ndarray]:
    """The shares of the highest stake, in geometric steps, and the logarithms of their weights, their square roots."""
    import numpy as np

    shares = np.geomspace(_SMALLEST, _LARGEST, _SHARES)
    return shares, np.log(np.sqrt(shares) / np.sqrt(shares).sum())


def smallest_sufficient(enough: Callable[[int], bool]) -> int | None:
    """The smallest number from 1 that is `enough`, given that all larger ones are too; None above `MAX_NEEDED`."""
    low, high = 0, 1
    while not enough(high):
        if high >= MAX_NEEDED:
            return None
        low, high = high, min(2 * high, MAX_NEEDED)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
