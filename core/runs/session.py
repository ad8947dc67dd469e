"""What a worker has while it works: its project, its database, its heartbeat, and the requests of others."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from core.config.project import Project
from core.runs.progress import RunProgress, parse_progress
from storage import database, runs
from storage.schema import Run, RunState

HEARTBEAT_S = 0.5


@dataclass(frozen=True, slots=True)
class Ending:
    """How the work ended: FINISHED, STOPPED or FAILED, and why in words."""

    state: RunState
    reason: str = ""


class Session:
    """A run at work in this process.

    A thread of its own writes heartbeat and progress about twice a second, so that long steps of the work do not look
    like death, and reads requests. The work calls `proceed()` between units: it waits while the run is paused, and
    returns whether to continue.
    """

    def __init__(self, project: Project, connection: sqlite3.Connection, run: Run) -> None:
        self.project = project
        self.connection = connection
        self.run = run
        self.progress: RunProgress = parse_progress(run)
        self._request: str | None = None
        self._writes_progress = True
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        self._at_work = 0
        self._waiting = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def stopping(self) -> bool:
        """Whether the run was requested to stop."""
        return self._request == "stop"

    @property
    def paused(self) -> bool:
        """Whether all concurrent tasks wait in `proceed`."""
        return self._waiting >= self._at_work > 0

    def stop(self) -> None:
        """Request the run to stop, from within its own process (a signal)."""
        self._request = "stop"

    def log(self, message: str, *, severity: str = "info", **data: Any) -> None:
        """Append a line to the run's log."""
        runs.log(self.connection, self.run.id, message, severity=severity, **data)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Count one concurrent task; the run is paused once all of them wait in `proceed`."""
        self._at_work += 1
        try:
            yield
        finally:
            self._at_work -= 1

    async def proceed(self) -> bool:
        """Between two units: wait while the run is paused, then return whether to continue (False: stop)."""
        if self._request != "pause":
            return not self.stopping
        self._waiting += 1
        try:
            while self._request == "pause":
                if self.paused:
                    runs.move(self.connection, self.run.id, {RunState.PAUSING}, RunState.PAUSED, message="paused")
                await asyncio.sleep(0.1)
        finally:
            self._waiting -= 1
        return not self.stopping

    def requested_action(self, connection: sqlite3.Connection) -> str | None:
        """The request to work in a thread of its own, between two units: 'pause', 'stop' or None.

        After 'pause' the work must rest until the request is another.
        """
        request = self._request
        if request == "pause":
            runs.move(connection, self.run.id, {RunState.PAUSING}, RunState.PAUSED, message="paused")
        return request

    def wait(self, connection: sqlite3.Connection) -> bool:
        """Like `proceed`, for work in a thread of its own."""
        while self.requested_action(connection) == "pause":
            time.sleep(0.1)
        return not self.stopping

    @contextmanager
    def delegated_progress(self, connection: sqlite3.Connection) -> Iterator[None]:
        """Inside, another process writes the run's progress; this one only keeps it alive."""
        self._writes_progress = False
        try:
            yield
        finally:
            current = runs.get(connection, self.run.id)
            self.progress = parse_progress(current) if current else self.progress
            self._writes_progress = True

    def _beat(self) -> None:
        connection = database.connect(self.project.database)
        try:
            while True:
                # A beat that fails (a full disk, a lock held too long) is skipped; the next one may succeed.
                with suppress(sqlite3.Error):
                    self._beat_once(connection)
                if self._ended.wait(HEARTBEAT_S):
                    with suppress(sqlite3.Error):
                        self._write_progress(connection)
                    return
        finally:
            connection.close()

    def _write_progress(self, connection: sqlite3.Connection) -> None:
        if self._writes_progress:
            runs.update(connection, self.run.id, progress=self.progress)

    def _beat_once(self, connection: sqlite3.Connection) -> None:
        self._write_progress(connection)
        request = runs.beat(connection, self.run.id)
        if not self.stopping and request != self._request:
            self._request = request
            if request is None:
                sources = {RunState.PAUSED, RunState.PAUSING}
                runs.move(connection, self.run.id, sources, RunState.RUNNING, message="goes on")
