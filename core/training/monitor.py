"""A training run as it is watched: its phases with their figures so far, what people noted, and its alarms."""

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

# A phase is kept in at most so many places, more than a terminal has columns; in a longer one steps share a place.
PLACES = 512

Points = list[tuple[int, float]]


@dataclass(slots=True)
class _Place:
    """The sums of the figures of some steps in a row, the last of which is `step`."""

    step: int
    sums: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, step: int, sums: Iterable[tuple[str, float]], counts: dict[str, int] | None = None) -> None:
        self.step = step
        for name, value in sums:
            self.sums[name] = self.sums.get(name, 0.0) + value
            self.counts[name] = self.counts.get(name, 0) + (counts[name] if counts else 1)


class PhaseMonitor:
    """One recipe of a launch: its figures, each the mean of `size` steps in a row; its newest step, and its looks."""

    def __init__(self, name: str, recipe: Recipe) -> None:
        self.name, self.recipe = name, recipe
        self.size = 1
        self.newest: TrainingStep | None = None
        self.looks: list[TrainingStep] = []
        self._places: list[_Place] = []

    @property
    def at(self) -> int:
        """How many steps are done."""
        return self.newest.step if self.newest else 0

    def latest(self, name: str) -> float | None:
        """The newest of a figure; None where it is not known."""
        value = self.newest.figures.get(name) if self.newest else None
        return None if value is None else float(value)

    def points(self, name: str) -> Points:
        """A figure over the steps."""
        return [(one.step, one.sums[name] / one.counts[name]) for one in self._places if name in one.sums]

    def evaluation_points(self, name: str) -> Points:
        """A figure over the looks, where it is known."""
        return [(one.step, one.figures[name]) for one in self.looks if one.figures.get(name) is not None]

    def parts(self, prefix: str) -> dict[str, float]:
        """The newest figures whose names begin with `prefix`, by the rest of their names."""
        newest = self.newest.figures if self.newest else {}
        return {name.removeprefix(prefix): value for name, value in newest.items() if name.startswith(prefix)}

    def update(self, steps: Sequence[TrainingStep]) -> None:
        """Take new steps into account, oldest first."""
        for one in steps:
            at = (one.step - 1) // self.size
            if not self._places or (self._places[-1].step - 1) // self.size != at:
                self._places.append(_Place(one.step))
            known = ((name, value) for name, value in one.figures.items() if value is not None and isfinite(value))
            self._places[-1].add(one.step, known)
            self.newest = one
            if len(self._places) > PLACES:
                self._halve()

    def _halve(self) -> None:
        self.size *= 2
        halved: list[_Place] = []
        for one in self._places:
            if halved and (halved[-1].step - 1) // self.size == (one.step - 1) // self.size:
                halved[-1].add(one.step, one.sums.items(), one.counts)
            else:
                halved.append(one)
        self._places = halved


class TrainingMonitor:
    """A training run: all its phases, those that have not begun with no steps, and what was noted.

    It is read by cursor, so that each look costs only what is new. Raises UnreadableRunError for a run that this
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
        """The phase that the run is at."""
        progress = progress_of(self.run, TrainProgress)
        begun = [one for one in self.phases if one.newest or one.looks]
        named = [one for one in self.phases if one.name == progress.phase]
        return (named or begun[-1:] or self.phases)[0]

    def phase(self, name: str) -> PhaseMonitor:
        """The phase called so; the current one if there is none."""
        return next((one for one in self.phases if one.name == name), self.current)

    @property
    def alarms(self) -> list[str]:
        """What has gone wrong so far, in words."""
        return list(progress_of(self.run, TrainProgress).alarms.values())

    def notes_of(self, phase: PhaseMonitor) -> list[Note]:
        """The notes of a phase."""
        return [one for one in self.notes if one.phase == phase.name]

    def update(self, connection: sqlite3.Connection, run: Run, limit: int) -> bool:
        """Read what is new, up to `limit` steps of each phase; returns whether that was all.

        Where steps that were read are made again, after a resume, all is read anew.
        """
        self.run = run
        if not all(
            training.unchanged(connection, run.id, one.newest, one.looks[-1] if one.looks else None)
            for one in self.phases
        ):
            self._begin()
        self.notes = training.notes(connection, run.id)
        whole = True
        for one in self.phases:
            steps = training.steps(connection, run.id, phase=one.name, after=one.at, limit=limit)
            one.update(steps)
            since = one.looks[-1].step if one.looks else -1
            looks = training.evaluations(connection, run.id, phase=one.name, after=since, limit=limit)
            one.looks += looks
            whole = whole and max(len(steps), len(looks)) < limit
        return whole


def select_run(connection: sqlite3.Connection, going: Callable[[Run], bool]) -> Run | None:
    """The training run to show first: the newest that is going on, else the newest; None if there is none."""
    every = runs.of_kind(connection, KIND)
    return next((run for run in every if going(run)), every[0] if every else None)
