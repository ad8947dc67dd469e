"""Lists the models of a project: what and where they are, their roles, and what is missing to use them."""

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
from core.models.model_files import is_downloaded, locate_model
from core.models.packages import MissingError
from core.models.trained import TrainedModel, local_models, trained_models
from core.models.trained import missing_files as missing_of
from core.models.weights import WeightsError, check_trained, find_weights
from storage.runs import StoredCapabilities

# The packages of the extra `train`, by the names that are imported.
TRAIN_PACKAGES = ("torch", "transformers", "peft", "trl", "datasets", "bitsandbytes", "accelerate", "gguf")
INSTALL = "pip install 'sidequest[train]'"


class ModelKind(StrEnum):
    """The kinds of models."""

    ENDPOINT = "endpoint"
    LOCAL = "local"
    BASELINE = "baseline"


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """A model of the project. `problem` says what is missing to use it, and what to do; '' if nothing seems missing.

    `model` is its name at an endpoint, `capabilities` are those that are stored for the endpoint. `downloaded` is known
    for models of the hub only. `run` is the training run that made it, `also` the recipe's name if that means it too.
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
    """Endpoints, models on this machine (trained ones too) and baselines. Asks, loads and downloads nothing."""
    task, capabilities = project.task, StoredCapabilities(connection)
    endpoints = [
        RegisteredModel(
            name,
            ModelKind.ENDPOINT,
            settings.base_url,
            roles_of(task, name),
            model=settings.model,
            key_env=settings.key_env,
            capabilities=capabilities.load(settings.base_url, settings.model),
        )
        for name, settings in task.models.items()
    ]
    local = [_local(project.folder, task, name, settings) for name, settings in local_models(task).items()]
    local += [_trained(project, settings) for settings in trained_models(project, connection).values()]
    return [
        *endpoints,
        *local,
        *(RegisteredModel(name, ModelKind.BASELINE, "built in", roles_of(task, name)) for name in BASELINES),
    ]


def roles_of(task: Task, name: str) -> list[str]:
    """The roles of the model `name` in the project; it may have several."""
    return [role for role, model in task.roles if model == name]


def missing_packages(packages: Iterable[str] = TRAIN_PACKAGES) -> list[str]:
    """The packages that are not installed; none is imported."""
    return [name for name in packages if importlib.util.find_spec(name) is None]


def _local(folder: Path, task: Task, name: str, local: LocalSettings) -> RegisteredModel:
    packages = ["torch", "transformers"]
    packages += ["peft"] if local.adapter is not None else []
    packages += ["bitsandbytes"] if local.quantization != "none" else []
    not_installed = missing_packages(packages)
    problems = [_file_problem(folder, local)]
    if not_installed:
        problems.append(f"it needs {', '.join(not_installed)}: {INSTALL}")
    return RegisteredModel(
        name,
        ModelKind.LOCAL,
        _location(local),
        roles_of(task, name),
        downloaded=None if local.hub is None else is_downloaded(local.hub),
        problem="; ".join(filter(None, problems)),
        missing=not_installed,
    )


def _trained(project: Project, trained: TrainedModel) -> RegisteredModel:
    problem, also = missing_of(project, trained), trained.phase if trained.newest else ""
    if trained.local is None:
        where = str(trained.adapter)
        return RegisteredModel(trained.name, ModelKind.LOCAL, where, [], problem=problem, run=trained.run, also=also)
    registered = _local(project.folder, project.task, trained.name, trained.local)
    return replace(registered, problem=problem or registered.problem, run=trained.run, also=also)


def _file_problem(folder: Path, local: LocalSettings) -> str:
    """What is wrong with the files of a model; those of the hub are downloaded when it is asked."""
    try:
        if local.hub is None:
            find_weights(locate_model(folder, local))
        if local.adapter is not None:
            check_trained(folder / local.adapter)
    except (MissingError, WeightsError) as error:
        return str(error)
    return ""


def _location(local: LocalSettings) -> str:
    if local.path is not None:
        location = str(local.path)
    elif local.package is not None:
        location = f"package {local.package}"
    else:
        location = f"hub {local.hub}{f' at {local.revision}' if local.revision else ''}"
    return location if local.adapter is None else f"{location}, adapter {local.adapter}"
