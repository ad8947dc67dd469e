"""Latent worlds: what is true of an intervention, and which hypotheses about it hold, hold in part, or fail.

A family has four positions. Position k is both a claim (hypothesis k) and a truth (body of evidence k). A hypothesis
over the body of its own position is VALIDATED; over its partner's it is REFINED or REJECTED. Partners are pairings of
the four positions, so every hypothesis and every body occurs under every decision equally often. Positions are drawn so
that each is spread equally over all decisions: neither side alone reveals anything.
"""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from random import Random

from core.config.task import Level
from core.generation.procedural.lexicon import Lexicon, Metric, lexicons

VALIDATED, REJECTED, REFINED = "VALIDATED", "REJECTED", "REFINED"
DECISIONS = (VALIDATED, REJECTED, REFINED)

# The bodies of the examples of a decision, in turn. Body 0 comes under every decision at once, and so does
# hypothesis 1: over body 1 VALIDATED, over body 0 REFINED, over body 3 REJECTED.
BODIES = {VALIDATED: (0, 1, 3), REJECTED: (0, 3, 1), REFINED: (0, 3, 1)}
PARTNERS = {VALIDATED: (0, 1, 2, 3), REFINED: (1, 0, 3, 2), REJECTED: (2, 3, 0, 1)}


class Shape(StrEnum):
    """What a claim consists of."""

    # A direction that carries the claim, and what qualifies it.
    SCOPE = "scope"  # in one of two groups, or in both
    CONDITION = "condition"  # in one of two circumstances, or in both
    TIME = "time"  # for a while, or lastingly
    SIZE = "size"
    CAUSE = "cause"
    GRADE = "grade"  # a class that a standard defines
    # Two parts, each with a direction of its own.
    GROUPS = "groups"
    CIRCUMSTANCES = "circumstances"
    LOADS = "loads"
    PHASES = "phases"  # early and late
    MEASURES = "measures"
    BALANCE = "balance"  # savings against costs in two groups

    @property
    def carried(self) -> bool:
        """Whether a direction carries the claim: with a wrong direction nothing of it is left."""
        return self in _CARRIED


_CARRIED = (Shape.SCOPE, Shape.CONDITION, Shape.TIME, Shape.SIZE, Shape.CAUSE, Shape.GRADE)
_PAIRS = (Shape.GROUPS, Shape.CIRCUMSTANCES, Shape.LOADS, Shape.PHASES, Shape.MEASURES, Shape.BALANCE)


class Inference(StrEnum):
    """How the evidence leads to the decision."""

    STATED = "stated"  # the pieces say it in words
    COMPARISON = "comparison"  # figures with and without the intervention
    TREND = "trend"  # readings over a year
    ELIMINATION = "elimination"  # what is left of an effect when a cause is held constant
    DEFINITION = "definition"  # a figure, and the standard that classes it
    DENOMINATOR = "denominator"  # counts out of bases of different size
    SELECTION = "selection"  # everybody against those who chose it themselves
    TIMELINE = "timeline"  # what moved before the start is no effect
    CHAIN = "chain"  # through a driver that moved


SHAPES: dict[Inference, tuple[Shape, ...]] = {
    Inference.STATED: (Shape.SCOPE, Shape.CONDITION, Shape.TIME, Shape.SIZE, Shape.CAUSE, *_PAIRS),
    Inference.COMPARISON: (Shape.SIZE, *_PAIRS),
    Inference.TREND: (Shape.PHASES,),
    Inference.ELIMINATION: (Shape.CAUSE,),
    Inference.DEFINITION: (Shape.GRADE,),
    Inference.DENOMINATOR: (Shape.GROUPS, Shape.CIRCUMSTANCES, Shape.LOADS),
    Inference.SELECTION: (Shape.MEASURES, Shape.LOADS, Shape.PHASES),
    Inference.TIMELINE: (Shape.MEASURES, Shape.GROUPS, Shape.CIRCUMSTANCES),
    Inference.CHAIN: (Shape.MEASURES, Shape.GROUPS, Shape.LOADS),
}

