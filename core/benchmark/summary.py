"""What a benchmark says: its figures, how far its confidence can be trusted, and what two runs say together."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.benchmark.calibration import Calibration, calibration
from core.benchmark.ceiling import Ceiling, ceiling
from core.benchmark.gate import Gate, gate
from core.benchmark.metrics import BenchmarkFigures, figures
from core.benchmark.paired import Comparison, compare
from core.benchmark.results import scored_answers
from core.benchmark.scored import ScoredAnswer
from core.benchmark.start import KIND
from core.config.project import Project
from core.models.parse_answer import PARSER_VERSION, parse_answer
from core.runs.control import RunError, run_status
from core.runs.params import BenchmarkParams, params_of
from core.runs.readable import readable_of_kind
from storage import blind_reviews, predictions
from storage.schema import Prediction, Run, RunState


@dataclass(frozen=True, slots=True)
class BenchmarkSummary:
    """The figures of one run so far; `asked` is how many examples it asks in all."""

    run: Run
    state: RunState
    params: BenchmarkParams
    asked: int
    answers: list[ScoredAnswer]
    figures: BenchmarkFigures
    calibration: Calibration


def summarize(project: Project, connection: sqlite3.Connection, run: Run) -> BenchmarkSummary:
    """All that a run says, its answers read anew first if they were read by a former reader."""
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
    )


def parse_answers_again(project: Project, connection: sqlite3.Connection, run: Run) -> int:
    """Read the stored answers of a run anew where another reader had read them; returns how many."""
    labels = project.task.labels

    def anew(one: Prediction) -> Prediction:
        said = parse_answer(one.raw, one.thought, one.ended, labels)
        return one.model_copy(
            update={
                "reader": PARSER_VERSION,
                "outcome": said.outcome,
                "decision": said.decision,
                "confidence": said.confidence,
                "rationale": said.rationale,
            }
        )

    return max(predictions.reparse(connection, run.id, PARSER_VERSION, anew), default=0)


def summary_document(summary: BenchmarkSummary) -> dict[str, Any]:
    """An outcome as `--json` prints it; `brier` and `ece` are of the stated confidence, else of the probability."""
    numbers, sure = summary.figures, summary.calibration
    basis = sure.stated if sure.stated.n else sure.probability
    return {
        "run": summary.run.id,
        "state": summary.state.value,
        "reason": summary.run.reason,
        "model": summary.params.model,
        "mode": summary.params.mode.value,
        "asked": summary.asked,
        "smoke_test": summary.params.sniff,
        **{name: getattr(numbers, name) for name in type(numbers).__dataclass_fields__},
        "brier": basis.brier,
        "ece": basis.ece,
        "confidence_basis": "stated" if sure.stated.n else "probability" if sure.probability.n else "none",
        "calibration": sure,
    }


def compare_runs(project: Project, connection: sqlite3.Connection, first: Run, second: Run) -> Comparison:
    """The second run against the first, in pairs; raises NotSharedError."""
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
    """The gate over two runs; where one of them was watched or is not complete, by what holds at any time.

    Raises NotSharedError.
    """
    for run in (student, *([reference] if reference else [])):
        parse_answers_again(project, connection, run)
    mine = scored_answers(connection, student.id)
    theirs = None if reference is None else scored_answers(connection, reference.id)
    return gate_of_answers(connection, student, reference, mine, theirs, target=target, level=level, margin=margin)


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
    """Like `decided`, over answers that were read before."""
    pairs = None if reference is None else {example for example, _ in predictions.families(connection, reference.id)}
    return gate(
        student_answers,
        reference_answers,
        target=target,
        level=level,
        margin=margin,
        anytime=any(_looked_at(connection, run) for run in (student, *([reference] if reference else []))),
        asking_order=predictions.families(connection, student.id),
        reference_examples=pairs,
        ceiling=label_noise(connection),
    )


def label_noise(connection: sqlite3.Connection) -> Ceiling:
    """How often people who decided blind agree with the label."""
    found = blind_reviews.read_current(connection)
    return ceiling(sum(one.value == one.label for one in found), len(found))


def newest_benchmark(connection: sqlite3.Connection, model: str) -> Run:
    """The newest benchmark of a model that is no smoke test; raises RunError."""
    for run in readable_of_kind(connection, KIND):
        params = params_of(run, BenchmarkParams)
        if params.model == model and not params.sniff:
            return run
    raise RunError(f"no benchmark of {model} yet: `sidequest bench run --model {model}` makes one")


def _looked_at(connection: sqlite3.Connection, run: Run) -> bool:
    """Whether a run could have ended at a place that its answers had chosen, or has not ended where it was to."""
    params = params_of(run, BenchmarkParams)
    open_ = predictions.unanswered(connection, run.id, params.samples, 0)
    return params.stop_when_settled or bool(open_)
