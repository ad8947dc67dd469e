"""Why the decision follows: which pieces weigh, which do not."""

from __future__ import annotations

from random import Random

from core.generation.procedural.bodies import Body, Form, Role
from core.generation.procedural.wording import Style, amount, capital, sentence
from core.generation.procedural.worlds import REFINED, REJECTED, VALIDATED, Scenario, World
from storage.schema import Evidence

_CLOSING = {
    VALIDATED: (
        "Both parts of the claim hold as stated: VALIDATED",
        "Nothing in the claim has to change, so it is VALIDATED",
        "The claim matches what was found in every part; VALIDATED",
    ),
    REFINED: (
        "Part of the claim holds, but it has to be restated: REFINED",
        "The claim is right in part only and needs another wording, hence REFINED",
        "With that correction the rest of the claim stands: REFINED",
    ),
    REJECTED: (
        "The core of the claim is contradicted: REJECTED",
        "What the claim asserts is not what was found, so it is REJECTED",
        "No correction short of a different claim would fit the evidence; REJECTED",
    ),
}


def reasoning(world: World, body: Body, claim: int, decision: str, shown: list[Evidence], rng: Random) -> str:
    """The reasoning for `decision` on hypothesis `claim` over `body`, whose pieces are `shown` in the same order."""
    lines = [_settled(body, shown, rng), *_comparisons(world, body, claim, rng)]
    lines += _set_aside(body, shown, rng)
    return " ".join(sentence(line) for line in [*lines, rng.choice(_CLOSING[decision])] if line)


def _settled(body: Body, shown: list[Evidence], rng: Random) -> str:
    support = [name for piece, name in zip(body.pieces, shown, strict=True) if piece.role == Role.SUPPORT]
    facts = [fact for piece in body.pieces if piece.role == Role.SUPPORT for fact in piece.facts]
    names = " and ".join(f'"{piece.source}"' for piece in support[:2])
    either = " nor ".join(f'"{piece.source}"' for piece in support[:2])
    joined = any(fact.form in (Form.WITH, Form.MOVE) for fact in facts)
    if joined and len(support) > 1:
        return rng.choice(
            (
                f"The answer takes several facts put together, the main ones from {names}",
                f"Neither {either} settles it alone; taken together they do",
            )
        )
    return rng.choice((f"What weighs most is {names}", f"The decisive figures come from {names}"))


def _comparisons(world: World, body: Body, claim: int, rng: Random) -> list[str]:
    claimed, found = world.states[claim], world.states[body.position]
    if world.scenario == Scenario.SIZE:
        low, high = world.bands[claimed[1]]
        change = abs(body.findings[0].with_value / body.findings[0].without_value - 1) * 100
        way = "up" if found[0] > 0 else "down"
        size = f"{'a rise' if claimed[0] > 0 else 'a fall'} of {low} to {high} %"
        return [f"The figures put the change at about {change:.0f} % {way}, where the claim has {size}"]
    if world.scenario == Scenario.DRIVERS:
        lines = [_against(f"the {world.metrics[0].name}", claimed[0], found[0], _ground(world, body, 0), rng)]
        same = "as" if claimed[1] == found[1] else "contrary to what"
        return [*lines, f"The larger share of the change came from {world.drivers[found[1]]}, {same} the claim says"]
    if world.scenario == Scenario.BREAK_EVEN:
        words = {1: "savings exceed costs", 0: "savings and costs are level", -1: "costs exceed savings"}
        return [
            f"{capital(place)}, {words[truth]}, which {'is as' if says == truth else 'is not what is'} claimed"
            for place, says, truth in zip(world.contexts, claimed, found, strict=True)
        ]
    return [
        _against(f"the {metric.name}" + (f" {place}" if place else ""), says, truth, _ground(world, body, part), rng)
        for part, (metric, place, says, truth) in enumerate(
            zip(world.metrics, world.contexts, claimed, found, strict=True)
        )
    ]


def _ground(world: World, body: Body, part: int) -> str:
    """What the pieces say on one half of the claim, in short; empty where there is nothing to quote."""
    facts = [f for piece in body.pieces if piece.role == Role.SUPPORT for f in piece.facts if f.part == part]
    forms = {fact.form for fact in facts}
    metric = world.metrics[part]
    if {Form.MOVE, Form.LINK} <= forms:
        finding, driver = facts[0].finding, world.drivers[part]
        moved = {1: "rose", 0: "stayed where it was", -1: "fell"}[finding.moved]
        linked = {1: "moves with it", 0: "has no link with it", -1: "moves against it"}[finding.linked]
        return f"{driver} {moved} and the measure {linked}"
    if Form.BOTH in forms or {Form.WITH, Form.WITHOUT} <= forms:
        quoted = next(fact.finding for fact in facts if fact.form in (Form.BOTH, Form.WITH, Form.WITHOUT))
        without = f"{quoted.without_value:,.{max(metric.decimals, 0)}f}"
        return f"{without} without, {amount(metric, quoted.with_value, Style(True, True))} with"
    return ""


def _against(subject: str, claimed: int, found: int, ground: str, rng: Random) -> str:
    went = {1: "rises", 0: "does not change", -1: "falls"}
    why = f" ({ground})" if ground else ""
    if claimed == found:
        return rng.choice(
            (f"{subject} {went[found]}{why}, as claimed", f"The claim is right that {subject} {went[found]}{why}")
        )
    return rng.choice(
        (
            f"{subject} {went[found]}{why}, where the claim says that it {went[claimed]}",
            f"the claim says that {subject} {went[claimed]}, but it {went[found]}{why}",
        )
    )


def _set_aside(body: Body, shown: list[Evidence], rng: Random) -> list[str]:
    lines = []
    weak = [piece.source for part, piece in zip(body.pieces, shown, strict=True) if part.role == Role.CONTRARY]
    beside = [piece.source for part, piece in zip(body.pieces, shown, strict=True) if part.role == Role.IRRELEVANT]
    if weak:
        names = " and ".join(f'"{name}"' for name in weak)
        verb = "points" if len(weak) == 1 else "point"
        why = rng.choice(("has no method or sample to set against them", "is too thin to outweigh measured figures"))
        why = why if len(weak) == 1 else why.replace("has ", "have ").replace("is ", "are ")
        lines.append(f"{names} {verb} the other way but {why}")
    if beside:
        names = " and ".join(f'"{name}"' for name in beside)
        lines.append(f"{names} {'does' if len(beside) == 1 else 'do'} not bear on the claim")
    return lines