# Per cent, by which an effect is small or large, and ranges that a claim can name.
SMALL, LARGE = (2, 5), (22, 38)
BANDS = ((5, 9), (8, 12), (10, 15), (14, 19), (20, 25), (24, 30), (28, 35), (33, 40))
PERIODS = (
    ("in the first month", "after six months"),
    ("in the opening quarter", "after a full year"),
    ("in the first two weeks", "after three months"),
    ("during the pilot phase", "after general release"),
    ("in the launch season", "in the following season"),
    ("within ten days", "after two quarters"),
)
HALVES = ("in the first half-year", "in the second half-year")
GRADES = (("green", "amber"), ("gold", "silver"), ("alpha", "beta"), ("blue", "yellow"))
MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
)


@dataclass(frozen=True, slots=True)
class World:
    """One family's latent world.

    `metrics` has one entry per part of the claim (the same twice where contexts differ). `contexts` are phrases with
    their preposition, empty where the parts differ by metric. `states` has four positions: for claims of two parts the
    direction of each; where a direction carries the claim, that direction and the index (0, 1) of what qualifies it.
    `bands` are ranges in per cent, `controlled` whether there was a group without the intervention at the same time.
    """

    family: str
    shape: Shape
    inference: Inference
    lexicon: Lexicon
    intervention: str
    metrics: tuple[Metric, Metric]
    contexts: tuple[str, str]
    bands: tuple[tuple[int, int], tuple[int, int]]
    drivers: tuple[str, str]
    grades: tuple[str, str]
    states: tuple[tuple[int, int], ...]
    controlled: bool
    start: int

    def partner(self, position: int, decision: str) -> int:
        """The hypothesis that has `decision` over the body of `position`."""
        return PARTNERS[decision][position]


def random_stream(*key: object) -> Random:
    """A random number generator that depends on `key` alone, the same in every process."""
    digest = hashlib.sha256("\x1f".join(map(str, key)).encode()).digest()
    return Random(int.from_bytes(digest[:8], "big"))


def family_of(seed: int, domain: str, level: int, number: int, idea: int, draw: int = 0) -> str:
    """The id of a family, 16 hex digits. `draw` counts how often another was drawn in its place."""
    key = f"{seed}\x1f{domain}\x1f{level}\x1f{number}\x1f{idea}" + (f"\x1f{draw}" if draw else "")
    return hashlib.sha256(key.encode()).hexdigest()[:16]


