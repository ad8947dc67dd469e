"""Who says it and how it was made: names of sources, sentences on their method, caveats."""

from __future__ import annotations

from random import Random
from typing import Literal

from core.generation.procedural.wording import pick_unused, sentence
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
_ABOUT_INTERVENTION = (
    "The {i} was set up in {n} weeks and stayed within its budget",
    "Staff had two information sessions on the {i}, both well attended",
    "A steering group of five meets every month to look after the {i}",
    "The contract for the {i} runs for two years and can be ended with three months' notice",
    "The name of the {i} was changed once before its launch, after a vote",
    "Documentation for the {i} runs to forty pages and is kept on the intranet",
    "The {i} has an owner on the management board and a deputy who stands in",
    "Questions on the {i} go to a shared mailbox that is read twice a day",
    "The launch of the {i} was moved by a week because of a public holiday",
    "The supplier of the {i} has its seat in a neighbouring country",
    "A short film on how the {i} came about was shown at the summer party",
    "The tender for the {i} drew {n} offers, and the second cheapest was taken",
    "A trade magazine printed an interview about how the {i} was chosen",
    "The logo of the {i} was drawn by a trainee and has been kept",
)
_ABOUT_METRIC = (
    "The definition of the {m} was last revised in 2019 and has been stable since",
    "Managers see the {m} on a monthly sheet, next to two dozen other measures",
    "The {m} is computed by a script that two people maintain",
    "A neighbouring department copied the way the {m} is reported",
    "A handbook of two pages explains how the {m} is worked out",
    "The {m} is shown on a screen by the entrance, next to the weather",
    "New managers are told what the {m} means as part of their induction",
    "The auditors looked at how the {m} is recorded and had no remarks",
    "The {m} was taken up into the annual report some years ago at the wish of the board",
)
_OTHER_METRIC = (
    "The {x} was reported on the same sheet and is collected by another team",
    "A long-running project on the {x} ended on schedule",
    "The annual plan also names the {x} as something to watch",
    "A student wrote a thesis on the {x} and was hired afterwards",
    "The {x} has a chapter of its own, as it did the year before",
    "The team in charge of the {x} has moved to another floor",
    "For the {x}, a new chart was designed with larger type",
    "The working group on the {x} has a new chair",
)


def source(strength: int, world: World, used: set[object], rng: Random) -> tuple[str, str]:
    """The name of a source of `strength` (2 strong, 1 fair, 0 weak), and a sentence on how it was made."""
    kind, method = pick_unused((_WEAK, _FAIR, _STRONG)[strength], used, rng)
    text = method.format(
        n=f"{rng.randrange(1100, 9600):,}",
        m=f"{rng.randrange(180, 780):,}",
        w=rng.choice(_SMALL),
        u=world.lexicon.unit,
    )
    return _cited(kind, world, rng, team=strength > 0), sentence(text)


def _cited(kind: str, world: World, rng: Random, team: bool) -> str:
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


def irrelevant_piece(world: World, used: set[object], rng: Random) -> tuple[str, str]:
    """The source and content of a piece that does not bear on any claim of `world`."""
    kinds = (
        "Notes from the town hall",
        "Onboarding booklet",
        "Departmental blog",
        "Project newsletter",
        "Minutes of the steering group",
        "Annual report",
        "Intranet page",
        "Staff bulletin",
    )
    used_metrics = {metric.name for metric in world.metrics}
    other_metric = rng.choice([metric for metric in world.lexicon.metrics if metric.name not in used_metrics])
    pool = [_ABOUT_INTERVENTION, _ABOUT_METRIC, _OTHER_METRIC]
    if world.metrics[0].name == "net result":
        pool.remove(_ABOUT_METRIC)
    lines = [
        sentence(
            pick_unused(group, used, rng).format(
                i=world.intervention,
                m=rng.choice(world.metrics).name,
                x=other_metric.name,
                n=rng.choice(("six", "nine", "eleven", "fourteen")),
            )
        )
        for group in rng.sample(pool, rng.choice((1, 1, 2)))
    ]
    if rng.random() < 0.5:
        lines.append(pick_unused(world.lexicon.background, used, rng))
    return _cited(rng.choice(kinds), world, rng, team=True), " ".join(lines)
