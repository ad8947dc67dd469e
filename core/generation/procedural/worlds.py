"""Latent worlds: what is true of an intervention, and which hypotheses about it hold, hold in part, or fail.

A family has four positions. Position k is both a claim (hypothesis k) and a truth (body of evidence k). A hypothesis
over the body of its own position is VALIDATED; over its partner's it is REFINED or REJECTED. Partners are pairings of
the four positions, so every hypothesis and every body occurs under every decision equally often. Positions are drawn so
that each is spread equally over all decisions: neither side alone reveals anything.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from core.generation.procedural.lexicon import Lexicon, Metric, lexicons

VALIDATED, REJECTED, REFINED = "VALIDATED", "REJECTED", "REFINED"
DECISIONS = (VALIDATED, REJECTED, REFINED)

# The bodies of the examples of a decision, in turn. Body 0 comes under every decision at once, and so does
# hypothesis 1: over body 1 VALIDATED, over body 0 REFINED, over body 3 REJECTED.
BODIES = {VALIDATED: (0, 1, 3), REJECTED: (0, 3, 1), REFINED: (0, 3, 1)}


class Scenario(StrEnum):
    """Families of scenario: what the two halves of a claim are about."""

    SEGMENTS = "segments"  # a controlled comparison in two groups
    CONDITIONS = "conditions"  # the same with and without a circumstance
    FOLLOW_UP = "follow_up"  # early against late: effects that fade, last or turn
    LOADS = "loads"  # low against high use: capacity and scaling
    TRADE_OFF = "trade_off"  # two measures at once
    STATED = "stated"  # what people say against what is recorded
    BREAK_EVEN = "break_even"  # savings against costs in two groups
    SIZE = "size"  # direction and size of an effect
    DRIVERS = "drivers"  # direction and cause of an effect


# (first half, second half): -1 falls, 0 stays, 1 rises. Neighbours on the ring differ in one half.
RING = ((1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1), (1, 0))
BANDS = ((5, 9), (8, 12), (10, 15), (14, 19), (20, 25), (24, 30), (28, 35), (33, 40))
PERIODS = (
    ("in the first month", "after six months"),
    ("in the opening quarter", "after a full year"),
    ("in the first two weeks", "after three months"),
    ("during the pilot phase", "after general release"),
    ("in the launch season", "in the following season"),
    ("within ten days", "after two quarters"),
)


@dataclass(frozen=True, slots=True)
class World:
    """One family's latent world.

    `metrics` has one entry per half of the claim (the same twice where contexts differ). `contexts` are phrases with
    their preposition, empty where the halves differ by metric. `states` has four positions; for SIZE and DRIVERS the
    first half is the direction and the second the index of the band (in per cent) or driver.
    """

    family: str
    scenario: Scenario
    lexicon: Lexicon
    intervention: str
    metrics: tuple[Metric, Metric]
    contexts: tuple[str, str]
    bands: tuple[tuple[int, int], tuple[int, int]]
    drivers: tuple[str, str]
    states: tuple[tuple[int, int], ...]
    refined: tuple[int, ...]
    rejected: tuple[int, ...]

    def partner(self, position: int, decision: str) -> int:
        """The hypothesis that has `decision` over the body of `position`."""
        if decision == VALIDATED:
            return position
        return self.refined[position] if decision == REFINED else self.rejected[position]


def random_stream(*key: object) -> Random:
    """A random number generator that depends on `key` alone, the same in every process."""
    digest = hashlib.sha256("\x1f".join(map(str, key)).encode()).digest()
    return Random(int.from_bytes(digest[:8], "big"))


def family_of(seed: int, domain: str, level: int, number: int, idea: int) -> str:
    """The id of a family, 16 hex digits."""
    key = f"{seed}\x1f{domain}\x1f{level}\x1f{number}\x1f{idea}"
    return hashlib.sha256(key.encode()).hexdigest()[:16]


def build_world(family: str, domain: str) -> World:
    """The world of `family` in `domain`; raises UnknownDomainError for a domain without a vocabulary."""
    rng = random_stream(family, "world")
    words = rng.choice(lexicons(domain))
    scenario = rng.choice(tuple(Scenario))
    metrics = _metrics(scenario, words, rng)
    first, second = rng.sample(range(len(BANDS) // 2), 2)
    offset = rng.randrange(2)
    directed = scenario in (Scenario.SIZE, Scenario.DRIVERS)
    states = _directions(rng) if directed else _ring(rng)
    refined, rejected = (1, 0, 3, 2), (2, 3, 0, 1)
    drivers = rng.sample(words.drivers, 2)
    return World(
        family=family,
        scenario=scenario,
        lexicon=words,
        intervention=rng.choice(words.interventions),
        metrics=metrics,
        contexts=_contexts(scenario, words, rng),
        bands=(BANDS[2 * first + offset], BANDS[2 * second + offset]),
        drivers=(drivers[0], drivers[1]),
        states=states,
        refined=refined,
        rejected=rejected,
    )


def _metrics(scenario: Scenario, words: Lexicon, rng: Random) -> tuple[Metric, Metric]:
    if scenario == Scenario.TRADE_OFF:
        first, second = rng.sample(words.metrics, 2)
        return first, second
    if scenario == Scenario.STATED:
        return rng.choice(words.stated), rng.choice(words.recorded)
    if scenario == Scenario.BREAK_EVEN:
        money = Metric("net result", "€", 40_000, 600_000, -3)
        return money, money
    # A change in per cent of a percentage is easily misread, so sizes are claimed of other units.
    usable = [metric for metric in words.metrics if scenario != Scenario.SIZE or metric.unit != "%"]
    metric = rng.choice(usable)
    return metric, metric


def _contexts(scenario: Scenario, words: Lexicon, rng: Random) -> tuple[str, str]:
    if scenario in (Scenario.SEGMENTS, Scenario.BREAK_EVEN):
        first, second = rng.choice(words.segments)
        pair = (f"among {first}", f"among {second}")
    elif scenario == Scenario.CONDITIONS:
        first, second = rng.choice(words.conditions)
        pair = (f"where {first}", f"where {second}")
    elif scenario == Scenario.LOADS:
        first, second = rng.choice(words.loads)
        pair = (first, second)
    elif scenario == Scenario.FOLLOW_UP:
        return rng.choice(PERIODS)
    else:
        return ("", "")
    return pair if rng.random() < 0.5 else (pair[1], pair[0])


def _ring(rng: Random) -> tuple[tuple[int, int], ...]:
    """Four positions a, b, c, d: a-b and c-d share one half; a-c and b-d share none that carries the claim."""
    start, step = rng.randrange(8), rng.choice((1, -1))
    shift = rng.choice((3, -3, 4))
    if shift != 4:
        positions = (start, start + step, start + shift, start + step + shift)
    elif start % 2 == 0:  # a corner: its opposite, and two along for the edge beside it
        positions = (start, start + step, start + 4, start + 3 * step)
    else:
        positions = (start, start + step, start - 2 * step, start + step + 4)
    return tuple(RING[position % 8] for position in positions)


def _directions(rng: Random) -> tuple[tuple[int, int], ...]:
    """Like `_ring`, for a direction that carries the claim and a second half that qualifies it."""
    direction, first, second = rng.choice((1, -1)), rng.randrange(2), rng.randrange(2)
    return ((direction, first), (direction, 1 - first), (-direction, second), (-direction, 1 - second))
