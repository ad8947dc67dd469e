"""Writes benchmarks as a worker leaves them, and drives the screen for its tests."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from textual.pilot import Pilot

from core.models.parse_answer import PARSER_VERSION
from core.statistics import wilson
from storage import predictions, runs
from storage.database import transaction
from storage.schema import Example, Outcome, Prediction, PredictionOutcome, Question, Run, RunState, Usage
from tests.tui.conftest import shown, until
from tui.screens.benchmark.screen import BenchmarkScreen

LABELS = ("VALIDATED", "REJECTED", "REFINED")
# For `write_benchmark`: answers that are right or wrong, or what kept them from being one.
RIGHT, WRONG = "right", "wrong"


def write_benchmark(
    db: sqlite3.Connection,
    cases: Sequence[Example],
    model: str,
    answers: Sequence[str],
    *,
    run: dict[str, Any] | None = None,
    rationale: str = "The cohort says so.",
    **params: Any,
) -> Run:
    """Write a benchmark of `model` over `cases` with the first `answers` given: RIGHT, WRONG or an outcome.

    `run` overrides fields of the run, `params` its params.
    """
    defaults = {"model": model, "mode": "direct", "split": "test"}
    written = Run(kind="benchmark", **({"state": RunState.FINISHED, "params": defaults | params} | (run or {})))
    questions = [
        Question(
            run=written.id, position=position, example=case.id, label=case.decision, domain=case.domain,
            level=case.level, family=case.family,
        )
        for position, case in enumerate(cases)
    ]  # fmt: skip
    right = sum(answer == RIGHT for answer in answers)
    low, high = wilson(right, len(answers))
    progress: dict[str, Any] = {
        "total": len(cases),
        "done": len(answers),
        "n": len(answers),
        "right": right,
        "low": low,
        "high": high,
    }
    progress |= {"accuracy": right / len(answers) if answers else None, "per_minute": 12.1, "eta_s": 400.0}
    with transaction(db):
        runs.write(db, written.model_copy(update={"progress": progress}))
        predictions.add_questions(db, zip(questions, cases, strict=True))
    predictions.add(
        db, [prediction_for(question, answer, rationale) for question, answer in zip(questions, answers, strict=False)]
    )
    return runs.get(db, written.id) or written


def prediction_for(question: Question, answer: str, rationale: str = "", **change: Any) -> Prediction:
    """The prediction that answers a question RIGHT or WRONG, or has an outcome that is no answer."""
    answered = answer in {RIGHT, WRONG}
    wrong_label = LABELS[(LABELS.index(question.label) + 1) % len(LABELS)]
    fields: dict[str, Any] = {
        "run": question.run,
        "example": question.example,
        "ended": Outcome.WRITTEN,
        "raw": rationale,
        "reader": PARSER_VERSION,
        "outcome": PredictionOutcome.ANSWERED if answered else PredictionOutcome(answer),
        "decision": (question.label if answer == RIGHT else wrong_label) if answered else None,
        "confidence": 0.5 + question.position % 5 / 10 if answered else None,
        "rationale": rationale if answered else "",
        "model": "small",
        "usage": Usage(input_tokens=100, output_tokens=20, cost=0.001, seconds=1.5),
    }
    return Prediction.model_validate(fields | change)


def benchmark_screen(pilot: Pilot[int]) -> BenchmarkScreen:
    """The screen, wherever it is in the stack."""
    return next(screen for screen in pilot.app.screen_stack if isinstance(screen, BenchmarkScreen))


async def open_benchmark(pilot: Pilot[int]) -> BenchmarkScreen:
    """Open the screen, and wait until all answers are read and the figures computed."""
    await pilot.press("6")
    await until(pilot, lambda: isinstance(pilot.app.screen, BenchmarkScreen))
    await wait_until_computed(pilot)
    return benchmark_screen(pilot)


async def wait_until_computed(pilot: Pilot[int]) -> None:
    """Wait until all is read and computed."""
    await until(pilot, lambda: "reading the answers" not in shown(pilot) and "computing" not in shown(pilot))
    await until(pilot, lambda: not benchmark_screen(pilot).working)
    await pilot.pause()
