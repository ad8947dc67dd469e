"""A grid of domain x level: how many of its attempts QA rejected, as a number and as a shade."""

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
    """What one square of the map says."""

    text: str
    style: str


def square(matrix: Matrix, domain: str, level: int, *, shelved: bool) -> Square:
    """A domain at a level: rejected of all attempts, and marks for what is worse than the rest or set aside."""
    cell = matrix.at(domain, level)
    flagged = any((one.domain, one.level) == (domain, level) for one in matrix.flagged)
    marks = (FLAGGED if flagged else "") + (SHELVED if shelved else "")
    if cell is None:
        return Square(f"–{marks}", "$text-muted")
    style = next((style for rate, style in _SHADES if cell.rate >= rate), "" if cell.rejected else "$text-muted")
    return Square(f"{cell.rejected}/{cell.attempts}{marks}", style)


def places(task: Task) -> tuple[list[str], list[int]]:
    """The domains and the levels of the map, in the order of the project file."""
    return [one.name for one in task.domains], [one.level for one in task.levels]


class HeatMap(Widget, can_focus=True):
    """The map with a cursor. It says `Moved` when the cursor moves, and `Chosen` when its square is clicked again."""

    class Moved(Message):
        """The cursor is on another square."""

    class Chosen(Message):
        """The square under the cursor was chosen."""

    at: reactive[tuple[int, int]] = reactive((0, 0))

    def __init__(self, domains: Sequence[str], levels: Sequence[int], *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self.domains, self.levels = list(domains), list(levels)
        self._squares: list[list[Square]] = []
        self._width = 0

    def update(self, matrix: Matrix, shelved: Collection[tuple[str, int]]) -> None:
        """Show `matrix`; the places in `shelved` are marked as set aside."""
        squares = [
            [square(matrix, domain, level, shelved=(domain, level) in shelved) for level in self.levels]
            for domain in self.domains
        ]
        if squares != self._squares:
            self._squares = squares
            self._width = max(8, 2 + max(cell_len(one.text) for row in squares for one in row))
            self.styles.width = _NAME + self._width * len(self.levels)
            self.styles.height = 1 + len(self.domains)
            self.refresh(layout=True)

    def span(self, domains: Sequence[str], levels: Sequence[int]) -> None:
        """Go on with the places of a task that has changed; the cursor stays where it was, if that is still there."""
        if (self.domains, self.levels) == ([*domains], [*levels]):
            return
        domain, level = self.place
        self.domains, self.levels, self._squares = [*domains], [*levels], []
        row = self.domains.index(domain) if domain in self.domains else 0
        self.at = (row, self.levels.index(level) if level in self.levels else 0)

    @property
    def place(self) -> tuple[str, int]:
        """The domain and level under the cursor."""
        return self.domains[self.at[0]], self.levels[self.at[1]]

    def move(self, rows: int, columns: int) -> None:
        """Move the cursor, and keep it in sight."""
        row = max(0, min(self.at[0] + rows, len(self.domains) - 1))
        column = max(0, min(self.at[1] + columns, len(self.levels) - 1))
        self.at = (row, column)

    def watch_at(self) -> None:
        """Tell where the cursor is now, and bring it into sight."""
        if self.is_mounted and isinstance(self.parent, Widget):
            square = Region(_NAME + self.at[1] * self._width, 1 + self.at[0], self._width, 1)
            if self.at[0] == 0:  # with the names of the levels
                square = Region(square.x, 0, square.width, 2)
            self.parent.scroll_to_region(square, animate=False)
            self.post_message(self.Moved())

    def render(self) -> RenderResult:
        """Draw the names of the levels, then a row for each domain."""
        if not self._squares:
            return Content("")
        head = [" " * _NAME, *(f"{f'L{level}':>{self._width}}" for level in self.levels)]
        parts: list[Content | str | tuple[str, str]] = [("".join(head), "bold")]
        for row, domain in enumerate(self.domains):
            parts.append(("\n" + _padded(line(domain, _NAME - 1), _NAME), "bold" if row == self.at[0] else ""))
            for column, one in enumerate(self._squares[row]):
                cursor = (row, column) == self.at
                text = f"{'[' if cursor else ' '}{one.text}{']' if cursor else ' '}"
                parts.append(" " * max(0, self._width - len(text)))
                parts.append((text, f"{one.style} reverse".strip() if cursor else one.style))
        return Content.assemble(*parts)

    def on_click(self, event: events.Click) -> None:
        """A click moves the cursor; one on the cursor's own square chooses it."""
        row, column = event.y - 1, (event.x - _NAME) // max(1, self._width)
        if not (0 <= row < len(self.domains) and 0 <= column < len(self.levels)):
            return
        if (row, column) == self.at:
            self.post_message(self.Chosen())
        else:
            self.at = (row, column)


def _padded(text: str, width: int) -> str:
    return text + " " * max(0, width - cell_len(text))
