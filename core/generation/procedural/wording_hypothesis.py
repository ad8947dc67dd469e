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
    contexts, states = world.contexts, state
    if world.scenario != Scenario.FOLLOW_UP and rng.random() < 0.5:
        contexts, states = (contexts[1], contexts[0]), (states[1], states[0])
    if world.scenario == Scenario.BREAK_EVEN:
        return sentence(_balanced(subject, contexts, states, rng))
    return sentence(_two_contexts(subject, metric, contexts, states, rng))


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
    emphasis = rng.choice(("chiefly", "mainly", "above all"))
    preposition = rng.choice(("through", "by way of"))
    return rng.choice(
        (
            f"{subject} {verb} {metric}, {emphasis} {preposition} {first} rather than {second}",
            f"{subject} {verb} {metric} {emphasis} {preposition} {first}, with a smaller share from {second}",
            f"{emphasis} {preposition} {first} and less so {second}, {subject} {verb} {metric}",
        )
    )


def _two_metrics(subject: str, world: World, states: tuple[int, int], rng: Random) -> str:
    pairs = [(f"the {m.name}", s) for m, s in zip(world.metrics, states, strict=True)]
    if rng.random() < 0.5:
        pairs.reverse()
    pairs.sort(key=lambda pair: pair[1] == 0 and rng.random() < 0.7)
    (first_metric, first), (second_metric, second) = pairs
    if first == 0:
        verb = _verb(second, rng)
        return rng.choice(
            (
                f"{subject} leaves {first_metric} unchanged but {verb} {second_metric}",
                f"{subject} {verb} {second_metric} while {first_metric} stays the same",
            )
        )
    if second == 0:
        verb = _verb(first, rng)
        return rng.choice(
            (
                f"{subject} {verb} {first_metric} without changing {second_metric}",
                f"{subject} {verb} {first_metric} but leaves {second_metric} unchanged",
                f"{subject} {verb} {first_metric} and makes no difference to {second_metric}",
            )
        )
    if first == second:
        verb = _verb(first, rng)
        return rng.choice(
            (
                f"{subject} {verb} both {first_metric} and {second_metric}",
                f"{subject} {verb} {first_metric} as well as {second_metric}",
            )
        )
    return rng.choice(
        (
            f"{subject} {_verb(first, rng)} {first_metric} and {_verb(second, rng)} {second_metric}",
            f"{subject} {_verb(first, rng)} {first_metric} but {_verb(second, rng)} {second_metric}",
        )
    )


def _two_contexts(subject: str, metric: str, contexts: tuple[str, str], states: tuple[int, int], rng: Random) -> str:
    (first_context, second_context), (first, second) = contexts, states
    if first == second:
        verb = _verb(first, rng)
        return rng.choice(
            (
                f"{subject} {verb} {metric} both {first_context} and {second_context}",
                f"{subject} {verb} {metric} {first_context} as well as {second_context}",
                f"{first_context} and {second_context} alike, {subject} {verb} {metric}",
            )
        )
    if first == 0:
        verb = _plain(second, rng)
        return rng.choice(
            (
                f"{subject} leaves {metric} unchanged {first_context} but {verb} it {second_context}",
                f"{first_context}, {subject} has no effect on {metric}; {second_context}, it {verb} it",
                f"{subject} makes no difference to {metric} {first_context}, yet {verb} it {second_context}",
            )
        )
    verb = _verb(first, rng)
    if second == 0:
        return rng.choice(
            (
                f"{subject} {verb} {metric} {first_context} but leaves it unchanged {second_context}",
                f"{subject} {verb} {metric} {first_context} and makes no difference to it {second_context}",
                f"{first_context}, {subject} {verb} {metric}; {second_context}, it has no effect",
            )
        )
    second_verb = _plain(second, rng)
    return rng.choice(
        (
            f"{subject} {verb} {metric} {first_context} but {second_verb} it {second_context}",
            f"{first_context}, {subject} {verb} {metric}; {second_context}, it {second_verb} it",
            f"{subject} {verb} {metric} {first_context}, yet {second_verb} it {second_context}",
        )
    )


def _balanced(subject: str, contexts: tuple[str, str], states: tuple[int, int], rng: Random) -> str:
    (first_context, second_context), (first, second) = contexts, states
    verbs = {1: rng.choice(_GAIN), 0: rng.choice(_EVEN), -1: rng.choice(_LOSS)}
    if first == second:
        return rng.choice(
            (
                f"{subject} {verbs[first]} both {first_context} and {second_context}",
                f"{first_context} and {second_context} alike, {subject} {verbs[first]}",
                f"{subject} {verbs[first]} {first_context} as well as {second_context}",
            )
        )
    return rng.choice(
        (
            f"{subject} {verbs[first]} {first_context} but {verbs[second]} {second_context}",
            f"{first_context}, {subject} {verbs[first]}; {second_context}, it {verbs[second]}",
            f"{capitalize(first_context)}, {subject} {verbs[first]}, yet {second_context} it {verbs[second]}",
        )
    )
