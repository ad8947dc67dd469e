"""The table after training, as a view of Training: it is computed in a thread."""

from __future__ import annotations

import sqlite3
from functools import partial
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.message import Message

from core.config.project import Project
from core.runs.control import run_status
from storage import runs
from storage.database import connect
from tui.text import content
from tui.widgets.text_panel import TextPanel

if TYPE_CHECKING:
    from core.training.comparison import ComparisonRow, ComparisonTable


class ComparisonReady(Message):
    """The table was computed, or `problem` says why it could not be."""

    def __init__(self, table: ComparisonTable | None, problem: str = "") -> None:
        super().__init__()
        self.table, self.problem = table, problem


class TrainingTableView(VerticalScroll):
    """Base, SFT and RL on the same benchmark."""

    _table: ComparisonTable | None = None

    def compose(self) -> ComposeResult:
        yield TextPanel(id="table-words")

    def show_loading(self) -> None:
        """Say that the table is being computed."""
        self.query_one(TextPanel).show(content("weighing the benchmarks …"))

    def load(self, project: Project) -> None:
        """Compute the table in a thread, since its intervals are resampled many times; then show it."""
        work = partial(self._compute, project)
        self.run_worker(work, thread=True, exclusive=True, exit_on_error=False, group="table")

    def _compute(self, project: Project) -> None:
        from core.training.comparison import comparison_table

        try:
            connection = connect(project.database)
            try:
                table = comparison_table(project, connection, [])
            finally:
                connection.close()
        except Exception as error:  # no error may end the app: the view shows it in place of the table
            self.post_message(ComparisonReady(None, str(error) or type(error).__name__))
        else:
            self.post_message(ComparisonReady(table))

    def on_comparison_ready(self, event: ComparisonReady) -> None:
        """Show the table, or the problem."""
        from tui.screens.training.comparison_table import render_table

        self._table = event.table
        text = content(event.problem, limit=1000) if event.table is None else render_table(event.table)
        self.query_one(TextPanel).show(text)

    def reload_if_measured(self, project: Project, connection: sqlite3.Connection) -> None:
        """Compute the table again if a benchmark that it waits for has ended."""
        going = [row.going for row in self._table.rows if row.going] if self._table else []
        benchmarks = (runs.get(connection, run_id) for run_id in going)
        if any(run is None or run_status(run).state.ended for run in benchmarks):
            self._table = None
            self.load(project)

    def first_missing(self) -> tuple[ComparisonTable, ComparisonRow] | None:
        """The table, and its first row that lacks a benchmark which can be started; None if there is none."""
        row = next((row for row in self._table.rows if row.command), None) if self._table else None
        return None if self._table is None or row is None else (self._table, row)
