"""Reading two benchmarks beside the app: the first read of a long one, and the figures that take long."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from textual.message import Message
from textual.worker import get_current_worker

from core.benchmark.answer_stream import AnswerStream
from core.benchmark.figures_cache import cached_figures
from core.benchmark.metrics import BenchmarkFigures, figures
from core.benchmark.summary import parse_answers_again
from core.runs.control import RunStatus
from core.runs.params import BenchmarkParams, params_of
from storage import predictions
from storage.database import DatabaseError, connect
from storage.schema import Run, RunState
from tui.screens.run_control import RunControl

# So many predictions are read at a time: a tenth of a second.
PIECE = 10_000
SOON_S = 0.05
# What is new is read by the app itself up to so many: a few milliseconds.
FEW = 500
# Figures that take long are computed no more often than this, and never for more than a twentieth of the time.
RARELY_S = 10.0
SHARE = 20

Work = Callable[[sqlite3.Connection], object]


class AnswersLoaded(Message):
    """A run was read to its end so far, or `problem` kept it from that."""

    def __init__(self, run: str, live: AnswerStream | None, problem: str = "") -> None:
        super().__init__()
        self.run, self.live, self.problem = run, live, problem


class FiguresComputed(Message):
    """The figures called `name` were computed out of `basis`, in `took` seconds; or `problem` says why not."""

    def __init__(self, name: str, basis: object, value: object, took: float, problem: str = "") -> None:
        super().__init__()
        self.name, self.basis, self.value, self.took, self.problem = name, basis, value, took, problem


@dataclass
class CachedFigures:
    """Figures as they were computed last, and whether they are being computed again."""

    basis: object = None
    value: object = None
    problem: str = ""
    at: float = 0.0
    took: float = 0.0
    busy: bool = False


class BenchmarkReading(RunControl):
    """A screen on two benchmarks: what is read of them, and what is computed from it in a thread."""

    def __init__(self) -> None:
        super().__init__()
        self._lives: dict[str, AnswerStream] = {}
        self._loading: set[str] = set()
        self._unreadable: dict[str, str] = {}
        self._figures: dict[str, tuple[int, float, float, BenchmarkFigures]] = {}
        self._known: dict[str, CachedFigures] = {}
        self._behind = False

    @property
    def working(self) -> bool:
        """Whether something is being read, or computed, that is to be shown."""
        return bool(self._loading) or any(known.busy for known in self._known.values())

    def read_on(self, seen: RunStatus) -> AnswerStream | None:
        """What is known of a run's answers, with those that came since; None while it is read for the first time."""
        run, live = seen.run.id, self._lives.get(seen.run.id)
        if live is None or run in self._loading:
            if run not in self._loading and run not in self._unreadable:
                self._load(seen)
            return live
        new = predictions.prediction_figures(self.db, run, after=live.cursor, limit=FEW)
        live.update(new)
        self._behind = self._behind or len(new) == FEW
        return live

    def _load(self, seen: RunStatus) -> None:
        run = seen.run.id
        self._loading.add(run)
        read = partial(self._read, seen)
        # What the run itself says of its progress is painted first: a thread that reads takes turns with the app.
        self.set_timer(SOON_S, partial(self.run_worker, read, thread=True, exit_on_error=False, group=run))

    def _read(self, seen: RunStatus) -> None:
        """Read a run to its end; in a thread."""
        run = seen.run.id
        try:
            connection = connect(self.project.database)
        except DatabaseError as error:
            self.post_message(AnswersLoaded(run, None, str(error)))
            return
        try:
            self._hear(connection, seen.run)
            # Where an older reader had read the answers, they are read anew and then shown again.
            if seen.state.ended and parse_answers_again(self.project, connection, seen.run):
                self._hear(connection, seen.run)
        except sqlite3.Error as error:
            self.post_message(AnswersLoaded(run, None, str(error)))
        finally:
            connection.close()

    def _hear(self, connection: sqlite3.Connection, run: Run) -> None:
        worker = get_current_worker()
        samples = params_of(run, BenchmarkParams).samples
        live = AnswerStream(run.id, samples, predictions.targets(connection, run.id))
        while not worker.is_cancelled:
            found = predictions.prediction_figures(connection, run.id, after=live.cursor, limit=PIECE)
            live.update(found)
            if len(found) < PIECE:
                self.post_message(AnswersLoaded(run.id, live))
                return

    def on_answers_loaded(self, event: AnswersLoaded) -> None:
        """Show what was read."""
        self._loading.discard(event.run)
        if event.live is None:
            self._unreadable[event.run] = event.problem
            self.tell(f"the answers of run {event.run[-6:]} cannot be read: {event.problem}", error=True)
        else:
            self._lives[event.run] = event.live
            self._figures.pop(event.run, None)
        self.redraw()

    def forget(self, *, but: set[str]) -> None:
        """Keep in memory only the answers of these runs."""
        for run in set(self._lives) - but:
            del self._lives[run]
            self._figures.pop(run, None)

    def figures_of(self, seen: RunStatus | None, live: AnswerStream | None) -> BenchmarkFigures | None:
        """The figures of a run: those kept when it ended, until all is read; of very many answers only now and then."""
        if live is None:
            return cached_figures(seen.run) if seen is not None and seen.state is RunState.FINISHED else None
        cursor, at, took, found = self._figures.get(live.run, (-1, 0.0, 0.0, None))
        now = time.monotonic()
        if found is None or (cursor != live.cursor and now - at >= SHARE * took):
            found = figures(list(live.answers.values()), self.project.task.labels)
            self._figures[live.run] = (live.cursor, now, time.monotonic() - now, found)
        self._behind = self._behind or (cursor != live.cursor and self._figures[live.run][0] != live.cursor)
        return found

    def computed(self, name: str, basis: object, work: Work) -> CachedFigures:
        """The figures called `name`; where `basis` has changed, `work` computes them anew in a thread, in its time."""
        known = self._known.setdefault(name, CachedFigures())
        if known.basis == basis:
            return known
        self._behind = True
        wait = max(RARELY_S, SHARE * known.took) if _same_runs(known.basis, basis) else 0.0
        if not known.busy and time.monotonic() - known.at >= wait:
            known.busy = True
            self.run_worker(partial(self._compute, name, basis, work), thread=True, exit_on_error=False, group=name)
        return known

    def _compute(self, name: str, basis: object, work: Work) -> None:
        began = time.monotonic()
        value: Any = None
        problem = ""
        try:
            connection = connect(self.project.database)
            try:
                value = work(connection)
            finally:
                connection.close()
        except Exception as error:  # whatever it is, it must not end the app: it is said where the figures would be
            problem = str(error) or type(error).__name__
        self.post_message(FiguresComputed(name, basis, value, time.monotonic() - began, problem))

    def on_figures_computed(self, event: FiguresComputed) -> None:
        """Show what was computed."""
        self._known[event.name] = CachedFigures(
            event.basis, event.value, event.problem, time.monotonic(), event.took, busy=False
        )
        self.redraw()


def _same_runs(one: object, two: object) -> bool:
    """Whether two bases, (runs, what was heard of them, whether that is all), differ in what was heard alone."""
    return isinstance(one, tuple) and isinstance(two, tuple) and (one[0], one[-1]) == (two[0], two[-1])
