"""Sentences that state a fact, with its figures."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from core.generation.procedural.bodies import Fact, Form
from core.generation.procedural.wording import Style, amount, fronted, percent, pick_unused, sentence, trailing
from core.generation.procedural.worlds import Scenario, World

_ROSE = ("rose", "went up", "climbed", "increased", "grew")
_FELL = ("fell", "went down", "dropped", "declined", "came down")
_STAYED = ("stayed level", "did not move", "remained the same", "held steady")

# A study that measured both sides says which way it went: that is what makes a single step of it.
_BOTH = (
    "{F}the {m} {v}: it came to {w} with the {i} and {o} without it",
    "The {m}{t} {v}: it stood at {o} before the {i} and at {w} afterwards",
    "{F}the {m} {v} once the {i} was in place: it had been {o} and came to {w}",
    "With the {i}, the {m}{t} {v}: {w}, against {o} in the comparison group",
    "{F}the {m} {v}: the comparison group recorded {o}, and the group with the {i} recorded {w}",
    "The {m}{t} {v}: {o} without the {i}, {w} with it",
    "{F}the {m} {v} when the {i} arrived, with {o} before and {w} after",
    "Measured{t}, the {m} {v} under the {i}: it ended at {w}, where the control figure was {o}",
    "{F}the {m} {v} from {o} to {w} after the {i} went live",
    "{F}the {m} {v}: it averaged {w} under the {i}, compared with {o} in the control group",
)
_WITH = (
    "{F}the {m} averaged {w} with the {i}",
    "Under the {i}, the {m}{t} came to {w}",
    "The {m}{t} stood at {w} once the {i} was in place",
    "{F}the {m} settled at {w} after the {i} went live",
    "With the {i} in use, the {m}{t} was recorded at {w}",
)
_WITHOUT = (
    "{F}the {m} averaged {o} without the {i}",
    "{F}the {m} stood at {o} in the control group, which did without the {i}",
    "Before the {i}, the {m}{t} came to {o}",
    "The {m}{t} stood at {o} in the control group, which went without the {i}",
    "{F}the {m} had settled at {o} before the {i} went live",
    "Without the {i}, the {m}{t} was recorded at {o}",
)
_SAID = (
    "{F}the {m} {v} after the {i} arrived",
    "The {m}{t} {v} once the {i} was there",
    "{F}it is said that the {m} {v} with the {i}",
    "People there say that the {m}{t} {v} after the {i} came",
)
_MOVED = (
    "{F}{d} {v} by {p} once the {i} was in place",
    "With the {i}, {d}{t} {v} by {p}",
    "{F}{d} {v} by {p} after the {i} went live",
    "The {i} had a plain effect on {d}{t}: it {v} by {p}",
)
_STILL = (
    "{F}{d} {v} once the {i} was in place",
    "With the {i}, {d}{t} {v}",
    "{F}{d} {v} after the {i} went live",
)
_STEP = (
    "{F}the {m} has moved in step with {d} for {n} quarters",
    "The {m}{t} follows {d}: when one goes up, so does the other, in all {n} quarters on record",
    "{F}{d} and the {m} have moved in the same direction in each of {n} quarters",
)
_COUNTER = (
    "{F}the {m} has moved opposite to {d} for {n} quarters",
    "The {m}{t} mirrors {d}: when one goes up, the other goes down, in all {n} quarters on record",
    "{F}{d} and the {m} have moved in opposite directions in each of {n} quarters",
)
_APART = (
    "{F}the {m} has shown no link with {d} over {n} quarters",
    "The {m}{t} is independent of {d}: over {n} quarters, neither followed the other",
    "{F}{d} and the {m} have moved independently of each other over {n} quarters",
)
_OPEN = (
    "{F}the {m} moved by somewhere between a fall of {a} and a rise of {b} with the {i}, so the result is inconclusive",
    "For the {m}{t}, the interval ran from a fall of {a} to a rise of {b} under the {i}; the effect is unclear",
)
_BALANCE = (
    "{F}the {i} {v}: it brought savings of {w} against costs of {o}",
    "The {i}{t} {v}: the costs came to {o} a year, and the savings to {w}",
    "{F}the {i} {v}: savings of {w} a year stood against outlays of {o}",
    "The {i}{t} {v}: spending on it totalled {o}; the savings it brought totalled {w}",
)
_BALANCED = {1: "saved more than it cost", 0: "just about broke even", -1: "cost more than it saved"}
_SAVING = ("{F}the {i} brought savings of {w} a year", "The yearly savings from the {i}{t} came to {w}")
_COST = ("{F}the {i} cost {o} a year to run", "The yearly outlays for the {i}{t} came to {o}")
_SHARES = (
    "Of the change in the {m}, more passed through {d} than through {e}: {w} against {o}",
    "{D} accounted for more of the change in the {m} than {e}: {w} against {o}",
    "Split by cause, most of the change in the {m} came from {d}: {w}, against {o} from {e}",
)
_SHARE = (
    "{D} accounted for {w} of the change in the {m}",
    "Of the change in the {m} with the {i}, {w} passed through {d}",
    "Some {w} of the change in the {m} came from {d}",
)


# Told of a time after the start, a figure from before it makes no sense.
_EARLIER = ("before", "had been", "from {o}")


def _forms(world: World, fact: Fact) -> list[str]:
    """The sentence forms that fit `fact`."""
    forms = {Form.BOTH: _BOTH, Form.WITH: _WITH, Form.WITHOUT: _WITHOUT, Form.SAID: _SAID, Form.OPEN: _OPEN}[fact.form]
    fits = [form for form in forms if fact.finding.state or "{v} from" not in form]
    if not world.contexts[fact.part]:
        fits = [form for form in fits if not form.startswith("Measured")]
    name = world.metrics[fact.part].name
    for echo in ("average", "recorded"):
        if echo in name:
            fits = [form for form in fits if echo not in form]
    if world.scenario == Scenario.FOLLOW_UP and fact.form in (Form.BOTH, Form.WITHOUT):
        fits = [form for form in fits if not any(cue in form.lower() for cue in _EARLIER)]
    return fits


def words_for(state: int, rng: Random) -> str:
    """A verb in the past tense for a direction."""
    return rng.choice(_ROSE if state > 0 else _FELL if state < 0 else _STAYED)


def state_fact(world: World, fact: Fact, document_style: Style, used: set[object], rng: Random) -> str:
    """`fact` as one sentence, in a form that is not in `used` yet if there is one."""
    if world.scenario == Scenario.BREAK_EVEN:
        return _money(world, fact, document_style, used, rng)
    if world.scenario == Scenario.DRIVERS and fact.part == 1:
        return _share(world, fact, document_style, used, rng)
    metric, context = world.metrics[fact.part], world.contexts[fact.part]
    finding = fact.finding
    driver = world.drivers[fact.part]
    verb = words_for(finding.state, rng)
    if fact.form == Form.MOVE:
        template = pick_unused(_MOVED if finding.moved else _STILL, used, rng)
        verb = words_for(finding.moved, rng)
    elif fact.form == Form.LINK:
        template = pick_unused({1: _STEP, -1: _COUNTER, 0: _APART}[finding.linked], used, rng)
    else:
        template = pick_unused(_forms(world, fact), used, rng)
    if fact.form == Form.BOTH and world.scenario == Scenario.SIZE:
        verb = f"{verb} by {percent(round(abs(finding.with_value / finding.without_value - 1) * 100), document_style)}"
    return sentence(
        template.format(
            F=fronted(context),
            t=trailing(context),
            m=metric.name,
            i=world.intervention,
            w=amount(metric, finding.with_value, document_style),
            o=amount(metric, finding.without_value, document_style),
            v=verb,
            d=driver,
            p=percent(finding.moved_percent, document_style),
            n=rng.choice(("six", "eight", "nine", "ten", "twelve")),
            a=percent(rng.randint(4, 9), document_style),
            b=percent(rng.randint(4, 9), document_style),
        )
    )


def _money(world: World, fact: Fact, document_style: Style, used: set[object], rng: Random) -> str:
    finding, context, metric = fact.finding, world.contexts[fact.part], world.metrics[fact.part]
    if fact.form in (Form.SAID, Form.OPEN):
        stated_balance = f"the {{i}} {_BALANCED[finding.state]}"
        text = "whether the {i} saved more than it cost is unclear" if fact.form == Form.OPEN else stated_balance
        start = "" if fact.form == Form.OPEN else rng.choice(("people there say that ", "it is said that ", ""))
        return sentence(f"{fronted(context)}{start}{text}".format(i=world.intervention))
    template = pick_unused({Form.BOTH: _BALANCE, Form.WITH: _SAVING, Form.WITHOUT: _COST}[fact.form], used, rng)
    return sentence(
        template.format(
            F=fronted(context),
            t=trailing(context),
            i=world.intervention,
            v=_BALANCED[finding.state],
            w=amount(metric, finding.with_value, document_style),
            o=amount(metric, finding.without_value, document_style),
        )
    )


def _share(world: World, fact: Fact, document_style: Style, used: set[object], rng: Random) -> str:
    metric, finding = world.metrics[0], fact.finding
    first, second = world.drivers
    # Shares of a change in a percentage are points; in per cent they would read as shares of the change.
    if metric.unit == "%":
        metric = replace(metric, unit="percentage points")
    first_amount, second_amount = (
        amount(metric, value, document_style, metric.decimals + 1)
        for value in (finding.with_value, finding.without_value)
    )
    if fact.form == Form.OPEN:
        return sentence(f"How much of the change in the {metric.name} came from {first} or {second} is unclear")
    if fact.form == Form.BOTH:
        template = pick_unused(_SHARES, used, rng)
        if finding.with_value < finding.without_value:
            first, second, first_amount, second_amount = second, first, second_amount, first_amount
    else:
        template = pick_unused(_SHARE, used, rng)
        if fact.form == Form.WITHOUT:
            first, first_amount = second, second_amount
    text = template.format(
        m=metric.name, w=first_amount, o=second_amount, d=first, D=first, e=second, i=world.intervention
    )
    return sentence(text)
