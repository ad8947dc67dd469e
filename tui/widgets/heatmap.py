"""A grid of domain x level that shows how many of the attempts QA rejected, as a number and as a shade."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from textual import events
from textual.app import RenderResult
from textual.content import Content
from textual.geometry import Region
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from core.config.task import Task
from core.qa.matrix import Matrix
from tui.text import line

FLAGGED, SHELVED = "!", "~"
_NAME = 14
# From this rate on, the shade of the next row; the number says the same without colour.
_SHADES = ((0.5, "bold $text on $error 60%"), (0.25, "$text on $error 35%"), (0.1, "$text on $warning 25%"))


@dataclass(frozen=True, slots=True)
class Square:
    """The text of one square of the map, and its style."""

    text: str
    style: str


def draw_square(matrix: Matrix, domain: str, level: int, *, shelved: bool) -> Square:
    """A domain at a level: rejected of all attempts, and marks if it is worse than the rest, or shelved."""
    cell = matrix.cell_at(domain, level)
    is_flagged = any((flagged.domain, flagged.level) == (domain, level) for flagged in matrix.flagged)
    marks = (FLAGGED if is_flagged else "") + (SHELVED if shelved else "")
    if cell is None:
        return Square(f"–{marks}", "$text-muted")
    style = next((style for rate, style in _SHADES if cell.rate >= rate), "" if cell.rejected else "$text-muted")
    return Square(f"{cell.rejected}/{cell.attempts}{marks}", style)


def axes(task: Task) -> tuple[list[str], list[int]]:
    """The domains and the levels of the map, in the order of the project file."""
    return [domain.name for domain in task.domains], [level.level for level in task.levels]


class HeatMap(Widget, can_focus=True):
    """The map, with a cursor."""

    class CellHighlighted(Message):
        """The cursor is on another square."""

    class CellSelected(Message):
        """The square under the cursor was clicked again."""

    # The row and the column of the square under the cursor.
    cursor: reactive[tuple[int, int]] = reactive((0, 0))

    def __init__(self, domains: Sequence[str], levels: Sequence[int], *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self.domains, self.levels = list(domains), list(levels)
        self._squares: list[list[Square]] = []
        self._width = 0

    def update(self, matrix: Matrix, shelved: Collection[tuple[str, int]]) -> None:
        """Show `matrix`; each domain and level in `shelved` is marked as set aside."""
        squares = [
            [draw_square(matrix, domain, level, shelved=(domain, level) in shelved) for level in self.levels]
            for domain in self.domains
        ]
        if squares != self._squares:
            self._squares = squares
            self._width = max(8, 2 + max(cell_len(square.text) for row in squares for square in row))
            self.styles.width = _NAME + self._width * len(self.levels)
            self.styles.height = 1 + len(self.domains)
            self.refresh(layout=True)

    def set_axes(self, domains: Sequence[str], levels: Sequence[int]) -> None:
        """Show other domains and levels; the cursor stays on its domain and level if they remain."""
        if (self.domains, self.levels) == ([*domains], [*levels]):
            return
        domain, level = self.cursor_cell
        self.domains, self.levels, self._squares = [*domains], [*levels], []
        row = self.domains.index(domain) if domain in self.domains else 0
        self.cursor = (row, self.levels.index(level) if level in self.levels else 0)

    @property
    def cursor_cell(self) -> tuple[str, int]:
        """The domain and level under the cursor."""
        return self.domains[self.cursor[0]], self.levels[self.cursor[1]]

    def move_cursor(self, rows: int, columns: int) -> None:
        """Move the cursor by so many rows and columns, as far as the map goes."""
        row = max(0, min(self.cursor[0] + rows, len(self.domains) - 1))
        column = max(0, min(self.cursor[1] + columns, len(self.levels) - 1))
        self.cursor = (row, column)

    def watch_cursor(self) -> None:
        """Scroll to the cursor, and tell others where it is."""
        if self.is_mounted and isinstance(self.parent, Widget):
            row, column = self.cursor
            region = Region(_NAME + column * self._width, 1 + row, self._width, 1)
            if row == 0:  # with the names of the levels
                region = Region(region.x, 0, region.width, 2)
            self.parent.scroll_to_region(region, animate=False)
            self.post_message(self.CellHighlighted())

    def render(self) -> RenderResult:
        """Draw the names of the levels, then a row for each domain."""
        if not self._squares:
            return Content("")
        head = [" " * _NAME, *(f"{f'L{level}':>{self._width}}" for level in self.levels)]
        parts: list[Content | str | tuple[str, str]] = [("".join(head), "bold")]
        for row, domain in enumerate(self.domains):
            style = "bold" if row == self.cursor[0] else ""
            parts.append(("\n" + _pad(line(domain, _NAME - 1), _NAME), style))
            for column, square in enumerate(self._squares[row]):
                under_cursor = (row, column) == self.cursor
                text = f"[{square.text}]" if under_cursor else f" {square.text} "
                parts.append(" " * max(0, self._width - len(text)))
                parts.append((text, f"{square.style} reverse".strip() if under_cursor else square.style))
        return Content.assemble(*parts)

    def on_click(self, event: events.Click) -> None:
        """Move the cursor to the clicked square; a click on the cursor's own square selects it."""
        row, column = event.y - 1, (event.x - _NAME) // max(1, self._width)
        if not (0 <= row < len(self.domains) and 0 <= column < len(self.levels)):
            return
        if (row, column) == self.cursor:
            self.post_message(self.CellSelected())
        else:
            self.cursor = (row, column)


def _pad(text: str, width: int) -> str:
    return text + " " * max(0, width - cell_len(text))
