"""Starts a training run, after its requirements were checked."""

from __future__ import annotations

import sqlite3

from core.config.project import Project
from core.runs.control import RunError
from core.runs.launch import launch, refuse_second
from core.runs.params import TrainParams
from core.training.data.stale import count_stale, stale_note
from core.training.estimate.recipe_estimate import refuse
from core.training.plan import KIND, find_adapter, plan_phases, require_extra, require_server
from storage import examples
from storage.examples import Filter
from storage.schema import Run


def start_training(
    project: Project,
    connection: sqlite3.Connection,
    name: str,
    *,
    start_from: str = "",
    allow_project_code: bool = False,
) -> Run:
    """Start a training run of a recipe; `start_from` is a run whose adapter it continues. Raises RunError.

    Rewards of the project's own run only with `allow_project_code`, which the run keeps for when it is resumed.
    """
    params = check_recipe(project, connection, name, allow_project_code=allow_project_code)
    refuse(project, connection, params)
    if start_from:
        params = params.model_copy(update={"start_from": find_adapter(project, connection, start_from)})
    return launch(project, connection, KIND, params.model_dump(mode="json"))


def check_recipe(
    project: Project, connection: sqlite3.Connection, name: str, *, allow_project_code: bool = False
) -> TrainParams:
    """The parameters of a training run of the recipe; raises RunError that says why it cannot be started."""
    params = plan_phases(project, name, allow_project_code=allow_project_code)
    require_extra()
    require_server(params)
    needs_train = any(not recipe.fresh for recipe in params.phases.values())
    accepted = examples.count(connection, Filter(status=("accepted",), split=("train",)))
    if needs_train and not accepted:
        raise RunError("no accepted example is in the split train: accept some, then `sidequest splits assign --yes`")
    for recipe in params.phases.values():
        if accepted and (stale := count_stale(project, connection, recipe)) == accepted:
            raise RunError(f"nothing is left to learn from: {stale_note(stale)}")
    refuse_second(connection, KIND)
    return params
