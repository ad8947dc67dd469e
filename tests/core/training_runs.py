"""Training runs in a database, as a worker leaves them, for tests of what comes after."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

from core.config.project import FILE, Project, open_project
from core.config.recipe import Algorithm
from storage import runs
from storage.schema import Run, RunState, new_id


def with_student(project: Project, weights: Path, **settings: Any) -> Project:
    """The project with the model `tiny` of this machine."""
    settings_text = "\n".join(f"{name} = {json.dumps(value)}" for name, value in settings.items())
    path = project.folder / FILE
    path.write_text(f"{path.read_text()}\n[local.tiny]\npath = {json.dumps(str(weights))}\n{settings_text}\n")
    return open_project(project.folder)


def training(
    project: Project,
    db: sqlite3.Connection,
    *phases: str,
    adapter: Path | None = None,
    state: RunState = RunState.FINISHED,
    start_from: str = "",
    key: str = "",
    done: int | None = None,
    **recipe: Any,
) -> Run:
    """A run whose phases are recipes of these names, which say the algorithm, or else it is GRPO.

    The first `done` phases (all, if it is not given) left the `adapter`, or files that look like one.
    """
    named = [name if name in list(Algorithm) else Algorithm.GRPO for name in phases]
    settings_text = {
        name: {"algorithm": algorithm, "student": "tiny"} | recipe
        for name, algorithm in zip(phases, named, strict=True)
    }
    params = {"name": phases[-1], "phases": settings_text, "student": "tiny", "start_from": start_from}
    run = Run(id=key or new_id(), kind="train", state=state, params=params)
    runs.add(db, run)
    for name in phases[:done]:
        folder = project.run_folder(run.id) / name / "adapter"
        if adapter is not None:
            shutil.copytree(adapter, folder)
            continue
        folder.mkdir(parents=True)
        for file in ("adapter_model.safetensors", "adapter_config.json"):
            (folder / file).touch()
    return run
