"""The steps of an example: its claim part by part, from what the world knows and what the pieces say."""

from __future__ import annotations

from typing import Literal

from core.generation.procedural.bodies import Aside, Body, Role
from core.generation.procedural.facts import Compared, Fact, Qualified, Stated
from core.generation.procedural.naming import part_name, value_name
from core.generation.procedural.wording import Mark
from core.generation.procedural.wording_evidence import WordedPiece
from core.generation.procedural.worlds import Inference, Shape, World
from storage.schema import Finding, Holds, Step

Why = Literal["", "source", "figures", "scope", "time"]
_WHY: dict[Aside, Why] = {
    Aside.HEARSAY: "source",
    Aside.IMPRESSION: "figures",
    Aside.ELSEWHERE: "scope",
    Aside.CHOSEN: "scope",
    Aside.OTHER_MEASURE: "scope",
    Aside.EARLIER: "time",
}


def write_steps(world: World, body: Body, claim: int, pieces: list[WordedPiece], order: tuple[int, int]) -> list[Step]:
    """The steps for hypothesis `claim`, whose parts come in `order`, over `body`, worded as `pieces`.

    A wrong direction that carries the claim stands alone: with it, nothing of the claim is left.
    """
    claimed, actual = world.states[claim], world.states[body.position]
    if world.shape.carried and claimed[0] != actual[0]:
        order = (0, 0)
    return [_step(world, body, part, claimed[part], pieces) for part in dict.fromkeys(order)]


def _step(world: World, body: Body, part: int, claimed: int, pieces: list[WordedPiece]) -> Step:
    actual = world.states[body.position][part]
    against, why = _against(body, part, actual, pieces)
    return Step(
        part=part_name(world, part),
        findings=_findings(world, body, part, pieces),
        against=against,
        why=why,
        found=found_name(world, body, part),
        claimed=value_name(world, part, claimed),
        holds=Holds.YES if claimed == actual else Holds.NO,
    )


def found_name(world: World, body: Body, part: int) -> str:
    """What the body shows on `part`; a size as the figure that stands in it."""
    if part == 1 and world.shape == Shape.SIZE and world.inference != Inference.STATED:
        for piece in body.pieces:
            for fact in piece.facts:
                if isinstance(fact, Qualified) and piece.role == Role.SUPPORT:
                    return f"{fact.percent} %"
    return value_name(world, part, world.states[body.position][part])


def _findings(world: World, body: Body, part: int, pieces: list[WordedPiece]) -> list[Finding]:
    """What settles `part`: one finding that says it outright, or all that lead to it together."""
    findings: list[Finding] = []
    for number, (planned, worded) in enumerate(zip(body.pieces, pieces, strict=True), start=1):
        if planned.role != Role.SUPPORT:
            continue
        marks = [mark for mark in worded.marks if mark.part in _bearing(world, part)]
        findings += [_finding(number, worded, mark) for mark in marks if _bears(world, body, part, mark)]
        if findings and _outright(planned.facts, part):
            break
    return sorted(findings, key=_reading_order)


def _bearing(world: World, part: int) -> tuple[int, ...]:
    """The parts whose facts bear on `part`: the start of an intervention is a fact of both."""
    if world.inference == Inference.TIMELINE or (world.inference == Inference.DEFINITION and part == 1):
        return (0, 1)
    return (part,)


def _bears(world: World, body: Body, part: int, mark: Mark) -> bool:
    if mark.part == part:
        # Of what a standard defines, the grade that the figure falls into.
        grade = world.grades[world.states[body.position][1]]
        return world.inference != Inference.DEFINITION or part == 0 or mark.says.startswith(f"{grade} ")
    if world.inference == Inference.TIMELINE:
        return mark.part == 0 and mark.says.startswith("start ")
    return mark.says.endswith(" with")


def _outright(facts: tuple[Fact, ...], part: int) -> bool:
    """Whether one piece settles `part` alone."""
    return any(isinstance(fact, Stated | Qualified | Compared) and fact.part == part for fact in facts)


def _reading_order(finding: Finding) -> int:
    """Findings are put together in one order: what came first, or was without; then the rest; then a standard."""
    says = finding.says
    if says.startswith(("start ", "driver ", "same without")) or says.endswith((" without", " spent")):
        return 0
    return 2 if " is " in says else 1


def _finding(number: int, worded: WordedPiece, mark: Mark) -> Finding:
    return Finding(piece=number, quote=mark.quote, source=worded.short, says=mark.says)


def _against(body: Body, part: int, actual: int, pieces: list[WordedPiece]) -> tuple[list[Finding], Why]:
    """What other pieces say on `part` and does not count, with the reason of the first of them."""
    findings: list[Finding] = []
    why: Why = ""
    for number, (planned, worded) in enumerate(zip(body.pieces, pieces, strict=True), start=1):
        fact = planned.facts[0] if planned.facts else None
        if planned.role != Role.CONTRARY or not isinstance(fact, Stated) or fact.part != part or fact.state == actual:
            continue
        why = why or _WHY[planned.aside]
        findings += [_finding(number, worded, mark) for mark in worded.marks]
    return findings, why
