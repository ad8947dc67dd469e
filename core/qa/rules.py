"""Rules: what can be checked on a candidate without a judge. Each problem has a short name and a sentence."""

from __future__ import annotations

import re

from core.config.task import Task
from core.curriculum.cell import Cell
from core.qa.problem import Problem
from core.qa.steps import check_steps
from storage.schema import Candidate

# Bands are written with two decimals, and so are the numbers that are compared with them.
TOLERANCE = 0.005

HEDGES = re.compile(
    r"\b(may|might|perhaps|possibly|presumably|suggests?|appears?|seems?|seemingly|likely|unlikely|unclear|"
    r"inconclusive|arguably|tentative(?:ly)?|anecdotal(?:ly)?)\b(?! \d)",
    re.IGNORECASE,
)

_REFERS = re.compile(r"\b(the|this|our) hypothesis\b|\b(evidence|piece) (?:#|no\. ?)?\d\b", re.IGNORECASE)


def broken_rules(task: Task, cell: Cell, candidate: Candidate) -> list[Problem]:
    """Every rule that `candidate` breaks in `cell`; empty if it breaks none."""
    return [
        *_check_labels(task, cell, candidate),
        *_check_counts(task, cell, candidate),
        *_check_bands(task, cell, candidate),
        *_check_language(task, cell, candidate),
        *check_steps(task.steps.rule, candidate),
    ]


def _check_labels(task: Task, cell: Cell, candidate: Candidate) -> list[Problem]:
    if candidate.decision not in task.labels:
        labels = ", ".join(task.labels)
        return [Problem("unknown_decision", f"The decision {candidate.decision!r} is none of {labels}.")]
    if candidate.decision != cell.decision:
        return [
            Problem(
                "wrong_cell", f"The decision is to be {cell.decision}, and it is {candidate.decision}: change the case."
            )
        ]
    return []


def _check_counts(task: Task, cell: Cell, candidate: Candidate) -> list[Problem]:
    level = task.level(cell.level)
    low, high = level.evidence
    problems = []
    if not low <= len(candidate.evidence) <= high:
        problems.append(
            Problem(
                "evidence_count",
                f"Level {cell.level} has {low} to {high} pieces of evidence, not {len(candidate.evidence)}.",
            )
        )
    contents = [piece.content.strip().casefold() for piece in candidate.evidence]
    if len(set(contents)) < len(contents):
        problems.append(Problem("repeated_evidence", "Two pieces of evidence say the same, word for word."))
    return problems


def _check_bands(task: Task, cell: Cell, candidate: Candidate) -> list[Problem]:
    level = task.level(cell.level)
    problems = []
    outside, irrelevant = 0, 0
    for piece in candidate.evidence:
        if _within(piece.relevance, level.relevance):
            continue
        if level.irrelevant[1] and _within(piece.relevance, level.irrelevant_relevance):
            irrelevant += 1
        else:
            outside += 1
    low, high = level.relevance
    if outside:
        problems.append(
            Problem(
                "relevance_band",
                f"{outside} of the relevance scores are outside {low} to {high}: rate or replace the pieces.",
            )
        )
    elif not level.irrelevant[0] <= irrelevant <= level.irrelevant[1]:
        fewest, most = level.irrelevant
        problems.append(
            Problem("irrelevant_count", f"{fewest} to {most} pieces are to be beside the point, and {irrelevant} are.")
        )
    band = level.confidence.get(candidate.decision)
    if band is not None and not _within(candidate.confidence, band):
        problems.append(
            Problem(
                "confidence_band", f"The confidence is to be from {band[0]} to {band[1]}, not {candidate.confidence:g}."
            )
        )
    return problems


def _check_language(task: Task, cell: Cell, candidate: Candidate) -> list[Problem]:
    problems = []
    if task.level(cell.level).hedging == "none":
        hedged = sorted(
            {
                match.group(0).lower()
                for text in (candidate.hypothesis, *(piece.content for piece in candidate.evidence))
                for match in HEDGES.finditer(text)
            }
        )
        if hedged:
            problems.append(
                Problem(
                    "hedged",
                    f"Level {cell.level} has no guarded language; say it outright instead of: {', '.join(hedged)}.",
                )
            )
    if any(_REFERS.search(piece.content) for piece in candidate.evidence):
        problems.append(
            Problem(
                "not_self_contained",
                "A piece of evidence refers to the hypothesis or to another piece: let each stand alone.",
            )
        )
    return problems


def _within(value: float, band: tuple[float, float]) -> bool:
    return band[0] - TOLERANCE <= value <= band[1] + TOLERANCE
