"""Repairing stale fields: what is proposed for an example already, what can write the rest, and starting that."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from decimal import Decimal

from core.config.project import Project
from core.config.task import EMBEDDED, Task
from core.curriculum.cell import Cell
from core.generation.example_run import find_run, refuse_taken
from core.generation.repair.proposal import Proposal, candidate_with, stale_names
from core.generation.roles import price_problems
from core.runs.control import RunError, run_status
from core.runs.launch import launch
from core.runs.params import RepairParams, params_of
from storage import repairs, runs
from storage.schema import JUSTIFYING, Example, Run

KIND = "repair"


def offline_proposal(task: Task, example: Example) -> Proposal | None:
    """What the procedural source writes for its own example, read by its solver; None if it does not know it.

    The fields argue for what the evidence bears, which may contradict the person's decision.
    """
    # Imported late: both load much, and few examples need them.
    from core.generation.procedural.rebuild import known_answer
    from core.qa.solver import assess

    answer = known_answer(task, example)
    if answer is None:
        return None

    contradicts = answer.decision != example.decision
    # With the decision, everything that argues for it has to change.
    names = JUSTIFYING if contradicts else stale_names(example)
    fields = {name: getattr(answer, name) for name in names if hasattr(answer, name)}
    if not fields:
        return None
    candidate = candidate_with(example, answer.decision, fields)
    result = assess(task, candidate, Cell(example.domain, example.level, answer.decision))
    return Proposal(
        example,
        answer.decision,
        fields,
        source="procedural",
        judge="solver",
        judge_decision=result.decision,
        judge_confidence=result.confidence,
        critique=result.critique,
        cost=0.0,
    )


def read_proposal(
    project: Project, connection: sqlite3.Connection, example: Example, *, offline: bool = True
) -> Proposal | None:
    """What is proposed for the stale fields of `example` as it is now; None if nothing is, or a run still works on it.

    A proposal of a run counts for the version that it was written for. Where there is none, the procedural source is
    asked, unless it is not to be (`offline`).
    """
    stored = repairs.newest(connection, example.id, example.version)
    if stored is None or stored.proposed is None:
        return offline_proposal(project.task, example) if offline else None
    run = runs.get(connection, stored.run)
    if stored.judged is None and run is not None and not run_status(run).state.ended:
        return None
    judge = params_of(run, RepairParams).judge if run is not None else ""
    return Proposal(
        example,
        stored.decision,
        stored.proposed,
        source=stored.model,
        judge=judge if stored.blind_decision is not None else "",
        judge_decision=stored.blind_decision or "",
        judge_confidence=stored.blind_confidence,
        critique=stored.critique,
        cost=stored.usage.cost,
    )


def find_repair_run(connection: sqlite3.Connection, example: Example) -> Run | None:
    """The newest run that was asked to repair this version of an example; None if there is none."""
    return find_run(connection, KIND, example)


def can_write(task: Task) -> bool:
    """Whether the project names an endpoint as its source, which can write for any example."""
    return task.roles.generator in task.models


def start_repair(
    project: Project,
    connection: sqlite3.Connection,
    examples: Sequence[Example],
    *,
    source: str = "",
    judge: str = "",
    budget: Decimal | None = None,
) -> Run:
    """Start a run that writes the stale fields of `examples` anew; source, judge and budget are the project's if empty.

    Raises RunError with what to do instead.
    """
    task = project.task
    params = RepairParams(
        source=source or task.roles.generator,
        judge=judge or task.roles.judge,
        budget=task.limits.budget if budget is None else budget,
        examples=[(example.id, example.version) for example in examples],
    )
    if problems := check_params(task, params):
        raise RunError("; ".join(problems))
    refuse_taken(connection, KIND, examples)
    return launch(project, connection, KIND, params.model_dump(mode="json"))


def check_params(task: Task, params: RepairParams) -> list[str]:
    """The problems of `params` for this task, each as a sentence."""
    problems = []
    if params.source not in task.models:
        models = ", ".join(task.models) or "none"
        problems.append(
            f"{params.source!r} is no model that could write reasoning: there are {models}; add [models.NAME] to the "
            "project file, or write it by hand with an edit"
        )
    if params.judge not in [*EMBEDDED["judge"], *task.models]:
        choices = ", ".join([*EMBEDDED["judge"], *task.models])
        problems.append(f"no judge {params.judge!r}: use one of {choices}")
    return problems + price_problems(task, params)
