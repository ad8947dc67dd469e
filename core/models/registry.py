"""The models that a project knows: what they are, where, for which roles, and what is missing to use them."""

from __future__ import annotations

import importlib.util
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from core.config.project import Project
from core.config.task import BASELINES, LocalSettings, Task
from core.models.model_files import MissingError, is_downloaded, locate_model
from core.models.trained import TrainedModel, local_models, trained_models
from core.models.trained import missing_files as missing_of
from core.models.weights import WeightsError, check_adapter, find_weights
from storage.runs import StoredCapabilities

# What the extra `train` installs, by the names that are imported.
TRAIN_PACKAGES = ("torch", "transformers", "peft", "trl", "datasets", "bitsandbytes", "accelerate", "gguf")
INSTALL = "pip install 'sidequest[train]'"


class ModelKind(StrEnum):
    """What a model is."""

    ENDPOINT = "endpoint"
    LOCAL = "local"
    BASELINE = "baseline"


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """A model of the project. `problem` says what is missing to use it, and what to do; '' if nothing is known to be.

    `model` is its name at an endpoint, `capabilities` what is remembered of that one. `downloaded` is known of models
    of the hub alone. `run` is the training run that made it, `also` the recipe's name where that stands for it, too.
    """

    name: str
    kind: ModelKind
    where: str
    roles: list[str]
    model: str = ""
    key_env: str = ""
    capabilities: dict[str, Any] | None = None
    downloaded: bool | None = None
    problem: str = ""
    missing: list[str] = field(default_factory=list)
    run: str = ""
    also: str = ""


def registered_models(project: Project, connection: sqlite3.Connection) -> list[RegisteredModel]:
    """Endpoints, models of this machine, trained ones too, and baselines; nothing is asked, loaded or downloaded."""
    task, capabilities = project.task, StoredCapabilities(connection)
    endpoints = [
        RegisteredModel(
            name,
            ModelKind.ENDPOINT,
            one.base_url,
            roles_of(task, name),
            model=one.model,
            key_env=one.key_env,
            capabilities=capabilities.load(one.base_url, one.model),
        )
        for name, one in task.models.items()
    ]
    here = [_local(project.folder, task, name, one) for name, one in local_models(task).items()]
    here += [_trained(project, one) for one in trained_models(project, connection).values()]
    return [
        *endpoints,
        *here,
        *(RegisteredModel(name, ModelKind.BASELINE, "built in", roles_of(task, name)) for name in BASELINES),
    ]


def roles_of(task: Task, name: str) -> list[str]:
    """What the model `name` does in the project; it may be several things."""
    return [role for role, named in task.roles if named == name]


def missing_packages(packages: Iterable[str] = TRAIN_PACKAGES) -> list[str]:
    """Which of these packages are not installed; none is imported."""
    return [name for name in packages if importlib.util.find_spec(name) is None]


def _local(folder: Path, task: Task, name: str, local: LocalSettings) -> RegisteredModel:
    needed = ["torch", "transformers"]
    needed += ["peft"] if local.adapter is not None else []
    needed += ["bitsandbytes"] if local.quantization != "none" else []
    without = missing_packages(needed)
    problems = [_files(folder, local)]
    if without:
        problems.append(f"it needs {', '.join(without)}: {INSTALL}")
    return RegisteredModel(
        name,
        ModelKind.LOCAL,
        _where(local),
        roles_of(task, name),
        downloaded=None if local.hub is None else is_downloaded(local.hub),
        problem="; ".join(filter(None, problems)),
        missing=without,
    )


def _trained(project: Project, one: TrainedModel) -> RegisteredModel:
    problem, also = missing_of(project, one), one.phase if one.newest else ""
    if one.local is None:
        return RegisteredModel(one.name, ModelKind.LOCAL, str(one.adapter), [], problem=problem, run=one.run, also=also)
    found = _local(project.folder, project.task, one.name, one.local)
    return replace(found, problem=problem or found.problem, run=one.run, also=also)


def _files(folder: Path, local: LocalSettings) -> str:
    """What is wrong with the files of a model; those of the hub are fetched when it is asked."""
    try:
        if local.hub is None:
            find_weights(locate_model(folder, local))
        if local.adapter is not None:
            check_adapter(folder / local.adapter)
    except (MissingError, WeightsError) as error:
        return str(error)
    return ""


def _where(local: LocalSettings) -> str:
    if local.path is not None:
        place = str(local.path)
    elif local.package is not None:
        place = f"package {local.package}"
    else:
        place = f"hub {local.hub}{f' at {local.revision}' if local.revision else ''}"
    return place if local.adapter is None else f"{place}, adapter {local.adapter}"
