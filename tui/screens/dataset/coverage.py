"""Coverage, over the list of Dataset: the cells and how full they are, and what the examples have in common."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, ClassVar, cast

from pydantic import ValidationError
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from core.config.project import Project
from core.curriculum.plan import CellPlan, current_plan
from core.dataset.coverage import Coverage
from core.dataset.measure import COVERAGE, command
from storage.search import query_part
from tui.actions import COVERAGE as KEYS
from tui.actions import Action, bindings
from tui.screens.dataset.measuring import Measuring, MeasuringError
from tui.text import clean, line
from tui.widgets.coverage_figures import draw_coverage
from tui.widgets.heatmap import SHELVED
from tui.widgets.keys import Keys

if TYPE_CHECKING:
    from tui.app_context import AppContext


class CoverageScreen(ModalScreen[str | None]):
    """Shows the grid of cells, and the figures of the examples that match `query`; a process of its own measures them.

    Closes with the query for the cell or the group that the person chose, or with None.
    """

    TITLE = "Coverage"
    ACTIONS: ClassVar[list[Action]] = KEYS
    BINDINGS = bindings(KEYS)

    def __init__(self, project: Project, db: sqlite3.Connection, query: str) -> None:
        super().__init__()
        self._project = project
        self._query = query
        self._cells = current_plan(project.task, db).cells
        self._coverage: Coverage | None = None
        self._problem = ""
        # The cursor: a row of the grid, or, counted on behind its last row, a group of near-duplicates.
        self._cursor = 0
        self._measuring = Measuring()

    def compose(self) -> ComposeResult:
        yield Static(id="bar")
        with VerticalScroll(id="covered"):
            yield Static(id="grid")
            yield Static(id="figures")
            yield Static(id="alike")
        yield Keys()

    def on_mount(self) -> None:
        """Draw the grid, and start to measure."""
        self.query_one("#covered").focus()
        self._draw()
        self.run_worker(self._measure(), exit_on_error=False)

    def on_unmount(self) -> None:
        """Stop measuring: nobody sees the figures."""
        self._measuring.stop()

    async def _measure(self) -> None:
        try:
            async for output_line in self._measuring.lines(command("coverage", self._project.folder, self._query)):
                self._coverage = COVERAGE.validate_json(output_line)
                self._draw()
        except MeasuringError as error:
            self._problem = f"it could not be measured: {error}"
            self._draw()
        except (ValidationError, ValueError) as error:
            self._problem = f"what was measured cannot be read: {error}"
            self._draw()

    def _draw(self) -> None:
        coverage = self._coverage
        if coverage is None:
            count = "counting …"
        elif coverage.sampled < coverage.total:
            count = f"a random {coverage.sampled:,} of {coverage.total:,}"
        else:
            count = f"{coverage.total:,} examples"
        scope = f"what matches {line(self._query, 40)}" if self._query else "all that are not rejected"
        doing = f" · {coverage.doing} …" if coverage is not None and coverage.doing else ""
        state = f" · {line(self._problem, 200)}" if self._problem else doing
        self.query_one("#bar", Static).update(Content.assemble((" Coverage ", "bold"), f" {count}, {scope}{state}"))
        width = self.app.size.width - 4
        self.query_one("#grid", Static).update(draw_grid(self._cells, self._rows(), self._cursor, width))
        self.query_one("#alike", Static).update(self._draw_groups(width))
        figures = draw_coverage(coverage, width) if coverage is not None else Content("")
        self.query_one("#figures", Static).update(figures)

    def _rows(self) -> list[tuple[str, int]]:
        """The domain and level of each row of the grid."""
        return list(dict.fromkeys((cell.domain, cell.level) for cell in self._cells))

    def _draw_groups(self, width: int) -> Content:
        """The groups of near-duplicates, a line each; nothing before they are known."""
        coverage = self._coverage
        if coverage is None or coverage.groups is None:
            return Content("")
        count = f"{coverage.groups:,} groups" if coverage.groups != 1 else "1 group"
        cut = f", the largest {len(coverage.alike)}" if coverage.groups > len(coverage.alike) else ""
        lines = [Content.styled(f"\nNEAR-DUPLICATES  {count} in one cell each{cut}", "bold $text-accent")]
        for position, group in enumerate(coverage.alike, start=len(self._rows())):
            chosen = position == self._cursor
            label = f"{'▸' if chosen else ' '} {len(group.ids):>3} alike, {group.similarity:4.0%}  "
            text = label + line(group.hypothesis, max(10, width - len(label)))
            lines.append(Content.styled(text, "reverse" if chosen else ""))
        return Content("\n").join(lines)

    def action_move(self, step: int) -> None:
        """Move the cursor to another row of the grid, or to another group."""
        groups = len(self._coverage.alike) if self._coverage is not None else 0
        rows = len(self._rows())
        self._cursor = max(0, min(self._cursor + step, rows + groups - 1))
        self._draw()
        # Two lines stand above the rows of the grid, and two above the groups.
        groups_start = self.query_one("#alike", Static).virtual_region.y + 2 - rows
        y = self._cursor + (2 if self._cursor < rows else groups_start)
        panel = self.query_one("#covered", VerticalScroll)
        if not panel.scroll_y <= y < panel.scroll_y + panel.size.height - 1:
            panel.scroll_to(y=max(0, y - panel.size.height // 2), animate=False)

    def action_edge(self, last: bool) -> None:
        """Scroll to the top, or to the end."""
        panel = self.query_one("#covered", VerticalScroll)
        panel.scroll_to(y=panel.max_scroll_y if last else 0, animate=False)

    def action_page(self, step: int) -> None:
        """Scroll a page."""
        panel = self.query_one("#covered", VerticalScroll)
        panel.scroll_relative(y=step * max(1, panel.size.height - 1), animate=False)

    def action_show(self) -> None:
        """Close, and let the list show the cell or the group under the cursor."""
        rows = self._rows()
        if self._cursor < len(rows):
            domain, level = rows[self._cursor]
            self.dismiss(f"{query_part('domain', domain)} level:{level} -status:rejected")
        elif self._coverage is not None:
            self.dismiss(query_part("id", *self._coverage.alike[self._cursor - len(rows)].ids[:MAX_IDS]))

    def action_explain_keys(self) -> None:
        """Explain the keys."""
        cast("AppContext", self.app).action_explain()

    def action_close(self) -> None:
        """Back to the list."""
        self.dismiss(None)


# A filter by ids holds no more of a group than this.
MAX_IDS = 100


def draw_grid(cells: list[CellPlan], rows: list[tuple[str, int]], cursor: int, width: int) -> Content:
    """How many examples each cell has, of those it wants; rejected ones do not count.

    `rows` are the domains and levels, a row each; the cursor is on the row at position `cursor`.
    """
    labels = list(dict.fromkeys(cell.decision for cell in cells))
    size = max(9, min(16, (width - 26) // max(1, len(labels))))
    head = "   " + f"{'domain':<14}{'level':>5}  " + "".join(f"{line(label, size - 2):>{size}}" for label in labels)
    lines = [Content.styled(f"CELLS  have/want; {SHELVED} shelved\n{head}", "bold $text-accent")]
    by_key = {(cell.domain, cell.level, cell.decision): cell for cell in cells}
    for position, (domain, level) in enumerate(rows):
        chosen = position == cursor
        label = f"{' ▸ ' if chosen else '   '}{line(domain, 14):<14}{level:>5}  "
        parts: list[tuple[str, str]] = [(label, "reverse" if chosen else "")]
        for decision in labels:
            cell = by_key[domain, level, decision]
            text = f"{cell.have:,}/{cell.want:,}" + (SHELVED if cell.shelved else " ")
            style = "$text-muted" if cell.shelved else ("$text-success" if cell.have >= cell.want else "$text-warning")
            if not cell.have and cell.want:
                style = "$text-error bold"
            parts.append((f"{clean(text):>{size}}", style))
        lines.append(Content.assemble(*parts))
    return Content("\n").join(lines)
