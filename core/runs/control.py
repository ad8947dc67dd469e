"""Runs seen from outside: their real state, and requests to pause, resume or stop them."""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import dataclass
from datetime import datetime

from storage import runs
from storage.database import BusyError, busy_timeout
from storage.errors import UserError
from storage.schema import Run, RunState, now

# A worker writes its heartbeat twice a second; a machine that swaps may miss many.
STALE_S = 3.0
# A worker that has not claimed its run by then has never started.
START_S = 30.0
# How long a request waits for the database: a worker that was frozen during a write holds it for ever.
PATIENCE_S = 3.0
# The start time of a process is exact to the kernel's clock tick.
SAME_START_S = 0.05

ACTIVE = {RunState.RUNNING, RunState.PAUSING, RunState.PAUSED, RunState.STOPPING}


class RunError(UserError):
    """The request cannot be carried out; `str()` of it says why."""


@dataclass(frozen=True, slots=True)
class RunStatus:
    """A run with the state that a person should see, and the seconds since its last sign of life."""

    run: Run
    state: RunState
    age_s: float | None


def is_alive(run: Run) -> bool:
    """Whether the run's own process exists: the pid and its start time both match."""
    if run.pid is None or run.pid_started is None:
        return False
    import psutil  # 30 ms that an app without a run at work need not spend

    with contextlib.suppress(psutil.Error):
        process = psutil.Process(run.pid)
        same_start = abs(process.create_time() - run.pid_started) <= SAME_START_S
        return same_start and process.status() != psutil.STATUS_ZOMBIE
    return False


def run_status(run: Run, time: datetime | None = None) -> RunStatus:
    """The status of the run at `time`. LOST: it should be at work, but its heartbeat is stale and its process gone."""
    time = time or now()
    age = (time - run.heartbeat).total_seconds() if run.heartbeat else None
    state = run.state
    if state in ACTIVE and (age is None or age > STALE_S) and not is_alive(run):
        state = RunState.LOST
    if state is RunState.QUEUED and (time - (run.heartbeat or run.created)).total_seconds() > START_S:
        state = RunState.LOST
    return RunStatus(run, state, age)


def visible_state(run: Run) -> RunState:
    """The state that a person should see."""
    return run_status(run).state


def require_run(connection: sqlite3.Connection, prefix: str) -> Run:
    """The one run whose id starts or ends with `prefix`; raises RunError."""
    ids = runs.resolve(connection, prefix)
    if len(ids) > 1:
        raise RunError(f"{prefix} stands for several runs: write more of its id")
    run = runs.get(connection, ids[0]) if ids else None
    if run is None:
        raise RunError(f"no run {prefix}: `sidequest runs list` shows those there are")
    return run


def pause(connection: sqlite3.Connection, run_id: str) -> str:
    """Request a run to pause; returns what happens, in words."""
    run = _require_active(connection, run_id)
    if not _request(connection, run, {RunState.RUNNING}, RunState.PAUSING, "pause"):
        return f"run {run.id[-6:]} is {visible_state(run)} already"
    return f"run {run.id[-6:]} pauses after what is in flight"


def unpause(connection: sqlite3.Connection, run_id: str) -> str:
    """Let a paused run continue, whose process still waits; returns what happens, in words."""
    run = _require_active(connection, run_id)
    if not _request(connection, run, {RunState.PAUSED, RunState.PAUSING}, run.state, None):
        return f"run {run.id[-6:]} is {visible_state(run)}: nothing to resume"
    return f"run {run.id[-6:]} goes on"


def stop(connection: sqlite3.Connection, run_id: str) -> str:
    """Request a run to stop after what is in flight; a second request kills it. Returns what happens, in words.

    A lost run, which can read no request, counts as stopped from then on.
    """
    if visible_state(_require(connection, run_id)) is RunState.LOST:
        return dismiss(connection, run_id)
    run = _require_active(connection, run_id)
    if run.state is RunState.STOPPING:
        return kill(connection, run_id)
    if not _request(connection, run, ACTIVE, RunState.STOPPING, "stop"):
        return f"run {run.id[-6:]} has ended meanwhile"
    return f"run {run.id[-6:]} stops after what is in flight; stop again to kill it"


