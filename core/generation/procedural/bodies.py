"""Bodies of evidence before they are worded: the facts of each piece, its strength, and its relevance."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from random import Random

from core.config.task import Band, Level
from core.generation.procedural.lexicon import Metric
from core.generation.procedural.worlds import Scenario, World


class Form(StrEnum):
    """How a fact is stated. All but BOTH and SAID need a second fact for a conclusion."""

    BOTH = "both"  # the figure with and without the intervention
    WITH = "with"
    WITHOUT = "without"
    MOVE = "move"  # the intervention moved a driver
    LINK = "link"  # the metric follows the driver
    SAID = "said"  # a direction in words
    OPEN = "open"  # an interval on both sides of zero


class Role(StrEnum):
    """What a piece does for the decision."""

    SUPPORT = "support"
    CONTRARY = "contrary"
    IRRELEVANT = "irrelevant"


@dataclass(frozen=True, slots=True)
class Effect:
    """The finding for one half of the claim: `state` -1, 0 or 1, and the figures behind it.

    For BREAK_EVEN `with_value` is the saving and `without_value` the cost; for the second half of DRIVERS they are the
    amounts that passed through the first and the second driver.
    """

    state: int
    without_value: float
    with_value: float
    moved: int = 0
    moved_percent: int = 0
    linked: int = 0


@dataclass(frozen=True, slots=True)
class Fact:
    """One statement about one half of the claim."""

    form: Form
    part: int
    finding: Effect


@dataclass(frozen=True, slots=True)
class PlannedPiece:
    """One piece of evidence before it is worded. `strength` is 2 (strong), 1 (fair) or 0 (weak)."""

    role: Role
    facts: tuple[Fact, ...]
    strength: int
    relevance: float
    world: World


@dataclass(frozen=True, slots=True)
class Body:
    """All pieces of one body, in their final order."""

    world: World
    position: int
    findings: tuple[Effect, ...]
    pieces: tuple[PlannedPiece, ...]


def draw_from_band(band: Band, rng: Random, low: float = 0.0, high: float = 1.0) -> float:
    """A random number of two decimals in `band` (or its lower end), from the part `low`..`high` (0-1) of it."""
    start, width = band[0], band[1] - band[0]
    value = round(start + width * (low + (high - low) * rng.random()), 2)
    return min(max(value, band[0]), band[1])


def draw_findings(world: World, position: int, rng: Random) -> tuple[Effect, ...]:
    """The findings that make `position` true, one for each half of the claim."""
    first, second = world.states[position]
    if world.scenario == Scenario.SIZE:
        low, high = world.bands[second]
        return (_finding(world.metrics[0], first, (low / 100, high / 100), rng),)
    if world.scenario == Scenario.DRIVERS:
        main = _finding(world.metrics[0], first, (0.14, 0.36), rng)
        return (main, _shares(main, second, world.metrics[0], rng))
    return tuple(_finding(m, s, (0.1, 0.34), rng) for m, s in zip(world.metrics, (first, second), strict=True))


def _finding(metric: Metric, state: int, size: tuple[float, float], rng: Random) -> Effect:
    margin = (size[1] - size[0]) * 0.1
    for attempt in range(400):
        base = round(rng.uniform(metric.low, metric.high), metric.decimals)
        change = state * rng.uniform(*size) if state else rng.uniform(-0.008, 0.008)
        value = round(base * (1 + change), metric.decimals)
        observed = abs(value / base - 1)
        if (state and size[0] + margin <= observed <= size[1] - margin) or (
            not state and observed <= 0.015 and (observed or attempt > 20)
        ):
            break
    # A state of zero is either a driver that stood still or a metric that does not follow it.
    driver_move = rng.choice((1, -1))
    linked = state * driver_move
    if not state and rng.random() < 0.5:
        driver_move, linked = 0, rng.choice((1, -1))
    return Effect(state, base, value, driver_move, rng.randint(11, 38), linked)


def _shares(main: Effect, driver: int, metric: Metric, rng: Random) -> Effect:
    change = abs(main.with_value - main.without_value)
    larger = change * rng.uniform(0.7, 0.88)
    amounts = (larger, change - larger)
    decimals = metric.decimals + 1
    first, second = amounts if driver == 0 else (amounts[1], amounts[0])
    return Effect(driver, round(second, decimals), round(first, decimals))


def plan_body(world: World, position: int, level: Level, rng: Random) -> Body:
    """A body of evidence for `position` within the knobs of `level`."""
    findings = draw_findings(world, position, rng)
    irrelevant, contrary, supporting = _counts(level, rng)
    facts = _facts(world, findings, level.steps if supporting >= 2 else 1, rng)
    strength = {"high": (2, 2), "mixed": (1, 2), "low": (1, 1)}[level.reliability]
    pieces = [
        PlannedPiece(Role.SUPPORT, group, rng.randint(*strength), draw_from_band(level.relevance, rng, 0.25), world)
        for group in share_out(facts, supporting, rng, exact=world.scenario == Scenario.SIZE)
    ]
    pieces += [
        PlannedPiece(
            Role.CONTRARY,
            (contrary_fact(world, findings, rng),),
            0,
            draw_from_band(level.relevance, rng, 0.0, 0.5),
            world,
        )
        for _ in range(contrary)
    ]
    low, high = level.irrelevant_relevance
    below = (low, max(low, min(high, round(level.relevance[0] - 0.01, 2))))
    pieces += [PlannedPiece(Role.IRRELEVANT, (), 1, draw_from_band(below, rng), world) for _ in range(irrelevant)]
    rng.shuffle(pieces)
    return Body(world, position, findings, tuple(pieces))


def _counts(level: Level, rng: Random) -> tuple[int, int, int]:
    """Irrelevant, contradicting and supporting pieces, within the knobs; two that support where that is possible."""
    total = rng.randint(max(level.evidence[0], 1), max(level.evidence[1], 1))
    irrelevant = rng.randint(*level.irrelevant)
    contrary = rng.randint(*level.contradicting)
    while total - irrelevant - contrary < 2 and total < level.evidence[1]:
        total += 1
    while total - irrelevant - contrary < 2 and contrary > level.contradicting[0]:
        contrary -= 1
    while total - irrelevant - contrary < 2 and irrelevant > level.irrelevant[0]:
        irrelevant -= 1
    return irrelevant, contrary, total - irrelevant - contrary


def _facts(world: World, findings: tuple[Effect, ...], steps: int, rng: Random) -> list[Fact]:
    if steps == 1:
        return [Fact(Form.BOTH, part, finding) for part, finding in enumerate(findings)]
    chains = world.scenario not in (Scenario.SIZE, Scenario.DRIVERS, Scenario.BREAK_EVEN, Scenario.STATED)
    forced = rng.randrange(len(findings))
    facts = []
    for part, finding in enumerate(findings):
        chained = chains and ((steps >= 3 and part == forced) or rng.random() < 0.3)
        forms = (Form.MOVE, Form.LINK) if chained else (Form.WITH, Form.WITHOUT)
        facts += [Fact(form, part, finding) for form in forms]
    return facts


def share_out(facts: list[Fact], count: int, rng: Random, exact: bool = False) -> list[tuple[Fact, ...]]:
    """Distribute `facts` over `count` pieces.

    Two facts that are conclusive only together go to different pieces where there are two.
    """
    firsts = [fact for fact in facts if fact.form not in (Form.WITHOUT, Form.LINK)]
    seconds = [fact for fact in facts if fact.form in (Form.WITHOUT, Form.LINK)]
    if count == 1:
        return [tuple(facts)]
    groups: list[tuple[Fact, ...]]
    if not seconds:
        groups = [tuple(facts)] if rng.random() < 0.5 or len(facts) == 1 else [(fact,) for fact in facts]
    else:
        groups = [tuple(firsts), tuple(seconds)]
    while len(groups) < count and any(len(group) > 1 for group in groups):
        splittable = rng.choice([group for group in groups if len(group) > 1])
        groups.remove(splittable)
        groups += [(fact,) for fact in splittable]
    groups = groups[:count]
    while len(groups) < count:
        groups.append((rng.choice(facts),))
    stated: set[tuple[Form, int]] = set()
    result = []
    for group in groups:
        result.append(
            tuple(_replicated(fact, exact, rng) if (fact.form, fact.part) in stated else fact for fact in group)
        )
        stated |= {(fact.form, fact.part) for fact in group}
    return result


def _replicated(fact: Fact, exact: bool, rng: Random) -> Fact:
    """The same fact as a second study finds it; `exact` keeps the relative change to a third of a per cent."""
    finding = fact.finding
    if fact.form == Form.MOVE:
        return replace(fact, finding=replace(finding, moved_percent=finding.moved_percent + rng.choice((-2, -1, 1, 2))))
    original = (finding.without_value, finding.with_value)
    rounded = max(original) >= 10_000
    digits = -3 if rounded else max(len(f"{value:.10f}".rstrip("0").split(".")[1]) for value in original)
    for _ in range(12):
        if fact.form == Form.BOTH:
            scale = rng.uniform(0.92, 1.05)
            without, with_value = (round(value * scale, digits) for value in original)
        else:
            without, with_value = (round(value * (1 + rng.uniform(-0.003, 0.003)), digits) for value in original)
        drift = abs(with_value / without - original[1] / original[0]) if without else 1.0
        if drift < (0.0035 if exact else 0.012) and (without, with_value) != original:
            return replace(fact, finding=replace(finding, without_value=without, with_value=with_value))
    return fact


def contrary_fact(world: World, findings: tuple[Effect, ...], rng: Random) -> Fact:
    """What a weak source says against one of `findings`: another direction than the true one."""
    directional = 1 if world.scenario == Scenario.DRIVERS else len(findings)
    part = rng.randrange(directional)
    truth = findings[part].state
    false = -truth if truth else rng.choice((1, -1))
    return Fact(Form.SAID, part, Effect(false, 0.0, 0.0))
