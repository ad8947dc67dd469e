"""Facts: what a piece of evidence can say, before it is worded. `part` is the part of the claim that it is about."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Arm(StrEnum):
    """One side of a comparison."""

    WITH = "with"
    WITHOUT = "without"


@dataclass(frozen=True, slots=True)
class Stated:
    """A direction in words: `state` -1, 0 or 1."""

    part: int
    state: int


@dataclass(frozen=True, slots=True)
class Qualified:
    """What qualifies the effect, in words: the option (0, 1) of the world's shape; `percent` where a size has one."""

    part: int
    option: int
    percent: int = 0


@dataclass(frozen=True, slots=True)
class Compared:
    """Both figures of a comparison. In a balance of money `with_value` is the saving and `without_value` the cost."""

    part: int
    without_value: float
    with_value: float


@dataclass(frozen=True, slots=True)
class Measured:
    """One figure of a comparison."""

    part: int
    arm: Arm
    value: float


@dataclass(frozen=True, slots=True)
class Counted:
    """A count out of a base, one side of a comparison of shares."""

    part: int
    arm: Arm
    count: int
    base: int


@dataclass(frozen=True, slots=True)
class Series:
    """Readings over half a year."""

    part: int
    readings: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """What was left of the effect (`state`) while the driver of index `driver` was held constant."""

    part: int
    driver: int
    state: int


@dataclass(frozen=True, slots=True)
class Defined:
    """The bounds in which a standard uses each of the two grades of the world, by their index."""

    part: int
    bounds: tuple[tuple[float, float], tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Started:
    """When the intervention went live: an index of MONTHS. It bears on all parts."""

    part: int
    month: int


@dataclass(frozen=True, slots=True)
class Shifted:
    """A direction in which a metric moved in a month, and stayed level before and after."""

    part: int
    state: int
    month: int


@dataclass(frozen=True, slots=True)
class Moved:
    """What the intervention did to the driver of a part."""

    part: int
    state: int
    percent: int


@dataclass(frozen=True, slots=True)
class Linked:
    """How the metric of a part follows its driver: 1 along with it, -1 against it, 0 not at all."""

    part: int
    link: int


@dataclass(frozen=True, slots=True)
class Undecided:
    """An interval on both sides of zero."""

    part: int


Fact = (
    Stated
    | Qualified
    | Compared
    | Measured
    | Counted
    | Series
    | Held
    | Defined
    | Started
    | Shifted
    | Moved
    | Linked
    | Undecided
)
