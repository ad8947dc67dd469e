"""Gathers the contents of a report about a project, from the functions that the screens use."""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.benchmark.gate import Gate
from core.benchmark.paired import Comparison, NotSharedError
from core.benchmark.run_choice import standing_benchmarks
from core.benchmark.start import KIND as BENCHMARK
from core.benchmark.summary import BenchmarkSummary, compare_runs, decide_gate, summarize, summary_document
from core.config.project import Project
from core.overview import Overview, overview
from core.qa.matrix import Matrix, rejection_matrix
from core.qa.scorecard import PeopleRecord, Scorecard, people_record, scorecard
from core.review import agreement
from core.runs.control import run_status
from core.runs.params import LEVEL, MARGIN, TARGET, TrainParams, params_of
from core.runs.progress import TrainProgress, progress_of
from core.runs.readable import readable_of_kind
from core.training.curve.cells import KIND as CURVE
from core.training.curve.results import CurveResults, curve_document, curve_results
from core.training.plan import KIND as TRAINING
from storage import attempts, blind_reviews, examples, training
from storage.examples import CellCount
from storage.schema import Run, RunState, Status, now

# The report shows so many of the newest benchmarks and training runs in full, and only counts the older ones.
NEWEST = 10


@dataclass(frozen=True, slots=True)
class ReferenceGap:
    """How far the model of a benchmark is ahead of the student; `comparison` is None if they share no example."""

    benchmark: BenchmarkSummary
    comparison: Comparison | None


@dataclass(frozen=True, slots=True)
class ReportedTraining:
    """A training run with its steps, its evaluations on the dev split, and the notes that people pinned to it."""

    run: Run
    state: RunState
    steps: list[training.TrainingStep]
    evaluations: list[training.TrainingStep]
    notes: list[training.Note]


@dataclass(frozen=True, slots=True)
class Contents:
    """The contents of a report. `student` is the newest benchmark of the task's student, smoke tests excluded.

    `splits` counts the accepted examples by split, '' for those in none. `gate` is None without a benchmark of the
    student. `older_benchmarks`, `older_trainings` and `older_curves` say how many are left out.
    """

    created: datetime
    project: Project
    overview: Overview
    splits: dict[str, int]
    matrix: Matrix
    reasons: dict[str, int]
    scorecard: Scorecard
    people: PeopleRecord
    agreement: agreement.AgreementReport
    benchmarks: list[BenchmarkSummary]
    older_benchmarks: int
    student: BenchmarkSummary | None
    gaps: list[ReferenceGap]
    gate: Gate | None
    trainings: list[ReportedTraining]
    older_trainings: int
    curves: list[CurveResults]
    older_curves: int


def gather_contents(project: Project, connection: sqlite3.Connection) -> Contents:
    """Gather the contents of a report on `project` as it is now."""
    reason_counts = attempts.reason_counts(connection)
    rejections = rejection_matrix(reason_counts)
    reasons = Counter[str]()
    for cell in rejections.cells:
        reasons.update(cell.reasons)
    benchmark_runs, training_runs = readable_of_kind(connection, BENCHMARK), readable_of_kind(connection, TRAINING)
    curve_runs = readable_of_kind(connection, CURVE)
    summaries = [summarize(project, connection, run) for run in benchmark_runs[:NEWEST]]
    roles = project.task.roles
    student, reference = _standing_benchmark(project, connection, benchmark_runs, roles.student, summaries), None
    gaps = list[ReferenceGap]()
    gate = None
    if student is not None:
        reference = _standing_benchmark(project, connection, benchmark_runs, roles.reference, summaries)
        gaps = [
            ReferenceGap(summary, _compare(project, connection, student.run, summary.run))
            for summary in _one_per_model([*([reference] if reference else []), *summaries])
            if summary.params.model != roles.student
        ]
        gate = _decide(project, connection, student.run, reference.run if reference else None)
    return Contents(
        created=now(),
        project=project,
        overview=overview(project, connection),
        splits=accepted_by_split(examples.cell_counts(connection)),
        matrix=rejections,
        reasons=dict(reasons.most_common()),
        scorecard=scorecard(attempts.flaw_records(connection)),
        people=people_record(attempts.reviewed_counts(connection)),
        agreement=agreement.agreement_report(blind_reviews.read_current(connection)),
        benchmarks=summaries,
        older_benchmarks=max(0, len(benchmark_runs) - NEWEST),
        student=student,
        gaps=gaps,
        gate=gate,
        trainings=[_report_training(connection, run) for run in training_runs[:NEWEST]],
        older_trainings=max(0, len(training_runs) - NEWEST),
        curves=[curve_results(connection, run) for run in curve_runs[:NEWEST]],
        older_curves=max(0, len(curve_runs) - NEWEST),
    )


