"""Known flaws, planted in otherwise sound candidates."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from core.config.task import Band, Level
from core.generation.procedural.bodies import Body, Effect, Fact, Form, PlannedPiece, Role, share_out
from core.generation.procedural.worlds import DECISIONS, Scenario
from storage.schema import Candidate, Flaw


def applicable(level: Level, decision: str, repeats: bool) -> list[Flaw]:
    """The flaws that can be planted at `level`; `repeats`: whether there is an earlier example to repeat."""
    flaws = [Flaw.WRONG_DECISION, Flaw.MISSING_EVIDENCE, Flaw.FOREIGN_EVIDENCE]
    if _relevances_outside_bands(level):
        flaws.append(Flaw.RELEVANCE_OUT_OF_BAND)
    if _outside(level.confidence.get(decision, (0.0, 1.0))) is not None:
        flaws.append(Flaw.CONFIDENCE_OUT_OF_BAND)
    if level.hedging == "none":
        flaws.append(Flaw.AMBIGUOUS)
    return [*flaws, Flaw.NEAR_DUPLICATE] if repeats else flaws


def without_decisive(body: Body, rng: Random) -> Body:
    """`body` without any fact about one half of the claim; the number of pieces stays."""
    support = [piece for piece in body.pieces if piece.role == Role.SUPPORT]
    facts = [fact for piece in support for fact in piece.facts]
    removed_part = 0 if body.world.scenario in (Scenario.SIZE, Scenario.DRIVERS) else rng.randrange(len(body.findings))
    remaining = [fact for fact in facts if fact.part != removed_part]
    if not remaining:
        remaining = [replace(fact, form=Form.WITH) for fact in facts[:1]]
    return _regrouped(body, remaining, rng)


def inconclusive(body: Body, rng: Random) -> Body:
    """`body` with one half of the claim left open: an interval around zero, or two equal studies that disagree."""
    part = 0 if body.world.scenario == Scenario.DRIVERS else rng.randrange(len(body.findings))
    rest = [f for piece in body.pieces if piece.role == Role.SUPPORT for f in piece.facts if f.part != part]
    finding = body.findings[part]
    if rng.random() < 0.5 or not finding.state:
        return _regrouped(body, [*_distinct(rest), Fact(Form.OPEN, part, finding)], rng)
    swapped = Effect(-finding.state, finding.with_value, finding.without_value)
    facts = [Fact(Form.BOTH, part, finding), Fact(Form.BOTH, part, swapped)]
    support = [number for number, piece in enumerate(body.pieces) if piece.role == Role.SUPPORT]
    if len(support) < 2:
        return _regrouped(body, [*_distinct(rest), Fact(Form.OPEN, part, finding)], rng)
    pieces = list(body.pieces)
    for turn, number in enumerate(support):
        other_facts = tuple(_distinct(rest)) if turn == 0 else ()
        pieces[number] = replace(pieces[number], facts=(facts[turn % 2], *other_facts))
    return replace(body, pieces=tuple(pieces))


def with_foreign(body: Body, foreign: Body, rng: Random) -> Body:
    """`body` with a supporting piece replaced by one of `foreign`, the body of another case."""
    pieces = list(body.pieces)
    support = [number for number, piece in enumerate(pieces) if piece.role == Role.SUPPORT]
    donors = [piece for piece in foreign.pieces if piece.role == Role.SUPPORT]
    widest = max(support, key=lambda number: (len(pieces[number].facts), number))
    donor = rng.choice(donors)
    pieces[widest] = replace(donor, relevance=pieces[widest].relevance, strength=pieces[widest].strength)
    return replace(body, pieces=tuple(pieces))


def _distinct(facts: list[Fact]) -> list[Fact]:
    unique: dict[tuple[Form, int], Fact] = {}
    for fact in facts:
        unique.setdefault((fact.form, fact.part), fact)
    return list(unique.values())


def _regrouped(body: Body, facts: list[Fact], rng: Random) -> Body:
    support: list[PlannedPiece] = [piece for piece in body.pieces if piece.role == Role.SUPPORT]
    groups = iter(share_out(_distinct(facts), len(support), rng, exact=body.world.scenario == Scenario.SIZE))
    return replace(
        body,
        pieces=tuple(
            replace(piece, facts=next(groups)) if piece.role == Role.SUPPORT else piece for piece in body.pieces
        ),
    )


def other_decision(decision: str, rng: Random) -> str:
    """Another decision than `decision`."""
    return rng.choice([name for name in DECISIONS if name != decision])


def _relevances_outside_bands(level: Level) -> list[float]:
    """Relevance figures outside all bands of `level`, by more than rounding."""
    bands = [level.relevance, level.irrelevant_relevance] if level.irrelevant[1] else [level.relevance]
    figures = [number / 100 for number in range(101)]
    return [figure for figure in figures if all(not low - 0.01 <= figure <= high + 0.01 for low, high in bands)]


def off_relevance(candidate: Candidate, level: Level, rng: Random) -> Candidate:
    """`candidate` with the relevance of one bearing piece moved out of all bands."""
    bearing = [n for n, piece in enumerate(candidate.evidence) if piece.relevance >= level.relevance[0]]
    chosen = rng.choice(bearing)
    pieces = list(candidate.evidence)
    value = rng.choice(_relevances_outside_bands(level))
    pieces[chosen] = pieces[chosen].model_copy(update={"relevance": value})
    return candidate.model_copy(update={"evidence": pieces})


def _outside(band: Band) -> float | None:
    if band[0] >= 0.2:
        return round(band[0] - 0.15, 2)
    return round(band[1] + 0.15, 2) if band[1] <= 0.85 else None


def off_confidence(candidate: Candidate, level: Level) -> Candidate:
    """`candidate` with a confidence outside the band of its level."""
    value = _outside(level.confidence.get(candidate.decision, (0.0, 1.0)))
    return candidate if value is None else candidate.model_copy(update={"confidence": value})


_SYNONYMS = (
    (" the figure ", " the number "),
    ("came to", "reached"),
    ("stood at", "was at"),
    ("averaged", "came on average to"),
)


def near_duplicate(candidate: Candidate, rng: Random) -> Candidate:
    """`candidate` again, with edits that change no meaning."""
    phrase, synonym = rng.choice(_SYNONYMS)
    pieces = [
        piece.model_copy(update={"content": piece.content.replace(phrase, synonym, 1)}) for piece in candidate.evidence
    ]
    last = pieces[-1]
    pieces[-1] = last.model_copy(update={"content": f"{last.content} The report is on file."})
    return candidate.model_copy(update={"evidence": pieces})
