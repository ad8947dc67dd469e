"""Accuracy by field of the steps: a table, the worst answers of a field, and what to make more of."""

from __future__ import annotations

import sqlite3
from functools import partial

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content

from core.benchmark.field_cells import WeakSpot, weak_spot
from core.benchmark.field_report import FieldMistake, FieldReport, field_report
from core.config.project import Project
from storage.schema import Run
from tui.screens.benchmark.field_figures import field_page, spot_field
from tui.screens.benchmark.figures_cache import FiguresBasis
from tui.screens.benchmark.state import BenchmarkState
from tui.text import clean
from tui.widgets.text_panel import TextPanel


class FieldsView(VerticalScroll):
    """The fields of the chosen run with a cursor, and the three worst answers of the field under it.

    A thread computes them, now and then: drawing reads nothing.
    """

    def __init__(self) -> None:
        super().__init__(id="fields-view")
        self._report: FieldReport | None = None
        # The run and the report that were drawn last, the field under the cursor ('' before there are any), and which
        # of its worst answers is chosen.
        self._run = ""
        self._field = ""
        self._chosen = 0

    def compose(self) -> ComposeResult:
        yield TextPanel(id="fields-words")

    def draw(self, state: BenchmarkState) -> None:
        """Show the fields of the chosen run."""
        role, status = state.shown.role, state.shown.chosen
        stream, text = state.streams[role], self.query_one(TextPanel)
        self._report = None
        if stream is None or status is None:
            text.show(Content("reading the answers …" if status else "no benchmark in this role"))
            return
        basis = FiguresBasis((stream.run,), (stream.cursor,), status.state.ended)
        computed = state.cache.compute("fields", basis, partial(_compute, state.project, status.run))
        if not isinstance(computed.value, FieldReport) or not computed.describes(basis.runs):
            text.show(Content(clean(computed.problem, limit=500) or "computing …"))
            return
        self._report = report = computed.value
        names = [score.field for score in report.scores]
        if (self._run != stream.run or self._field not in names) and report.weakest is not None:
            self._run, self._field, self._chosen = stream.run, report.weakest.field, 0
        self._chosen = max(0, min(self._chosen, len(report.worst.get(self._field, [])) - 1))
        width = self.screen.size.width - 2
        text.show(field_page(report, role, status, self._field, self._chosen, width))

    @property
    def example(self) -> str | None:
        """The example of the chosen answer; None if there is none."""
        mistakes = self._mistakes
        return mistakes[self._chosen].example if self._chosen < len(mistakes) else None

    @property
    def spot(self) -> WeakSpot | None:
        """Where the field goes wrong that more examples are made for; None if no field does."""
        report = self._report
        return None if report is None else weak_spot(report.cells, spot_field(report, self._field))

    def move_field(self, step: int) -> None:
        """Move the cursor by `step` fields."""
        names = [score.field for score in self._report.scores] if self._report else []
        if self._field in names:
            position = max(0, min(names.index(self._field) + step, len(names) - 1))
            self._field, self._chosen = names[position], 0

    def move_answer(self, step: int) -> None:
        """Choose another of the worst answers."""
        self._chosen = max(0, min(self._chosen + step, len(self._mistakes) - 1))

    @property
    def _mistakes(self) -> list[FieldMistake]:
        return self._report.mistakes.get(self._field, []) if self._report else []


def _compute(project: Project, run: Run, connection: sqlite3.Connection) -> FieldReport:
    """Compute the fields of a run; `connection` is the thread's own."""
    return field_report(project, connection, run)
