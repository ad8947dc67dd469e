"""Starting workers: a process of its own for each run, that outlives whoever started it."""

from __future__ import annotations

import sqlite3
import subprocess
from typing import Any

from core.config.project import Project
from core.runs.child_process import start_python
from core.runs.control import RunError, run_status, unpause
from storage import runs
from storage.schema import Run, RunState, now

# Runs of these kinds do not work beside those of the kinds behind them: they would fill the same slots, or share a
# processor that one fills.
ALONE = {"generate": {"generate"}, "train": {"train", "curve"}, "curve": {"train", "curve"}}


def launch(project: Project, connection: sqlite3.Connection, kind: str, params: dict[str, Any]) -> Run:
    """Make a run of `kind` with `params` and start its worker; raises RunError if that cannot be started."""
    run = Run(kind=kind, params=params)
    runs.add(connection, run)
    spawn(project, connection, run.id)
    return run


def resume(project: Project, connection: sqlite3.Connection, run_id: str) -> str:
    """Continue a run that is paused, stopped, failed or lost; returns what happens in words. Raises RunError."""
    run = runs.get(connection, run_id)
    if run is None:
        raise RunError(f"no run {run_id}")
    state = run_status(run).state
    if state in {RunState.PAUSED, RunState.PAUSING}:
        return unpause(connection, run_id)
    if state not in {RunState.STOPPED, RunState.FAILED, RunState.LOST}:
        raise RunError(f"run {run_id[-6:]} is {state}: there is nothing to resume")
    if run.kind in ALONE:
        refuse_second(connection, run.kind)
    cleared: dict[str, Any] = {"request": None, "reason": "", "ended": None, "pid": None, "heartbeat": now()}
    if not runs.move(connection, run_id, {run.state}, RunState.QUEUED, message="asked to go on", **cleared):
        raise RunError(f"run {run_id[-6:]} was resumed by someone else meanwhile")
    spawn(project, connection, run_id)
    return f"run {run_id[-6:]} goes on from where it was"


def refuse_second(connection: sqlite3.Connection, kind: str) -> None:
    """Raise RunError if a run is at work that none of `kind` may work beside."""
    for run in runs.newest(connection):
        if run.kind in ALONE[kind] and not run_status(run).state.ended:
            raise RunError(
                f"{run.kind} run {run.id[-6:]} is {run_status(run).state}: watch it with `sidequest`, "
                f"or end it with `sidequest runs stop {run.id[-6:]}`"
            )


def spawn(project: Project, connection: sqlite3.Connection, run_id: str) -> None:
    """Start the worker of a queued run; where none can be started the run has failed, and does not wait for ever."""
    try:
        _open(project, run_id)
    except OSError as error:
        reason = f"its worker could not be started: {error.strerror or error}"
        runs.move(
            connection,
            run_id,
            {RunState.QUEUED},
            RunState.FAILED,
            message=f"failed: {reason}",
            severity="error",
            reason=reason,
            ended=now(),
        )
        raise RunError(f"run {run_id[-6:]}: {reason}; resume it when that is mended") from None


def _open(project: Project, run_id: str) -> None:
    folder = project.run_folder(run_id)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "worker.log").open("ab") as log:
        start_python(
            "core.entry.worker",
            run_id,
            cwd=project.folder,
            stdin=subprocess.DEVNULL,
            output=log,
            start_new_session=True,
        )
