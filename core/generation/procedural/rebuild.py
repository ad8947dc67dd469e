"""Reads an example of the procedural source again as what it was made of: its world, its hypothesis, its evidence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from core.config.task import Level, Task
from core.generation.procedural.bodies import Body, draw_from_band, plan_body
from core.generation.procedural.lexicon import UnknownDomainError
from core.generation.procedural.reasoning import write_reasoning
from core.generation.procedural.wording_evidence import write_evidence
from core.generation.procedural.wording_hypothesis import write_hypothesis
from core.generation.procedural.worlds import DECISIONS, World, build_world, random_stream
from storage.schema import Evidence, Example, Flaw

# Planted flaws that leave the evidence sound, so that its decision is known; they are worded from streams of their own.
_SOUND = (Flaw.WRONG_DECISION, Flaw.RELEVANCE_OUT_OF_BAND, Flaw.CONFIDENCE_OUT_OF_BAND)


@dataclass(frozen=True, slots=True)
class KnownAnswer:
    """What the world of an example says about it: the decision that its evidence bears, why, and how surely."""

    decision: str
    reasoning: str
    confidence: float


def known_answer(task: Task, example: Example) -> KnownAnswer | None:
    """What the procedural source knows about `example`.

    None if the source did not write it, or if hypothesis or evidence were worded anew since. Pieces of evidence may
    have been removed or moved.
    """
    levels = [level for level in task.levels if level.level == example.level]
    if example.source != "procedural" or not levels:
        return None
    try:
        world = build_world(example.family, example.domain)
    except UnknownDomainError:
        return None
    for claim, version in _claims(task, world, example.hypothesis):
        for position in range(len(world.states)):
            decision = next((name for name in DECISIONS if world.partner(position, name) == claim), None)
            body = _body(world, position, version, levels[0], example.evidence)
            if decision is not None and body is not None:
                return _answer(world, body, claim, version, decision, levels[0], example.evidence)
    return None


def _claims(task: Task, world: World, hypothesis: str) -> Iterator[tuple[int, int]]:
    """The claims that this hypothesis words, each with the number of the attempt that worded it."""
    for version in range(task.limits.max_attempts * task.limits.max_ideas + 1):
        for claim in range(len(world.states)):
            stream = random_stream(world.family, claim, version, "hypothesis")
            if write_hypothesis(world, claim, stream) == hypothesis:
                yield claim, version


def _body(world: World, position: int, version: int, level: Level, pieces: Sequence[Evidence]) -> Body | None:
    """The body at `position`, with those of its pieces that are still there and in their order; None if it is another.

    All `pieces` have to be of it, whatever relevance a person has given them.
    """
    body = plan_body(world, position, level, random_stream(world.family, position, "body"))
    streams = [("", ""), *((decision, flaw) for decision in DECISIONS for flaw in _SOUND)]
    for decision, flaw in streams:
        worded = write_evidence(body, level, random_stream(world.family, position, version, decision, flaw, "evidence"))
        by_text = {(piece.source, piece.content): planned for piece, planned in zip(worded, body.pieces, strict=True)}
        planned_pieces = [by_text.get((piece.source, piece.content)) for piece in pieces]
        if all(planned_pieces):
            return replace(body, pieces=tuple(planned for planned in planned_pieces if planned is not None))
    return None


def _answer(
    world: World, body: Body, claim: int, version: int, decision: str, level: Level, pieces: Sequence[Evidence]
) -> KnownAnswer:
    stream = random_stream(world.family, body.position, claim, version, "reasoning")
    band = level.confidence.get(decision, (0.0, 1.0))
    return KnownAnswer(
        decision,
        write_reasoning(world, body, claim, decision, list(pieces), stream),
        draw_from_band(band, random_stream(world.family, body.position, version, "sure")),
    )
