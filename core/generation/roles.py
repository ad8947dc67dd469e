"""From the name of a role to what fills it: an embedded source or judge, or a model of the project."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from core.config.project import Project
from core.config.task import Task
from core.generation.source import Source
from core.qa.judge import Judge
from core.runs.params import FillParams, GenerateParams, RepairParams
from storage.runs import StoredCapabilities

if TYPE_CHECKING:
    from core.llm.limits import Budget


def price_problems(task: Task, params: RepairParams | FillParams) -> list[str]:
    """What keeps a budget from being held: a model without a price, each as a sentence."""
    if params.budget is None:
        return []
    named = {params.source, params.judge} & set(task.models)
    unpriced = sorted(task.models[name].model for name in named if task.models[name].model not in task.prices)
    return [f"a budget needs a price: add [prices.{model!r}] to the file" for model in unpriced]


def open_budget(params: GenerateParams | RepairParams | FillParams, spent: float | None) -> Budget | None:
    """The budget of a run that has `spent` some of it before; None if it has none."""
    if params.budget is None:
        return None
    from core.llm.limits import Budget

    return Budget(float(params.budget), spent=spent or 0.0)


def open_source(
    params: GenerateParams, project: Project, connection: sqlite3.Connection, budget: Budget | None
) -> Source:
    """The source that `params` names."""
    if params.source == "procedural":
        from core.generation.procedural.source import ProceduralSource

        return ProceduralSource(project.task, params.flaws)
    from core.generation.endpoint_source import OpenAISource

    return OpenAISource(
        project.task,
        params.source,
        project_dir=project.folder,
        capabilities=StoredCapabilities(connection),
        budget=budget,
    )


def open_judge(
    params: GenerateParams | RepairParams | FillParams,
    project: Project,
    connection: sqlite3.Connection,
    budget: Budget | None,
) -> Judge:
    """The judge that `params` names."""
    if params.judge == "solver":
        from core.qa.solver import Solver

        return Solver(project.task)
    from core.qa.endpoint_judge import EndpointJudge

    return EndpointJudge(
        project.task,
        params.judge,
        project_dir=project.folder,
        capabilities=StoredCapabilities(connection),
        budget=budget,
    )