def accepted_by_split(counts: list[CellCount]) -> dict[str, int]:
    """The counts of accepted examples by split; '' stands for those in none."""
    counts_by_split = Counter[str]()
    for row in counts:
        if row.status == Status.ACCEPTED.value:
            counts_by_split[row.split] += row.examples
    return dict(sorted(counts_by_split.items(), key=lambda item: (not item[0], item[0])))


def contents_document(contents: Contents) -> dict[str, Any]:
    """The contents as `--json` prints them."""
    task = contents.project.task
    return {
        "made": contents.created,
        "task": {"name": task.name, "question": task.question, "decisions": task.labels},
        "overview": contents.overview,
        "splits": contents.splits,
        "qa": {
            "matrix": contents.matrix,
            "reasons": contents.reasons,
            "scorecard": contents.scorecard,
            "people": contents.people,
        },
        "agreement": contents.agreement,
        "benchmarks": [summary_document(summary) for summary in contents.benchmarks],
        "older_benchmarks": contents.older_benchmarks,
        "student_run": contents.student and contents.student.run.id,
        "against_the_student": [{"run": gap.benchmark.run.id, "comparison": gap.comparison} for gap in contents.gaps],
        "gate": contents.gate,
        "trainings": [
            {
                "run": reported.run.id,
                "recipe": params_of(reported.run, TrainParams).name,
                "state": reported.state,
                "reason": reported.run.reason,
                "alarms": progress_of(reported.run, TrainProgress).alarms,
                "metrics": [{"phase": step.phase, "step": step.step, **step.figures} for step in reported.steps],
                "looks": [{"phase": step.phase, "step": step.step, **step.figures} for step in reported.evaluations],
                "notes": reported.notes,
            }
            for reported in contents.trainings
        ],
        "older_trainings": contents.older_trainings,
        "curves": [curve_document(results) for results in contents.curves],
        "older_curves": contents.older_curves,
    }


def _standing_benchmark(
    project: Project, connection: sqlite3.Connection, runs: list[Run], model: str, summaries: list[BenchmarkSummary]
) -> BenchmarkSummary | None:
    """The benchmark that stands for a model and has an answer; takes it from `summaries` if it can."""
    for run in standing_benchmarks(runs, model):
        summarized = next((known for known in summaries if known.run.id == run.id), None)
        summary = summarized or summarize(project, connection, run)
        if summary.answers:
            return summary
    return None


def _one_per_model(summaries: list[BenchmarkSummary]) -> list[BenchmarkSummary]:
    """The benchmark that stands for each model, without smoke tests and empty ones."""
    first: dict[str, BenchmarkSummary] = {}
    for summary in sorted(summaries, key=lambda summary: summary.run.state is not RunState.FINISHED):
        if summary.answers and not summary.params.sniff:
            first.setdefault(summary.params.model, summary)
    return list(first.values())


def _compare(project: Project, connection: sqlite3.Connection, first: Run, second: Run) -> Comparison | None:
    try:
        return compare_runs(project, connection, first, second)
    except NotSharedError:
        return None


def _decide(project: Project, connection: sqlite3.Connection, student: Run, reference: Run | None) -> Gate:
    try:
        return decide_gate(project, connection, student, reference, target=TARGET, level=LEVEL, margin=MARGIN)
    except NotSharedError:
        return decide_gate(project, connection, student, None, target=TARGET, level=LEVEL, margin=MARGIN)


def _report_training(connection: sqlite3.Connection, run: Run) -> ReportedTraining:
    steps, evaluations = training.steps(connection, run.id), training.evaluations(connection, run.id)
    return ReportedTraining(run, run_status(run).state, steps, evaluations, training.notes(connection, run.id))
