"""Hypotheses: one claim in one sentence, in varied words."""

from __future__ import annotations

from random import Random

from core.generation.procedural.wording import capitalize, sentence
from core.generation.procedural.worlds import Inference, Shape, World

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
# What qualifies a direction that carries the claim.
_ONLY = (
    "{s} {v} {m}, but only {A}",
    "{s} {v} {m} only {A}",
    "it is only {A} that {s} {v} {m}",
    "{s} {v} {m} {A} and not {B}",
)
_ALIKE = (
    "{s} {v} {m} {A} and {B} alike",
    "{s} {v} {m} not only {A} but also {B}",
    "{A} just as {B}, {s} {v} {m}",
    "{s} {v} {m} {A} and likewise {B}",
)
_PASSING = (
    "{s} {v} {m} {A} but no longer {B}",
    "{s} {v} {m} for a time only: {A}, not {B}",
    "{s} {v} {m} {A}, an effect that is gone {B}",
)
_LASTING = (
    "{s} {v} {m} {A} and still {B}",
    "{s} {v} {m} lastingly: {A} and {B}",
    "{s} {v} {m} {A}, an effect that still shows {B}",
)
_SLIGHT = ("{s} {v} {m} slightly", "{s} {v} {m} a little", "{s} {v} {m} by a small margin", "{s} slightly {v} {m}")
_STRONG = ("{s} {v} {m} sharply", "{s} {v} {m} strongly", "{s} {v} {m} by a wide margin", "{s} strongly {v} {m}")
_GRADED = (
    "{s} {v} {m}, to where it counts as {g}",
    "{s} {v} {m} so that it is rated {g}",
    "{s} {v} {m} into the range called {g}",
)
_GAIN = ("saves more than it costs", "earns back more than it costs", "brings in more than is spent on it")
_EVEN = ("breaks even", "just covers its cost", "earns back what it costs and no more")
_LOSS = ("costs more than it saves", "fails to earn back its cost", "loses money")


def write_hypothesis(world: World, position: int, rng: Random) -> tuple[str, tuple[int, int]]:
    """The claim of `position` in words, and its two parts in the order in which it names them."""
    subject = rng.choice(_SUBJECTS).format(i=world.intervention)
    state = world.states[position]
    if world.shape.carried:
        return sentence(_qualified(world, subject, state, rng)), (0, 1)
    swapped = world.shape != Shape.PHASES and rng.random() < 0.5
    if world.shape == Shape.MEASURES and 0 in state:
        # What stays the same usually comes last.
        swapped = (state[0] == 0) == (rng.random() < 0.7)
    order = (1, 0) if swapped else (0, 1)
    states = (state[order[0]], state[order[1]])
    if world.shape == Shape.MEASURES:
        metrics = (f"the {world.metrics[order[0]].name}", f"the {world.metrics[order[1]].name}")
        return sentence(_two_metrics(subject, metrics, states, rng)), order
    contexts = (world.contexts[order[0]], world.contexts[order[1]])
    if world.shape == Shape.BALANCE:
        return sentence(_balanced(subject, contexts, states, rng)), order
    return sentence(_two_contexts(subject, f"the {world.metrics[0].name}", contexts, states, rng)), order


def _qualified(world: World, subject: str, state: tuple[int, int], rng: Random) -> str:
    """A claim that a direction carries, with what qualifies it."""
    direction, option = state
    metric = f"the {world.metrics[0].name}"
    if world.shape == Shape.CAUSE:
        first, second = world.drivers if option == 0 else (world.drivers[1], world.drivers[0])
        return _driven(subject, metric, direction, first, second, rng)
    if world.shape == Shape.SIZE and world.inference != Inference.STATED:
        return _sized(subject, metric, direction, world.bands[option], rng)
    first, second = world.contexts
    if world.shape in (Shape.SCOPE, Shape.CONDITION) and option and rng.random() < 0.5:
        first, second = second, first
    forms = {
        Shape.SCOPE: (_ONLY, _ALIKE)[option],
        Shape.CONDITION: (_ONLY, _ALIKE)[option],
        Shape.TIME: (_PASSING, _LASTING)[option],
        Shape.SIZE: (_SLIGHT, _STRONG)[option],
        Shape.GRADE: _GRADED,
    }[world.shape]
    words = {"s": subject, "v": _verb(direction, rng), "m": metric, "A": first, "B": second}
    return rng.choice(forms).format(g=world.grades[option], **words)


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


def _two_metrics(subject: str, metrics: tuple[str, str], states: tuple[int, int], rng: Random) -> str:
    (first_metric, second_metric), (first, second) = metrics, states
    if first == 0:
        verb = _verb(second, rng)
        return rng.choice(
            (
                f"{subject} leaves {first_metric} unchanged but {verb} {second_metric}",
                f"{subject} makes no difference to {first_metric} but {verb} {second_metric}",
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
    return rng.choice(
        (
            f"{subject} {verbs[first]} {first_context} but {verbs[second]} {second_context}",
            f"{first_context}, {subject} {verbs[first]}; {second_context}, it {verbs[second]}",
            f"{capitalize(first_context)}, {subject} {verbs[first]}, yet {second_context} it {verbs[second]}",
        )
    )
