"""The models that training has made: one for each phase of a run, without any line in the project file."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from core.config.project import Project
from core.config.recipe import Recipe
from core.config.task import BASELINES, OFFLINE, LocalSettings, Task
from core.models.weights import is_trained
from core.runs.params import TrainParams, params_of
from core.runs.readable import readable_of_kind
from storage.schema import Run, RunState

# The names of models hold so many letters of the run's id, and more if two names would be the same.
_LETTERS = 6


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """The model that one phase of a training run has made.

    `name` never changes: the recipe, and the end of the run's id. `newest` says whether the recipe's name alone means
    this model too. `parent` is the trained model that it started from, '' if that is the student itself. `local` are
    the settings to ask it with: the student as it was trained, with the adapter; None if the project file has no such
    student any more.
    """

    name: str
    run: str
    phase: str
    recipe: Recipe
    student: str
    parent: str
    adapter: Path
    local: LocalSettings | None
    newest: bool = False


def local_models(task: Task) -> dict[str, LocalSettings]:
    """The models on this machine that the project file names, and the built-in one."""
    return {"smollm2-135m": OFFLINE, **task.local}


def trained_models(project: Project, connection: sqlite3.Connection) -> dict[str, TrainedModel]:
    """All trained models by name, oldest first.

    For an unfinished run, the finished phases count: their adapters are on disk. A name that the project file uses
    keeps its meaning there.
    """
    reserved = {*local_models(project.task), *project.task.models, *BASELINES}
    models: dict[str, TrainedModel] = {}
    last: dict[str, str] = {}
    newest: dict[str, str] = {}
    for run in reversed(readable_of_kind(connection, "train")):
        params = params_of(run, TrainParams)
        parent = last.get(_parent_run(params), "")
        for phase in params.phases:
            model = _phase_model(project, run, phase, parent, reserved | models.keys())
            if run.state is not RunState.FINISHED and not is_trained(project.folder / model.adapter):
                break
            models[model.name] = model
            parent = last[run.id] = newest[phase] = model.name
    for phase, name in newest.items():
        models[name] = replace(models[name], newest=phase not in reserved)
    return models


def missing_files(project: Project, model: TrainedModel) -> str:
    """What is missing of a trained model, and what to do, as a sentence; empty if nothing is."""
    if model.local is None:
        return f"its student {model.student} is not in the project file any more: put [local.{model.student}] back"
    if not is_trained(project.folder / model.adapter):
        return (
            f"its adapter is gone from {model.adapter}: put it back from a copy, or train again with "
            f"`sidequest train run {model.phase}`"
        )
    return ""


def lineage(models: dict[str, TrainedModel], model: TrainedModel) -> list[TrainedModel]:
    """The models that led to `model`, from the first that was trained to `model` itself."""
    ancestors = [model]
    while ancestors[0].parent in models:
        ancestors.insert(0, models[ancestors[0].parent])
    return ancestors


def _phase_model(project: Project, run: Run, phase: str, parent: str, reserved: Collection[str]) -> TrainedModel:
    letters = _LETTERS
    while (name := f"{phase}-{run.id[-letters:].lower()}") in reserved and letters < len(run.id):
        letters += 1
    params = params_of(run, TrainParams)
    recipe, student = params.phases[phase], params.student
    adapter = (project.run_folder(run.id) / phase / "adapter").relative_to(project.folder)
    base = local_models(project.task).get(student)
    return TrainedModel(
        name=name,
        run=run.id,
        phase=phase,
        recipe=recipe,
        student=student,
        parent=parent,
        adapter=adapter,
        local=None if base is None else _as_trained(base, recipe, adapter),
    )


def _as_trained(base: LocalSettings, recipe: Recipe, adapter: Path) -> LocalSettings:
    """The student with the precision and quantization of its training, and room for the answers that it learnt."""
    changes = {
        "adapter": adapter,
        "quantization": recipe.quantization,
        "precision": recipe.precision,
        "max_output_tokens": max(base.max_output_tokens, recipe.max_answer_tokens),
    }
    return base.model_copy(update=changes)


def _parent_run(params: TrainParams) -> str:
    """The run whose adapter training started from; '' if it started from the student."""
    folder = Path(params.start_from)
    return folder.parts[1] if len(folder.parts) > 1 else ""
