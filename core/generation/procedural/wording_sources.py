"""Who says it and how it was made: names of sources, sentences on their method, caveats."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Literal

from core.generation.procedural.wording import pick_unused, sentence
from core.generation.procedural.worlds import Inference, World

Design = Literal["", "controlled", "before"]
CONTROLLED: Design = "controlled"
BEFORE: Design = "before"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of document: its name, its short name in steps, how it came about, and the design that it needs.

    `design` is CONTROLLED with a group that went without at the same time, BEFORE with an earlier period alone, or ""
    for either.
    """

    name: str
    short: str
    method: str
    design: Design = ""


_STRONG = (
    Kind("Randomised trial", "trial", "{n} {u} were assigned by lot to the new or the usual arrangement", "controlled"),
    Kind(
        "Randomised trial report",
        "trial",
        "Assignment was by lot, and all {n} {u} were followed to the end",
        "controlled",
    ),
    Kind(
        "Controlled rollout",
        "trial",
        "Sites were paired before the start, and {n} {u} were followed in both halves",
        "controlled",
    ),
    Kind(
        "Matched cohort study", "cohort", "{n} {u} were matched on size, age and history before the start", "controlled"
    ),
    Kind(
        "Switch-back experiment",
        "trial",
        "Arms alternated by week, and {n} {u} passed through the experiment",
        "controlled",
    ),
    Kind("Preregistered experiment", "trial", "The analysis was fixed beforehand; {n} {u} took part", "controlled"),
    Kind(
        "Stepped rollout study", "trial", "Groups joined in random order until all {n} {u} were included", "controlled"
    ),
    Kind("Independent audit", "audit", "An outside auditor recomputed every figure from the {n} {u} on file"),
    Kind("External audit report", "audit", "Outside auditors drew the data themselves and covered all {n} {u}"),
    Kind("Full records review", "records", "All {n} {u} of the period were counted; none were left out"),
    Kind("Complete register count", "records", "The register holds all {n} {u}, and every one was counted"),
)
_FAIR = (
    Kind("Internal dashboard", "dashboard", "The figures cover {m} {u} and have no adjustment for season"),
    Kind("Before-and-after comparison", "comparison", "{m} {u} were compared without a parallel group", BEFORE),
    Kind("Pilot report", "pilot", "The pilot counted {m} {u} at self-chosen sites"),
    Kind("Quarterly business review", "review", "The review draws on {m} {u} from routine reporting"),
    Kind("Regional case study", "case study", "One region supplied {m} {u}; other regions were not looked at"),
    Kind("Consultant's assessment", "assessment", "The assessment used {m} {u} taken from the monthly reports"),
    Kind("Cohort summary", "summary", "{m} {u} were tracked, with no control for other changes", BEFORE),
)
_WEAK = (
    Kind("Supplier's brochure", "hearsay", "The brochure names no method and no sample"),
    Kind("Poll in a team chat", "hearsay", "{w} people replied"),
    Kind("Conference anecdote", "hearsay", "The speaker named no method and no sample"),
    Kind("Online forum thread", "hearsay", "{w} users posted, none of them named"),
    Kind("Exit-interview notes", "hearsay", "{w} people were asked, all of them on their way out"),
    Kind("Recollections of a former manager", "hearsay", "Nothing was written down at the time"),
    Kind("Hallway survey", "hearsay", "{w} colleagues volunteered an answer"),
    Kind("Vendor's newsletter", "hearsay", "The vendor picked the cases itself"),
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
    "February 2024",
    "April 2025",
    "July 2023",
    "August 2024",
    "September 2023",
    "November 2024",
    "December 2023",
    "spring 2024",
    "summer 2024",
    "autumn 2024",
    "first half of 2023",
    "second half of 2024",
    "weeks 3 to 18",
    "weeks 22 to 40",
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
    "Two of the sites may have counted in their own way for a week",
    "The authors think it likely that a repeat would come out close to this, not that it would match",
    "A handful of entries seem to have been made by hand",
    "Whether the period was typical is open to some doubt, and it might not have been",
    "Part of the gap could possibly be a matter of who was counted",
    "The report calls its own precision fair, perhaps a little less",
    "It seems that one team started a few days late",
    "Figures from the last week may still be revised",
)
_PRECISE = (
    "Missing values affected fewer than one record in a hundred",
    "The data were locked before the analysis began",
    "A second analyst repeated the calculation and got the same figures",
    "The method and the raw data are on file",
    "Dropping the most extreme cases left the result as it was",
    "No site withdrew before the end",
    "The same definition was used throughout",
    "The count was checked against the accounting system and agreed",
    "The people who did the counting did not know which group was which",
    "The share of incomplete records was below half a percentage point",
    "The calculation is documented line by line",
    "A look at single weeks gave the same picture",
    "The result did not depend on any one site",
)


@dataclass(frozen=True, slots=True)
class CitedSource:
    """A source as it is cited, its short name in steps, and a sentence on how it was made."""

    cited: str
    short: str
    method: str


def draw_source(strength: int, world: World, used: set[object], rng: Random) -> CitedSource:
    """A source of `strength` (2 strong, 1 fair, 0 weak) that fits the design of `world`."""
    other = BEFORE if world.controlled else CONTROLLED
    kind = pick_unused([k for k in (_WEAK, _FAIR, _STRONG)[strength] if k.design != other], used, rng)
    # A count out of a base is no larger than the study that it is from.
    counted = world.inference == Inference.DENOMINATOR
    text = kind.method.format(
        n=f"{rng.randrange(2600 if counted else 1100, 9600):,}",
        m=f"{rng.randrange(2600, 4800) if counted else rng.randrange(180, 780):,}",
        w=rng.choice(_SMALL),
        u=world.lexicon.unit,
    )
    return CitedSource(cite(kind.name, world, rng, team=strength > 0), kind.short, sentence(text))


def cite(kind: str, world: World, rng: Random, team: bool) -> str:
    """A kind of document with its date, and often with the team that made it."""
    date = rng.choice(_WHEN)
    team_name = rng.choice(world.lexicon.teams)
    forms = [f"{kind}, {date}"]
    if team:
        forms += [
            f"{team_name}: {kind[0].lower()}{kind[1:]}, {date}",
            f"{kind} by {team_name}, {date}",
            f"{kind} ({date}), {team_name}",
        ]
    return rng.choice(forms)


def remark(hedging: Literal["none", "some", "much"], used: set[object], rng: Random) -> str:
    """A sentence after the findings, hedged as the level wants; often none."""
    chance = {"none": 0.0, "some": 0.6, "much": 1.0}[hedging]
    if rng.random() < chance:
        return sentence(pick_unused(_CAVEATS, used, rng))
    return sentence(pick_unused(_PRECISE, used, rng)) if rng.random() < 0.35 else ""