def kill(connection: sqlite3.Connection, run_id: str) -> str:
    """End the run's process at once; what is in flight is lost. Returns what happened, in words.

    The process is killed first, and with it any lock that it has on the database. A lost run has no process, and counts
    as stopped. Raises BusyError if another process holds the database; its message says what has become of the run.
    """
    if visible_state(_require(connection, run_id)) is RunState.LOST:
        return dismiss(connection, run_id)
    run = _require_active(connection, run_id)
    was_alive = is_alive(run) and run.pid is not None
    if was_alive and run.pid is not None:
        import psutil  # as in `is_alive`

        with contextlib.suppress(psutil.NoSuchProcess):
            psutil.Process(run.pid).kill()
    try:
        ended = _mark_stopped(connection, run, ACTIVE | {RunState.QUEUED}, "killed on request")
    except BusyError:
        if not was_alive:
            raise
        raise BusyError(
            f"the process of run {run.id[-6:]} was ended, and what it had finished is kept; but another process holds "
            f"the database, so that the run could not be marked as stopped. It shows as lost until "
            f"`sidequest runs stop {run.id[-6:]}` does that, or `sidequest runs resume {run.id[-6:]}` continues it"
        ) from None
    if not ended:
        return f"run {run.id[-6:]} has ended meanwhile"
    return f"run {run.id[-6:]} was killed; what it had finished is kept"


def dismiss(connection: sqlite3.Connection, run_id: str) -> str:
    """Mark a lost run as stopped; returns what happened, in words. Raises RunError if it is not lost."""
    run = _require(connection, run_id)
    if (state := visible_state(run)) is not RunState.LOST:
        raise RunError(f"run {run.id[-6:]} is {state}, not lost")
    if not _mark_stopped(connection, run, {run.state}, "its process was gone"):
        return f"run {run.id[-6:]} was resumed or stopped meanwhile"
    return f"run {run.id[-6:]}, which was lost, counts as stopped; what it had finished is kept"


def _mark_stopped(connection: sqlite3.Connection, run: Run, sources: set[RunState], reason: str) -> bool:
    """Mark a run without a process as stopped, if it is in one of `sources`; its log says why."""
    with busy_timeout(connection, PATIENCE_S):
        return runs.move(
            connection,
            run.id,
            sources,
            RunState.STOPPED,
            message=f"stopped: {reason}; what was finished is kept, and resume continues it",
            severity="warning",
            request=None,
            reason=reason,
            ended=now(),
        )


def _request(
    connection: sqlite3.Connection, run: Run, sources: set[RunState], state: RunState, request: str | None
) -> bool:
    """Leave a request for the run's worker, if the run is in one of `sources`.

    Raises RunError if another process holds the database.
    """
    message = f"asked to {request or 'go on'}"
    try:
        with busy_timeout(connection, PATIENCE_S):
            return runs.move(connection, run.id, sources, state, message=message, request=request)
    except BusyError:
        raise RunError(
            f"run {run.id[-6:]} was not asked: something has held the database for {PATIENCE_S:.0f} s. If the run "
            f"itself hangs, `sidequest runs kill {run.id[-6:]}` ends it; what it has finished is kept"
        ) from None


def _require(connection: sqlite3.Connection, run_id: str) -> Run:
    run = runs.get(connection, run_id)
    if run is None:
        raise RunError(f"no run {run_id}")
    return run


def _require_active(connection: sqlite3.Connection, run_id: str) -> Run:
    run = _require(connection, run_id)
    state = visible_state(run)
    if state.ended:
        resume_hint = "" if state is RunState.FINISHED else f": `sidequest runs resume {run.id[-6:]}` continues it"
        raise RunError(f"run {run.id[-6:]} is {state}{resume_hint}")
    return run
