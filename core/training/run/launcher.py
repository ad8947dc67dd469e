"""Training in several processes, on one machine or more: `accelerate launch` starts them, the worker watches."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from core.config.project import Project
from core.config.recipe import Recipe
from core.runs.child_process import start_python
from core.runs.session import Ending, Session
from storage import runs
from storage.schema import RunState

_POLL_S = 0.2
# So long processes that were told to end may take; then they are killed.
_GRACE_S = 40.0


def launch_arguments(project: Project, run: str, name: str, recipe: Recipe) -> list[str]:
    """What `accelerate launch` is told to start for the phase `name` of a run."""
    config = ["--config_file", str(project.folder / recipe.launcher_config)] if recipe.launcher_config else []
    return [*config, *recipe.launcher_arguments, "--module", "core.entry.train_rank", run, name]


def supervise(session: Session, connection: sqlite3.Connection, name: str, recipe: Recipe) -> Ending:
    """Let several processes train the phase `name`, of which the first one tells; returns how it ended.

    They hold the other end of a pipe, and end when this process does.
    """
    folder = session.project.run_folder(session.run.id) / name
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.glob("ending.*.json"):
        file.unlink()
    stop_requested = False
    with session.delegated_progress(connection):
        launched = start_python(
            "core.entry.launch_ranks",
            *launch_arguments(session.project, session.run.id, name, recipe),
            cwd=session.project.folder,
            stdin=subprocess.PIPE,
        )
        try:
            while launched.poll() is None:
                if (
                    session.stopping and not stop_requested
                ):  # it may have been a signal, which only this process has heard
                    runs.update(connection, session.run.id, request="stop")
                    stop_requested = True
                time.sleep(_POLL_S)
        finally:
            _end(launched)
    return ending_of(read_endings(folder), launched.returncode)


def _end(launched: subprocess.Popen[bytes]) -> None:
    if launched.stdin is not None:
        launched.stdin.close()
    if launched.poll() is None:
        launched.send_signal(signal.SIGTERM)
        try:
            launched.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            launched.kill()
            launched.wait()


def write_ending(folder: Path, rank: int, ending: Ending) -> None:
    """Say how the phase ended for the process `rank`."""
    file = folder / f"ending.{rank}.json"
    partial = file.with_suffix(".part")
    partial.write_text(json.dumps({"state": ending.state.value, "reason": ending.reason}))
    partial.replace(file)


def read_endings(folder: Path) -> list[Ending]:
    """What the processes have left, the first one's first."""
    files = sorted(folder.glob("ending.*.json"), key=lambda file: int(file.name.split(".")[1]))
    records = [json.loads(file.read_text()) for file in files]
    return [Ending(RunState(record["state"]), record["reason"]) for record in records]


def ending_of(endings: Sequence[Ending], status: int) -> Ending:
    """How the phase ended, by what its processes have left and the exit status of their launcher."""
    for ending in endings:
        if ending.state is RunState.FAILED:
            return ending
    if endings and status == 0:
        return endings[0]
    return Ending(
        RunState.FAILED,
        f"a process of the training ended without a word (status {status}), and the others with it: the run's "
        "worker.log has what it said last; resume goes on from the last checkpoint",
    )
