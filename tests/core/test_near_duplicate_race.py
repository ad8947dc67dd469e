"""Two tasks of a run that write the same at once: the second is refused, though nothing was stored when it was judged.

The source and the judge are stand-ins; slots, QA and the store are the real ones.
"""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import dataclass, field

import pytest

from core.config.project import Project
from core.curriculum.cell import Cell
from core.generation.loop import generate
from core.generation.source import Request, SourceResult
from core.qa.judge import CRITERIA, JudgeResult
from core.runs.params import GenerateParams
from core.runs.session import Session
from storage import attempts, examples, runs
from storage.schema import Candidate, Evidence, Outcome, Result, Run, RunState, Usage
from tests.conftest import candidate

TWIN = "A lower free-tier limit raises paid conversion."


@dataclass
class TwinSource:
    """Writes the same candidate for each slot at first, and one of its own when that is refused."""

    name: str = "twins"
    max_in_flight: int = 2

    async def write(self, request: Request) -> SourceResult:
        """The slot's candidate; a family of its own, so that only the cell is shared."""
        made = candidate(hypothesis=TWIN)
        if request.number:
            words = [f"{word}{request.slot}" for word in ("Kiosk", "tram", "harbour", "ferry", "winter")]
            evidence = [
                Evidence(source=f"Log {i}{request.slot}", content=f"{' '.join(words)} rose by {i}{request.slot} %.",
                         relevance=0.9 + i / 50)
                for i in (1, 2)
            ]  # fmt: skip
            made = candidate(hypothesis=f"{' '.join(words)} sells better.", evidence=evidence)
        return SourceResult(Outcome.WRITTEN, f"family {request.slot} {request.number}", made)

    async def close(self) -> None:
        """Nothing is open."""


@dataclass
class WaitingJudge:
    """Passes everything, but the first candidates only once `together` of them are being judged."""

    together: int
    name: str = "patience"
    judged: list[str] = field(default_factory=list)
    everyone: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def max_in_flight(self) -> int:
        """As many as wait for one another."""
        return self.together

    async def judge(self, judged: Candidate, cell: Cell) -> JudgeResult:
        """A verdict that passes, and its price."""
        self.judged.append(judged.hypothesis)
        if len(self.judged) >= self.together:
            self.everyone.set()
        await asyncio.wait_for(self.everyone.wait(), 5)
        return JudgeResult(
            Outcome.WRITTEN, cell.decision, 0.9, dict.fromkeys(CRITERIA, 1.0), usage=Usage(cost=0.25, seconds=0.1)
        )

    async def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize("together", [1, 2])
async def test_of_two_that_pass_at_once_only_the_first_becomes_an_example(
    project: Project, db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch, together: int
) -> None:
    """Judged together or one after the other, the twin is refused as one; only together was its judge paid."""
    judge = WaitingJudge(together)
    monkeypatch.setattr("core.generation.loop.open_source", lambda *_: TwinSource())
    monkeypatch.setattr("core.generation.loop.open_judge", lambda *_: judge)
    settings = GenerateParams(source="twins", judge="patience", slots=[("market", 1, "VALIDATED", 0, 2)])
    run = Run(kind="generate", state=RunState.RUNNING, params=settings.model_dump(mode="json"))
    runs.add(db, run)
    with Session(project, db, run) as session:
        ending = await generate(session)
    assert (ending.state, ending.reason) == (RunState.FINISHED, "")
    assert judge.judged.count(TWIN) == together
    stored = examples.hypotheses(db, "market", 1, "VALIDATED", 9)
    assert len(stored) == 2
    assert stored.count(TWIN) == 1
    verdicts = [verdict for judged in attempts.of_run(db, run.id) for verdict in judged.verdicts]
    (refused,) = [verdict for verdict in verdicts if verdict.result is Result.REJECTED]
    assert (refused.stage, refused.reason) == ("duplicates", "near_duplicate")
    assert refused.usage.cost == (0.25 if together == 2 else None)
