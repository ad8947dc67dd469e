"""Findings in words: a direction, what qualifies it, and both in one sentence."""

from __future__ import annotations

from random import Random

from core.generation.procedural.facts import Qualified, Stated
from core.generation.procedural.naming import option_name, state_name
from core.generation.procedural.wording import Sentence, Style, compose, fronted, percent, pick_unused, trailing
from core.generation.procedural.worlds import Inference, Shape, World

_ROSE = ("rose", "went up", "climbed", "increased", "grew")
_FELL = ("fell", "went down", "dropped", "declined", "came down")
_STAYED = ("stayed level", "did not move", "remained the same", "held steady")
_LEFT = {1: "higher than before", 0: "unchanged", -1: "lower than before"}
_BALANCED = {1: "saved more than it cost", 0: "just about broke even", -1: "cost more than it saved"}

_DIRECTION = (
    "{F}[v:the {m} {v}] once the {i} was in place",
    "After the {i} went live, [v:the {m}{t} {v}]",
    "With the {i}, [v:the {m}{t} {v}]",
    "[v:The {m}{t} {v}] under the {i}",
    "{F}[v:the {m} {v}] when the {i} arrived",
    "{F}[v:the {m} {v}] after the {i} came into use",
    "{F}[v:the {m} was {a}] once the {i} was in place",
    "Under the {i}, [v:the {m}{t} {v}]",
    "[v:The {m}{t} {v}] with the {i} in use",
    "{F}the {i} left [v:the {m} {a}]",
)
_MONEY = (
    "{F}[v:the {i} {b}]",
    "[v:The {i}{t} {b}]",
    "{F}the accounts show that [v:the {i} {b}]",
    "Over the whole period, [v:the {i}{t} {b}]",
)
# By shape and option: what qualifies a change that another sentence states, ...
_ONE = (
    "The change in the {m} showed [q:only {A}]; {B}, there was none",
    "All of the change in the {m} came about {A}; [q:{B}, there was none]",
    "The effect on the {m} was limited: it showed {A}, [q:but not {B}]",
    "{G}[q:the {m} did not change]; all of the change came about {A}",
    "It was [q:only {A}] that the {m} changed; {B}, it stayed as it was",
)
_TWO = (
    "The change in the {m} showed [q:{A} and {B} alike]",
    "{G}[q:the same change in the {m} was seen] as {A}",
    "The effect on the {m} was [q:as plain {A} as {B}]",
    "The {m} changed [q:{A} just as it did {B}]",
    "The change in the {m} was seen [q:both {A} and {B}]",
)
_QUALIFIED: dict[tuple[Shape, int], tuple[str, ...]] = {
    (Shape.TIME, 0): (
        "The change in the {m} was there {A}; [q:{B}, it was gone]",
        "{G}[q:the {m} was back where it had been]; the change had shown {A}",
        "The effect on the {m} [q:wore off]: it showed {A}, but not {B}",
        "{G}[q:nothing was left] of the change in the {m} that had shown {A}",
    ),
    (Shape.TIME, 1): (
        "The change in the {m} was there {A}; [q:{B}, it was still there]",
        "{G}[q:the {m} had kept the change] that had shown {A}",
        "The effect on the {m} [q:lasted]: it showed {A} and also {B}",
        "{G}[q:all was left] of the change in the {m} that had shown {A}",
    ),
    (Shape.SIZE, 0): (
        "The change in the {m} was [q:small]{x}",
        "The effect on the {m} was [q:slight]{x}",
        "It was [q:a minor change] in the {m}{x}",
        "The {m} changed [q:only a little]{x}",
    ),
    (Shape.SIZE, 1): (
        "The change in the {m} was [q:large]{x}",
        "The effect on the {m} was [q:marked]{x}",
        "It was [q:a major change] in the {m}{x}",
        "The {m} changed [q:a great deal]{x}",
    ),
}
_CAUSED = (
    "[q:Most of the change in the {m} came from {d}], little of it from {e}",
    "[q:{D} was the main cause] of the change in the {m}; {e} had a small share in it",
    "The change in the {m} came about [q:mainly through {d}], and only in small part through {e}",
    "Of the change in the {m}, [q:the larger part passed through {d}], the smaller through {e}",
)
# ... and both in one sentence.
_BOTH_ONE = (
    "{H}[v:the {m} {v}] once the {i} was in place; [q:{B}, it did not change]",
    "[v:The {m} {v}] with the {i} {A}, [q:but not {B}]",
    "With the {i}, [v:the {m} {v}], [q:but only {A}]; {B}, nothing changed",
)
_BOTH_TWO = (
    "{H}[v:the {m} {v}] once the {i} was in place; [q:{B}, the same change was seen]",
    "[v:The {m} {v}] with the {i} [q:{A} and {B} alike]",
    "With the {i}, [v:the {m} {v}], [q:and it did so both {A} and {B}]",
)
_TOGETHER: dict[tuple[Shape, int], tuple[str, ...]] = {
    (Shape.TIME, 0): (
        "{H}[v:the {m} {v}] with the {i}; [q:{B}, it was back where it had been]",
        "Under the {i}, [v:the {m} {v}] {A}, [q:but the change was gone {B}]",
    ),
    (Shape.TIME, 1): (
        "{H}[v:the {m} {v}] with the {i}; [q:{B}, the change was still there]",
        "Under the {i}, [v:the {m} {v}] {A}, [q:and the change had lasted {B}]",
    ),
    (Shape.SIZE, 0): (
        "[v:The {m} {v}] [q:slightly] once the {i} was in place{x}",
        "With the {i}, [v:the {m} {v}] [q:a little]{x}",
        "After the {i} went live, [v:the {m} {v}] [q:by a small margin]{x}",
    ),
    (Shape.SIZE, 1): (
        "[v:The {m} {v}] [q:sharply] once the {i} was in place{x}",
        "With the {i}, [v:the {m} {v}] [q:strongly]{x}",
        "After the {i} went live, [v:the {m} {v}] [q:by a wide margin]{x}",
    ),
}
_TOGETHER_CAUSED = (
    "[v:The {m} {v}] with the {i}, [q:mainly through {d}] and less through {e}",
    "Once the {i} was in place, [v:the {m} {v}]; [q:{d} was the main cause], and {e} had a small share in it",
    "After the {i} went live, [v:the {m} {v}], [q:most of it through {d}], little of it through {e}",
)


