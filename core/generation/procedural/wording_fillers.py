"""Pieces that do not bear on the claim: they speak of the same things, and settle nothing."""

from __future__ import annotations

from random import Random

from core.generation.procedural.wording import Style, amount, percent, pick_unused, sentence
from core.generation.procedural.wording_sources import cite
from core.generation.procedural.wording_words import words_for
from core.generation.procedural.worlds import Shape, World

_KINDS = (
    "Annual report",
    "Project report",
    "Minutes of the steering group",
    "Implementation log",
    "Budget report",
    "Service report",
    "Internal review",
    "Data-quality report",
    "Process handbook",
)
_ABOUT_INTERVENTION = (
    "The {i} was in use at {n} of {k} sites by the end of the period",
    "Running the {i} took {n} staff hours a week",
    "Training on the {i} was completed by {p} of the staff concerned",
    "The {i} was taken over by {n} further teams during the period",
    "The help desk answered {k} questions on the {i}, most of them in the opening weeks",
    "The contract for the {i} runs for {k} months and names a service level",
    "The {i} was introduced in {n} stages, as the plan had foreseen",
    "Setting up the {i} took {k} working days",
    "An access review listed {n} outdated accounts for the {i}",
    "The {i} is maintained by {n} people in two teams",
    "Documentation of the {i} was brought up to date in the same quarter",
)
_ABOUT_METRIC = (
    "The {m} is reported monthly and covers all {u} on record",
    "The definition of the {m} was last revised {n} years ago",
    "For the {m}, missing entries made up less than one record in a hundred",
    "The {m} is taken from the same system as in earlier years",
    "The target for the {m} is set once a year by the management",
    "The {m} is computed at the end of each month from the {u} on file",
    "Responsibility for the {m} lies with a team of {n}",
    "Figures on the {m} are kept for {n} years",
)
_OTHER_METRIC = (
    "While the {i} was running, the {x} was {y}, which is within its usual range",
    "In the year of the {i}, the {x} was close to its long-term average of {y}",
    "Apart from the {i}, the report has a chapter on the {x}, which {v} with the season",
    "The plan that names the {i} also sets a figure of {y} for the {x}",
    "In the months of the {i}, the {x} {v} to {y}, as it does each year",
    "Besides the {i}, the report covers the {x}, which {v} because of new rules on how it is counted",
)


def irrelevant_piece(world: World, used: set[object], rng: Random) -> tuple[str, str]:
    """The source and content of a piece that does not bear on any claim of `world`."""
    used_metrics = {metric.name for metric in world.metrics}
    other = rng.choice([metric for metric in world.lexicon.metrics if metric.name not in used_metrics])
    pool = [_ABOUT_INTERVENTION, _ABOUT_METRIC, _OTHER_METRIC]
    if world.shape == Shape.BALANCE:
        pool.remove(_ABOUT_METRIC)
    style = Style(rng.random() < 0.5, rng.random() < 0.5)
    lines = []
    for group in rng.sample(pool, rng.choice((1, 1, 2))):
        words = {
            "i": world.intervention,
            "m": rng.choice(world.metrics).name,
            "x": other.name,
            "y": amount(other, rng.uniform(other.low, other.high), style),
            "v": words_for(rng.choice((1, -1)), rng),
            "u": world.lexicon.unit,
            "n": rng.choice(("three", "four", "five", "six", "eight")),
            "k": str(rng.randint(12, 48)),
            "p": percent(rng.randint(70, 96), style),
        }
        lines.append(sentence(pick_unused(group, used, rng).format_map(words)))
    if rng.random() < 0.4:
        lines.append(pick_unused(world.lexicon.background, used, rng))
    return cite(rng.choice(_KINDS), world, rng, team=True), " ".join(lines)
