"""A training run as it is watched: its phases with their figures so far, what people noted, and its alarms."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.training.recipe import Recipe
from core.training.start import KIND, TrainParams
from storage import runs, training
from storage.schema import Run
from storage.training import Note, Step

# So many steps of a phase are read: more than a terminal has columns.
MOST = 400


@dataclass(frozen=True, slots=True)
class Phase:
    """One recipe of a launch: its steps, thinned, and its looks at the dev split, oldest first."""

    name: str
    recipe: Recipe
    steps: list[Step]
    looks: list[Step]

    @property
    def at(self) -> int:
        """How many steps are done."""
        return self.steps[-1].step if self.steps else 0

    def now(self, name: str) -> float | None:
        """The newest of a figure; None where it is not known."""
        return self.series(name)[-1] if self.steps else None

    def series(self, name: str) -> list[float | None]:
        """A figure at each step, None where it is not known."""
        return [one.figures.get(name) for one in self.steps]

    def parts(self, prefix: str) -> dict[str, float]:
        """The newest figures whose names begin with `prefix`, by the rest of their names."""
        newest = self.steps[-1].figures if self.steps else {}
        return {name.removeprefix(prefix): value for name, value in newest.items() if name.startswith(prefix)}


@dataclass(frozen=True, slots=True)
class Watched:
    """A training run: all its phases, those that have not begun with no steps; `current` is the one it is at."""

    run: Run
    phases: list[Phase]
    current: Phase
    notes: list[Note]
    alarms: list[str]


def watch(connection: sqlite3.Connection, run: Run) -> Watched:
    """Read a training run."""
    params = TrainParams.model_validate(run.params)
    phases = [
        Phase(
            name,
            recipe,
            training.thinned(connection, run.id, name, MOST),
            training.looks(connection, run.id, phase=name),
        )
        for name, recipe in params.phases.items()
    ]
    begun = [one for one in phases if one.steps or one.looks]
    named = [one for one in phases if one.name == run.progress.get("phase")]
    current = (named or begun[-1:] or phases)[0]
    alarms = list(run.progress.get("alarms", {}).values())
    return Watched(run, phases, current, training.notes(connection, run.id), alarms)


def shown(connection: sqlite3.Connection, going: Callable[[Run], bool]) -> Run | None:
    """The training run to show first: the newest that is going on, else the newest; None if there is none."""
    every = runs.of_kind(connection, KIND)
    return next((run for run in every if going(run)), every[0] if every else None)


def change(looks: Sequence[Step], name: str) -> tuple[float | None, float | None]:
    """A figure at the first look and at the newest one; None where it is not known."""
    return (looks[0].figures.get(name), looks[-1].figures.get(name)) if looks else (None, None)
