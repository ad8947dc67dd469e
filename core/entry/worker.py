"""The process of a run: `python -m core.entry.worker RUN`, in the folder of its project."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sqlite3
import sys
import traceback
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import psutil

from core.config.project import Project, ProjectError, open_project
from core.models.environment import prepare_environment
from core.runs.session import Ending, Session
from storage import database, runs
from storage.schema import Run, RunState, now

Work = Callable[[Session], Awaitable[Ending]]


def work_of(kind: str) -> Work:
    """The work of a kind of run; imported only here, so that each worker loads no more than it needs."""
    if kind == "generate":
        from core.generation.loop import generate

        return generate
    if kind == "repair":
        from core.generation.repair.run import repair

        return repair
    if kind == "fill":
        from core.generation.fill.run import fill

        return fill
    if kind == "benchmark":
        from core.benchmark.runner import benchmark

        return benchmark
    if kind == "train":
        from core.training.run.job import train

        return train
    if kind == "curve":
        from core.training.curve.job import measure_curve

        return measure_curve
    if kind == "export":
        from core.model_export.export import export

        return export
    raise ValueError(f"no work is known for a run of kind {kind!r}")


def main(run_id: str, folder: Path) -> int:
    """Do the run's work to its end; returns the exit status."""
    prepare_environment()
    connection = database.connect(folder / "sidequest.db")
    try:
        run = _claim(connection, run_id)
        if run is None:
            print(f"run {run_id} is not waiting for a worker", file=sys.stderr)  # noqa: T201  goes to worker.log
            return 2
        try:
            ending = _work(open_project(folder), connection, run)
        except ProjectError as error:
            ending = Ending(RunState.FAILED, str(error))
        except Exception as error:
            traceback.print_exc()
            log = Path("runs") / run_id / "worker.log"
            ending = Ending(RunState.FAILED, f"{type(error).__name__}: {error} (the whole trace is in {log})")
        severity = "error" if ending.state is RunState.FAILED else "info"
        runs.log(connection, run_id, f"{ending.state}: {ending.reason}".rstrip(": "), severity=severity)
        runs.update(
            connection, run_id, state=ending.state, reason=ending.reason, request=None, ended=now(), heartbeat=now()
        )
        return 1 if ending.state is RunState.FAILED else 0
    finally:
        connection.close()


def _claim(connection: sqlite3.Connection, run_id: str) -> Run | None:
    """Make this process the worker of a queued run; None if it is not queued any more."""
    claimed = runs.move(
        connection,
        run_id,
        {RunState.QUEUED},
        RunState.RUNNING,
        pid=os.getpid(),
        pid_started=psutil.Process().create_time(),
        heartbeat=now(),
        started=now(),
        message=f"worker {os.getpid()} at work",
    )
    return runs.get(connection, run_id) if claimed else None


def _work(project: Project, connection: sqlite3.Connection, run: Run) -> Ending:
    async def run_to_end() -> Ending:
        # A full collection walks every loaded module and delays everything in flight: make it rare.
        gc.set_threshold(50_000, 20, 100)
        with Session(project, connection, run) as session:
            loop = asyncio.get_running_loop()
            # Event loops of Windows take no handlers: there a run is stopped by request alone.
            with suppress(NotImplementedError):
                for number in (signal.SIGTERM, signal.SIGINT):
                    loop.add_signal_handler(number, session.stop)
            return await work_of(run.kind)(session)

    return asyncio.run(run_to_end())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path.cwd()))
