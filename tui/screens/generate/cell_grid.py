"""The grid of Generate: for each domain at each level, how many examples there are of those that are wanted."""

from __future__ import annotations

from rich.text import Text
from textual.widgets import DataTable

from core.curriculum.plan import CellPlan, current_plan
from tui.screens.project_screen import ProjectScreen
from tui.text import clean, line
from tui.widgets.heatmap import SHELVED

GRID_WIDTH = 66


class CellGrid(DataTable[Text]):
    """A row for each domain, a column for each level, as wide as fits."""

    def __init__(self, owner: ProjectScreen) -> None:
        super().__init__(id="grid", cursor_type="cell", classes="panel")
        self._owner = owner
        self._plans: list[CellPlan] = []

    def on_mount(self) -> None:
        """Put the cursor on the first cell."""
        self._arrange()
        self.move_cursor(row=0, column=1)

    @property
    def place(self) -> tuple[str, int] | None:
        """The domain and level under the cursor; None beside them."""
        cursor, task = self.cursor_coordinate, self._owner.project.task
        if cursor.row >= len(task.domains) or not 1 <= cursor.column <= len(task.levels):
            return None
        return task.domains[cursor.row].name, task.levels[cursor.column - 1].level

    def read(self) -> None:
        """Read the plan, and show what has changed in it."""
        self._arrange()
        plan = current_plan(self._owner.project.task, self._owner.db)
        self._plans = plan.cells
        by_place: dict[tuple[str, int], list[CellPlan]] = {}
        for cell in plan.cells:
            by_place.setdefault((cell.domain, cell.level), []).append(cell)
        for (domain, level), cells in by_place.items():
            text = _cell_text(cells)
            if self.get_cell(domain, f"L{level}") != text:
                self.update_cell(domain, f"L{level}", text)
        legend = f" · {SHELVED} shelved" if any(cell.shelved for cell in plan.cells) else ""
        self.border_title = f"Cells: have/want · {plan.missing} of {plan.want} missing{legend}"
        self.border_subtitle = self._decisions_at_cursor()

    def on_data_table_cell_highlighted(self) -> None:
        """Say what the cell under the cursor holds."""
        self.border_subtitle = self._decisions_at_cursor()

    def _arrange(self) -> None:
        """Make rows and columns anew if the project file or the size of the screen has changed; the cursor stays."""
        task = self._owner.project.task
        domains, levels = [domain.name for domain in task.domains], [f"L{level.level}" for level in task.levels]
        widths = grid_widths(len(levels), self._owner.size.width)
        keys = ([row.value for row in self.rows], [column.value for column in self.columns])
        old_widths = [column.width for column in self.ordered_columns]
        if keys == (domains, ["domain", *levels]) and old_widths == [widths[0], *[widths[1]] * len(levels)]:
            return
        cursor = self.cursor_coordinate
        self.clear(columns=True)
        self.add_column(Text("domain"), width=widths[0], key="domain")
        for level in levels:
            self.add_column(Text(level), width=widths[1], key=level)
        for domain in domains:
            self.add_row(Text(line(domain, widths[0])), *(Text("") for _ in levels), key=domain)
        self.move_cursor(row=cursor.row, column=max(1, cursor.column))

    def _decisions_at_cursor(self) -> str:
        place = self.place
        cells = [cell for cell in self._plans if (cell.domain, cell.level) == place]
        return clean(
            "  ".join(
                f"{line(cell.decision, 12)} {cell.have}/{cell.want}{SHELVED if cell.shelved else ''}" for cell in cells
            )
        )


def _cell_text(cells: list[CellPlan]) -> Text:
    """What a square says, over its decisions: green if nothing is missing, dim if all is shelved."""
    have, want = sum(cell.have for cell in cells), sum(cell.want for cell in cells)
    if all(cell.shelved for cell in cells):
        return Text(f"{have}/{want}{SHELVED}", style="dim")
    return Text(f"{have}/{want}", style="" if any(cell.missing for cell in cells) else "green")


def grid_widths(levels: int, width: int) -> tuple[int, int]:
    """The widths of the column of domains and of one level on a screen of `width` cells.

    The border and two blanks a column go off.
    """
    room = min(width, GRID_WIDTH) - 5 - 2 * (levels + 1)
    level = max(5, min(7, (room - 9) // max(1, levels)))
    return max(6, min(14, room - levels * level)), level
