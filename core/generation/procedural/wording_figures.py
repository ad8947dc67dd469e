"""Findings in figures: they have to be compared, or put together with others, before they say anything."""

from __future__ import annotations

from random import Random

from core.generation.procedural.facts import (
    Arm,
    Compared,
    Counted,
    Defined,
    Fact,
    Held,
    Linked,
    Measured,
    Moved,
    Qualified,
    Series,
    Shifted,
    Started,
    Stated,
    Undecided,
)
from core.generation.procedural.wording import (
    Sentence,
    Style,
    amount,
    compose,
    fronted,
    percent,
    pick_unused,
    sentence,
    trailing,
)
from core.generation.procedural.wording_words import qualifier_words, state_words, words_for
from core.generation.procedural.worlds import MONTHS, Inference, Shape, World

# With and without at the same time, and before and after: never both in one case.
_BOTH = (
    "{F}the {m} came to [w:{w} with the {i}] and [o:{o} without it]",
    "The {m}{t} was [o:{o} without the {i}], [w:{w} with it]",
    "With the {i}, the {m}{t} was recorded at [w:{w}], and without it at [o:{o}]",
    "{F}the {m} averaged [w:{w} with the {i}]; [o:without it, the average was {o}]",
)
_BOTH_CONTROLLED = (
    "{F}the {m} came to [w:{w} with the {i}], against [o:{o} in the comparison group]",
    "{F}[o:the comparison group had {o}] for the {m}, and [w:the group with the {i} had {w}]",
    "For the {m}{t}, [w:the group with the {i} recorded {w}] and [o:the control group {o}]",
)
_BOTH_BEFORE = (
    "The {m}{t} stood at [o:{o} before the {i}] and at [w:{w} afterwards]",
    "{F}the {m} had been [o:{o} before the {i} came], and [w:came to {w} once it was in place]",
    "{F}the {m} was [w:{w} after the {i} went live], compared with [o:{o} before]",
)
_WITH = (
    "{F}the {m} averaged [w:{w} with the {i}]",
    "[w:Under the {i}, the {m}{t} came to {w}]",
    "[w:With the {i} in use, the {m}{t} was recorded at {w}]",
    "[w:The {m}{t} stood at {w} with the {i}]",
)
_WITHOUT = (
    "{F}the {m} averaged [o:{o} without the {i}]",
    "[o:Without the {i}, the {m}{t} was recorded at {o}]",
    "[o:The {m}{t} stood at {o} without the {i}]",
)
_WITHOUT_CONTROLLED = (
    "{F}[o:the {m} stood at {o} in the control group], which did without the {i}",
    "[o:In the comparison group, which went without the {i}, the {m}{t} came to {o}]",
)
_WITHOUT_BEFORE = (
    "[o:Before the {i}, the {m}{t} came to {o}]",
    "{F}[o:the {m} had settled at {o} before the {i} went live]",
)
_BALANCE = (
    "{F}the {i} brought [w:savings of {w}] against [o:costs of {o}]",
    "[o:The costs of the {i}{t} came to {o} a year], and [w:the savings to {w}]",
    "{F}the {i} had [w:savings of {w} a year] stand against [o:outlays of {o}]",
    "[o:Spending on the {i}{t} totalled {o}]; [w:the savings it brought totalled {w}]",
)
_SAVING = ("{F}the {i} brought [w:savings of {w} a year]", "[w:The yearly savings from the {i}{t} came to {w}]")
_COST = ("{F}the {i} had [o:costs of {o} a year]", "[o:The yearly outlays for the {i}{t} came to {o}]")
_SHARE = (
    "The size of the change in the {m} was put at [q:{p}]",
    "In all, the {m} changed [q:by {p}]",
    "Relative to the figure without the {i}, the {m} changed [q:by {p}]",
)
_COUNTED = {
    Arm.WITH: (
        "{F}[c:{n} of {b} {u} with the {i}] counted towards the {m}",
        "With the {i}, the {m}{t} rests on [c:{n} of {b} {u}]",
        "Behind the {m}{t} stood, with the {i}, [c:{n} of {b} {u}]",
    ),
    Arm.WITHOUT: (
        "{F}[c:{n} of {b} {u} without the {i}] counted towards the {m}",
        "Without the {i}, the {m}{t} rests on [c:{n} of {b} {u}]",
        "Behind the {m}{t} stood, without the {i}, [c:{n} of {b} {u}]",
    ),
}
_SERIES = (
    "{F}with the {i} in place, [s:the {m} read {a}, then {b}, then {c}]",
    "Readings of the {m} under the {i} {t} were [s:{a}, {b} and {c}], in that order",
    "Under the {i}, [s:the {m}{t} went through {a}, {b} and {c}]",
)
_HELD = {
    True: (
        "With {d} held constant, [h:the {m} still {v} under the {i}]",
        "Where {d} could not change, [h:the {m} {v} all the same with the {i}]",
        "Leaving {d} out of account, [h:the {m} {v} as much with the {i}]",
    ),
    False: (
        "With {d} held constant, [h:the {m} {v} under the {i}]",
        "Where {d} could not change, [h:the {m} {v} with the {i}]",
        "Leaving {d} out of account, [h:the {m} {v} with the {i}]",
    ),
}
_DEFINED = (
    "Under the standard in force, the {m} counts as [a:{g} from {l} to {h}] and as [b:{k} from {n} to {o}]",
    "The service standard defines the grades for the {m}: [a:{g} from {l} to {h}], [b:{k} from {n} to {o}]",
    "On the scale in use for the {m}, [a:{g} is from {l} to {h}] and [b:{k} is from {n} to {o}]",
)
_STARTED = (
    "[s:The {i} went live in {M}]",
    "[s:The {i} was first used in {M}]",
    "[s:The {i} started in {M}]",
)
_SHIFTED = (
    "{F}[k:the {m} {v} in {M}], and was level before and after",
    "[k:The {m}{t} {v} in {M}]; in all other months it kept its level",
    "By month, [k:the {m}{t} {v} once, in {M}], with no other change in the year",
)
_MOVED = (
    "{F}[d:{d} {v} by {p}] once the {i} was in place",
    "With the {i}, [d:{d}{t} {v} by {p}]",
    "{F}[d:{d} {v} by {p}] after the {i} went live",
)
_STILL = (
    "{F}[d:{d} {v}] once the {i} was in place",
    "With the {i}, [d:{d}{t} {v}]",
    "{F}[d:{d} {v}] after the {i} went live",
)
_LINKED = {
    1: (
        "{F}[l:the {m} has moved in step with {d}] for {n} quarters",
        "[l:The {m}{t} follows {d}]: when one goes up, so does the other, in all {n} quarters on record",
        "{F}[l:{d} and the {m} have moved in the same direction] in each of {n} quarters",
    ),
    -1: (
        "{F}[l:the {m} has moved opposite to {d}] for {n} quarters",
        "[l:The {m}{t} mirrors {d}]: when one goes up, the other goes down, in all {n} quarters on record",
        "{F}[l:{d} and the {m} have moved in opposite directions] in each of {n} quarters",
    ),
    0: (
        "{F}[l:the {m} has shown no link with {d}] over {n} quarters",
        "[l:The {m}{t} is independent of {d}]: over {n} quarters, neither followed the other",
        "{F}[l:{d} and the {m} have moved independently of each other] over {n} quarters",
    ),
}
_OPEN = (
    "{F}the {m} moved by somewhere between a fall of {a} and a rise of {b} with the {i}, so the result is inconclusive",
    "For the {m}{t}, the interval ran from a fall of {a} to a rise of {b} under the {i}; the effect is unclear",
)
_DIRECTIONS = {1: "up", 0: "same", -1: "down"}
_LINKS = {1: "along", 0: "no link", -1: "opposite"}


