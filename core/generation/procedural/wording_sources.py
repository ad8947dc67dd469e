"""Who says it and how it was made: names of sources, sentences on their method, caveats."""

from __future__ import annotations

from random import Random
from typing import Literal

from core.generation.procedural.wording import fresh, sentence
from core.generation.procedural.worlds import World

# By strength: kind of document, and how it came about.
_STRONG = (
    ("Randomised trial", "{n} {u} were assigned by lot to the new or the usual arrangement"),
    ("Randomised trial report", "Assignment was by lot, and all {n} {u} were followed to the end"),
    ("Controlled rollout", "Sites were paired before the start, and {n} {u} were followed in both halves"),
    ("Matched cohort study", "{n} {u} were matched on size, age and history before anything was compared"),
    ("Independent audit", "An outside auditor recomputed every figure from the {n} {u} on file"),
    ("Full records review", "All {n} {u} of the period were counted; none were left out"),
    ("Switch-back experiment", "Arms alternated by week, and {n} {u} passed through the experiment"),
    ("Preregistered experiment", "The analysis was fixed beforehand; {n} {u} took part"),
    ("Stepped rollout study", "Groups joined in random order until all {n} {u} were included"),
)
_FAIR = (
    ("Internal dashboard", "The figures cover {m} {u} and have no adjustment for season"),
    ("Before-and-after comparison", "{m} {u} were compared without a parallel group"),
    ("Pilot report", "The pilot counted {m} {u} at self-chosen sites"),
    ("Quarterly business review", "The review draws on {m} {u} from routine reporting"),
    ("Regional case study", "One region supplied {m} {u}; other regions were not looked at"),
    ("Consultant's assessment", "The assessment used {m} {u} taken from the monthly reports"),
    ("Cohort summary", "{m} {u} were tracked, with no control for other changes"),
)
_WEAK = (
    ("Supplier's brochure", "The brochure names no method and no sample"),
    ("Poll in a team chat", "{w} people replied"),
    ("Conference anecdote", "The speaker gave no figures"),
    ("Online forum thread", "{w} users posted, none of them named"),
    ("Exit-interview notes", "{w} people were asked, all of them on their way out"),
    ("Recollections of a former manager", "Nothing was written down at the time"),
    ("Hallway survey", "{w} colleagues volunteered an answer"),
    ("Vendor's newsletter", "The vendor picked the cases itself"),
)
_WHEN = (
    "first quarter",
    "second quarter",
    "third quarter",
    "fourth quarter",
    "spring 2023",
    "summer 2023",
    "autumn 2023",
    "winter 2023/24",
    "March 2024",
    "June 2024",
    "October 2024",
    "fiscal year 2022",
    "fiscal year 2023",
    "fiscal year 2024",
    "first half of 2024",
    "second half of 2023",
    "January 2025",
    "May 2025",
)
_SMALL = ("Four", "Five", "Six", "Seven", "Eight", "Nine", "Eleven")
_CAVEATS = (
    "It appears that a few records were entered late",
    "The authors suggest that the season might have played a small part",
    "Some values may have been rounded before they were passed on",
    "Other changes in the same period could account for a little of this",
    "The records seem complete, although nobody has confirmed it",
    "The team calls the result likely to hold, but would like another round",
    "A slight drift in how cases are coded is possible",
    "The wording of the report suggests some caution",
)
_PRECISE = (
    "Missing values affected fewer than one record in a hundred",
    "The data were locked before the analysis began",
    "A second analyst repeated the calculation and got the same figures",
    "The method and the raw data are on file",
    "Dropping the most extreme cases left the result as it was",
    "No site withdrew before the end",
)
_ABOUT_INTERVENTION = (
    "The {i} was set up in {n} weeks and stayed within its budget",
    "Staff had two information sessions on the {i}, both well attended",
    "A steering group of five meets every month to look after the {i}",
    "The contract for the {i} runs for two years and can be ended with three months' notice",
    "The name of the {i} was changed once before its launch, after a vote",
    "Documentation for the {i} runs to forty pages and is kept on the intranet",
)
_ABOUT_METRIC = (
    "The definition of the {m} was last revised in 2019 and has been stable since",
    "Managers see the {m} on a monthly sheet, next to two dozen other measures",
    "The {m} is computed by a script that two people maintain",
    "A neighbouring department copied the way the {m} is reported",
)
_OTHER_METRIC = (
    "The {x} was reported on the same sheet and is collected by another team",
    "A long-running project on the {x} ended on schedule",
    "The annual plan also names the {x} as something to watch",
)


def source(strength: int, world: World, used: set[object], rng: Random) -> tuple[str, str]:
    """The name of a source of `strength` (2 strong, 1 fair, 0 weak) and a sentence on how it was made."""
    kind, method = fresh((_WEAK, _FAIR, _STRONG)[strength], used, rng)
    text = method.format(
        n=f"{rng.randrange(1100, 9600):,}",
        m=f"{rng.randrange(180, 780):,}",
        w=rng.choice(_SMALL),
        u=world.lexicon.unit,
    )
    return _cited(kind, world, rng, team=strength > 0), sentence(text)


def _cited(kind: str, world: World, rng: Random, team: bool) -> str:
    when = rng.choice(_WHEN)
    who = rng.choice(world.lexicon.teams)
    forms = [f"{kind}, {when}"]
    if team:
        forms += [f"{who}: {kind[0].lower()}{kind[1:]}, {when}", f"{kind} by {who}, {when}", f"{kind} ({when}), {who}"]
    return rng.choice(forms)


def remark(hedging: Literal["none", "some", "much"], used: set[object], rng: Random) -> str:
    """A sentence after the findings, guarded as the level wants; often none."""
    chance = {"none": 0.0, "some": 0.6, "much": 1.0}[hedging]
    if rng.random() < chance:
        return sentence(fresh(_CAVEATS, used, rng))
    return sentence(fresh(_PRECISE, used, rng)) if rng.random() < 0.35 else ""


def aside(world: World, used: set[object], rng: Random) -> tuple[str, str]:
    """The source and content of a piece that does not bear on any claim of `world`."""
    kinds = ("Project newsletter", "Minutes of the steering group", "Annual report", "Intranet page", "Staff bulletin")
    named = {metric.name for metric in world.metrics}
    other = rng.choice([metric for metric in world.lexicon.metrics if metric.name not in named])
    pool = [_ABOUT_INTERVENTION, _ABOUT_METRIC, _OTHER_METRIC]
    if world.metrics[0].name == "net result":
        pool.remove(_ABOUT_METRIC)
    lines = [
        sentence(
            fresh(group, used, rng).format(
                i=world.intervention,
                m=rng.choice(world.metrics).name,
                x=other.name,
                n=rng.choice(("six", "nine", "eleven", "fourteen")),
            )
        )
        for group in rng.sample(pool, rng.choice((1, 1, 2)))
    ]
    if rng.random() < 0.5:
        lines.append(fresh(world.lexicon.background, used, rng))
    return _cited(rng.choice(kinds), world, rng, team=True), " ".join(lines)
