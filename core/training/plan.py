"""The phases of a recipe, and what they require, checked before a model is opened."""

from __future__ import annotations

import sqlite3
from importlib.util import find_spec
from pathlib import Path

from core.config.project import Project
from core.generation.procedural.source import check_task
from core.models.trained import local_models
from core.models.weights import is_trained
from core.runs.control import RunError
from core.runs.params import TrainParams
from core.training.data.rewards import ForbiddenRewardError, RewardError, find_reward
from storage import runs
from storage.schema import Run

KIND = "train"
REQUIRED_PACKAGES = ("torch", "transformers", "peft", "trl", "datasets")


def require_extra() -> None:
    """Raise RunError unless the packages for training are installed."""
    if missing := [package for package in REQUIRED_PACKAGES if find_spec(package) is None]:
        raise RunError(
            f"training needs the extra `train` ({', '.join(missing)} missing): pip install 'sidequest[train]'"
        )


def require_server(params: TrainParams) -> None:
    """Raise RunError if a vLLM server should write the answers, but trl's client for it is not installed."""
    if any(recipe.vllm_server for recipe in params.phases.values()) and find_spec("vllm") is None:
        raise RunError(
            "vllm_server: the trainer talks to the server through the package vllm, which is not installed here: "
            "pip install 'trl[vllm]', or take vllm_server out of the recipe"
        )


def plan_phases(project: Project, name: str, *, allow_project_code: bool = False) -> TrainParams:
    """The phases of a recipe, validated; raises RunError that says what to do instead.

    Validating a reward of the project's own runs its module, which `allow_project_code` has to allow.
    """
    task = project.task
    if name not in task.train:
        choices = ", ".join(task.train) or "none"
        raise RunError(f"no recipe {name!r}: there are {choices}; [train.{name}] in the project file adds one")
    recipe = task.train[name]
    phases = {recipe.first: task.train[recipe.first], name: recipe} if recipe.first else {name: recipe}
    student = recipe.student or task.roles.student
    if student not in local_models(task):
        choices = ", ".join(local_models(task))
        raise RunError(f"{student} is no model of this machine, and only those can be trained: use one of {choices}")
    for phase_name, phase in phases.items():
        if phase.fresh:
            try:
                check_task(task)
            except ValueError as error:
                raise RunError(f"[train.{phase_name}] fresh: {error}") from None
        try:
            for reward in phase.rewards if phase.algorithm.by_rewards else ():
                find_reward(reward, project.folder, allow_project_code=allow_project_code)
        except ForbiddenRewardError as error:
            raise RunError(f"{error}: `sidequest train run {name} --allow-project-code`") from None
        except RewardError as error:
            raise RunError(str(error)) from None
    return TrainParams(name=name, phases=phases, student=student, allow_project_code=allow_project_code)


def find_adapter(project: Project, connection: sqlite3.Connection, prefix: str) -> str:
    """The folder, relative to the project's, of the adapter that a training run made; raises RunError."""
    ids = runs.resolve(connection, prefix)
    run = runs.get(connection, ids[0]) if len(ids) == 1 else None
    if run is None or run.kind != KIND:
        raise RunError(f"no training run {prefix}: `sidequest train list` shows those there are")
    folder = adapter_folder(project, run)
    if not is_trained(folder):
        raise RunError(f"training run {prefix} has made no adapter yet")
    return str(folder.relative_to(project.folder))


def adapter_folder(project: Project, run: Run) -> Path:
    """The folder for the adapter of a training run."""
    return project.run_folder(run.id) / "adapter"
