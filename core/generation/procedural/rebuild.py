"""Reads an example of the procedural source again as what it was made of: its world, its hypothesis, its evidence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from core.config.task import Level, Task
from core.generation.procedural.bodies import Body, draw_from_band, plan_body
from core.generation.procedural.lexicon import UnknownDomainError
from core.generation.procedural.reasoning import write_reasoning
from core.generation.procedural.steps import write_steps
from core.generation.procedural.wording_evidence import WordedPiece, write_evidence
from core.generation.procedural.wording_hypothesis import write_hypothesis
from core.generation.procedural.worlds import DECISIONS, Inference, World, build_world, random_stream
from storage.schema import Evidence, Example, Flaw, Step

# Planted flaws that leave the evidence sound, so that its decision is known; they are worded from streams of their own.
_SOUND = (Flaw.WRONG_DECISION, Flaw.RELEVANCE_OUT_OF_BAND, Flaw.CONFIDENCE_OUT_OF_BAND, Flaw.WRONG_STEP)


@dataclass(frozen=True, slots=True)
class KnownAnswer:
    """What the world of an example says about it: the decision that its evidence bears, why, and how surely."""

    decision: str
    reasoning: str
    confidence: float
    steps: list[Step]


@dataclass(frozen=True, slots=True)
class _Claim:
    """A claim of a world as an attempt worded it: its position, the order of its parts, the number of the attempt."""

    position: int
    order: tuple[int, int]
    version: int


def known_answer(task: Task, example: Example) -> KnownAnswer | None:
    """What the procedural source knows about `example`.

    None if the source did not write it, or if hypothesis or evidence were worded anew since. Pieces of evidence may
    have been removed or moved.
    """
    levels = [level for level in task.levels if level.level == example.level]
    if example.source != "procedural" or not levels:
        return None
    try:
        world = build_world(example.family, example.domain, levels[0])
    except UnknownDomainError:
        return None
    for claim in _claims(task, world, example.hypothesis):
        for position in range(len(world.states)):
            decision = next((name for name in DECISIONS if world.partner(position, name) == claim.position), None)
            found = _body(world, position, claim.version, levels[0], example.evidence)
            if decision is not None and found is not None:
                return _answer(world, *found, claim, decision, levels[0])
    return None


def inference_of(task: Task, domain: str, level: int, family: str, hypothesis: str) -> Inference | None:
    """How the evidence of a procedural case leads to its decision; None if the source did not write this hypothesis."""
    levels = [known for known in task.levels if known.level == level]
    if not levels:
        return None
    try:
        world = build_world(family, domain, levels[0])
    except UnknownDomainError:
        return None
    return world.inference if next(_claims(task, world, hypothesis), None) else None


def _claims(task: Task, world: World, hypothesis: str) -> Iterator[_Claim]:
    """The claims that this hypothesis words."""
    for version in range(task.limits.max_attempts * task.limits.max_ideas + 1):
        for position in range(len(world.states)):
            stream = random_stream(world.family, position, version, "hypothesis")
            text, order = write_hypothesis(world, position, stream)
            if text == hypothesis:
                yield _Claim(position, order, version)


def _body(
    world: World, position: int, version: int, level: Level, pieces: Sequence[Evidence]
) -> tuple[Body, list[WordedPiece]] | None:
    """The body at `position` with its wording, of those of its pieces that are still there and in their order.

    None if it is another body. All `pieces` have to be of it, whatever relevance a person has given them.
    """
    body = plan_body(world, position, level, random_stream(world.family, position, "body"))
    streams = [("", ""), *((decision, flaw) for decision in DECISIONS for flaw in _SOUND)]
    for decision, flaw in streams:
        worded = write_evidence(body, level, random_stream(world.family, position, version, decision, flaw, "evidence"))
        by_text = {
            (written.evidence.source, written.evidence.content): (planned, written)
            for planned, written in zip(body.pieces, worded, strict=True)
        }
        pairs = [by_text.get((piece.source, piece.content)) for piece in pieces]
        kept = [pair for pair in pairs if pair is not None]
        if len(kept) == len(pieces):
            return replace(body, pieces=tuple(planned for planned, _ in kept)), [written for _, written in kept]
    return None


def _answer(
    world: World, body: Body, worded: list[WordedPiece], claim: _Claim, decision: str, level: Level
) -> KnownAnswer:
    stream = random_stream(world.family, body.position, claim.position, claim.version, "reasoning")
    steps = write_steps(world, body, claim.position, worded, claim.order)
    pieces = [written.evidence for written in worded]
    return KnownAnswer(
        decision,
        write_reasoning(world, body, steps, decision, pieces, stream),
        draw_from_band(
            level.confidence.get(decision, (0.0, 1.0)),
            random_stream(world.family, body.position, claim.version, "sure"),
        ),
        steps,
    )
