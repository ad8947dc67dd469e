"""The range of a plot's axis: one that does not make a cliff of a hair's breadth, and three short ticks on it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

# A range is made of so many round steps at least.
_STEPS = 5
_ROUND = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Axis:
    """From `low` to `high`, with `low` below `high`; ticks are at both ends, and at 0 or halfway between them."""

    low: float
    high: float

    @property
    def ticks(self) -> list[float]:
        """Three values, in their order."""
        middle = 0.0 if self.low < 0 < self.high else (self.low + self.high) / 2
        return [self.low, middle, self.high]

    @property
    def labels(self) -> list[str]:
        """The ticks in words of three digits."""
        return [f"{tick:.3g}".replace("-", "−") for tick in self.ticks]


def axis_of(values: Iterable[float], least: float) -> Axis:
    """The axis for `values`, which always has 0 on it, and is at least `least` long, above 0; its ends are round.

    Values that are no numbers or infinite are left out.
    """
    known = [value for value in values if math.isfinite(value)]
    low, high = min([0.0, *known]), max([0.0, *known])
    if high - low < least:
        low, high = (low, low + least) if -low <= high else (high - least, high)
    step = _round_up((high - low) / _STEPS)
    # A hair is taken off, or 0.3 / 0.1 would be more than 3.
    return Axis(math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step)


def _round_up(length: float) -> float:
    """The next of 1, 2, 2.5, 5 or 10 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(length))
    return next(power * factor for factor in _ROUND if power * factor >= length * (1 - 1e-9))
