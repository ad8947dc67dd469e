"""Which two benchmarks the screen shows, and what its views draw from."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

from core.benchmark.answer_stream import AnswerStream
from core.benchmark.gate import Gate
from core.benchmark.metrics import BenchmarkFigures
from core.benchmark.run_choice import select_runs
from core.benchmark.start import KIND
from core.config.project import Project
from core.config.task import Task
from core.runs.control import RunStatus, run_status
from core.runs.readable import readable_of_kind
from storage import runs
from tui.screens.benchmark.figures_cache import BenchmarkFiguresCache, ComputedFigures


class ShownBenchmarks:
    """The runs on the screen by role, 'student' and 'reference', and the chosen one of the two.

    `ids` are None until there is a benchmark; `statuses` are those of the last `refresh`; `role` is the chosen one.
    """

    def __init__(self) -> None:
        self.ids: dict[str, str | None] = {"student": None, "reference": None}
        self.statuses: dict[str, RunStatus | None] = {"student": None, "reference": None}
        self.role = "student"

    @property
    def chosen(self) -> RunStatus | None:
        """The chosen run, if there is one in its role."""
        return self.statuses[self.role]

    @property
    def empty(self) -> bool:
        """Whether there is no run to show."""
        return not any(self.statuses.values())

    @property
    def active(self) -> bool:
        """Whether one of the runs has not ended yet."""
        return any(status is not None and not status.state.ended for status in self.statuses.values())

    def refresh(self, task: Task, db: sqlite3.Connection) -> None:
        """Read the two runs as they are now; where none was selected yet, select them."""
        if not any(self.ids.values()):
            benchmarks = readable_of_kind(db, KIND)
            student, reference = select_runs(task, benchmarks, lambda run: not run_status(run).state.ended)
            self.ids = {"student": student.id if student else None, "reference": reference.id if reference else None}
            self.role = "reference" if student is None and reference is not None else "student"
        for role, run_id in self.ids.items():
            run = runs.get(db, run_id) if run_id else None
            self.statuses[role] = run_status(run) if run is not None else None

    def switch(self) -> None:
        """Choose the other run."""
        self.role = other_role(self.role)

    def show_new(self, role: str, run_id: str) -> None:
        """Show a run that has just started, and choose it."""
        self.role = role
        self.ids[role] = run_id

    def assign(self, role: str, run_id: str | None) -> None:
        """Show another run, or none, in a role; a run that had the other role swaps places."""
        other = other_role(role)
        if run_id is not None and self.ids[other] == run_id:
            self.ids[other] = self.ids[role]
        self.ids[role] = run_id
        self.role = role if run_id else "student"


def other_role(role: str) -> str:
    """The role that is not `role`."""
    return "reference" if role == "student" else "student"


@dataclass(frozen=True, slots=True)
class BenchmarkState:
    """What the views draw: the runs, their answers (None where they are not read yet), their figures and the gate."""

    project: Project
    db: sqlite3.Connection
    shown: ShownBenchmarks
    streams: Mapping[str, AnswerStream | None]
    cache: BenchmarkFiguresCache
    gate: ComputedFigures

    @property
    def decided_gate(self) -> Gate | None:
        """The gate, once it is computed."""
        return self.gate.value if isinstance(self.gate.value, Gate) else None

    def figures(self, role: str) -> BenchmarkFigures | None:
        """The figures of the run in a role, if there are any yet."""
        return self.cache.figures_of(self.shown.statuses[role], self.streams[role])
