"""What a cell of a learning curve reports while it is trained."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from typing import Any

from core.runs.session import Session
from core.training.curve.cells import PlannedCell
from core.training.curve.results import finished_cells
from storage import runs, training


class CellReporter:
    """Stores what a cell measures on dev, and updates the progress of its run."""

    def __init__(
        self,
        session: Session,
        connection: sqlite3.Connection,
        cells: Sequence[PlannedCell],
        cell: PlannedCell,
        examples: int,
    ) -> None:
        self._session, self._db, self._cells, self._cell, self._examples = session, connection, cells, cell, examples
        self._began = time.perf_counter()
        self._first_step: int | None = None
        self._publish(cell=cell.title, step=0, steps=cell.steps)
        self._publish_finished()

    def log(self, message: str, *, severity: str = "info") -> None:
        """Log a line."""
        runs.log(self._db, self._session.run.id, message, severity=severity)

    def step(self, number: int, figures: dict[str, Any], answers: Sequence[dict[str, Any]]) -> None:
        """Update the progress; the figures of the steps of cells are not kept."""
        del figures, answers
        if self._first_step is None:
            self._first_step = number
        pace = (time.perf_counter() - self._began) / (number - self._first_step + 1)
        left = self._cells[self._cells.index(self._cell) + 1 :]
        mine = [cell for cell in left if cell.recipe == self._cell.recipe]
        others = list(dict.fromkeys(cell.recipe for cell in left if cell.recipe != self._cell.recipe))
        self._publish(
            step=number,
            eta_s=pace * (self._cell.steps - number + sum(cell.steps for cell in mine)),
            eta_basis=f"the steps of {self._cell.recipe} in this cell"
            + (f"; without {', '.join(others)}" if others else ""),
        )

    def evaluation(self, number: int, figures: dict[str, Any]) -> None:
        """Store a look at dev; the one after the last step finishes the cell."""
        kept = figures | {"examples": self._examples, "cell_seconds": time.perf_counter() - self._began}
        training.add_evaluation(self._db, self._session.run.id, self._cell.name, number, kept)
        if number != self._cell.steps:
            return
        right, n = figures["right"], figures["n"]
        is_last = self._cell == self._cells[-1]
        self._publish(last=self._cell.title, right=right, n=n, **({"eta_s": 0.0} if is_last else {}))
        self._publish_finished()
        self.log(f"{self._cell.title}: {right} of {n} right on dev")

    def alarm(self, name: str, sentence: str) -> None:
        """Log an alarm."""
        runs.log(self._db, self._session.run.id, f"{self._cell.title}: {sentence}", severity="warning", alarm=name)

    def requested_action(self) -> str | None:
        """The request of others to the run."""
        return self._session.requested_action(self._db)

    def stopping(self) -> bool:
        """Whether the run should stop."""
        return self._session.stopping

    def dev_accuracies(self) -> dict[int, float]:
        """The accuracies of the looks so far, by step. The student before its first step is not looked at: it is the
        same in all cells."""
        looks = training.evaluations(self._db, self._session.run.id, phase=self._cell.name)
        return {0: 0.0} | {look.step: look.figures["accuracy"] or 0.0 for look in looks}

    def _publish_finished(self) -> None:
        """Update how many cells are finished."""
        done = len(finished_cells(self._db, self._session.run.id, self._cells))
        self._publish(done=done, total=len(self._cells))

    def _publish(self, **figures: Any) -> None:
        self._session.progress = self._session.progress.model_copy(update=figures)
