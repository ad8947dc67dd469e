"""Reading training runs beside the app: by cursor, and the first read of a long one in a thread."""

from __future__ import annotations

import sqlite3
from functools import partial

from textual.message import Message
from textual.worker import get_current_worker

from core.training.monitor import TrainingMonitor
from storage.database import DatabaseError, connect
from storage.schema import Run
from tui.screens.run_control import RunControl

# What is new is read by the app itself up to so many steps: a few milliseconds. In a thread so many at a time.
FEW, PIECE = 100, 500


class TrainingRead(Message):
    """A run was read to its end so far, or `problem` kept it from that."""

    def __init__(self, known: TrainingMonitor, problem: str = "") -> None:
        super().__init__()
        self.known, self.problem = known, problem


class TrainingReading(RunControl):
    """A screen on training runs, each of which is kept as far as it was read."""

    def __init__(self) -> None:
        super().__init__()
        self._runs: dict[str, TrainingMonitor] = {}
        self._reading: set[str] = set()
        self._unreadable: set[str] = set()

    def reading(self, run: Run) -> bool:
        """Whether a run is being read for the first time, or anew."""
        return run.id in self._reading

    def read_on(self, run: Run) -> TrainingMonitor:
        """What is known of a run, with what came since; its steps are not all there while it is being read.

        Raises UnreadableRunError for a run whose recipes cannot be read.
        """
        known = self._runs.setdefault(run.id, TrainingMonitor(run))
        known.run = run
        busy = run.id in self._reading | self._unreadable
        if not busy and not known.update(self.db, run, FEW):
            self._reading.add(run.id)
            # In a thread of its own it is read anew, so that what is drawn meanwhile does not change under way.
            self.run_worker(partial(self._read, run), thread=True, exit_on_error=False, group=run.id)
        return known

    def _read(self, run: Run) -> None:
        known, worker = TrainingMonitor(run), get_current_worker()
        try:
            connection = connect(self.project.database)
            try:
                while not (worker.is_cancelled or known.update(connection, run, PIECE)):
                    pass
            finally:
                connection.close()
        except (DatabaseError, sqlite3.Error) as error:
            self.post_message(TrainingRead(known, str(error)))
        else:
            self.post_message(TrainingRead(known))

    def on_training_read(self, event: TrainingRead) -> None:
        """Show what was read."""
        self._reading.discard(event.known.run.id)
        if event.problem:
            self._unreadable.add(event.known.run.id)
            self.tell(f"run {event.known.run.id[-6:]} cannot be read: {event.problem}", error=True)
        else:
            self._runs[event.known.run.id] = event.known
        self.redraw()

    def forget(self, *, but: set[str]) -> None:
        """Keep in memory only the figures of these runs."""
        for run in set(self._runs) - but:
            del self._runs[run]
