"""The reasoning for a decision: which pieces count, which do not."""

from __future__ import annotations

from random import Random

from core.generation.procedural.bodies import Body, Effect, Form, Role
from core.generation.procedural.wording import Style, amount, sentence
from core.generation.procedural.worlds import REFINED, REJECTED, VALIDATED, Scenario, World
from storage.schema import Evidence

_CLOSING = {
    VALIDATED: ("Both parts hold as stated: VALIDATED", "Both parts hold and nothing has to change: VALIDATED"),
    REFINED: (
        "One part holds, the other has to be restated: REFINED",
        "One part holds, and with the other put right the claim stands: REFINED",
    ),
    REJECTED: ("Neither part holds: REJECTED", "Neither part holds, so the claim is contradicted: REJECTED"),
}
# If the claim rests on a direction, its second part (size or cause) means nothing without the direction.
_CARRIED = (
    "The direction carries the claim, and it is wrong: REJECTED",
    "With the wrong direction nothing of the claim is left: REJECTED",
)


def write_reasoning(world: World, body: Body, claim: int, decision: str, evidence: list[Evidence], rng: Random) -> str:
    """The reasoning for `decision` on hypothesis `claim` over `body`, whose pieces are `evidence` in the same order."""
    lines = [_weighing_sentence(body, evidence, rng), *_comparisons(world, body, claim)]
    lines += _set_aside(body, evidence, rng)
    carried = decision == REJECTED and world.scenario in (Scenario.SIZE, Scenario.DRIVERS)
    return " ".join(sentence(line) for line in [*lines, rng.choice(_CARRIED if carried else _CLOSING[decision])])


def _weighing_sentence(body: Body, evidence: list[Evidence], rng: Random) -> str:
    support = [name for piece, name in zip(body.pieces, evidence, strict=True) if piece.role == Role.SUPPORT]
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


def _comparisons(world: World, body: Body, claim: int) -> list[str]:
    claimed, actual = world.states[claim], world.states[body.position]
    if world.scenario in (Scenario.SIZE, Scenario.DRIVERS):
        first = _moved(f"the {world.metrics[0].name}", _quoted_figures(world, body, 0), claimed[0], actual[0])
        if claimed[0] != actual[0]:
            return [first]
        return [
            first,
            _size(world, body, claimed[1]) if world.scenario == Scenario.SIZE else _cause(world, claimed, actual),
        ]
    if world.scenario == Scenario.BREAK_EVEN:
        return [
            _balance(f"the {world.intervention} {context}", body.findings[part], *states)
            for part, (context, *states) in enumerate(zip(world.contexts, claimed, actual, strict=True))
        ]
    return [
        _moved(f"the {metric.name}" + (f" {context}" if context else ""), _quoted_figures(world, body, part), *states)
        for part, (metric, context, *states) in enumerate(
            zip(world.metrics, world.contexts, claimed, actual, strict=True)
        )
    ]


def _moved(subject: str, ground: str, claimed: int, actual: int) -> str:
    verb = {1: "rises", 0: "does not change", -1: "falls"}[actual]
    claimed_text = {1: "rising", 0: "unchanged", -1: "falling"}[claimed]
    finding_text = f"On {subject}: {ground}, so it {verb}" if ground else f"{subject} {verb}"
    return _part(finding_text, f"it {claimed_text}", claimed == actual)


def _balance(subject: str, finding: Effect, claimed: int, actual: int) -> str:
    actual_text = {1: "saves more than it costs", 0: "breaks even", -1: "costs more than it saves"}[actual]
    claimed_text = {1: "saving more than it costs", 0: "breaking even", -1: "costing more than it saves"}[claimed]
    figures = f"€{finding.without_value:,.0f} spent, €{finding.with_value:,.0f} saved"
    return _part(f"On {subject}: {figures}, so it {actual_text}", f"it {claimed_text}", claimed == actual)


def _size(world: World, body: Body, claimed: int) -> str:
    low, high = world.bands[claimed]
    change = abs(body.findings[0].with_value / body.findings[0].without_value - 1) * 100
    return _part(f"On its size: about {change:.0f} %", f"{low} to {high} %", low <= change <= high)


def _cause(world: World, claimed: tuple[int, int], actual: tuple[int, int]) -> str:
    main_driver, claimed_driver = world.drivers[actual[1]], world.drivers[claimed[1]]
    return _part(
        f"On its cause: most came from {main_driver}", f"{claimed_driver} as the main one", claimed[1] == actual[1]
    )


def _part(finding_text: str, claimed_text: str, holds: bool) -> str:
    """One part of the claim: what was found, what is claimed, and whether it holds.

    The finding comes before the claim: a model that writes them the other way round finds what the claim wants.
    """
    return f"{finding_text}; the claim has {claimed_text}: this part {'holds' if holds else 'does not hold'}"


def _quoted_figures(world: World, body: Body, part: int) -> str:
    """What the pieces say about one half of the claim, in short; empty if there is nothing to quote."""
    facts = [f for piece in body.pieces if piece.role == Role.SUPPORT for f in piece.facts if f.part == part]
    forms = {fact.form for fact in facts}
    metric = world.metrics[part]
    if {Form.MOVE, Form.LINK} <= forms:
        finding, driver = facts[0].finding, world.drivers[part]
        driver_text = {1: "rose", 0: "stayed where it was", -1: "fell"}[finding.moved]
        link_text = {1: "moves with it", 0: "has no link with it", -1: "moves against it"}[finding.linked]
        return f"{driver} {driver_text} and the measure {link_text}"
    if Form.BOTH in forms or {Form.WITH, Form.WITHOUT} <= forms:
        quoted = next(fact.finding for fact in facts if fact.form in (Form.BOTH, Form.WITH, Form.WITHOUT))
        without = f"{quoted.without_value:,.{max(metric.decimals, 0)}f}"
        return f"{without} without, {amount(metric, quoted.with_value, Style(True, True))} with"
    return ""


def _set_aside(body: Body, evidence: list[Evidence], rng: Random) -> list[str]:
    lines = []
    weak = [piece.source for part, piece in zip(body.pieces, evidence, strict=True) if part.role == Role.CONTRARY]
    beside = [piece.source for part, piece in zip(body.pieces, evidence, strict=True) if part.role == Role.IRRELEVANT]
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
