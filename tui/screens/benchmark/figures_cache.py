"""Figures of benchmarks for the screen, computed only now and then, and in a thread where they take long."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from textual.message import Message

from core.benchmark.answer_stream import AnswerStream
from core.benchmark.figures_cache import cached_figures
from core.benchmark.metrics import BenchmarkFigures, figures
from core.runs.control import RunStatus
from storage.database import connect
from storage.schema import RunState
from tui.screens.project_screen import ProjectScreen

# Figures that take long are computed no more often than this, and never for more than a twentieth of the time.
MIN_INTERVAL_S = 10.0
INTERVAL_FACTOR = 20

Computation = Callable[[sqlite3.Connection], object]


@dataclass(frozen=True, slots=True)
class FiguresBasis:
    """What figures are computed from: the answers of `runs` up to `cursors`; `complete` if no more will come."""

    runs: tuple[str | None, ...]
    cursors: tuple[int | None, ...]
    complete: bool


@dataclass
class ComputedFigures:
    """Figures as they were computed last, and whether they are being computed again."""

    basis: FiguresBasis | None = None
    value: object = None
    problem: str = ""
    computed_at: float = 0.0
    seconds: float = 0.0
    computing: bool = False

    def describes(self, runs: tuple[str | None, ...]) -> bool:
        """Whether these are figures of just these runs."""
        return self.basis is not None and self.basis.runs == runs


class FiguresComputed(Message):
    """The figures called `name` were computed from `basis` in `seconds`, or `problem` says why not."""

    def __init__(self, name: str, basis: FiguresBasis, value: object, seconds: float, problem: str = "") -> None:
        super().__init__()
        self.name, self.basis, self.value, self.seconds, self.problem = name, basis, value, seconds, problem


@dataclass(frozen=True, slots=True)
class _RunFigures:
    """The figures of one run up to `cursor`."""

    value: BenchmarkFigures
    cursor: int
    computed_at: float
    seconds: float


class BenchmarkFiguresCache:
    """Holds the figures that `screen` shows, and posts `FiguresComputed` to it."""

    def __init__(self, screen: ProjectScreen) -> None:
        self._screen = screen
        self._by_run: dict[str, _RunFigures] = {}
        self._by_name: dict[str, ComputedFigures] = {}
        self._pending = False

    @property
    def computing(self) -> bool:
        """Whether a thread computes figures."""
        return any(computed.computing for computed in self._by_name.values())

    def take_pending(self) -> bool:
        """Return whether figures older than their answers were returned since the last call."""
        pending, self._pending = self._pending, False
        return pending

    def figures_of(self, status: RunStatus | None, stream: AnswerStream | None) -> BenchmarkFigures | None:
        """Return the figures of a run; those of very many answers are computed only now and then.

        Until its answers are read, these are the figures stored when the run finished, or None.
        """
        if stream is None:
            return cached_figures(status.run) if status is not None and status.state is RunState.FINISHED else None
        cached = self._by_run.get(stream.run)
        now = time.monotonic()
        if cached is None or (
            cached.cursor != stream.cursor and now - cached.computed_at >= INTERVAL_FACTOR * cached.seconds
        ):
            value = figures(list(stream.answers.values()), self._screen.project.task.labels)
            cached = _RunFigures(value, stream.cursor, now, time.monotonic() - now)
            self._by_run[stream.run] = cached
        self._pending = self._pending or cached.cursor != stream.cursor
        return cached.value

    def discard(self, run: str) -> None:
        """Drop the figures of a run: its answers were read again."""
        self._by_run.pop(run, None)

    def keep_only(self, runs: set[str]) -> None:
        """Drop the figures of all other runs."""
        for run in set(self._by_run) - runs:
            del self._by_run[run]

    def compute(self, name: str, basis: FiguresBasis, computation: Computation) -> ComputedFigures:
        """Return the figures called `name` as they are so far.

        If `basis` has changed, a thread computes them again, as soon as enough time has passed since the last time.
        `computation` gets the thread's own connection to the database.
        """
        computed = self._by_name.setdefault(name, ComputedFigures())
        if computed.basis == basis:
            return computed
        self._pending = True
        interval = max(MIN_INTERVAL_S, INTERVAL_FACTOR * computed.seconds) if _only_grew(computed.basis, basis) else 0.0
        if not computed.computing and time.monotonic() - computed.computed_at >= interval:
            computed.computing = True
            work = partial(self._compute, name, basis, computation)
            self._screen.run_worker(work, thread=True, exit_on_error=False, group=name)
        return computed

    def store(self, event: FiguresComputed) -> None:
        """Keep what the thread has computed."""
        self._by_name[event.name] = ComputedFigures(
            event.basis, event.value, event.problem, time.monotonic(), event.seconds, computing=False
        )

    def _compute(self, name: str, basis: FiguresBasis, computation: Computation) -> None:
        """Compute figures; runs in a thread."""
        started_at = time.monotonic()
        value: object = None
        problem = ""
        try:
            connection = connect(self._screen.project.database)
            try:
                value = computation(connection)
            finally:
                connection.close()
        except Exception as error:  # no error may end the app: it is shown where the figures would be
            problem = str(error) or type(error).__name__
        self._screen.post_message(FiguresComputed(name, basis, value, time.monotonic() - started_at, problem))


def _only_grew(old: FiguresBasis | None, new: FiguresBasis) -> bool:
    """Whether two bases differ only in how many answers were read."""
    return old is not None and (old.runs, old.complete) == (new.runs, new.complete)
