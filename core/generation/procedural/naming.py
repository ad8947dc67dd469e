"""The short words of steps: what a part is called, and what is found of it or claimed on it."""

from __future__ import annotations

from core.generation.procedural.worlds import Inference, Shape, World

DIRECTION = "direction"
_STATES = {1: "up", 0: "same", -1: "down"}
_BALANCES = {1: "gain", 0: "even", -1: "loss"}
# Prepositions that a context needs in a sentence, and its name does not.
_PREPOSITIONS = ("among ", "where ", "in ", "at ", "on ", "under ", "during ")


def context_name(context: str) -> str:
    """A context without its preposition: 'new users' for 'among new users'."""
    for preposition in _PREPOSITIONS:
        if context.startswith(preposition):
            return context.removeprefix(preposition).removeprefix("the ")
    return context


def part_name(world: World, part: int) -> str:
    """What a step on `part` of the claim is about."""
    if world.shape.carried:
        return world.shape.value if part else DIRECTION
    if world.shape == Shape.MEASURES:
        return world.metrics[part].name
    return context_name(world.contexts[part])


def state_name(world: World, state: int) -> str:
    """A direction in one word."""
    return (_BALANCES if world.shape == Shape.BALANCE else _STATES)[state]


def option_name(world: World, option: int) -> str:
    """What qualifies the effect, by its option (0, 1), as a claim has it."""
    if world.shape in (Shape.SCOPE, Shape.CONDITION):
        return "both" if option else context_name(world.contexts[0])
    if world.shape == Shape.TIME:
        return ("passing", "lasting")[option]
    if world.shape == Shape.CAUSE:
        return world.drivers[option]
    if world.shape == Shape.GRADE:
        return world.grades[option]
    if world.inference == Inference.STATED:
        return ("small", "large")[option]
    low, high = world.bands[option]
    return f"{low} to {high} %"


def value_name(world: World, part: int, value: int) -> str:
    """The value of one part of a position in words: a direction, or what qualifies it."""
    if part == 1 and world.shape.carried:
        return option_name(world, value)
    return state_name(world, value)