def words_for(state: int, rng: Random) -> str:
    """A verb in the past tense for a direction."""
    return rng.choice(_ROSE if state > 0 else _FELL if state < 0 else _STAYED)


def state_words(world: World, fact: Stated, used: set[object], rng: Random) -> Sentence:
    """A direction in words."""
    context = "" if world.shape.carried else world.contexts[fact.part]
    words = {
        "F": fronted(context),
        "t": trailing(context),
        "m": world.metrics[fact.part].name,
        "i": world.intervention,
        "v": words_for(fact.state, rng),
        "a": _LEFT[fact.state],
        "b": _BALANCED[fact.state],
    }
    template = pick_unused(_MONEY if world.shape == Shape.BALANCE else _DIRECTION, used, rng)
    return compose(template, words, {"v": (fact.part, state_name(world, fact.state))})


def qualifier_words(world: World, fact: Qualified, style: Style, used: set[object], rng: Random) -> Sentence:
    """What qualifies the effect, in words or as a share of a figure."""
    template = pick_unused(_qualifiers(world, fact.option, _ONE, _TWO, _CAUSED, _QUALIFIED), used, rng)
    return compose(template, _words(world, fact, style, rng), {"q": (fact.part, _says(world, fact))})


def together(
    world: World, stated: Stated, qualified: Qualified, style: Style, used: set[object], rng: Random
) -> Sentence:
    """A direction and what qualifies it, in one sentence."""
    options = _qualifiers(world, qualified.option, _BOTH_ONE, _BOTH_TWO, _TOGETHER_CAUSED, _TOGETHER)
    words = _words(world, qualified, style, rng) | {"v": words_for(stated.state, rng)}
    says = {"v": (stated.part, state_name(world, stated.state)), "q": (qualified.part, _says(world, qualified))}
    return compose(pick_unused(options, used, rng), words, says)


def _qualifiers(
    world: World,
    option: int,
    one: tuple[str, ...],
    two: tuple[str, ...],
    caused: tuple[str, ...],
    others: dict[tuple[Shape, int], tuple[str, ...]],
) -> tuple[str, ...]:
    if world.shape in (Shape.SCOPE, Shape.CONDITION):
        return two if option else one
    return caused if world.shape == Shape.CAUSE else others[world.shape, option]


def _says(world: World, fact: Qualified) -> str:
    if world.shape == Shape.SIZE and world.inference != Inference.STATED:
        return f"{fact.percent} %"
    return option_name(world, fact.option)


def _words(world: World, fact: Qualified, style: Style, rng: Random) -> dict[str, str]:
    first, second = world.contexts
    # Where both have the change, neither comes first; what is said of a time keeps its order.
    if world.shape in (Shape.SCOPE, Shape.CONDITION) and fact.option and rng.random() < 0.5:
        first, second = second, first
    driver, other = world.drivers if fact.option == 0 else (world.drivers[1], world.drivers[0])
    return {
        "A": first,
        "B": second,
        "G": fronted(second),
        "H": fronted(first),
        "m": world.metrics[0].name,
        "i": world.intervention,
        "d": driver,
        "D": driver,
        "e": other,
        "x": f", at about {percent(fact.percent, style)}" if fact.percent else "",
    }