def state_fact(world: World, fact: Fact, style: Style, used: set[object], rng: Random) -> Sentence:
    """`fact` as one sentence, in a form that is not in `used` yet if there is one."""
    match fact:
        case Stated():
            return state_words(world, fact, used, rng)
        case Qualified():
            if world.shape == Shape.SIZE and world.inference != Inference.STATED:
                words = _words(world, fact.part) | {"p": percent(fact.percent, style)}
                return compose(pick_unused(_SHARE, used, rng), words, {"q": (fact.part, f"{fact.percent} %")})
            return qualifier_words(world, fact, style, used, rng)
        case Compared() | Measured():
            return _measured(world, fact, style, used, rng)
        case Counted():
            return _counted(world, fact, used, rng)
        case Series():
            return _series(world, fact, style, used, rng)
        case Held() | Defined():
            return _ruled(world, fact, style, used, rng)
        case Started() | Shifted():
            return _dated(world, fact, used, rng)
        case Moved() | Linked():
            return _chained(world, fact, style, used, rng)
        case Undecided():
            return _undecided(world, fact, style, rng)


def _words(world: World, part: int) -> dict[str, str]:
    """The words that most forms take; a claim that a direction carries has no context."""
    context = "" if world.shape.carried else world.contexts[part]
    return {
        "F": fronted(context),
        "t": trailing(context),
        "m": world.metrics[part].name,
        "i": world.intervention,
        "d": world.drivers[part],
    }


def _plain(value: float, decimals: int) -> str:
    return f"{value:,.{max(decimals, 0)}f}"


