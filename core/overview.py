"""The state of a project at a glance, and what to do next."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from core.curriculum.plan import Plan, plan
from core.project import Project
from core.qa.matrix import Flagged, matrix
from core.runs.control import Seen, look
from storage import arrivals, attempts, examples, reviews, runs, shelves
from storage.schema import RunState, Status


@dataclass(frozen=True, slots=True)
class Step:
    """Something to do next: a sentence, and the place in the app where it is done."""

    text: str
    action: Literal["generate", "review", "rejections", "training", "runs"]


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
    runs: list[Seen]
    lost: int
    next: list[Step]


def overview(project: Project, connection: sqlite3.Connection) -> Overview:
    """The overview of `project` as it is now."""
    counts = examples.cell_counts(connection)
    by_status = Counter[str]()
    for row in counts:
        by_status[row.status] += row.examples
    curriculum = plan(project.task, counts, shelves.every(connection))
    looked = [look(run) for run in runs.newest(connection)]
    # What QA rejected is kept once somebody has touched it, and counts only once somebody has brought it in.
    rejected = by_status[Status.REJECTED.value] - reviews.outside(connection)
    accepted = by_status[Status.ACCEPTED.value]
    pending = by_status[Status.PENDING.value]
    imported = arrivals.count(connection)
    lost = [one for one in looked if one.state is RunState.LOST]
    return Overview(
        plan=curriculum,
        generated=attempts.written(connection),
        passed=accepted + rejected + pending - imported,
        imported=imported,
        reviewed=accepted + rejected,
        accepted=accepted,
        pending=pending,
        runs=[*(one for one in looked if not one.state.ended), *lost[:1]],
        lost=len(lost),
        next=steps(curriculum, pending, looked, matrix(attempts.reason_counts(connection)).flagged),
    )


def steps(curriculum: Plan, pending: int, looked: list[Seen], flagged: Sequence[Flagged] = ()) -> list[Step]:
    """What to do next, most urgent first."""
    found: list[Step] = []
    if lost := [one for one in looked if one.state is RunState.LOST]:
        more = f" (and {len(lost) - 1} more)" if len(lost) > 1 else ""
        name = f"{lost[0].run.kind} run {lost[0].run.id[-6:]}"
        found.append(Step(f"{name} was lost{more}: its process is gone; resume it, or stop it for good", "runs"))
    newest = looked[0] if looked else None
    if newest is not None and newest.state is RunState.FAILED:
        found.append(Step(f"{newest.run.kind} run {newest.run.id[-6:]} failed: {newest.run.reason}", "runs"))
    generating = any(one.run.kind == "generate" and not one.state.ended for one in looked)
    if pending:
        noun = "example waits" if pending == 1 else "examples wait"
        found.append(Step(f"{pending:,} {noun} for review", "review"))
    set_aside = {(cell.domain, cell.level) for cell in curriculum.cells if cell.shelved}
    failing = [one for one in flagged if (one.domain, one.level) not in set_aside]
    if failing:
        more = f", and {len(failing) - 1} more" if len(failing) > 1 else ""
        worst = failing[0]
        found.append(
            Step(
                f"{worst.domain} at level {worst.level} fails QA {worst.rejected}/{worst.attempts}{more}", "rejections"
            )
        )
    if curriculum.missing and not generating:
        verb = "generate the first of" if not curriculum.have else "generate the"
        noun = "example that is missing" if curriculum.missing == 1 else "examples that are missing"
        found.append(Step(f"{verb} {curriculum.missing:,} {noun}", "generate"))
    if generating and not pending:
        found.append(Step("watch the examples come in", "generate"))
    trained = [one.run for one in looked if one.run.kind == "train" and one.state is RunState.FINISHED]
    if trained and not any(one.run.kind == "benchmark" and one.run.id > trained[0].id for one in looked):
        found.append(Step(f"measure what training run {trained[0].id[-6:]} has made: ask it the benchmark", "training"))
    return found
