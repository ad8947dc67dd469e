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
from core.config.task import BASELINES, Local, Task
from core.models.model_files import MissingError, downloaded, locate
from core.models.trained import Trained, locals_of, trained
from core.models.trained import missing as missing_of
from core.models.weights import WeightsError, check, check_adapter
from storage.runs import Capabilities

# What the extra `train` installs, by the names that are imported.
TRAIN = ("torch", "transformers", "peft", "trl", "datasets", "bitsandbytes", "accelerate", "gguf")
INSTALL = "pip install 'sidequest[train]'"


class Kind(StrEnum):
    """What a model is."""

    ENDPOINT = "endpoint"
    LOCAL = "local"
    BASELINE = "baseline"


@dataclass(frozen=True, slots=True)
class Listed:
    """A model of the project. `problem` says what is missing to use it, and what to do; '' if nothing is known to be.

    `model` is its name at an endpoint, `capabilities` what is remembered of that one. `downloaded` is known of models
    of the hub alone. `run` is the training run that made it, `also` the recipe's name where that stands for it, too.
    """

    name: str
    kind: Kind
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


def roster(project: Project, connection: sqlite3.Connection) -> list[Listed]:
    """Endpoints, models of this machine, trained ones too, and baselines; nothing is asked, loaded or downloaded."""
    task, capabilities = project.task, Capabilities(connection)
    endpoints = [
        Listed(
            name,
            Kind.ENDPOINT,
            one.base_url,
            roles_of(task, name),
            model=one.model,
            key_env=one.key_env,
            capabilities=capabilities.load(one.base_url, one.model),
        )
        for name, one in task.models.items()
    ]
    here = [_local(project.folder, task, name, one) for name, one in locals_of(task).items()]
    here += [_trained(project, one) for one in trained(project, connection).values()]
    return [*endpoints, *here, *(Listed(name, Kind.BASELINE, "built in", roles_of(task, name)) for name in BASELINES)]


def roles_of(task: Task, name: str) -> list[str]:
    """What the model `name` does in the project; it may be several things."""
    return [role for role, named in task.roles if named == name]


def missing(packages: Iterable[str] = TRAIN) -> list[str]:
    """Which of these packages are not installed; none is imported."""
    return [name for name in packages if importlib.util.find_spec(name) is None]


def _local(folder: Path, task: Task, name: str, local: Local) -> Listed:
    needed = ["torch", "transformers"]
    needed += ["peft"] if local.adapter is not None else []
    needed += ["bitsandbytes"] if local.quantization != "none" else []
    without = missing(needed)
    problems = [_files(folder, local)]
    if without:
        problems.append(f"it needs {', '.join(without)}: {INSTALL}")
    return Listed(
        name,
        Kind.LOCAL,
        _where(local),
        roles_of(task, name),
        downloaded=None if local.hub is None else downloaded(local.hub),
        problem="; ".join(filter(None, problems)),
        missing=without,
    )


def _trained(project: Project, one: Trained) -> Listed:
    problem, also = missing_of(project, one), one.phase if one.newest else ""
    if one.local is None:
        return Listed(one.name, Kind.LOCAL, str(one.adapter), [], problem=problem, run=one.run, also=also)
    found = _local(project.folder, project.task, one.name, one.local)
    return replace(found, problem=problem or found.problem, run=one.run, also=also)


def _files(folder: Path, local: Local) -> str:
    """What is wrong with the files of a model; those of the hub are fetched when it is asked."""
    try:
        if local.hub is None:
            check(locate(folder, local))
        if local.adapter is not None:
            check_adapter(folder / local.adapter)
    except (MissingError, WeightsError) as error:
        return str(error)
    return ""


def _where(local: Local) -> str:
    if local.path is not None:
        place = str(local.path)
    elif local.package is not None:
        place = f"package {local.package}"
    else:
        place = f"hub {local.hub}{f' at {local.revision}' if local.revision else ''}"
    return place if local.adapter is None else f"{place}, adapter {local.adapter}"
