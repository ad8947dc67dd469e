"""Known flaws, planted in otherwise sound candidates."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from core.config.task import Band, Level
from core.generation.procedural.bodies import Body, Role, share_out
from core.generation.procedural.facts import Compared, Fact, Moved, Qualified, Started, Stated, Undecided
from core.generation.procedural.worlds import DECISIONS
from storage.schema import Candidate, Finding, Flaw, Holds


def applicable(level: Level, decision: str, repeats: bool) -> list[Flaw]:
    """The flaws that can be planted at `level`; `repeats`: whether there is an earlier example to repeat."""
    flaws = [Flaw.WRONG_DECISION, Flaw.MISSING_EVIDENCE, Flaw.FOREIGN_EVIDENCE, Flaw.WRONG_STEP]
    if _relevances_outside_bands(level):
        flaws.append(Flaw.RELEVANCE_OUT_OF_BAND)
    if _outside(level.confidence.get(decision, (0.0, 1.0))) is not None:
        flaws.append(Flaw.CONFIDENCE_OUT_OF_BAND)
    if level.hedging == "none":
        flaws.append(Flaw.AMBIGUOUS)
    return [*flaws, Flaw.NEAR_DUPLICATE] if repeats else flaws


def without_decisive(body: Body, level: Level, rng: Random) -> Body:
    """`body` without any fact on one part of the claim; the number of pieces stays."""
    facts = _facts(body)
    removed_part = 0 if body.world.shape.carried else rng.randrange(2)
    remaining = [fact for fact in facts if fact.part != removed_part or isinstance(fact, Started)]
    return _regrouped(body, remaining, level, rng, without=removed_part)


def inconclusive(body: Body, level: Level, rng: Random) -> Body:
    """`body` with one part of the claim left open: an interval around zero, or two equal studies that disagree."""
    part = 0 if body.world.shape.carried else rng.randrange(2)
    support = [number for number, piece in enumerate(body.pieces) if piece.role == Role.SUPPORT]
    rest = [fact for fact in _facts(body) if fact.part != part]
    state = body.world.states[body.position][part]
    if rng.random() < 0.5 or not state or len(support) < 2:
        return _regrouped(body, [*rest, Undecided(part)], level, rng, without=part)
    pieces = list(body.pieces)
    for turn, number in enumerate(support):
        said = Stated(part, state if turn % 2 == 0 else -state)
        pieces[number] = replace(pieces[number], facts=(said, *rest) if turn == 0 else (said,), strength=2)
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


def _facts(body: Body) -> list[Fact]:
    """The facts of the supporting pieces, each once."""
    facts = [fact for piece in body.pieces if piece.role == Role.SUPPORT for fact in piece.facts]
    unique: dict[object, Fact] = {}
    for fact in facts:
        key = (type(fact), fact.part) if isinstance(fact, Stated | Qualified | Compared | Moved) else fact
        unique.setdefault(key, fact)
    return list(unique.values())


def _regrouped(body: Body, facts: list[Fact], level: Level, rng: Random, without: int) -> Body:
    """`body` with `facts` in its supporting pieces, and nothing said on part `without` by others that agree."""
    support = [piece for piece in body.pieces if piece.role == Role.SUPPORT]
    groups = iter(share_out(facts, len(support), level.steps, rng))
    pieces = []
    for piece in body.pieces:
        if piece.role == Role.SUPPORT:
            piece = replace(piece, facts=next(groups))
        elif piece.role == Role.ECHO and not piece.aside and any(fact.part == without for fact in piece.facts):
            piece = replace(piece, facts=(rng.choice(facts),))
        pieces.append(piece)
    return replace(body, pieces=tuple(pieces))


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


def grounded(candidate: Candidate) -> Candidate:
    """`candidate` with a quote in each step, as a writer gives one who does not see what the evidence lacks."""
    piece = max(range(len(candidate.evidence)), key=lambda number: candidate.evidence[number].relevance)
    quote = candidate.evidence[piece].content.split(". ")[0].rstrip(".")
    steps = [
        step
        if step.findings
        else step.model_copy(
            update={"findings": [Finding(piece=piece + 1, quote=quote, source="study", says=step.found)], "against": []}
            | {"why": ""}
        )
        for step in candidate.steps
    ]
    return candidate.model_copy(update={"steps": steps})


def wrong_step(candidate: Candidate, rng: Random) -> Candidate:
    """`candidate` with one step that does not bear checking.

    A quote that is not in its piece, a part without a step, or a verdict that what was found and claimed contradicts.
    """
    steps = list(candidate.steps)
    chosen = rng.randrange(len(steps))
    step = steps[chosen]
    # Of a rejected claim, one step that fails may be all there is to say.
    whole = len(steps) == 1 or all(step.holds is Holds.NO for step in steps)
    ways = ["quote", "verdict"] if whole else ["quote", "verdict", "missing"]
    way = rng.choice(ways)
    if way == "missing":
        del steps[chosen]
    elif way == "verdict":
        steps[chosen] = step.model_copy(update={"holds": Holds.NO if step.holds is Holds.YES else Holds.YES})
    else:
        finding = step.findings[0]
        altered = finding.model_copy(update={"quote": f"{finding.quote} in nearly every case on record"})
        steps[chosen] = step.model_copy(update={"findings": [altered, *step.findings[1:]]})
    return candidate.model_copy(update={"steps": steps})


_SYNONYMS = (
    ("the figure", "the number"),
    ("came to", "reached"),
    ("stood at", "was at"),
    ("averaged", "came on average to"),
)


def near_duplicate(candidate: Candidate, rng: Random) -> Candidate:
    """`candidate` again, with edits that change no meaning."""
    phrase, synonym = rng.choice(_SYNONYMS)
    pieces = [
        piece.model_copy(update={"content": piece.content.replace(phrase, synonym)}) for piece in candidate.evidence
    ]
    last = pieces[-1]
    pieces[-1] = last.model_copy(update={"content": f"{last.content} The report is on file."})
    steps = [
        step.model_copy(
            update={
                "findings": [
                    finding.model_copy(update={"quote": finding.quote.replace(phrase, synonym)})
                    for finding in step.findings
                ]
            }
        )
        for step in candidate.steps
    ]
    return candidate.model_copy(update={"evidence": pieces, "steps": steps})
