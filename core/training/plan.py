"""The phases of a recipe, and what has to be there for them, checked before a model is opened."""

from __future__ import annotations

import sqlite3
from importlib.util import find_spec
from pathlib import Path

from core.config.project import Project
from core.config.recipe import Algorithm
from core.models.trained import local_models
from core.runs.control import RunError
from core.runs.params import TrainParams
from core.training.data.rewards import ForbiddenRewardError, RewardError, find_reward
from storage import runs
from storage.schema import Run

KIND = "train"
NEEDED = ("torch", "transformers", "peft", "trl", "datasets")


def require_extra() -> None:
    """Raise RunError unless what training needs is installed."""
    if missing := [package for package in NEEDED if find_spec(package) is None]:
        raise RunError(
            f"training needs the extra `train` ({', '.join(missing)} missing): pip install 'sidequest[train]'"
        )


def require_server(params: TrainParams) -> None:
    """Raise RunError where answers are to come from a vLLM server, and trl's client for it cannot be used here."""
    if any(one.vllm_server for one in params.phases.values()) and find_spec("vllm") is None:
        raise RunError(
            "vllm_server: the trainer talks to the server through the package vllm, which is not installed here: "
            "pip install 'trl[vllm]', or take vllm_server out of the recipe"
        )


def plan_phases(project: Project, name: str, *, allow_project_code: bool = False) -> TrainParams:
    """The phases of a recipe, checked; raises RunError with what to do instead.

    To check a reward of the project's own is to run its module, which `allow_project_code` has to allow.
    """
    task = project.task
    if name not in task.train:
        there = ", ".join(task.train) or "none"
        raise RunError(f"no recipe {name!r}: there are {there}; [train.{name}] in the project file adds one")
    recipe = task.train[name]
    phases = {recipe.first: task.train[recipe.first], name: recipe} if recipe.first else {name: recipe}
    student = recipe.student or task.roles.student
    if student not in local_models(task):
        there = ", ".join(local_models(task))
        raise RunError(f"{student} is no model of this machine, and only those can be trained: use one of {there}")
    for one in phases.values():
        try:
            for reward in one.rewards if one.algorithm is not Algorithm.SFT else ():
                find_reward(reward, project.folder, allow_project_code=allow_project_code)
        except ForbiddenRewardError as error:
            raise RunError(f"{error}: `sidequest train run {name} --allow-project-code`") from None
        except RewardError as error:
            raise RunError(str(error)) from None
    return TrainParams(name=name, phases=phases, student=student, allow_project_code=allow_project_code)


def adapter_of(project: Project, connection: sqlite3.Connection, prefix: str) -> str:
    """The folder, from the project's, of the adapter that a training run has made; raises RunError."""
    found = runs.resolve(connection, prefix)
    run = runs.get(connection, found[0]) if len(found) == 1 else None
    if run is None or run.kind != KIND:
        raise RunError(f"no training run {prefix}: `sidequest train list` shows those there are")
    folder = adapter_folder(project, run)
    if not (folder / "adapter_model.safetensors").is_file():
        raise RunError(f"training run {prefix} has made no adapter yet")
    return str(folder.relative_to(project.folder))


def adapter_folder(project: Project, run: Run) -> Path:
    """Where a training run puts the adapter that it has made."""
    return project.run_folder(run.id) / "adapter"