def _measured(world: World, fact: Compared | Measured, style: Style, used: set[object], rng: Random) -> Sentence:
    metric = world.metrics[fact.part]
    money = world.shape == Shape.BALANCE
    both = isinstance(fact, Compared)
    arm = fact.arm if isinstance(fact, Measured) else None
    words, says = _words(world, fact.part), {}
    values = {}
    if isinstance(fact, Compared):
        values = {"w": fact.with_value, "o": fact.without_value}
    else:
        values = {"w" if arm == Arm.WITH else "o": fact.value}
    for key, value in values.items():
        words[key] = amount(metric, value, style)
        name = {"w": "saved", "o": "spent"} if money else {"w": "with", "o": "without"}
        says[key] = (fact.part, f"{_plain(value, metric.decimals)} {name[key]}")
    if money:
        forms: tuple[str, ...] = _BALANCE if both else _SAVING if arm == Arm.WITH else _COST
    elif both:
        forms = (*_BOTH, *(_BOTH_CONTROLLED if world.controlled else _BOTH_BEFORE))
    elif arm == Arm.WITH:
        forms = _WITH
    else:
        forms = (*_WITHOUT, *(_WITHOUT_CONTROLLED if world.controlled else _WITHOUT_BEFORE))
    return compose(pick_unused(_unechoed(forms, metric.name), used, rng), words, says)


def _unechoed(forms: tuple[str, ...], name: str) -> list[str]:
    """The forms that do not repeat a word of the metric's name: 'the average … averaged'."""
    return [form for form in forms if not any(echo in name and echo in form for echo in ("average", "record"))]


def _counted(world: World, fact: Counted, used: set[object], rng: Random) -> Sentence:
    words = _words(world, fact.part) | {"n": str(fact.count), "b": str(fact.base), "u": world.lexicon.unit}
    share = fact.count * 100 // fact.base
    says = {"c": (fact.part, f"{fact.count}/{fact.base} = {share}% {fact.arm}")}
    return compose(pick_unused(_COUNTED[fact.arm], used, rng), words, says)


def _series(world: World, fact: Series, style: Style, used: set[object], rng: Random) -> Sentence:
    metric = world.metrics[fact.part]
    words = _words(world, fact.part)
    words |= {key: amount(metric, value, style) for key, value in zip("abc", fact.readings, strict=True)}
    first, last = (_plain(value, metric.decimals) for value in (fact.readings[0], fact.readings[-1]))
    template = pick_unused(_SERIES, used, rng).replace(" {t}", "{t}")
    return compose(template, words, {"s": (fact.part, f"from {first} to {last}")})


def _ruled(world: World, fact: Held | Defined, style: Style, used: set[object], rng: Random) -> Sentence:
    words = _words(world, 0)
    if isinstance(fact, Held):
        driver = world.drivers[fact.driver]
        words |= {"d": driver, "v": words_for(fact.state, rng)}
        template = pick_unused(_HELD[fact.state != 0], used, rng)
        return compose(template, words, {"h": (fact.part, f"{_DIRECTIONS[fact.state]} without {driver}")})
    metric, says = world.metrics[0], {}
    order = [("a", "g", "l", "h", 0), ("b", "k", "n", "o", 1)]
    if rng.random() < 0.5:
        order = [("a", "g", "l", "h", 1), ("b", "k", "n", "o", 0)]
    for key, name, start, end, option in order:
        low, high = fact.bounds[option]
        words |= {name: world.grades[option], start: _plain(low, metric.decimals), end: amount(metric, high, style)}
        bounds = f"{_plain(low, metric.decimals)}-{_plain(high, metric.decimals)}"
        says[key] = (fact.part, f"{world.grades[option]} is {bounds}")
    return compose(pick_unused(_DEFINED, used, rng), words, says)


def _dated(world: World, fact: Started | Shifted, used: set[object], rng: Random) -> Sentence:
    month = MONTHS[fact.month]
    words = _words(world, fact.part) | {"M": month}
    if isinstance(fact, Started):
        return compose(pick_unused(_STARTED, used, rng), words, {"s": (fact.part, f"start {month}")})
    words["v"] = words_for(fact.state, rng)
    says = {"k": (fact.part, f"{_DIRECTIONS[fact.state]} in {month}")}
    return compose(pick_unused(_SHIFTED, used, rng), words, says)


def _chained(world: World, fact: Moved | Linked, style: Style, used: set[object], rng: Random) -> Sentence:
    words = _words(world, fact.part)
    if isinstance(fact, Linked):
        words["n"] = rng.choice(("six", "eight", "nine", "ten", "twelve"))
        says = {"l": (fact.part, _LINKS[fact.link])}
        return compose(pick_unused(_LINKED[fact.link], used, rng), words, says)
    words |= {"v": words_for(fact.state, rng), "p": percent(fact.percent, style)}
    says = {"d": (fact.part, f"driver {_DIRECTIONS[fact.state]}")}
    return compose(pick_unused(_MOVED if fact.state else _STILL, used, rng), words, says)


def _undecided(world: World, fact: Undecided, style: Style, rng: Random) -> Sentence:
    words = _words(world, fact.part)
    if world.shape == Shape.BALANCE:
        return Sentence(sentence("{F}whether the {i} saved more than it cost is unclear".format_map(words)))
    if world.shape.carried and fact.part == 1:
        return Sentence(sentence(f"How far the change in the {words['m']} goes is unclear"))
    words |= {"a": percent(rng.randint(4, 9), style), "b": percent(rng.randint(4, 9), style)}
    return Sentence(sentence(rng.choice(_OPEN).format_map(words)))
