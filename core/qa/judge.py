"""What a judge is asked, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from core.curriculum.cell import Cell
from storage.schema import Candidate, Outcome, Usage


@dataclass(frozen=True, slots=True)
class JudgeResult:
    """A judge's result for one candidate.

    `decision` and `confidence` were decided blind (from hypothesis and evidence only). `rubric` maps each criterion of
    `CRITERIA` to a score from 0 to 1. `critique` says what to improve. If `outcome` is not WRITTEN, the judge itself
    failed, and of the other fields only `detail` has a meaning.
    """

    outcome: Outcome
    decision: str = ""
    confidence: float = 0.0
    rubric: dict[str, float] = field(default_factory=dict)
    critique: str = ""
    detail: str = ""
    model: str = ""
    prompt_version: str = ""
    usage: Usage = field(default_factory=Usage)


CRITERIA = {
    "decision_follows": "the decision and the reasoning follow from the evidence, and from nothing else",
    "difficulty_fits": "the difficulty is that of the level: no harder, no easier",
    "evidence_realistic": "each piece of evidence is realistic, consistent in itself, and self-contained",
    "confidence_apt": "the stated confidence is apt for this evidence",
}


class Judge(Protocol):
    """Judges candidates. It never sees whether a flaw was planted."""

    name: str
    max_in_flight: int

    async def judge(self, candidate: Candidate, cell: Cell) -> JudgeResult:
        """Judge one candidate. Faults of endpoints are returned as outcomes; only bugs raise."""
        ...

    async def close(self) -> None: ...