def build_world(family: str, domain: str, level: Level) -> World:
    """The world of `family` in `domain`; raises UnknownDomainError for a domain without a vocabulary."""
    rng = random_stream(family, "world")
    words = rng.choice(lexicons(domain))
    inference = rng.choice(inferences(level))
    shape = rng.choice(shapes(inference, level))
    intervention, metrics = _measured(shape, inference, words, rng)
    first, second = rng.sample(range(len(BANDS) // 2), 2)
    offset = rng.randrange(2)
    bands = (BANDS[2 * first + offset], BANDS[2 * second + offset])
    if shape == Shape.SIZE and inference == Inference.STATED:
        bands = (SMALL, LARGE)
    drivers = rng.sample(words.drivers, 2)
    grades = rng.choice(GRADES)
    return World(
        family=family,
        shape=shape,
        inference=inference,
        lexicon=words,
        intervention=intervention,
        metrics=metrics,
        contexts=_contexts(shape, inference, words, rng),
        bands=bands,
        drivers=(drivers[0], drivers[1]),
        grades=grades if rng.random() < 0.5 else (grades[1], grades[0]),
        states=rng.choice(arrangements(shape)),
        # A time after the start has no figure from before it.
        controlled=shape == Shape.PHASES or rng.random() < 0.6,
        start=rng.randrange(3, 6),
    )


def inferences(level: Level) -> tuple[Inference, ...]:
    """How decisions are reached at `level`: in words where one step decides, else in all ways that its knobs allow."""
    if level.steps == 1:
        return (Inference.STATED,)
    ways = [way for way in Inference if way not in (Inference.STATED, Inference.SELECTION)]
    # Those who chose for themselves may differ from the rest: where no piece may disagree, they have no place.
    return (*ways, Inference.SELECTION) if level.contradicting[1] else tuple(ways)


def shapes(inference: Inference, level: Level) -> tuple[Shape, ...]:
    """What claims consist of: one claim at a first level, where nothing is beside the point, else two parts as well."""
    options = SHAPES[inference]
    if inference != Inference.STATED:
        return options
    carried = tuple(shape for shape in options if shape.carried)
    return carried if level.irrelevant[1] == 0 else (*carried, *carried, *_PAIRS)


def _measured(shape: Shape, inference: Inference, words: Lexicon, rng: Random) -> tuple[str, tuple[Metric, Metric]]:
    """An intervention, and what it is said to move: a metric for each part of the claim."""
    if shape == Shape.BALANCE:
        money = Metric("net result", "€", 40_000, 600_000, -3)
        return rng.choice(list(words.interventions)), (money, money)
    usable = {name: words.measures_of(name) for name in words.interventions}
    if shape == Shape.SIZE:
        # A change in per cent of a percentage is easily misread, so sizes are claimed of other units.
        usable = {name: [m for m in metrics if m.unit != "%"] for name, metrics in usable.items()}
    elif inference == Inference.DENOMINATOR:
        usable = {name: [m for m in metrics if m.unit == "%"] for name, metrics in usable.items()}
    wanted = 2 if shape == Shape.MEASURES else 1
    intervention = rng.choice([name for name, metrics in usable.items() if len(metrics) >= wanted])
    chosen = rng.sample(usable[intervention], wanted)
    return intervention, (chosen[0], chosen[-1])


def _contexts(shape: Shape, inference: Inference, words: Lexicon, rng: Random) -> tuple[str, str]:
    if shape in (Shape.PHASES, Shape.TIME):
        return HALVES if inference == Inference.TREND else rng.choice(PERIODS)
    if shape in (Shape.GROUPS, Shape.BALANCE) or (shape == Shape.SCOPE and rng.random() < 0.6):
        first, second = (f"among {name}" for name in rng.choice(words.segments))
    elif shape in (Shape.CIRCUMSTANCES, Shape.CONDITION):
        first, second = (f"where {name}" for name in rng.choice(words.conditions))
    elif shape in (Shape.LOADS, Shape.SCOPE):
        first, second = rng.choice(words.loads)
    else:
        return ("", "")
    return (first, second) if rng.random() < 0.5 else (second, first)


@cache
def arrangements(shape: Shape) -> tuple[tuple[tuple[int, int], ...], ...]:
    """All ways to fill the four positions.

    Positions 0-1 and 2-3 share one part (REFINED), 0-2 and 1-3 share none (REJECTED). All ways together stay the same
    when positions change places as the pairings do, so each position is spread over the same states.
    """
    if shape.carried:
        return tuple(
            ((direction, first), (direction, 1 - first), (-direction, second), (-direction, 1 - second))
            for direction, first, second in itertools.product((1, -1), (0, 1), (0, 1))
        )
    pairs = [(first, second) for first in (1, 0, -1) for second in (1, 0, -1) if (first, second) != (0, 0)]
    if shape != Shape.MEASURES:  # the same in both contexts would be one claim, not two
        pairs = [pair for pair in pairs if pair[0] != pair[1]]
    return tuple(
        states
        for states in itertools.permutations(pairs, 4)
        if _shared(states[0], states[1]) == _shared(states[2], states[3]) == 1
        and _shared(states[0], states[2]) == _shared(states[1], states[3]) == 0
    )


def _shared(first: tuple[int, int], second: tuple[int, int]) -> int:
    return sum(one == other for one, other in zip(first, second, strict=True))
