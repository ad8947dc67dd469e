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
    """Something to do next: a sentence, and the place in the app where it is done."""

    text: str
    action: Literal["generate", "review", "rejections", "benchmark", "training", "runs"]


@dataclass(frozen=True, slots=True)
class Overview:
    """Counts along the pipeline, the runs that are not over, and the next steps, most urgent first.

    Of the lost runs the newest is among `runs`; `lost` says how many there are.
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
    looked = [run_status(run) for run in runs.newest(connection)]
    # What QA rejected is kept once somebody has touched it, and counts only once somebody has brought it in.
    rejected = by_status[Status.REJECTED.value] - reviews.count_still_refused(connection)
    accepted = by_status[Status.ACCEPTED.value]
    pending = by_status[Status.PENDING.value]
    from_files = imported.count(connection)
    lost = [one for one in looked if one.state is RunState.LOST]
    return Overview(
        plan=curriculum,
        generated=attempts.count_written(connection),
        passed=accepted + rejected + pending - from_files,
        imported=from_files,
        reviewed=accepted + rejected,
        accepted=accepted,
        pending=pending,
        runs=[*(one for one in looked if not one.state.ended), *lost[:1]],
        lost=len(lost),
        next=[
            *next_steps(curriculum, pending, looked, rejection_matrix(attempts.reason_counts(connection)).flagged),
            *_after_review(project, connection, looked),
        ],
    )


def next_steps(
    curriculum: Plan, pending: int, statuses: list[RunStatus], flagged: Sequence[FlaggedCell] = ()
) -> list[NextStep]:
    """What to do next, most urgent first."""
    found: list[NextStep] = []
    if lost := [one for one in statuses if one.state is RunState.LOST]:
        more = f" (and {len(lost) - 1} more)" if len(lost) > 1 else ""
        name = f"{lost[0].run.kind} run {lost[0].run.id[-6:]}"
        found.append(NextStep(f"{name} was lost{more}: its process is gone; resume it, or stop it for good", "runs"))
    newest = statuses[0] if statuses else None
    if newest is not None and newest.state is RunState.FAILED:
        found.append(NextStep(f"{newest.run.kind} run {newest.run.id[-6:]} failed: {newest.run.reason}", "runs"))
    generating = any(one.run.kind == "generate" and not one.state.ended for one in statuses)
    if pending:
        noun = "example waits" if pending == 1 else "examples wait"
        found.append(NextStep(f"{pending:,} {noun} for review", "review"))
    set_aside = {(cell.domain, cell.level) for cell in curriculum.cells if cell.shelved}
    failing = [one for one in flagged if (one.domain, one.level) not in set_aside]
    if failing:
        more = f", and {len(failing) - 1} more" if len(failing) > 1 else ""
        worst = failing[0]
        found.append(
            NextStep(
                f"{worst.domain} at level {worst.level} fails QA {worst.rejected}/{worst.attempts}{more}", "rejections"
            )
        )
    if curriculum.missing and not generating:
        verb = "generate the first of" if not curriculum.have else "generate the"
        noun = "example that is missing" if curriculum.missing == 1 else "examples that are missing"
        found.append(NextStep(f"{verb} {curriculum.missing:,} {noun}", "generate"))
    if generating and not pending:
        found.append(NextStep("watch the examples come in", "generate"))
    return found


def _after_review(project: Project, connection: sqlite3.Connection, looked: list[RunStatus]) -> list[NextStep]:
    """What to train and to measure next, by the newest training run and by the newest benchmark of the student."""
    of_kind = {
        kind: readable_runs(one.run for one in looked if one.run.kind == kind) for kind in ("train", "benchmark")
    }
    benchmarks = [(run, params_of(run, BenchmarkParams)) for run in of_kind["benchmark"]]
    asked = {params.model for _, params in benchmarks}
    if of_kind["train"]:
        made = list(trained_models(project, connection).values())
        of_newest = [one for one in made if one.run == of_kind["train"][0].id]
        if of_newest and of_newest[-1].name not in asked:
            said = f"{of_newest[-1].name} was trained and not measured: t on Training holds it against the base"
            return [NextStep(said, "training")]
        return []
    student = project.task.roles.student
    whole = [(run, params) for run, params in benchmarks if params.model == student and not params.sniff]
    if whole and whole[0][0].state is RunState.FINISHED:
        progress, target = progress_of(whole[0][0], BenchmarkProgress), whole[0][1].target
        if progress.low is not None and progress.high is not None and progress.high < target:
            rate = f"{100 * progress.low:.0f}–{100 * progress.high:.0f} %, short of {100 * target:.0f} %"
            said = f"{student} is right in {rate}: w on Benchmark says whether training is worth it"
            return [NextStep(said, "benchmark")]
    return []
