"""Hypotheses: one claim in one sentence, in varied words."""

from __future__ import annotations

from random import Random

from core.generation.procedural.wording import capitalize, sentence
from core.generation.procedural.worlds import Scenario, World

_RISE = ("raises", "increases", "lifts", "pushes up", "drives up")
_FALL = ("lowers", "reduces", "cuts", "brings down", "decreases", "pushes down")
_SUBJECTS = (
    "the {i}",
    "introducing the {i}",
    "rolling out the {i}",
    "adopting the {i}",
    "putting the {i} in place",
    "use of the {i}",
)
_GAIN = ("saves more than it costs", "earns back more than it costs", "brings in more than is spent on it")
_EVEN = ("breaks even", "just covers its cost", "earns back what it costs and no more")
_LOSS = ("costs more than it saves", "fails to earn back its cost", "loses money")


def write_hypothesis(world: World, position: int, rng: Random) -> str:
    """The claim of `position` in words."""
    subject = rng.choice(_SUBJECTS).format(i=world.intervention)
    state = world.states[position]
    metric = f"the {world.metrics[0].name}"
    if world.scenario == Scenario.SIZE:
        return sentence(_sized(subject, metric, state[0], world.bands[state[1]], rng))
    if world.scenario == Scenario.DRIVERS:
        first, second = world.drivers if state[1] == 0 else (world.drivers[1], world.drivers[0])
        return sentence(_driven(subject, metric, state[0], first, second, rng))
    if world.scenario in (Scenario.TRADE_OFF, Scenario.STATED):
        return sentence(_two_metrics(subject, world, state, rng))
    places, states = world.contexts, state
    if world.scenario != Scenario.FOLLOW_UP and rng.random() < 0.5:
        places, states = (places[1], places[0]), (states[1], states[0])
    if world.scenario == Scenario.BREAK_EVEN:
        return sentence(_balanced(subject, places, states, rng))
    return sentence(_two_places(subject, metric, places, states, rng))


def _plain(state: int, rng: Random) -> str:
    """A verb that can stand before a pronoun."""
    return rng.choice(("raises", "increases", "lifts") if state > 0 else ("lowers", "reduces", "cuts", "decreases"))


def _verb(state: int, rng: Random) -> str:
    return rng.choice(_RISE if state > 0 else _FALL)


def _sized(subject: str, metric: str, direction: int, band: tuple[int, int], rng: Random) -> str:
    verb = _verb(direction, rng)
    low, high = band
    form = rng.choice(("by {l} to {h} %", "by between {l} and {h} %", "by {l}–{h} %", "by {l} to {h} per cent"))
    size = form.format(l=low, h=high)
    return f"{subject} {verb} {metric} {size}"


def _driven(subject: str, metric: str, direction: int, first: str, second: str, rng: Random) -> str:
    verb = _verb(direction, rng)
    how = rng.choice(("chiefly", "mainly", "above all"))
    way = rng.choice(("through", "by way of"))
    return rng.choice(
        (
            f"{subject} {verb} {metric}, {how} {way} {first} rather than {second}",
            f"{subject} {verb} {metric} {how} {way} {first}, with a smaller share from {second}",
            f"{how} {way} {first} and less so {second}, {subject} {verb} {metric}",
        )
    )


def _two_metrics(subject: str, world: World, states: tuple[int, int], rng: Random) -> str:
    pairs = [(f"the {m.name}", s) for m, s in zip(world.metrics, states, strict=True)]
    if rng.random() < 0.5:
        pairs.reverse()
    pairs.sort(key=lambda pair: pair[1] == 0 and rng.random() < 0.7)
    (one, first), (two, second) = pairs
    if first == 0:
        verb = _verb(second, rng)
        return rng.choice(
            (f"{subject} leaves {one} unchanged but {verb} {two}", f"{subject} {verb} {two} while {one} stays the same")
        )
    if second == 0:
        verb = _verb(first, rng)
        return rng.choice(
            (
                f"{subject} {verb} {one} without changing {two}",
                f"{subject} {verb} {one} but leaves {two} unchanged",
                f"{subject} {verb} {one} and makes no difference to {two}",
            )
        )
    if first == second:
        verb = _verb(first, rng)
        return rng.choice((f"{subject} {verb} both {one} and {two}", f"{subject} {verb} {one} as well as {two}"))
    return rng.choice(
        (
            f"{subject} {_verb(first, rng)} {one} and {_verb(second, rng)} {two}",
            f"{subject} {_verb(first, rng)} {one} but {_verb(second, rng)} {two}",
        )
    )


def _two_places(subject: str, metric: str, places: tuple[str, str], states: tuple[int, int], rng: Random) -> str:
    (one, two), (first, second) = places, states
    if first == second:
        verb = _verb(first, rng)
        return rng.choice(
            (
                f"{subject} {verb} {metric} both {one} and {two}",
                f"{subject} {verb} {metric} {one} as well as {two}",
                f"{one} and {two} alike, {subject} {verb} {metric}",
            )
        )
    if first == 0:
        verb = _plain(second, rng)
        return rng.choice(
            (
                f"{subject} leaves {metric} unchanged {one} but {verb} it {two}",
                f"{one}, {subject} has no effect on {metric}; {two}, it {verb} it",
                f"{subject} makes no difference to {metric} {one}, yet {verb} it {two}",
            )
        )
    verb = _verb(first, rng)
    if second == 0:
        return rng.choice(
            (
                f"{subject} {verb} {metric} {one} but leaves it unchanged {two}",
                f"{subject} {verb} {metric} {one} and makes no difference to it {two}",
                f"{one}, {subject} {verb} {metric}; {two}, it has no effect",
            )
        )
    other = _plain(second, rng)
    return rng.choice(
        (
            f"{subject} {verb} {metric} {one} but {other} it {two}",
            f"{one}, {subject} {verb} {metric}; {two}, it {other} it",
            f"{subject} {verb} {metric} {one}, yet {other} it {two}",
        )
    )


def _balanced(subject: str, places: tuple[str, str], states: tuple[int, int], rng: Random) -> str:
    (one, two), (first, second) = places, states
    verbs = {1: rng.choice(_GAIN), 0: rng.choice(_EVEN), -1: rng.choice(_LOSS)}
    if first == second:
        return rng.choice(
            (
                f"{subject} {verbs[first]} both {one} and {two}",
                f"{one} and {two} alike, {subject} {verbs[first]}",
                f"{subject} {verbs[first]} {one} as well as {two}",
            )
        )
    return rng.choice(
        (
            f"{subject} {verbs[first]} {one} but {verbs[second]} {two}",
            f"{one}, {subject} {verbs[first]}; {two}, it {verbs[second]}",
            f"{capitalize(one)}, {subject} {verbs[first]}, yet {two} it {verbs[second]}",
        )
    )
