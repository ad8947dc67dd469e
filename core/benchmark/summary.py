"""The results of a benchmark: its figures, its calibration, and what two runs say together."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.benchmark.calibration import Calibration, calibration
from core.benchmark.ceiling import Ceiling, ceiling
from core.benchmark.field_report import FieldReport, field_report
from core.benchmark.gate import Gate, gate
from core.benchmark.metrics import BenchmarkFigures, figures
from core.benchmark.paired import Comparison, compare
from core.benchmark.results import scored_answers
from core.benchmark.scored import ScoredAnswer
from core.config.project import Project
from core.models.parse_answer import PARSER_VERSION, parse_answer
from core.runs.control import run_status
from core.runs.params import BenchmarkParams, params_of
from storage import blind_reviews, predictions, runs
from storage.database import transaction
from storage.schema import Event, Prediction, Run, RunState


@dataclass(frozen=True, slots=True)
class BenchmarkSummary:
    """The figures of one run so far; `asked` is how many examples it asks in all.

    `fields` is the accuracy by field of the steps, where examples have steps and the answers are in words.
    """

    run: Run
    state: RunState
    params: BenchmarkParams
    asked: int
    answers: list[ScoredAnswer]
    figures: BenchmarkFigures
    calibration: Calibration
    fields: FieldReport


def summarize(project: Project, connection: sqlite3.Connection, run: Run) -> BenchmarkSummary:
    """All results of a run. Answers that an older parser read are parsed again first."""
    parse_answers_again(project, connection, run)
    answers = scored_answers(connection, run.id)
    return BenchmarkSummary(
        run=run,
        state=run_status(run).state,
        params=params_of(run, BenchmarkParams),
        asked=predictions.count_questions(connection, run.id),
        answers=answers,
        figures=figures(answers, project.task.labels),
        calibration=calibration(answers),
        fields=field_report(project, connection, run),
    )


def parse_answers_again(project: Project, connection: sqlite3.Connection, run: Run) -> int:
    """Parse the stored answers of a run again where an older parser read them; returns how many.

    The change in figures goes into the log of the run, once for each version of the parser.
    """
    if not predictions.has_outdated(connection, run.id, PARSER_VERSION):
        return 0
    labels = project.task.labels
    right = _count_right(scored_answers(connection, run.id))

    def parse_again(prediction: Prediction) -> Prediction:
        parsed = parse_answer(prediction.raw, prediction.thought, prediction.ended, labels)
        return prediction.model_copy(
            update={
                "reader": PARSER_VERSION,
                "outcome": parsed.outcome,
                "decision": parsed.decision,
                "confidence": parsed.confidence,
                "rationale": parsed.rationale,
            }
        )

    number = max(predictions.reparse(connection, run.id, PARSER_VERSION, parse_again), default=0)
    answers = scored_answers(connection, run.id)
    _log_change(connection, run, f"right {right} -> {_count_right(answers)} of {len(answers)}")
    return number


def _count_right(answers: Sequence[ScoredAnswer]) -> int:
    return sum(answer.correct for answer in answers)


def _log_change(connection: sqlite3.Connection, run: Run, change: str) -> None:
    """Log what parsing again changed, unless another process has parsed the same answers and said so."""
    message = f"parsed again by parser {PARSER_VERSION}:"
    with transaction(connection):
        if not runs.events_before(connection, run.id, text=message, limit=1):
            runs.write_event(connection, Event(run=run.id, message=f"{message} {change}"))


def summary_document(summary: BenchmarkSummary) -> dict[str, Any]:
    """A summary as `--json` prints it; `brier` and `ece` are of the stated confidence, else of the probability."""
    figures, calibration = summary.figures, summary.calibration
    basis = calibration.stated if calibration.stated.n else calibration.probability
    return {
        "run": summary.run.id,
        "state": summary.state.value,
        "reason": summary.run.reason,
        "model": summary.params.model,
        "mode": summary.params.mode.value,
        "asked": summary.asked,
        "smoke_test": summary.params.sniff,
        **{name: getattr(figures, name) for name in type(figures).__dataclass_fields__},
        "brier": basis.brier,
        "ece": basis.ece,
        "confidence_basis": "stated"
        if calibration.stated.n
        else "probability"
        if calibration.probability.n
        else "none",
        "auroc": basis.auroc,
        "e_aurc": basis.e_aurc,
        "calibration": calibration,
        "steps": summary.fields,
    }


def compare_runs(project: Project, connection: sqlite3.Connection, first: Run, second: Run) -> Comparison:
    """Compare the second run with the first, in pairs; raises NotSharedError."""
    for run in (first, second):
        parse_answers_again(project, connection, run)
    return compare(scored_answers(connection, first.id), scored_answers(connection, second.id))


def decide_gate(
    project: Project,
    connection: sqlite3.Connection,
    student: Run,
    reference: Run | None,
    *,
    target: float,
    level: float,
    margin: float,
) -> Gate:
    """The gate over two runs, by bounds that hold at any time if one of them may stop early or is not complete.

    Raises NotSharedError.
    """
    for run in (student, *([reference] if reference else [])):
        parse_answers_again(project, connection, run)
    student_answers = scored_answers(connection, student.id)
    reference_answers = None if reference is None else scored_answers(connection, reference.id)
    return gate_of_answers(
        connection, student, reference, student_answers, reference_answers, target=target, level=level, margin=margin
    )


def gate_of_answers(
    connection: sqlite3.Connection,
    student: Run,
    reference: Run | None,
    student_answers: Sequence[ScoredAnswer],
    reference_answers: Sequence[ScoredAnswer] | None,
    *,
    target: float,
    level: float,
    margin: float,
) -> Gate:
    """Like `decide_gate`, over answers that were read before."""
    reference_examples = None
    if reference is not None:
        reference_examples = {example for example, _ in predictions.families(connection, reference.id)}
    return gate(
        student_answers,
        reference_answers,
        target=target,
        level=level,
        margin=margin,
        anytime=any(_needs_anytime(connection, run) for run in (student, *([reference] if reference else []))),
        asking_order=predictions.families(connection, student.id),
        reference_examples=reference_examples,
        ceiling=label_noise(connection),
    )


def label_noise(connection: sqlite3.Connection) -> Ceiling:
    """How often people who decided blind agree with the label."""
    blind = blind_reviews.read_current(connection)
    return ceiling(sum(review.value == review.label for review in blind), len(blind))


def _needs_anytime(connection: sqlite3.Connection, run: Run) -> bool:
    """Whether a run may have ended at a point that its answers chose, or has not asked everything yet."""
    params = params_of(run, BenchmarkParams)
    unanswered = predictions.unanswered(connection, run.id, params.samples, 0)
    return params.stop_when_settled or bool(unanswered)
