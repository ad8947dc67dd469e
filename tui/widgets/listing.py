"""A list of any length, of which only the lines in sight are read and drawn.

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
    """Lines by number. `read` gives the lines of those numbers that are there, each to be cut at the width it is given.

    The row under the cursor is marked by a sign as well as by colour.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "listing--cursor", "listing--marked", "listing--muted", "listing--found", "listing--accepted",
        "listing--rejected", "listing--warning",
    }  # fmt: skip

    class Moved(Message):
        """Another row is under the cursor, or other rows are in sight."""

    class Chosen(Message):
        """The row under the cursor was clicked a second time."""

    def __init__(self, read: Callable[[Sequence[int], int], Mapping[int, list[Part]]], id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._read = read
        self._lines: dict[int, list[Part]] = {}
        self.numbers: array[int] = array("q")
        self.cursor = 0
        # Whether the row with this number is marked.
        self.marked: Callable[[int], bool] = lambda _: False

    @property
    def chosen(self) -> int | None:
        """The number under the cursor."""
        return self.numbers[self.cursor] if self.cursor < len(self.numbers) else None

    @property
    def span(self) -> tuple[int, int]:
        """The rows in sight: the first, and the one after the last."""
        top = min(self.scroll_offset.y, max(0, len(self.numbers) - 1))
        return top, min(len(self.numbers), top + max(1, self.size.height))

    def fill(self, numbers: array[int], cursor: int) -> None:
        """Show these, with the cursor on the row at `cursor`, at the same height on the screen as it was."""
        height = self.cursor - self.scroll_offset.y
        self.numbers = numbers
        self.virtual_size = Size(0, len(numbers))
        self.cursor = max(0, min(cursor, len(numbers) - 1))
        self.scroll_to(y=max(0, self.cursor - max(0, height)), animate=False)
        self.reveal()
        self.forget()

    def extend(self, numbers: array[int]) -> None:
        """Put these behind what is there."""
        self.numbers.extend(numbers)
        self.virtual_size = Size(0, len(self.numbers))

    def forget(self) -> None:
        """Read what is in sight again."""
        self._lines.clear()
        self.refresh()

    def renew(self) -> None:
        """Read what is in sight again, and draw only the lines that have changed."""
        before = self._lines
        self._lines = self._in_sight()
        for at, number in enumerate(self._lines, self.span[0]):
            if self._lines[number] != before.get(number):
                self.refresh_line(at)

    @property
    def _room(self) -> int:
        """The cells of a row; the scroll bar has its own."""
        return self.scrollable_content_region.width

    def _in_sight(self) -> dict[int, list[Part]]:
        top, end = self.span
        wanted = self.numbers[top:end]
        found = self._read(wanted, self._room - 2)
        # One that has gone meanwhile leaves an empty line until the list is read again.
        return {one: found.get(one, [("… gone", "muted")]) for one in wanted}

    def move(self, to: int) -> None:
        """Put the cursor on the row at `to`, or as near as there is one."""
        self.cursor = max(0, min(to, len(self.numbers) - 1))
        self.reveal()
        self.refresh()
        self.post_message(self.Moved())

    def page(self, step: int) -> None:
        """Move the cursor, and what is in sight, by so many pages."""
        height = max(1, self.size.height)
        self.scroll_to(y=self.scroll_offset.y + step * height, animate=False)
        self.move(self.cursor + step * height)

    def reveal(self) -> None:
        """Scroll so far that the cursor is in sight."""
        top, height = self.scroll_offset.y, max(1, self.size.height)
        if not top <= self.cursor < top + height:
            self.scroll_to(y=self.cursor if self.cursor < top else self.cursor - height + 1, animate=False)

    def on_resize(self) -> None:
        """Lines are as long as the list is wide."""
        self.reveal()
        self.forget()
        self.post_message(self.Moved())

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Others say what is in sight."""
        super().watch_scroll_y(old_value, new_value)
        self.post_message(self.Moved())

    def on_click(self, event: events.Click) -> None:
        """Put the cursor there; a second click opens the row."""
        at = self.scroll_offset.y + event.y
        if at < len(self.numbers):
            again = at == self.cursor and event.chain > 1
            self.move(at)
            if again:
                self.post_message(self.Chosen())

    def render_line(self, y: int) -> Strip:
        """One line in sight."""
        at, width = self.scroll_offset.y + y, self._room
        if at >= len(self.numbers):
            return Strip.blank(width, self.rich_style)
        number = self.numbers[at]
        if number not in self._lines:
            self._lines = self._in_sight()
        here, marked = at == self.cursor, self.marked(number)
        base = self.get_component_rich_style("listing--marked") if marked else self.rich_style
        if here:
            base = self.get_component_rich_style("listing--cursor")
        sign = ("▸" if here else " ") + ("●" if marked else " ")
        segments = [Segment(sign, base)]
        for text, style in self._lines.get(number, []):
            partial = self.get_component_rich_style(f"listing--{style}", partial=True) if style else None
            segments.append(Segment(text, base + partial if partial and not (here and style != "found") else base))
        strip = Strip(segments, sum(cell_len(segment.text) for segment in segments))
        return strip.adjust_cell_length(width, base)
