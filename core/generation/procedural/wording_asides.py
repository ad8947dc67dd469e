"""What is said on a claim and does not count: by hearsay, without a count, or about something else."""

from __future__ import annotations

from random import Random

from core.generation.procedural.bodies import Aside, PlannedPiece
from core.generation.procedural.facts import Stated
from core.generation.procedural.naming import state_name
from core.generation.procedural.truths import figures
from core.generation.procedural.wording import Mark, Style, amount, compose, fronted, pick_unused, sentence, trailing
from core.generation.procedural.wording_sources import CitedSource
from core.generation.procedural.wording_words import state_words, words_for
from core.generation.procedural.worlds import Shape, World

# The key word of each form tells a reader why the piece does not bear on the claim; `{p}` has the figures, or nothing.
_FORMS: dict[Aside, tuple[str, ...]] = {
    Aside.HEARSAY: (
        "{F}it is said that [v:the {m} {v}{p} with the {i}]",
        "People there say that [v:the {m}{t} {v}{p} after the {i} came]",
        "{F}[v:the {m} {v}{p} after the {i} arrived], as it is told there",
    ),
    Aside.ELSEWHERE: (
        "At another company, in a different country, [v:the {m}{t} {v}{p} with the {i}]",
        "[v:The {m}{t} {v}{p} with the {i}] at a company in another country",
        "In another country, [v:the {m}{t} {v}{p} once the {i} was in place]",
    ),
    Aside.EARLIER: (
        "Under an earlier version of the {i}, given up years before, [v:the {m}{t} {v}{p}]",
        "Six years earlier, [v:the {m}{t} {v}{p} under the first version of the {i}]",
        "[v:The {m}{t} {v}{p}] under the earlier version of the {i}, which has since been replaced",
    ),
    Aside.OTHER_MEASURE: (
        "[v:The {x} {v}{p} with the {i}]",
        "With the {i}, [v:the {x} {v}{p}]",
        "[v:The {x} {v}{p}] once the {i} was in place",
    ),
    Aside.IMPRESSION: (
        "{F}the impression is that [v:the {m} {v} with the {i}]",
        "Those in charge feel that [v:the {m}{t} {v} under the {i}]",
        "{F}[v:the {m} {v} with the {i}], by the impression of those in charge",
    ),
    Aside.CHOSEN: (
        "{F}[v:the {m} {v}{p} with the {i}]",
        "With the {i}, [v:the {m}{t} {v}{p}]",
        "[v:The {m}{t} {v}{p}] under the {i}",
    ),
}
_MONEY = {
    Aside.HEARSAY: ("{F}it is said that [v:the {i} {b}]", "People there say that [v:the {i}{t} {b}]"),
    Aside.ELSEWHERE: (
        "At another company, in a different country, [v:the {i}{t} {b}]",
        "In another country, [v:the {i}{t} {b}]",
    ),
    Aside.EARLIER: ("Years before, [v:an earlier version of the {i}{t} {b}]",),
    Aside.IMPRESSION: ("{F}the impression is that [v:the {i} {b}]",),
}
_BALANCED = {1: "saved more than it cost", 0: "just about broke even", -1: "cost more than it saved"}
_SELECTED = (
    "Only those who had asked for the {i} themselves were counted",
    "The count is limited to volunteers, who had chosen the {i} themselves",
    "Those who had not signed up for the {i} on their own are left out",
)
_UNCOUNTED = (
    "No count was kept",
    "Nothing was measured for it",
    "The report has no figures",
)
_SAYS = {Aside.ELSEWHERE: "elsewhere", Aside.EARLIER: "earlier", Aside.OTHER_MEASURE: "other measure"}


def aside_lines(
    piece: PlannedPiece, source: CitedSource, style: Style, used: set[object], rng: Random
) -> tuple[str, list[str], tuple[Mark, ...]]:
    """The method, the findings and the marks of a piece that does not count."""
    world, fact, aside = piece.world, piece.facts[0], piece.aside
    if not isinstance(fact, Stated):
        raise TypeError(f"what does not count is said in words, not as {type(fact).__name__}")
    money = world.shape == Shape.BALANCE
    if money and aside not in _MONEY:
        stated = state_words(world, fact, used, rng)
    else:
        template = pick_unused((_MONEY if money else _FORMS)[aside], used, rng)
        name = state_name(world, fact.state)
        says = f"{name} {_SAYS[aside]}" if aside in _SAYS else name
        stated = compose(template, _words(world, fact, aside, style, rng), {"v": (fact.part, says)})
    method = source.method
    if aside == Aside.CHOSEN:
        method = sentence(pick_unused(_SELECTED, used, rng).format(i=world.intervention))
    elif aside == Aside.IMPRESSION:
        method = sentence(pick_unused(_UNCOUNTED, used, rng))
    return method, [stated.text], stated.marks


def _words(world: World, fact: Stated, aside: Aside, style: Style, rng: Random) -> dict[str, str]:
    context = "" if world.shape.carried else world.contexts[fact.part]
    metric = world.metrics[fact.part]
    if aside == Aside.OTHER_MEASURE:
        used = {metric.name for metric in world.metrics}
        metric = rng.choice([metric for metric in world.lexicon.metrics if metric.name not in used])
    figured = ""
    # Figures do not make a piece count, and words alone do not make it fail.
    if fact.state and world.shape != Shape.BALANCE and rng.random() < 0.4:
        without, value = figures(metric, fact.state, (0.1, 0.34), rng)
        figured = f" from {amount(metric, without, style)} to {amount(metric, value, style)}"
    return {
        "F": fronted(context),
        "t": trailing(context),
        "m": metric.name,
        "x": metric.name,
        "i": world.intervention,
        "v": words_for(fact.state, rng),
        "b": _BALANCED[fact.state],
        "p": figured,
    }
