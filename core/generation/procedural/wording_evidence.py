"""Pieces of evidence in words, with what each says on the parts of a claim."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from core.config.task import Level
from core.generation.procedural.bodies import Aside, Body, PlannedPiece, Role
from core.generation.procedural.facts import Arm, Counted, Fact, Measured, Qualified, Stated, Undecided
from core.generation.procedural.wording import Mark, Sentence, Style, pick_unused, random_style, sentence
from core.generation.procedural.wording_asides import aside_lines
from core.generation.procedural.wording_figures import state_fact
from core.generation.procedural.wording_fillers import irrelevant_piece
from core.generation.procedural.wording_sources import CitedSource, draw_source, remark
from core.generation.procedural.wording_words import together
from core.generation.procedural.worlds import Inference, World
from storage.schema import Evidence


@dataclass(frozen=True, slots=True)
class WordedPiece:
    """A piece in words: `short` names its kind of source, `marks` are what it says on the parts of a claim."""

    evidence: Evidence
    short: str
    marks: tuple[Mark, ...]


def write_evidence(body: Body, level: Level, rng: Random) -> list[WordedPiece]:
    """The pieces of `body`, in its order, hedged as `level` wants. No two have the same source or content."""
    pieces: list[WordedPiece] = []
    used: set[object] = set()
    study = _shared_study(body, used, rng)
    for piece in body.pieces:
        for _ in range(20):
            worded = write_piece(piece, level, used, rng, study)
            if all(
                worded.evidence.source != earlier.evidence.source
                and worded.evidence.content != earlier.evidence.content
                for earlier in pieces
            ):
                break
        pieces.append(worded)
        if study and worded.evidence.source.startswith(study.cited):
            study = replace(study, method="")  # once is enough
    return pieces


def _shared_study(body: Body, used: set[object], rng: Random) -> CitedSource | None:
    """The one study of all supporting pieces, where a figure in one is to be compared with a figure in another."""
    support = [piece for piece in body.pieces if piece.role == Role.SUPPORT]
    apart = [
        {fact.part for fact in piece.facts if isinstance(fact, Measured | Counted) and fact.arm == arm}
        for piece in support
        for arm in Arm
    ]
    compared = [parts for parts in apart if parts]
    if len(support) < 2 or not compared:
        return None
    return draw_source(min(piece.strength for piece in support), body.world, used, rng)


def write_piece(
    piece: PlannedPiece, level: Level, used: set[object], rng: Random, study: CitedSource | None = None
) -> WordedPiece:
    """One piece in words; avoids the forms in `used`, and adds those that it takes.

    `study` is the one of which all figures are that stand apart from those with which they are compared.
    """
    world = piece.world
    if piece.role == Role.IRRELEVANT:
        name, content = irrelevant_piece(world, used, rng)
        return WordedPiece(Evidence(source=name, content=content, relevance=piece.relevance), "", ())
    style = random_style(rng)
    apart = piece.role == Role.SUPPORT and any(isinstance(fact, Measured | Counted) for fact in piece.facts)
    source = _section(study, piece, used, rng) if study and apart else draw_source(piece.strength, world, used, rng)
    if piece.aside:
        method, findings, marks = aside_lines(piece, source, style, used, rng)
    else:
        stated = _state_all(world, piece.facts, style, used, rng)
        findings = [sentence.text for sentence in stated]
        marks = tuple(mark for sentence in stated for mark in sentence.marks)
        method = source.method
        if world.inference == Inference.SELECTION and method:
            everyone = pick_unused(_EVERYONE, used, rng)
            method = sentence(everyone.format(u=world.lexicon.unit, i=world.intervention))
    # A reader weighs a source by its method: it is left out only where nothing has to be weighed.
    weighed = piece.strength == 0 or level.contradicting[1] > 0 or world.inference == Inference.SELECTION
    lines = list(findings)
    if weighed or rng.random() < 0.5:
        lines = [method, *findings] if rng.random() < 0.6 else [*findings, method]
    if piece.strength > 0 and not any(isinstance(fact, Undecided) for fact in piece.facts):
        lines.append(remark(level.hedging, used, rng))
    content = " ".join(line for line in lines if line)
    return WordedPiece(
        Evidence(source=source.cited, content=content, relevance=piece.relevance),
        "volunteers" if piece.aside == Aside.CHOSEN else source.short,
        marks,
    )


_EVERYONE = (
    "Everyone was counted, whether they used the {i} or not",
    "All {u} were counted, those that never used the {i} among them",
    "The count takes in all {u}, users of the {i} and others alike",
)


def _state_all(world: World, facts: tuple[Fact, ...], style: Style, used: set[object], rng: Random) -> list[Sentence]:
    """The sentences for `facts`; a direction and what qualifies it often share one."""
    stated = next((fact for fact in facts if isinstance(fact, Stated)), None)
    qualified = next((fact for fact in facts if isinstance(fact, Qualified)), None)
    if stated and qualified and len(facts) == 2 and rng.random() < 0.6:
        return [together(world, stated, qualified, style, used, rng)]
    ordered = list(facts)
    # What qualifies a change comes after it; all else has no order.
    if qualified is None:
        rng.shuffle(ordered)
    return [state_fact(world, fact, style, used, rng) for fact in ordered]


def _section(study: CitedSource, piece: PlannedPiece, used: set[object], rng: Random) -> CitedSource:
    """One part of a study, cited as such."""
    arms = {fact.arm for fact in piece.facts if isinstance(fact, Measured | Counted)}
    names = _SECTIONS if len(arms) != 1 else _ARM_SECTIONS[next(iter(arms))]
    free = [name for name in names if name not in used] or list(_SECTIONS)
    name = rng.choice([section for section in free if section not in used] or free)
    used.add(name)
    return replace(study, cited=f"{study.cited}, {name}")


_SECTIONS = ("part A", "part B", "part C", "part D", "part E", "part F")
_ARM_SECTIONS = {
    Arm.WITH: ("outcome tables", "final figures", "second table"),
    Arm.WITHOUT: ("baseline tables", "reference figures", "first table"),
}
