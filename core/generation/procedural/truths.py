"""The facts that make a position of a world true, with their figures."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from core.generation.procedural.facts import (
    Arm,
    Compared,
    Counted,
    Defined,
    Fact,
    Held,
    Linked,
    Measured,
    Moved,
    Qualified,
    Series,
    Shifted,
    Started,
    Stated,
)
from core.generation.procedural.lexicon import Metric
from core.generation.procedural.worlds import LARGE, SMALL, Inference, Shape, World

_USUAL = (0.1, 0.34)  # the size of an effect, as a share, where nothing is claimed of it
BASES = (100, 200, 300, 400, 500, 600)


def plan_facts(world: World, position: int, steps: int, rng: Random) -> list[Fact]:
    """The facts from which `position` follows; those that lead to it only together stand side by side."""
    states = world.states[position]
    planners: dict[Inference, Callable[[], list[Fact]]] = {
        Inference.STATED: lambda: _in_words(world, states, rng),
        Inference.COMPARISON: lambda: _compared(world, states, steps, rng),
        Inference.TREND: lambda: _series(world, states, rng),
        Inference.ELIMINATION: lambda: _eliminated(world, states, steps, rng),
        Inference.DEFINITION: lambda: _defined(world, states, rng),
        Inference.DENOMINATOR: lambda: _counted(states, rng),
        Inference.SELECTION: lambda: _compared(world, states, steps, rng),
        Inference.TIMELINE: lambda: _shifted(world, states, rng),
        Inference.CHAIN: lambda: _chained(states, rng),
    }
    return planners[world.inference]()


def figures(metric: Metric, state: int, size: tuple[float, float], rng: Random) -> tuple[float, float]:
    """A figure without and one with the intervention that differ in direction `state` by a share within `size`."""
    margin = (size[1] - size[0]) * 0.1
    base = value = 0.0
    for attempt in range(400):
        base = round(rng.uniform(metric.low, metric.high), metric.decimals)
        change = state * rng.uniform(*size) if state else rng.uniform(-0.008, 0.008)
        value = round(base * (1 + change), metric.decimals)
        observed = abs(value / base - 1)
        if (state and size[0] + margin <= observed <= size[1] - margin) or (
            not state and observed <= 0.015 and (observed or attempt > 20)
        ):
            break
    return base, value


def _in_words(world: World, states: tuple[int, int], rng: Random) -> list[Fact]:
    if not world.shape.carried:
        return [Stated(0, states[0]), Stated(1, states[1])]
    percent = 0
    if world.shape == Shape.SIZE and rng.random() < 0.25:
        percent = rng.randint(*(SMALL, LARGE)[states[1]])
    return [Stated(0, states[0]), Qualified(1, states[1], percent)]


def _comparison(world: World, part: int, state: int, apart: bool, rng: Random) -> list[Fact]:
    """The two figures of one part, in one fact or `apart`."""
    without, value = figures(world.metrics[part], state, _USUAL, rng)
    if apart:
        return [Measured(part, Arm.WITHOUT, without), Measured(part, Arm.WITH, value)]
    return [Compared(part, without, value)]


def _compared(world: World, states: tuple[int, int], steps: int, rng: Random) -> list[Fact]:
    if world.shape == Shape.SIZE:
        low, high = world.bands[states[1]]
        without, value = figures(world.metrics[0], states[0], (low / 100, high / 100), rng)
        percent = round(abs(value / without - 1) * 100)
        return [Compared(0, without, value), Qualified(1, states[1], min(max(percent, low), high))]
    apart = steps >= 3 or rng.random() < 0.5
    return [fact for part in (0, 1) for fact in _comparison(world, part, states[part], apart, rng)]


def _series(world: World, states: tuple[int, int], rng: Random) -> list[Fact]:
    metric = world.metrics[0]
    first, middle = figures(metric, states[0], _USUAL, rng)
    size = rng.uniform(0.1, 0.3)
    last = round(middle * (1 + states[1] * size), metric.decimals) if states[1] else _near(middle, metric, rng)
    return [
        Series(0, (first, _between(first, middle, metric, rng), middle)),
        Series(1, (middle, _between(middle, last, metric, rng), last)),
    ]


def _near(value: float, metric: Metric, rng: Random) -> float:
    return round(value * (1 + rng.uniform(-0.012, 0.012)), metric.decimals)


def _between(first: float, last: float, metric: Metric, rng: Random) -> float:
    """A reading on the way, sometimes a little off it."""
    return round(first + (last - first) * rng.uniform(-0.1, 0.9), metric.decimals)


def _eliminated(world: World, states: tuple[int, int], steps: int, rng: Random) -> list[Fact]:
    direction, cause = states
    held: list[Fact] = [Held(1, cause, 0), Held(1, 1 - cause, direction)]
    rng.shuffle(held)
    return [*_comparison(world, 0, direction, steps >= 3, rng), *held]


def _defined(world: World, states: tuple[int, int], rng: Random) -> list[Fact]:
    direction, grade = states
    metric = world.metrics[0]
    without, value = figures(metric, direction, (0.14, 0.34), rng)
    # A band around the figure that the one without the intervention is outside of, and the band next to it.
    room = abs(value - without)
    low, high = value - room * rng.uniform(0.2, 0.6), value + room * rng.uniform(0.2, 0.6)
    other = (high, 2 * high - low) if rng.random() < 0.5 else (max(2 * low - high, low / 2), low)
    bounds = [(round(start, metric.decimals), round(end, metric.decimals)) for start, end in ((low, high), other)]
    first, second = bounds if grade == 0 else reversed(bounds)
    return [
        Measured(0, Arm.WITHOUT, without),
        Measured(0, Arm.WITH, value),
        Defined(1, (first, second)),
    ]


def _counted(states: tuple[int, int], rng: Random) -> list[Fact]:
    """Counts whose shares move as `states` say, while the counts themselves may move in any direction."""
    facts: list[Fact] = []
    for part, state in enumerate(states):
        share = rng.randint(12, 30)
        other = share + state * rng.randint(4, 8)
        first, second = rng.sample(BASES, 2)
        facts.append(Counted(part, Arm.WITHOUT, share * first // 100, first))
        facts.append(Counted(part, Arm.WITH, other * second // 100, second))
    return facts


def _shifted(world: World, states: tuple[int, int], rng: Random) -> list[Fact]:
    facts: list[Fact] = [Started(0, world.start)]
    for part, state in enumerate(states):
        month = rng.randrange(world.start + 1, world.start + 4) if state else rng.randrange(world.start)
        facts.append(Shifted(part, state or rng.choice((1, -1)), month))
    return facts


def _chained(states: tuple[int, int], rng: Random) -> list[Fact]:
    facts: list[Fact] = []
    for part, state in enumerate(states):
        moved = rng.choice((1, -1))
        linked = state * moved
        # A state of zero is either a driver that stood still or a metric that does not follow it.
        if not state and rng.random() < 0.5:
            moved, linked = 0, rng.choice((1, -1))
        facts += [Moved(part, moved, rng.randint(11, 38)), Linked(part, linked)]
    return facts
