"""Reads the answers of benchmarks for the screen: a long run first in a thread, then by cursor what is new."""

from __future__ import annotations

import sqlite3
from functools import partial

from textual.message import Message
from textual.worker import get_current_worker

from core.benchmark.answer_stream import AnswerStream
from core.benchmark.summary import parse_answers_again
from core.runs.control import RunStatus
from core.runs.params import BenchmarkParams, params_of
from storage import predictions
from storage.database import connect
from storage.errors import UserError
from storage.schema import Run
from tui.screens.project_screen import ProjectScreen

# So many predictions are read at a time: a tenth of a second.
CHUNK = 10_000
FIRST_READ_DELAY_S = 0.05
# The app itself reads up to so many new predictions: a few milliseconds.
POLL_LIMIT = 500


class AnswersLoaded(Message):
    """The answers of `run` were read up to now into `stream`, or `problem` says why not."""

    def __init__(self, run: str, stream: AnswerStream | None, problem: str = "") -> None:
        super().__init__()
        self.run, self.stream, self.problem = run, stream, problem


class AnswerLoader:
    """Holds the answers of the runs that `screen` shows, and posts `AnswersLoaded` to it."""

    def __init__(self, screen: ProjectScreen) -> None:
        self._screen = screen
        self._streams: dict[str, AnswerStream] = {}
        self._loading: set[str] = set()
        self._unreadable: set[str] = set()
        self._pending = False

    @property
    def loading(self) -> bool:
        """Whether a run is being read for the first time."""
        return bool(self._loading)

    def take_pending(self) -> bool:
        """Return whether there was more to read than was read since the last call."""
        pending, self._pending = self._pending, False
        return pending

    def read(self, status: RunStatus) -> AnswerStream | None:
        """Return the answers of a run, the newest included; None while they are read for the first time."""
        run = status.run.id
        stream = self._streams.get(run)
        if stream is None or run in self._loading:
            if run not in self._loading and run not in self._unreadable:
                self._start_loading(status)
            return stream
        new = predictions.prediction_figures(self._screen.db, run, after=stream.cursor, limit=POLL_LIMIT)
        stream.update(new)
        self._pending = self._pending or len(new) == POLL_LIMIT
        return stream

    def store(self, loaded: AnswersLoaded) -> None:
        """Keep what the thread has read, or that the run cannot be read."""
        self._loading.discard(loaded.run)
        if loaded.stream is None:
            self._unreadable.add(loaded.run)
        else:
            self._streams[loaded.run] = loaded.stream

    def keep_only(self, runs: set[str]) -> None:
        """Drop the answers of all other runs."""
        for run in set(self._streams) - runs:
            del self._streams[run]

    def _start_loading(self, status: RunStatus) -> None:
        run = status.run.id
        self._loading.add(run)
        load = partial(self._load, status)
        # The progress that the run itself reports is painted first: a thread that reads takes turns with the app.
        start = partial(self._screen.run_worker, load, thread=True, exit_on_error=False, group=run)
        self._screen.set_timer(FIRST_READ_DELAY_S, start)

    def _load(self, status: RunStatus) -> None:
        """Read a run to its end; runs in a thread."""
        run = status.run.id
        try:
            connection = connect(self._screen.project.database)
        except UserError as error:
            self._screen.post_message(AnswersLoaded(run, None, str(error)))
            return
        try:
            self._load_stream(connection, status.run)
            # Answers that an older version of the parser had read are parsed again, and then shown again.
            if status.state.ended and parse_answers_again(self._screen.project, connection, status.run):
                self._load_stream(connection, status.run)
        except sqlite3.Error as error:
            self._screen.post_message(AnswersLoaded(run, None, str(error)))
        finally:
            connection.close()

    def _load_stream(self, connection: sqlite3.Connection, run: Run) -> None:
        worker = get_current_worker()
        samples = params_of(run, BenchmarkParams).samples
        stream = AnswerStream(run.id, samples, predictions.targets(connection, run.id))
        while not worker.is_cancelled:
            chunk = predictions.prediction_figures(connection, run.id, after=stream.cursor, limit=CHUNK)
            stream.update(chunk)
            if len(chunk) < CHUNK:
                self._screen.post_message(AnswersLoaded(run.id, stream))
                return
