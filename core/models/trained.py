"""The models that training has made: each phase of a run leaves one, and no line of the project file has to name it."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from core.config.project import Project
from core.config.recipe import Recipe
from core.config.task import BASELINES, OFFLINE, LocalSettings, Task
from core.runs.params import TrainParams, params_of
from core.runs.readable import readable_of_kind
from storage.schema import Run, RunState

# So many letters of a run's id stand in the names of its models, more where two would be the same.
_LETTERS = 6


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """What one phase of a training run has made.

    `name` is its own for ever: the recipe, and the end of the run's id. `newest`: the name of the recipe alone stands
    for it, too. `parent` is the trained model that it started from, '' where that is the student itself. `local` is
    how it is asked: the student as it was trained, with the adapter; None where the project file has no such student.
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
    """The models on this machine that the project file names, and the embedded one."""
    return {"smollm2-135m": OFFLINE, **task.local}


def trained_models(project: Project, connection: sqlite3.Connection) -> dict[str, TrainedModel]:
    """All that was trained, by name, the oldest first.

    A run that is not finished counts with the phases that are: their adapters are on disk. Names of the project file
    are not taken from it.
    """
    taken = {*local_models(project.task), *project.task.models, *BASELINES}
    found: dict[str, TrainedModel] = {}
    last: dict[str, str] = {}
    newest: dict[str, str] = {}
    for run in reversed(readable_of_kind(connection, "train")):
        params = params_of(run, TrainParams)
        parent = last.get(_from(params), "")
        for phase in params.phases:
            one = _of_phase(project, run, phase, parent, taken | found.keys())
            if run.state is not RunState.FINISHED and not _complete(project.folder / one.adapter):
                break
            found[one.name] = one
            parent = last[run.id] = newest[phase] = one.name
    for phase, name in newest.items():
        found[name] = replace(found[name], newest=phase not in taken)
    return found


def missing_files(project: Project, model: TrainedModel) -> str:
    """What is not there any more of a trained model, and what to do, as a sentence; empty if it is whole."""
    if model.local is None:
        return f"its student {model.student} is not in the project file any more: put [local.{model.student}] back"
    if not _complete(project.folder / model.adapter):
        return (
            f"its adapter is gone from {model.adapter}: put it back from a copy, or train again with "
            f"`sidequest train run {model.phase}`"
        )
    return ""


def lineage(models: dict[str, TrainedModel], model: TrainedModel) -> list[TrainedModel]:
    """The models that led to `one`, from the first that was trained to itself."""
    line = [model]
    while line[0].parent in models:
        line.insert(0, models[line[0].parent])
    return line


def _of_phase(project: Project, run: Run, phase: str, parent: str, taken: Collection[str]) -> TrainedModel:
    letters = _LETTERS
    while (name := f"{phase}-{run.id[-letters:].lower()}") in taken and letters < len(run.id):
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
    """The student in the precision and quantization of its training, with room for the answers that it learnt."""
    told = {
        "adapter": adapter,
        "quantization": recipe.quantization,
        "precision": recipe.precision,
        "max_output_tokens": max(base.max_output_tokens, recipe.max_answer_tokens),
    }
    return base.model_copy(update=told)


def _from(params: TrainParams) -> str:
    """The run whose adapter a run started with; '' if it began with the student."""
    folder = Path(params.start_from)
    return folder.parts[1] if len(folder.parts) > 1 else ""


def _complete(adapter: Path) -> bool:
    """Whether an adapter is there as a whole: its configuration is written last."""
    return (adapter / "adapter_model.safetensors").is_file() and (adapter / "adapter_config.json").is_file()
