"""A list of any length that reads and draws only the visible lines.

A table that measures its cells is too slow for 100,000 rows: here a row costs nothing until it is seen.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

# A piece of a line: its text, which is clean, and the name of its style ('' for none).
Part = tuple[str, str]


class Listing(ScrollView, can_focus=True):
    """Rows, each with a number that says what it shows.

    `read` takes the numbers of the visible rows and a width in cells. It returns their lines by number, cut at that
    width, and leaves out what is gone. The row under the cursor has a sign as well as a colour.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "listing--cursor", "listing--marked", "listing--muted", "listing--found", "listing--accepted",
        "listing--rejected", "listing--warning",
    }  # fmt: skip

    class ViewChanged(Message):
        """The cursor is on another row, or other rows are visible."""

    class RowSelected(Message):
        """The row under the cursor was clicked a second time."""

    def __init__(self, read: Callable[[Sequence[int], int], Mapping[int, list[Part]]], id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._read = read
        self._lines: dict[int, list[Part]] = {}
        self.numbers: array[int] = array("q")
        # The position of the row under the cursor.
        self.cursor = 0
        # Whether the row with this number is marked.
        self.is_marked: Callable[[int], bool] = lambda _: False

    @property
    def cursor_number(self) -> int | None:
        """The number of the row under the cursor; None if there are no rows."""
        return self.numbers[self.cursor] if self.cursor < len(self.numbers) else None

    @property
    def visible_rows(self) -> tuple[int, int]:
        """The positions of the first visible row, and of the first one below."""
        top = min(self.scroll_offset.y, max(0, len(self.numbers) - 1))
        return top, min(len(self.numbers), top + max(1, self.size.height))

    def fill(self, numbers: array[int], cursor: int) -> None:
        """Show rows with these numbers, with the cursor on row `cursor`, as far down on the screen as it was."""
        height = self.cursor - self.scroll_offset.y
        self.numbers = numbers
        self.virtual_size = Size(0, len(numbers))
        self.cursor = max(0, min(cursor, len(numbers) - 1))
        self.scroll_to(y=max(0, self.cursor - max(0, height)), animate=False)
        self.scroll_to_cursor()
        self.reload()

    def extend(self, numbers: array[int]) -> None:
        """Add rows at the end."""
        self.numbers.extend(numbers)
        self.virtual_size = Size(0, len(self.numbers))

    def reload(self) -> None:
        """Read the visible rows again, and draw all of them."""
        self._lines.clear()
        self.refresh()

    def refresh_changed(self) -> None:
        """Read the visible rows again, and draw only those that have changed."""
        before = self._lines
        self._lines = self._read_visible()
        for row, number in enumerate(self._lines, self.visible_rows[0]):
            if self._lines[number] != before.get(number):
                self.refresh_line(row)

    @property
    def _row_width(self) -> int:
        """The cells of a row; the scroll bar has its own."""
        return self.scrollable_content_region.width

    def _read_visible(self) -> dict[int, list[Part]]:
        top, end = self.visible_rows
        numbers = self.numbers[top:end]
        lines = self._read(numbers, self._row_width - 2)
        # What has gone meanwhile leaves an empty line until the list is read again.
        return {number: lines.get(number, [("… gone", "muted")]) for number in numbers}

    def move_cursor(self, row: int) -> None:
        """Put the cursor on this row, or on the nearest one that there is."""
        self.cursor = max(0, min(row, len(self.numbers) - 1))
        self.scroll_to_cursor()
        self.refresh()
        self.post_message(self.ViewChanged())

    def move_pages(self, pages: int) -> None:
        """Scroll by `pages`, and move the cursor with the rows."""
        height = max(1, self.size.height)
        self.scroll_to(y=self.scroll_offset.y + pages * height, animate=False)
        self.move_cursor(self.cursor + pages * height)

    def scroll_to_cursor(self) -> None:
        """Scroll just so far that the cursor is visible."""
        top, height = self.scroll_offset.y, max(1, self.size.height)
        if not top <= self.cursor < top + height:
            self.scroll_to(y=self.cursor if self.cursor < top else self.cursor - height + 1, animate=False)

    def on_resize(self) -> None:
        """Lines are as long as the list is wide."""
        self.scroll_to_cursor()
        self.reload()
        self.post_message(self.ViewChanged())

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Tell others that other rows are visible."""
        super().watch_scroll_y(old_value, new_value)
        self.post_message(self.ViewChanged())

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the row; a second click selects it."""
        row = self.scroll_offset.y + event.y
        if row < len(self.numbers):
            selected = row == self.cursor and event.chain > 1
            self.move_cursor(row)
            if selected:
                self.post_message(self.RowSelected())

    def render_line(self, y: int) -> Strip:
        """Draw the row that is `y` lines below the top."""
        row, width = self.scroll_offset.y + y, self._row_width
        if row >= len(self.numbers):
            return Strip.blank(width, self.rich_style)
        number = self.numbers[row]
        if number not in self._lines:
            self._lines = self._read_visible()
        under_cursor, marked = row == self.cursor, self.is_marked(number)
        base = self.get_component_rich_style("listing--marked") if marked else self.rich_style
        if under_cursor:
            base = self.get_component_rich_style("listing--cursor")
        signs = ("▸" if under_cursor else " ") + ("●" if marked else " ")
        segments = [Segment(signs, base)]
        for text, name in self._lines.get(number, []):
            style = self.get_component_rich_style(f"listing--{name}", partial=True) if name else None
            # Under the cursor only matches keep a style of their own.
            segments.append(Segment(text, base + style if style and not (under_cursor and name != "found") else base))
        strip = Strip(segments, sum(cell_len(segment.text) for segment in segments))
        return strip.adjust_cell_length(width, base)
