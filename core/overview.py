"""The state of a project at a glance, and what to do next."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from core.config.project import Project
from core.curriculum.plan import Plan, plan
from core.models.trained import trained_models
from core.qa.matrix import FlaggedCell, rejection_matrix
from core.runs.control import RunStatus, run_status
from core.runs.params import BenchmarkParams, params_of
from core.runs.progress import BenchmarkProgress, progress_of
from core.runs.readable import readable_runs
from storage import attempts, examples, imported, reviews, runs, shelves
from storage.schema import RunState, Status


@dataclass(frozen=True, slots=True)
class NextStep:
    """A next step: what to do as a sentence, and the place in the app where it is done."""

    text: str
    action: Literal["generate", "review", "rejections", "benchmark", "training", "runs"]


@dataclass(frozen=True, slots=True)
class Overview:
    """Counts along the pipeline, the runs that have not ended, and the next steps, most urgent first.

    `runs` includes only the newest lost run; `lost` counts all of them.
    """

    plan: Plan
    generated: int
    passed: int
    imported: int
    reviewed: int
    accepted: int
    pending: int
    runs: list[RunStatus]
    lost: int
    next: list[NextStep]


def overview(project: Project, connection: sqlite3.Connection) -> Overview:
    """The overview of `project` as it is now."""
    counts = examples.cell_counts(connection)
    by_status = Counter[str]()
    for row in counts:
        by_status[row.status] += row.examples
    curriculum = plan(project.task, counts, shelves.read_all(connection))
    statuses = [run_status(run) for run in runs.newest(connection)]
    # An attempt that QA rejected becomes an example once a person touches it, and counts only if it is brought in.
    rejected = by_status[Status.REJECTED.value] - reviews.count_still_refused(connection)
    accepted = by_status[Status.ACCEPTED.value]
    pending = by_status[Status.PENDING.value]
    from_files = imported.count(connection)
    lost = [status for status in statuses if status.state is RunState.LOST]
    return Overview(
        plan=curriculum,
        generated=attempts.count_written(connection),
        passed=accepted + rejected + pending - from_files,
        imported=from_files,
        reviewed=accepted + rejected,
        accepted=accepted,
        pending=pending,
        runs=[*(status for status in statuses if not status.state.ended), *lost[:1]],
        lost=len(lost),
        next=[
            *next_steps(curriculum, pending, statuses, rejection_matrix(attempts.reason_counts(connection)).flagged),
            *_after_review(project, connection, statuses),
        ],
    )


def next_steps(
    curriculum: Plan, pending: int, statuses: list[RunStatus], flagged: Sequence[FlaggedCell] = ()
) -> list[NextStep]:
    """The next steps, most urgent first."""
    steps: list[NextStep] = []
    if lost := [status for status in statuses if status.state is RunState.LOST]:
        others = f" (and {len(lost) - 1} more)" if len(lost) > 1 else ""
        name = f"{lost[0].run.kind} run {lost[0].run.id[-6:]}"
        steps.append(NextStep(f"{name} was lost{others}: its process is gone; resume it, or stop it for good", "runs"))
    newest = statuses[0] if statuses else None
    if newest is not None and newest.state is RunState.FAILED:
        steps.append(NextStep(f"{newest.run.kind} run {newest.run.id[-6:]} failed: {newest.run.reason}", "runs"))
    generating = any(status.run.kind == "generate" and not status.state.ended for status in statuses)
    if pending:
        noun = "example waits" if pending == 1 else "examples wait"
        steps.append(NextStep(f"{pending:,} {noun} for review", "review"))
    set_aside = {(cell.domain, cell.level) for cell in curriculum.cells if cell.shelved}
    failing = [cell for cell in flagged if (cell.domain, cell.level) not in set_aside]
    if failing:
        others = f", and {len(failing) - 1} more" if len(failing) > 1 else ""
        worst = failing[0]
        steps.append(
            NextStep(
                f"{worst.domain} at level {worst.level} fails QA {worst.rejected}/{worst.attempts}{others}",
                "rejections",
            )
        )
    if curriculum.missing and not generating:
        verb = "generate the first of" if not curriculum.have else "generate the"
        noun = "example that is missing" if curriculum.missing == 1 else "examples that are missing"
        steps.append(NextStep(f"{verb} {curriculum.missing:,} {noun}", "generate"))
    if generating and not pending:
        steps.append(NextStep("watch the examples come in", "generate"))
    return steps


def _after_review(project: Project, connection: sqlite3.Connection, statuses: list[RunStatus]) -> list[NextStep]:
    """What to train and measure next, by the newest training run and the newest benchmark of the student."""
    of_kind = {
        kind: readable_runs(status.run for status in statuses if status.run.kind == kind)
        for kind in ("train", "benchmark")
    }
    benchmarks = [(run, params_of(run, BenchmarkParams)) for run in of_kind["benchmark"]]
    asked = {params.model for _, params in benchmarks}
    if of_kind["train"]:
        trained = list(trained_models(project, connection).values())
        newest_models = [model for model in trained if model.run == of_kind["train"][0].id]
        if newest_models and newest_models[-1].name not in asked:
            text = f"{newest_models[-1].name} was trained and not measured: t on Training holds it against the base"
            return [NextStep(text, "training")]
        return []
    student = project.task.roles.student
    measured = [(run, params) for run, params in benchmarks if params.model == student and not params.sniff]
    if measured and measured[0][0].state is RunState.FINISHED:
        progress, target = progress_of(measured[0][0], BenchmarkProgress), measured[0][1].target
        if progress.low is not None and progress.high is not None and progress.high < target:
            rate = f"{100 * progress.low:.0f}–{100 * progress.high:.0f} %, short of {100 * target:.0f} %"
            text = f"{student} is right in {rate}: w on Benchmark says whether training is worth it"
            return [NextStep(text, "benchmark")]
    return []
