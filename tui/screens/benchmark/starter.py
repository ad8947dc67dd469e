"""Starts a benchmark beside the app."""

from __future__ import annotations

import sqlite3
from functools import partial

from textual.message import Message

from core.benchmark.leak_check import LeakError
from core.benchmark.start import start_benchmark
from core.runs.params import BenchmarkParams
from storage.database import connect
from storage.errors import UserError
from storage.schema import Run
from tui.screens.project_screen import ProjectScreen

# A start that takes longer is announced.
SLOW_START_S = 0.2


class BenchmarkStarted(Message):
    """A benchmark of `params` was started as `run`, or `problem` says why not.

    If it was refused for `leaks`, it starts with params that allow them.
    """

    def __init__(self, params: BenchmarkParams, run: Run | None, problem: str, leaks: str = "") -> None:
        super().__init__()
        self.params, self.run, self.problem, self.leaks = params, run, problem, leaks


class BenchmarkStarter:
    """Starts benchmarks for `screen`, and posts `BenchmarkStarted` to it.

    It works in a thread, since storing the questions of many examples takes seconds.
    """

    def __init__(self, screen: ProjectScreen) -> None:
        self._screen = screen
        self._starting = False

    def start(self, params: BenchmarkParams) -> None:
        """Start a benchmark."""
        self._starting = True
        self._screen.set_timer(SLOW_START_S, self._announce)
        work = partial(self._start_in_thread, params)
        self._screen.run_worker(work, thread=True, exit_on_error=False, group="start")

    def finish(self) -> None:
        """Announce nothing any more: the benchmark has started, or could not."""
        self._starting = False

    def _announce(self) -> None:
        if self._starting:
            self._screen.tell("what is asked is being checked and written down …")

    def _start_in_thread(self, params: BenchmarkParams) -> None:
        run, problem, leaks = None, "", ""
        try:
            connection = connect(self._screen.project.database)
            try:
                run = start_benchmark(self._screen.project, connection, params)
            finally:
                connection.close()
        except LeakError as error:
            problem, leaks = str(error), error.findings
        except (UserError, sqlite3.Error) as error:
            problem = str(error)
        self._screen.post_message(BenchmarkStarted(params, run, problem, leaks))
