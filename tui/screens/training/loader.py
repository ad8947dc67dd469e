"""Loading training runs while the app goes on: by cursor, and the first read of a long run in a thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from functools import partial

from textual.message import Message
from textual.worker import get_current_worker

from core.runs.params import UnreadableRunError
from core.training.monitor import TrainingMonitor
from storage.database import connect
from storage.errors import UserError
from storage.schema import Run
from tui.screens.project_screen import ProjectScreen

# The app itself reads up to so many new steps of a phase, which takes milliseconds; a thread reads so many at a time.
APP_STEPS, THREAD_STEPS = 100, 500


class RunLoaded(Message):
    """A thread has read a run up to its newest step, or `problem` says why it could not."""

    def __init__(self, monitor: TrainingMonitor, problem: str = "") -> None:
        super().__init__()
        self.monitor, self.problem = monitor, problem


class TrainingLoader:
    """Loads training runs for `screen`, and keeps in memory what was read of each.

    After reading in a thread it posts RunLoaded to the screen, which passes it to `accept`.
    """

    def __init__(self, screen: ProjectScreen) -> None:
        self._screen = screen
        self._monitors: dict[str, TrainingMonitor] = {}
        self._loading: set[str] = set()
        self._failed: set[str] = set()

    def is_loading(self, run: Run) -> bool:
        """Whether a thread is reading the run."""
        return run.id in self._loading

    def load(self, run: Run) -> TrainingMonitor | None:
        """Read what is new of a run, and return all that is known of it.

        Some of its steps are missing while `is_loading`. Returns None if the recipes of the run cannot be read, because
        another version of this program has made it.
        """
        try:
            monitor = self._monitors.setdefault(run.id, TrainingMonitor(run))
            monitor.run = run
            up_to_date = (
                self.is_loading(run) or run.id in self._failed or monitor.update(self._screen.db, run, APP_STEPS)
            )
        except UnreadableRunError:
            return None
        if not up_to_date:
            self._loading.add(run.id)
            # The thread fills a monitor of its own: what the screen draws meanwhile must not change under it.
            self._screen.run_worker(partial(self._load_all, run), thread=True, exit_on_error=False, group=run.id)
        return monitor

    def _load_all(self, run: Run) -> None:
        monitor, worker = TrainingMonitor(run), get_current_worker()
        try:
            connection = connect(self._screen.project.database)
            try:
                while not (worker.is_cancelled or monitor.update(connection, run, THREAD_STEPS)):
                    pass
            finally:
                connection.close()
        except (UserError, sqlite3.Error) as error:
            self._screen.post_message(RunLoaded(monitor, str(error)))
        else:
            self._screen.post_message(RunLoaded(monitor))

    def accept(self, event: RunLoaded) -> None:
        """Keep what a thread has read; do not try a run again that could not be read."""
        run_id = event.monitor.run.id
        self._loading.discard(run_id)
        if event.problem:
            self._failed.add(run_id)
        else:
            self._monitors[run_id] = event.monitor

    def keep_only(self, run_ids: Collection[str]) -> None:
        """Forget what was read of all other runs."""
        for run_id in set(self._monitors).difference(run_ids):
            del self._monitors[run_id]
