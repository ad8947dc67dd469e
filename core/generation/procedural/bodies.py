"""Bodies of evidence before they are worded: the facts of each piece, its strength, and its relevance."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from random import Random

from core.config.task import Band, Level
from core.generation.procedural.facts import Arm, Compared, Counted, Defined, Fact, Measured, Moved, Series, Stated
from core.generation.procedural.truths import BASES, plan_facts
from core.generation.procedural.worlds import Inference, World


class Role(StrEnum):
    """What a piece does for the decision."""

    SUPPORT = "support"
    ECHO = "echo"  # agrees with what others settle
    CONTRARY = "contrary"
    IRRELEVANT = "irrelevant"


class Aside(StrEnum):
    """Why what a piece says on the claim does not count, and how it shows."""

    NONE = ""
    HEARSAY = "hearsay"
    IMPRESSION = "impression"  # no count stands behind it
    ELSEWHERE = "elsewhere"
    CHOSEN = "chosen"  # those alone who chose the intervention themselves
    OTHER_MEASURE = "other measure"
    EARLIER = "earlier"


@dataclass(frozen=True, slots=True)
class PlannedPiece:
    """One piece of evidence before it is worded. `strength` is 2 (strong), 1 (fair) or 0 (weak)."""

    role: Role
    facts: tuple[Fact, ...]
    strength: int
    relevance: float
    world: World
    aside: Aside = Aside.NONE


@dataclass(frozen=True, slots=True)
class Body:
    """All pieces of one body, in their final order."""

    world: World
    position: int
    pieces: tuple[PlannedPiece, ...]


def draw_from_band(band: Band, rng: Random, low: float = 0.0, high: float = 1.0) -> float:
    """A random number of two decimals in `band` (or its lower end), from the part `low`..`high` (0-1) of it."""
    start, width = band[0], band[1] - band[0]
    value = round(start + width * (low + (high - low) * rng.random()), 2)
    return min(max(value, band[0]), band[1])


def plan_body(world: World, position: int, level: Level, rng: Random) -> Body:
    """A body of evidence for `position` within the knobs of `level`."""
    irrelevant, contrary, supporting = _counts(level, rng)
    facts = plan_facts(world, position, level.steps, rng)
    asides = [_aside(world, rng) for _ in range(contrary)]
    # Of two directions, half of what does not count is right; of three, it has to be less to tell nothing.
    share = 1.0 if world.shape.carried else 0.6
    echoes = [_counterpart(world, aside, rng) for aside in asides if rng.random() < share][: supporting - 1]
    strengths = {"high": (2,), "mixed": (1, 2), "low": (1, 1, 2)}[level.reliability]

    def piece(role: Role, stated: tuple[Fact, ...], aside: Aside = Aside.NONE) -> PlannedPiece:
        fixed = {Aside.HEARSAY: 0, Aside.IMPRESSION: 1}
        imposing = aside and aside not in fixed
        drawn = fixed[aside] if aside in fixed else rng.choice((1, 2, 2)) if imposing else rng.choice(strengths)
        band = (0.0, 0.5) if aside else (0.25, 1.0)
        return PlannedPiece(role, stated, drawn, draw_from_band(level.relevance, rng, *band), world, aside)

    pieces = []
    for number, group in enumerate(share_out(facts, supporting - len(echoes), level.steps, rng)):
        repeated = number >= len(facts) if level.steps > 1 else False
        pieces.append(piece(Role.ECHO if repeated else Role.SUPPORT, group))
    pieces += [piece(Role.ECHO, (_said(world, position, True, rng),), aside) for aside in echoes]
    pieces += [piece(Role.CONTRARY, (_said(world, position, False, rng),), aside) for aside in asides]
    low, high = level.irrelevant_relevance
    below = (low, max(low, min(high, round(level.relevance[0] - 0.01, 2))))
    pieces += [PlannedPiece(Role.IRRELEVANT, (), 1, draw_from_band(below, rng), world) for _ in range(irrelevant)]
    rng.shuffle(pieces)
    return Body(world, position, tuple(pieces))


def _counts(level: Level, rng: Random) -> tuple[int, int, int]:
    """Irrelevant, contradicting and supporting pieces, within the knobs; where steps are joined, two that support."""
    total = rng.randint(max(level.evidence[0], 1), max(level.evidence[1], 1))
    irrelevant = rng.randint(*level.irrelevant)
    contrary = rng.randint(*level.contradicting)
    least = 2 if level.steps > 1 or level.contradicting[1] else 1
    while total - irrelevant - contrary < least and total < level.evidence[1]:
        total += 1
    while total - irrelevant - contrary < least and contrary > level.contradicting[0]:
        contrary -= 1
    while total - irrelevant - contrary < least and irrelevant > level.irrelevant[0]:
        irrelevant -= 1
    return irrelevant, contrary, total - irrelevant - contrary


def _imposing(world: World, rng: Random) -> Aside:
    """Why a piece from a source that seems to count does not."""
    if world.inference == Inference.SELECTION:
        return Aside.CHOSEN
    options = [Aside.ELSEWHERE, Aside.EARLIER]
    # Beside two parts it would be open against which of them another measure stands.
    if world.shape.carried:
        options.append(Aside.OTHER_MEASURE)
    if world.inference not in (Inference.STATED, Inference.CHAIN):
        options.append(Aside.IMPRESSION)
    return rng.choice(options)


def _aside(world: World, rng: Random) -> Aside:
    """Why a contrary piece does not count: as often for what it is as for what it is about."""
    return Aside.HEARSAY if rng.random() < 0.5 else _imposing(world, rng)


def _counterpart(world: World, aside: Aside, rng: Random) -> Aside:
    """A piece that agrees with the truth and does not count either, beside a contrary one.

    It is of the other kind, so that hearsay and imposing pieces are right as often as not, and neither tells anything.
    """
    return _imposing(world, rng) if aside == Aside.HEARSAY else Aside.HEARSAY


def share_out(facts: list[Fact], count: int, steps: int, rng: Random) -> list[tuple[Fact, ...]]:
    """Distribute `facts` over `count` pieces; past one piece for each fact, they are found again.

    Where steps are joined, facts that are conclusive only together go to different pieces if there are two.
    """
    if steps == 1 and count >= 2 and rng.random() < 0.5:
        return [
            tuple(facts) if number == 0 else tuple(repeated(fact, rng) for fact in facts) for number in range(count)
        ]
    groups: list[list[Fact]] = [[] for _ in range(min(count, len(facts)))]
    shift = rng.randrange(len(groups))
    for number, fact in enumerate(facts):
        groups[(number + shift) % len(groups)].append(fact)
    again = _repeatable(facts)
    while len(groups) < count:
        groups.append([repeated(fact, rng) for fact in rng.choice(again)])
    return [tuple(group) for group in groups]


def _repeatable(facts: list[Fact]) -> list[list[Fact]]:
    """What a second study can find again: each fact by itself, and the two sides of a comparison together.

    A figure that a standard classes is not found again: in another sample it could be of another grade.
    """
    groups: list[list[Fact]] = [[fact] for fact in facts if not isinstance(fact, Measured | Counted)]
    if any(isinstance(fact, Defined) for fact in facts):
        return groups
    for part in (0, 1):
        sides = {fact.arm: fact.value for fact in facts if isinstance(fact, Measured) and fact.part == part}
        if len(sides) == len(Arm):
            groups.append([Compared(part, sides[Arm.WITHOUT], sides[Arm.WITH])])
        counts: list[Fact] = [fact for fact in facts if isinstance(fact, Counted) and fact.part == part]
        if len(counts) == len(Arm):
            groups.append(counts)
    return groups or [[fact] for fact in facts]


def repeated(fact: Fact, rng: Random) -> Fact:
    """The same fact as a second study finds it."""
    if isinstance(fact, Moved):
        return replace(fact, percent=fact.percent + rng.choice((-2, -1, 1, 2)))
    if isinstance(fact, Counted):
        share = fact.count * 100 // fact.base
        base = rng.choice([base for base in BASES if base != fact.base])
        return replace(fact, count=share * base // 100, base=base)
    if isinstance(fact, Compared):
        without, value = _rescaled((fact.without_value, fact.with_value), 0.0035, rng)
        return replace(fact, without_value=without, with_value=value)
    if isinstance(fact, Series):
        return replace(fact, readings=_rescaled(fact.readings, 0.01, rng))
    return fact


def _rescaled(values: tuple[float, ...], drift: float, rng: Random) -> tuple[float, ...]:
    """`values` in another sample: other figures whose shares of the first differ by no more than `drift`."""
    digits = -3 if max(values) >= 10_000 else max(len(f"{value:.10f}".rstrip("0").split(".")[1]) for value in values)
    for _ in range(12):
        scale = rng.uniform(0.92, 1.05)
        scaled = tuple(round(value * scale, digits) for value in values)
        drifts = [abs(new / scaled[0] - old / values[0]) for new, old in zip(scaled, values, strict=True)]
        if max(drifts) < drift and scaled != values:
            return scaled
    return values


def _said(world: World, position: int, true: bool, rng: Random) -> Fact:
    """A direction in words that agrees with `position`, or another one."""
    part = 0 if world.shape.carried else rng.randrange(2)
    state = world.states[position][part]
    if not true:
        # Where a part can stay the same, so can what is wrongly said of it.
        others = (-state,) if world.shape.carried else tuple(other for other in (1, 0, -1) if other != state)
        state = rng.choice(others)
    return Stated(part, state)
