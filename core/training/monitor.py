"""A training run for display: its phases with their figures so far, people's notes, and its alarms."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from math import isfinite

from core.config.recipe import Recipe
from core.runs.params import TrainParams, params_of
from core.runs.progress import TrainProgress, progress_of
from core.training.plan import KIND
from storage import runs, training
from storage.schema import Run
from storage.training import Note, TrainingStep

# The figures of a phase are kept in at most this many bins, more than a terminal has columns.
MAX_BINS = 512

Points = list[tuple[int, float]]


@dataclass(slots=True)
class _Bin:
    """The sums of the figures of several steps in a row, the last of which is `step`."""

    step: int
    sums: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, step: int, sums: Iterable[tuple[str, float]], counts: dict[str, int] | None = None) -> None:
        self.step = step
        for name, value in sums:
            self.sums[name] = self.sums.get(name, 0.0) + value
            self.counts[name] = self.counts.get(name, 0) + (counts[name] if counts else 1)


class PhaseMonitor:
    """One recipe of a launch: figures as means of `size` steps in a row, the newest step, and dev evaluations."""

    def __init__(self, name: str, recipe: Recipe) -> None:
        self.name, self.recipe = name, recipe
        self.size = 1
        self.newest: TrainingStep | None = None
        self.evaluations: list[TrainingStep] = []
        self._bins: list[_Bin] = []

    @property
    def step(self) -> int:
        """The number of steps done."""
        return self.newest.step if self.newest else 0

    def latest(self, name: str) -> float | None:
        """The newest value of a figure, or None."""
        value = self.newest.figures.get(name) if self.newest else None
        return None if value is None else float(value)

    def points(self, name: str) -> Points:
        """A figure over the steps."""
        return [(bin_.step, bin_.sums[name] / bin_.counts[name]) for bin_ in self._bins if name in bin_.sums]

    def evaluation_points(self, name: str) -> Points:
        """A figure over the dev evaluations, where it is known."""
        return [
            (evaluation.step, evaluation.figures[name])
            for evaluation in self.evaluations
            if evaluation.figures.get(name) is not None
        ]

    def parts(self, prefix: str) -> dict[str, float]:
        """The newest figures whose names begin with `prefix`, by the rest of their names."""
        newest = self.newest.figures if self.newest else {}
        return {name.removeprefix(prefix): value for name, value in newest.items() if name.startswith(prefix)}

    def update(self, steps: Sequence[TrainingStep]) -> None:
        """Add new steps, oldest first."""
        for step in steps:
            bin_number = (step.step - 1) // self.size
            if not self._bins or (self._bins[-1].step - 1) // self.size != bin_number:
                self._bins.append(_Bin(step.step))
            finite = ((name, value) for name, value in step.figures.items() if value is not None and isfinite(value))
            self._bins[-1].add(step.step, finite)
            self.newest = step
            if len(self._bins) > MAX_BINS:
                self._halve()

    def _halve(self) -> None:
        self.size *= 2
        halved: list[_Bin] = []
        for bin_ in self._bins:
            if halved and (halved[-1].step - 1) // self.size == (bin_.step - 1) // self.size:
                halved[-1].add(bin_.step, bin_.sums.items(), bin_.counts)
            else:
                halved.append(bin_)
        self._bins = halved


class TrainingMonitor:
    """A training run: all its phases, also those that have no steps yet, and the notes.

    It is read by cursor, so that each update reads only what is new. Raises UnreadableRunError for a run that this
    version cannot read.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.notes: list[Note] = []
        self._begin()

    def _begin(self) -> None:
        params = params_of(self.run, TrainParams)
        self.phases = [PhaseMonitor(name, recipe) for name, recipe in params.phases.items()]

    @property
    def current(self) -> PhaseMonitor:
        """The phase that the run is working on."""
        progress = progress_of(self.run, TrainProgress)
        begun = [phase for phase in self.phases if phase.newest or phase.evaluations]
        named = [phase for phase in self.phases if phase.name == progress.phase]
        return (named or begun[-1:] or self.phases)[0]

    def phase(self, name: str) -> PhaseMonitor:
        """The phase with this name; the current one if there is none."""
        return next((candidate for candidate in self.phases if candidate.name == name), self.current)

    @property
    def alarms(self) -> list[str]:
        """The alarms so far, in words."""
        return list(progress_of(self.run, TrainProgress).alarms.values())

    def notes_of(self, phase: PhaseMonitor) -> list[Note]:
        """The notes of a phase."""
        return [note for note in self.notes if note.phase == phase.name]

    def update(self, connection: sqlite3.Connection, run: Run, limit: int) -> bool:
        """Read what is new, up to `limit` steps of each phase; returns whether that was everything.

        If steps that were read are trained again after a resume, everything is read again.
        """
        self.run = run
        if not all(
            training.unchanged(connection, run.id, phase.newest, phase.evaluations[-1] if phase.evaluations else None)
            for phase in self.phases
        ):
            self._begin()
        self.notes = training.notes(connection, run.id)
        complete = True
        for phase in self.phases:
            steps = training.steps(connection, run.id, phase=phase.name, after=phase.step, limit=limit)
            phase.update(steps)
            since = phase.evaluations[-1].step if phase.evaluations else -1
            evaluations = training.evaluations(connection, run.id, phase=phase.name, after=since, limit=limit)
            phase.evaluations += evaluations
            complete = complete and max(len(steps), len(evaluations)) < limit
        return complete


def select_run(connection: sqlite3.Connection, is_active: Callable[[Run], bool]) -> Run | None:
    """The training run to show first: the newest active one, else the newest; None if there is none."""
    all_runs = runs.of_kind(connection, KIND)
    return next((run for run in all_runs if is_active(run)), all_runs[0] if all_runs else None)
