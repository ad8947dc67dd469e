"""Benchmarks in a database, as a worker leaves them, and steps that the tests of the screen share."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from textual.pilot import Pilot

from core.models.parse_answer import READER
from core.statistics import wilson
from storage import predictions, runs
from storage.database import transaction
from storage.schema import Example, Outcome, Prediction, PredictionOutcome, Question, Run, RunState, Usage
from tests.tui.conftest import shown, until
from tui.screens.benchmark.screen import BenchmarkScreen

LABELS = ("VALIDATED", "REJECTED", "REFINED")
# For `benchmark`: answers that are right or wrong, or what kept them from being one.
RIGHT, WRONG = "right", "wrong"


def benchmark(
    db: sqlite3.Connection,
    cases: Sequence[Example],
    model: str,
    answers: Sequence[str],
    *,
    run: dict[str, Any] | None = None,
    rationale: str = "The cohort says so.",
    **params: Any,
) -> Run:
    """A benchmark of `model` over `cases` that was answered as far as `answers` go: RIGHT, WRONG or an outcome."""
    mode = {"model": model, "mode": "direct", "split": "test"}
    made = Run(kind="benchmark", **({"state": RunState.FINISHED, "params": mode | params} | (run or {})))
    asked = [
        Question(
            run=made.id, position=at, example=one.id, label=one.decision, domain=one.domain, level=one.level,
            family=one.family,
        )
        for at, one in enumerate(cases)
    ]  # fmt: skip
    right = sum(one == RIGHT for one in answers)
    low, high = wilson(right, len(answers))
    told: dict[str, Any] = {
        "total": len(cases),
        "done": len(answers),
        "n": len(answers),
        "right": right,
        "low": low,
        "high": high,
    }
    told |= {"accuracy": right / len(answers) if answers else None, "per_minute": 12.1, "eta_s": 400.0}
    with transaction(db):
        runs.write(db, made.model_copy(update={"progress": told}))
        predictions.ask(db, zip(asked, cases, strict=True))
    predictions.add(db, [said(one, how, rationale) for one, how in zip(asked, answers, strict=False)])
    return runs.get(db, made.id) or made


def said(asked: Question, how: str, rationale: str = "", **change: Any) -> Prediction:
    """The prediction that answers a question so."""
    decided = how in {RIGHT, WRONG}
    other = LABELS[(LABELS.index(asked.label) + 1) % len(LABELS)]
    plain: dict[str, Any] = {
        "run": asked.run,
        "example": asked.example,
        "ended": Outcome.WRITTEN,
        "raw": rationale,
        "reader": READER,
        "outcome": PredictionOutcome.ANSWERED if decided else PredictionOutcome(how),
        "decision": (asked.label if how == RIGHT else other) if decided else None,
        "confidence": 0.5 + asked.position % 5 / 10 if decided else None,
        "rationale": rationale if decided else "",
        "model": "small",
        "usage": Usage(input_tokens=100, output_tokens=20, cost=0.001, seconds=1.5),
    }
    return Prediction.model_validate(plain | change)


def front(pilot: Pilot[int]) -> BenchmarkScreen:
    """The screen, wherever it is in the stack."""
    found = next(screen for screen in pilot.app.screen_stack if isinstance(screen, BenchmarkScreen))
    assert isinstance(found, BenchmarkScreen)
    return found


async def opened(pilot: Pilot[int]) -> BenchmarkScreen:
    """Open the screen, and wait until all answers are read and weighed."""
    await pilot.press("6")
    await until(pilot, lambda: isinstance(pilot.app.screen, BenchmarkScreen))
    await settled(pilot)
    return front(pilot)


async def settled(pilot: Pilot[int]) -> None:
    """Wait until all is read and computed."""
    await until(pilot, lambda: "reading the answers" not in shown(pilot) and "computing" not in shown(pilot))
    await until(pilot, lambda: not front(pilot).working)
    await pilot.pause()
