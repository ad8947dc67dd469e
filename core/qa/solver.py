"""The offline judge: parses the hypothesis and the evidence as text, decides blind, then scores the rubric."""

from __future__ import annotations

import asyncio
import re
import time

from core.config.task import Level, Task
from core.curriculum.cell import Cell
from core.qa.evidence_weights import EvidenceText, WeighedDecision, count_hedges, decide
from core.qa.judge import CRITERIA, JudgeResult
from storage.schema import Candidate, Outcome, Usage

NAME = "solver"
_FIT = 1.0
_POOR = 0.15


class Solver:
    """A judge without a model. It sees text only: never relevance, label or reasoning while it decides."""

    name = NAME
    max_in_flight = 1

    def __init__(self, task: Task) -> None:
        self._task = task

    async def judge(self, candidate: Candidate, cell: Cell) -> JudgeResult:
        """The blind decision on `candidate` and the rubric for its cell."""
        judgement = assess(self._task, candidate, cell)
        await asyncio.sleep(0)
        return judgement

    async def close(self) -> None:
        """Nothing to free."""


def decide_blind(candidate: Candidate) -> WeighedDecision:
    """The decision from the hypothesis and the text of the evidence, and nothing else."""
    return decide(candidate.hypothesis, [EvidenceText(piece.source, piece.content) for piece in candidate.evidence])


def assess(task: Task, candidate: Candidate, cell: Cell) -> JudgeResult:
    """The judge's result for `candidate`, as a pure function. KeyError for a level that `task` does not have."""
    started = time.perf_counter()
    blind_decision = decide_blind(candidate)
    level = task.level(cell.level)
    scores = {
        "decision_follows": _score_decision(candidate, blind_decision, task.labels),
        "difficulty_fits": _score_difficulty(candidate, blind_decision, level),
        "evidence_realistic": _score_realism(blind_decision),
        "confidence_apt": _score_confidence(candidate, blind_decision, level),
    }
    rubric = {name: round(scores[name][0], 3) for name in CRITERIA}
    return JudgeResult(
        Outcome.WRITTEN,
        decision=blind_decision.decision,
        confidence=blind_decision.confidence,
        rubric=rubric,
        critique=" ".join(scores[name][1] for name in CRITERIA if scores[name][1]),
        usage=Usage(cost=0.0, seconds=time.perf_counter() - started),
    )


def _score_decision(candidate: Candidate, blind_decision: WeighedDecision, labels: list[str]) -> tuple[float, str]:
    if blind_decision.decision != candidate.decision:
        return _POOR, f"The evidence leads to {blind_decision.decision}, not to {candidate.decision}."
    if blind_decision.unsettled:
        return 0.3, "A part of the claim is not settled by any piece: add the evidence that decides it."
    named = [label for label in labels if re.search(rf"\b{re.escape(label)}\b", candidate.reasoning)]
    if named and candidate.decision not in named:
        return 0.2, f"The reasoning argues for {', '.join(named)}, the decision says {candidate.decision}."
    return min(1.0, 0.5 + blind_decision.confidence / 2), ""


def _score_difficulty(candidate: Candidate, blind_decision: WeighedDecision, level: Level) -> tuple[float, str]:
    if level.hedging == "none" and (blind_decision.hedges or count_hedges(candidate.hypothesis)):
        return _POOR, "The level wants no guarded language: state the findings plainly."
    if level.contradicting[1] == 0 and blind_decision.against:
        return _POOR, "Pieces contradict each other, which this level does not allow: make them agree."
    if blind_decision.unsettled:
        return 0.3, "The evidence leaves a part of the claim open: it is ambiguous for any level."
    if blind_decision.torn:
        return 0.4, "Sources of equal weight disagree, so nothing decides between them."
    if level.steps == 1 and blind_decision.joined:
        return 0.4, "The answer takes several facts put together; the level wants it stated directly."
    return (0.7 if level.steps > 1 and not blind_decision.joined else _FIT), ""


def _score_realism(blind_decision: WeighedDecision) -> tuple[float, str]:
    if blind_decision.foreign:
        positions = ", ".join(str(number + 1) for number in blind_decision.foreign)
        return _POOR, f"Piece {positions} reports on another case: replace it with evidence of this one."
    if blind_decision.contradictions:
        positions = ", ".join(str(number + 1) for number in blind_decision.contradictions)
        return 0.2, f"Piece {positions} contradicts its own figures: make words and figures agree."
    return _FIT, ""


def _score_confidence(candidate: Candidate, blind_decision: WeighedDecision, level: Level) -> tuple[float, str]:
    low, high = level.confidence.get(candidate.decision, (0.0, 1.0))
    if not low <= candidate.confidence <= high:
        return (
            _POOR,
            f"Confidence {candidate.confidence} is outside {low}-{high} for {candidate.decision} at this level.",
        )
    gap = abs(candidate.confidence - blind_decision.confidence)
    score = max(0.0, 1 - 1.2 * gap)
    return score, "" if score >= 0.5 else f"Confidence {candidate.confidence} is far from what the evidence supports."
