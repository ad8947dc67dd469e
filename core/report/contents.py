"""What a report tells of a project, from the functions that the screens ask."""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.benchmark.gate import Gate
from core.benchmark.paired import Comparison, NotSharedError
from core.benchmark.start import KIND as BENCHMARK
from core.benchmark.summary import BenchmarkSummary, compare_runs, decide_gate, summarize, summary_document
from core.config.project import Project
from core.overview import Overview, overview
from core.qa.matrix import Matrix, rejection_matrix
from core.qa.scorecard import PeopleRecord, Scorecard, people_record, scorecard
from core.review import agreement
from core.runs.control import run_status
from core.runs.params import LEVEL, MARGIN, TARGET, BenchmarkParams, TrainParams, params_of
from core.runs.progress import TrainProgress, progress_of
from core.runs.readable import readable_of_kind
from core.training.plan import KIND as TRAINING
from storage import attempts, blind_reviews, examples, training
from storage.examples import CellCount
from storage.schema import Run, RunState, Status, now

# So many of the newest benchmarks and training runs are told in full; of older ones only how many there are.
NEWEST = 10


@dataclass(frozen=True, slots=True)
class ReferenceGap:
    """How far the model of one benchmark is ahead of the student on the same examples; None where they share none."""

    benchmark: BenchmarkSummary
    comparison: Comparison | None


@dataclass(frozen=True, slots=True)
class ReportedTraining:
    """A training run with its steps, its looks at the dev split, and the notes that people pinned to it."""

    run: Run
    state: RunState
    steps: list[training.TrainingStep]
    evaluations: list[training.TrainingStep]
    notes: list[training.Note]


@dataclass(frozen=True, slots=True)
class Contents:
    """All that a report tells. `student` is the newest benchmark of the task's student, smoke tests apart.

    `splits` counts the accepted examples by split, '' where none is assigned. `gate` is None without a student.
    `older_benchmarks` and `older_trainings` say how many are not told of.
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


def gather_contents(project: Project, connection: sqlite3.Connection) -> Contents:
    """The contents of the report of `project` as it is now."""
    counted = attempts.reason_counts(connection)
    rejections = rejection_matrix(counted)
    reasons = Counter[str]()
    for cell in rejections.cells:
        reasons.update(cell.reasons)
    asked, trained = readable_of_kind(connection, BENCHMARK), readable_of_kind(connection, TRAINING)
    measured = [summarize(project, connection, run) for run in asked[:NEWEST]]
    roles = project.task.roles
    student, reference = _newest(project, connection, asked, roles.student, measured), None
    against = list[ReferenceGap]()
    gate = None
    if student is not None:
        reference = _newest(project, connection, asked, roles.reference, measured)
        against = [
            ReferenceGap(one, _compared(project, connection, student.run, one.run))
            for one in _one_a_model([*([reference] if reference else []), *measured])
            if one.params.model != roles.student
        ]
        gate = _decided(project, connection, student.run, reference.run if reference else None)
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
        benchmarks=measured,
        older_benchmarks=max(0, len(asked) - NEWEST),
        student=student,
        gaps=against,
        gate=gate,
        trainings=[_training(connection, run) for run in trained[:NEWEST]],
        older_trainings=max(0, len(trained) - NEWEST),
    )


def accepted_by_split(counts: list[CellCount]) -> dict[str, int]:
    """The accepted examples by split; '' are those that are in none."""
    found = Counter[str]()
    for row in counts:
        if row.status == Status.ACCEPTED.value:
            found[row.split] += row.examples
    return dict(sorted(found.items(), key=lambda one: (not one[0], one[0])))


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
        "benchmarks": [summary_document(one) for one in contents.benchmarks],
        "older_benchmarks": contents.older_benchmarks,
        "student_run": contents.student and contents.student.run.id,
        "against_the_student": [{"run": one.benchmark.run.id, "comparison": one.comparison} for one in contents.gaps],
        "gate": contents.gate,
        "trainings": [
            {
                "run": one.run.id,
                "recipe": params_of(one.run, TrainParams).name,
                "state": one.state,
                "reason": one.run.reason,
                "alarms": progress_of(one.run, TrainProgress).alarms,
                "metrics": [{"phase": step.phase, "step": step.step, **step.figures} for step in one.steps],
                "looks": [{"phase": step.phase, "step": step.step, **step.figures} for step in one.evaluations],
                "notes": one.notes,
            }
            for one in contents.trainings
        ],
        "older_trainings": contents.older_trainings,
    }


def _newest(
    project: Project, connection: sqlite3.Connection, asked: list[Run], model: str, measured: list[BenchmarkSummary]
) -> BenchmarkSummary | None:
    """The newest benchmark of a model that is no smoke test and has an answer, measured if it was not yet."""
    for run in asked:
        params = params_of(run, BenchmarkParams)
        if params.model == model and not params.sniff:
            known = next((one for one in measured if one.run.id == run.id), None)
            found = known or summarize(project, connection, run)
            if found.answers:
                return found
    return None


def _one_a_model(found: list[BenchmarkSummary]) -> list[BenchmarkSummary]:
    """The first benchmark of each model, smoke tests and empty ones apart."""
    first: dict[str, BenchmarkSummary] = {}
    for one in found:
        if one.answers and not one.params.sniff:
            first.setdefault(one.params.model, one)
    return list(first.values())


def _compared(project: Project, connection: sqlite3.Connection, first: Run, second: Run) -> Comparison | None:
    try:
        return compare_runs(project, connection, first, second)
    except NotSharedError:
        return None


def _decided(project: Project, connection: sqlite3.Connection, student: Run, reference: Run | None) -> Gate:
    try:
        return decide_gate(project, connection, student, reference, target=TARGET, level=LEVEL, margin=MARGIN)
    except NotSharedError:
        return decide_gate(project, connection, student, None, target=TARGET, level=LEVEL, margin=MARGIN)


def _training(connection: sqlite3.Connection, run: Run) -> ReportedTraining:
    steps, looks = training.steps(connection, run.id), training.evaluations(connection, run.id)
    return ReportedTraining(run, run_status(run).state, steps, looks, training.notes(connection, run.id))
