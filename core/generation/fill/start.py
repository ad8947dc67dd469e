"""Filling steps: which examples lack them, what can write them, and starting that."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from decimal import Decimal

from core.config.project import Project
from core.config.task import Task
from core.generation.example_run import refuse_taken
from core.generation.roles import price_problems
from core.runs.control import RunError
from core.runs.launch import launch
from core.runs.params import NO_JUDGE, FillParams
from storage.schema import Example, Run, Status

KIND = "fill"
# The source that knows the steps of its own examples, and needs no model.
OFFLINE = "procedural"


def lacks_steps(example: Example) -> bool:
    """Whether an example has no steps and is not rejected."""
    return not example.steps and example.status is not Status.REJECTED


def start_fill(
    project: Project,
    connection: sqlite3.Connection,
    examples: Sequence[Example],
    *,
    source: str = "",
    judge: str = "",
    budget: Decimal | None = None,
    reviewer: str = "",
) -> Run:
    """Start a run that writes the steps of `examples` in the name of `reviewer`.

    Source and budget are the project's if empty; without a judge, code alone checks the steps. Raises RunError with
    what to do instead.
    """
    task = project.task
    source = source or (task.roles.generator if task.roles.generator in task.models else OFFLINE)
    params = FillParams(
        source=source,
        judge=judge or NO_JUDGE,
        budget=task.limits.budget if budget is None else budget,
        reviewer=reviewer,
        examples=[(example.id, example.version) for example in examples],
    )
    if problems := check_params(task, params):
        raise RunError("; ".join(problems))
    refuse_taken(connection, KIND, examples)
    return launch(project, connection, KIND, params.model_dump(mode="json"))


def check_params(task: Task, params: FillParams) -> list[str]:
    """The problems of `params` for this task, each as a sentence."""
    problems = []
    if params.source not in [OFFLINE, *task.models]:
        choices = ", ".join([OFFLINE, *task.models])
        problems.append(f"{params.source!r} cannot write steps: use one of {choices}, or add [models.NAME] to the file")
    if params.judge not in [NO_JUDGE, *task.models]:
        choices = ", ".join([NO_JUDGE, *task.models])
        problems.append(f"{params.judge!r} cannot read steps: use one of {choices}")
    return problems + price_problems(task, params)
