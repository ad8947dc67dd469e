"""The map of rejections, and beside it what the cell under the cursor holds."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.containers import Container, ScrollableContainer, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from core.curriculum.plan import CellPlan, current_plan
from core.qa.matrix import Matrix, rejection_matrix
from storage import attempts, shelves
from storage.shelves import Shelf
from tui.screens.project_screen import ProjectScreen
from tui.screens.rejections.cell_choice import CellChoice
from tui.screens.rejections.figures import cell_panel, headline
from tui.widgets.heatmap import HeatMap, axes

# From so many columns on, what a cell holds stands beside the map.
WIDE = 110
# So many of a cell's newest attempts stand beside the map.
NEWEST = 8


class RejectionMap(Container):
    """Where QA rejects: all attempts, or those at one `decision`, by domain and level."""

    def __init__(self, owner: ProjectScreen) -> None:
        super().__init__(id="map")
        self._owner = owner
        self.decision = ""
        self.shelves: list[Shelf] = []
        self._matrix = Matrix([], [])
        self._plans: list[CellPlan] = []
        self._has_data = False

    def compose(self) -> ComposeResult:
        with ScrollableContainer(id="around", can_focus=False):
            yield HeatMap(*axes(self._owner.project.task), id="heat")
        with VerticalScroll(id="beside", can_focus=False):
            yield Static(id="cell")

    @property
    def heat(self) -> HeatMap:
        """The squares with the cursor."""
        return self.query_one("#heat", HeatMap)

    @property
    def choice(self) -> CellChoice:
        """The cell under the cursor."""
        return CellChoice(*self.heat.cursor_cell, self.decision)

    @property
    def headline(self) -> Content:
        """All attempts on the map in one line."""
        return headline(self._matrix, self.decision, self._owner.size.width - 2)

    @property
    def reasons(self) -> list[str]:
        """For which reasons attempts at the cell under the cursor were rejected."""
        cell = self._matrix.cell_at(*self.heat.cursor_cell)
        return list(cell.reasons) if cell else []

    def go_to_worst(self) -> None:
        """Put the cursor on the cell that fails most, if one does."""
        worst, heat = rejection_matrix(attempts.reason_counts(self._owner.db)).worst, self.heat
        if worst is not None and worst.domain in heat.domains and worst.level in heat.levels:
            heat.cursor = (heat.domains.index(worst.domain), heat.levels.index(worst.level))

    def next_decision(self) -> None:
        """Show the attempts at the next decision; after the last one, all of them."""
        decisions = ["", *self._owner.project.task.labels]
        self.decision = decisions[(decisions.index(self.decision) + 1) % len(decisions)]

    def read(self) -> None:
        """Read the counts of all cells, and show them."""
        db, task = self._owner.db, self._owner.project.task
        self.set_class(self._owner.size.width >= WIDE, "wide")
        self._matrix = rejection_matrix(attempts.reason_counts(db), decision=self.decision or None)
        self.shelves = shelves.read_all(db)
        self._plans = [
            plan for plan in current_plan(task, db).cells if not self.decision or plan.decision == self.decision
        ]
        open_places = {(plan.domain, plan.level) for plan in self._plans if not plan.shelved}
        shelved_places = {(plan.domain, plan.level) for plan in self._plans} - open_places
        self.heat.set_axes(*axes(task))
        self.heat.update(self._matrix, shelved_places)
        self._has_data = True
        self._show_cell()

    @on(HeatMap.CellHighlighted)
    def _follow_cursor(self) -> None:
        if self._has_data:
            self._show_cell()

    def _show_cell(self) -> None:
        db, choice = self._owner.db, self.choice
        place = (choice.domain, choice.level)
        plans = [plan for plan in self._plans if (plan.domain, plan.level) == place]
        cell_shelves = [shelf for shelf in self.shelves if (shelf.domain, shelf.level) == place]
        newest = attempts.of_cell(db, *place, decision=choice.decision, limit=NEWEST)
        overruled = attempts.overruled_statuses(db, [judged.attempt.id for judged in newest])
        width = self.query_one("#beside").size.width - 2 or self._owner.size.width - 4
        panel = cell_panel(self._matrix, choice, plans, cell_shelves, newest, overruled, max(30, width))
        self._owner.show("#cell", panel)
