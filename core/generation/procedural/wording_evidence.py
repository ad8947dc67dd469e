"""Pieces of evidence in words."""

from __future__ import annotations

from random import Random

from core.config.task import Level
from core.generation.procedural.bodies import Body, Form, PlannedPiece, Role
from core.generation.procedural.wording import random_style
from core.generation.procedural.wording_findings import state_fact
from core.generation.procedural.wording_sources import irrelevant_piece, remark, source
from storage.schema import Evidence


def write_evidence(body: Body, level: Level, rng: Random) -> list[Evidence]:
    """The pieces of `body`, in its order, hedged as `level` wants. No two have the same source or content."""
    pieces: list[Evidence] = []
    used: set[object] = set()
    for piece in body.pieces:
        for _ in range(20):
            worded = write_piece(piece, level, used, rng)
            if all(worded.source != earlier.source and worded.content != earlier.content for earlier in pieces):
                break
        pieces.append(worded)
    return pieces


def write_piece(piece: PlannedPiece, level: Level, used: set[object], rng: Random) -> Evidence:
    """One piece in words; avoids the forms in `used`, and adds those that it takes."""
    world = piece.world
    if piece.role == Role.IRRELEVANT:
        name, content = irrelevant_piece(world, used, rng)
        return Evidence(source=name, content=content, relevance=piece.relevance)
    document_style = random_style(rng)
    name, method = source(piece.strength, world, used, rng)
    facts = list(piece.facts)
    rng.shuffle(facts)
    findings = [state_fact(world, fact, document_style, used, rng) for fact in facts]
    # A reader weighs a source by its method: it is left out only where nothing has to be weighed.
    with_method = piece.strength == 0 or level.contradicting[1] > 0 or rng.random() < 0.75
    lines = ([method, *findings] if rng.random() < 0.6 else [*findings, method]) if with_method else findings
    if piece.strength > 0 and not any(fact.form == Form.OPEN for fact in facts):
        lines.append(remark(level.hedging, used, rng))
    return Evidence(source=name, content=" ".join(line for line in lines if line), relevance=piece.relevance)
