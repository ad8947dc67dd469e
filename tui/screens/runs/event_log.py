"""The lines of a log: one row each, with a cursor; only visible lines are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from storage.schema import Event
from tui.text import line

_TIME = 9


class EventLog(ScrollView, can_focus=True):
    """Events, one a row; a message that is too long is cut."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"log--time", "log--warning", "log--error", "log--match", "log--cursor"}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "step(-1)", "Up", show=False),
        Binding("down", "step(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home", "edge(False)", "First line", show=False),
        Binding("end", "edge(True)", "Newest line", show=False),
    ]

    class Moved(Message):
        """The cursor moved, or tried to go above the first line (`beyond` is -1) or below the last (1)."""

        def __init__(self, beyond: int) -> None:
            super().__init__()
            self.beyond = beyond

    class Edge(Message):
        """The person wants to see the first lines of the whole log, or the newest."""

        def __init__(self, newest: bool) -> None:
            super().__init__()
            self.newest = newest

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self.lines: list[Event] = []
        self.cursor = 0
        self._query = ""
        # Whether this widget scrolls itself now, rather than a person's wheel or scroll bar.
        self._scrolling = False

    def update(self, lines: Sequence[Event], row: int | None, query: str) -> None:
        """Show `lines` with the cursor on `row` (None: where it is); what matches `query` stands out."""
        self.lines = list(lines)
        self._query = query.casefold()
        self.move_cursor(self.cursor if row is None else row)

    @property
    def on_last(self) -> bool:
        """Whether the cursor is on the last line."""
        return self.cursor >= len(self.lines) - 1

    @property
    def current(self) -> Event | None:
        """The line under the cursor."""
        return self.lines[self.cursor] if self.cursor < len(self.lines) else None

    def action_step(self, step: int) -> None:
        """Move the cursor by so many lines."""
        row = self.cursor + step
        self.move_cursor(row)
        self.post_message(self.Moved(-1 if row < 0 else int(row >= len(self.lines))))

    def action_page(self, pages: int) -> None:
        """Move the cursor by so many pages."""
        self.action_step(pages * max(1, self.size.height - 1))

    def action_edge(self, newest: bool) -> None:
        """Ask for the first lines of the log, or the newest."""
        self.post_message(self.Edge(newest))

    def on_resize(self) -> None:
        """Keep the cursor visible."""
        self.move_cursor(self.cursor)

    def on_click(self, event: events.Click) -> None:
        """Move the cursor to the line that was clicked."""
        if (offset := event.get_content_offset(self)) is not None:
            self.move_cursor(offset.y + self.scroll_offset.y)
            self.post_message(self.Moved(0))

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Let the cursor come along when a person scrolls, so that either end acts as for the keys."""
        super().watch_scroll_y(old_value, new_value)
        top, down = round(new_value), new_value > old_value
        if self._scrolling or top == round(old_value):
            return
        lowest = top + max(1, self.size.height) - 1
        at_end = down and top >= self.max_scroll_y
        self.cursor = max(0, len(self.lines) - 1 if at_end else min(max(self.cursor, top), lowest))
        self.refresh()
        self.post_message(self.Moved(1 if at_end else -1 if top == 0 else 0))

    def move_cursor(self, row: int) -> None:
        """Put the cursor on `row`, or as near as there is one, and keep it visible."""
        self.cursor = max(0, min(row, len(self.lines) - 1))
        self._scrolling = True
        self.virtual_size = Size(0, len(self.lines))
        self.scroll_to_region(Region(0, self.cursor, 1, 1), animate=False, force=True, immediate=True)
        self._scrolling = False
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw the visible row `y`."""
        row = y + self.scroll_offset.y
        width, base = self.scrollable_content_region.width, self.rich_style  # the scroll bar has its own cells
        if row >= len(self.lines):
            return Strip.blank(width, base)
        event = self.lines[row]
        style = base
        if event.severity in {"warning", "error"}:
            style += self.get_component_rich_style(f"log--{event.severity}", partial=True)
        time = Segment(f"{event.created.astimezone():%H:%M:%S} ", base + self.get_component_rich_style("log--time"))
        mark = {"warning": "! ", "error": "✗ "}.get(event.severity, "")
        text = line(mark + event.message, width - _TIME)
        strip = Strip([time, *self._matches(text, style)]).adjust_cell_length(width, base)
        if row == self.cursor and self.has_focus:
            strip = strip.apply_style(self.get_component_rich_style("log--cursor", partial=True))
        return strip

    def _matches(self, text: str, style: Style) -> list[Segment]:
        folded = text.casefold()
        if not self._query or len(folded) != len(text):
            return [Segment(text, style)]
        segments: list[Segment] = []
        position = 0
        while (start := folded.find(self._query, position)) >= 0:
            end = start + len(self._query)
            segments.append(Segment(text[position:start], style))
            segments.append(Segment(text[start:end], style + self.get_component_rich_style("log--match", partial=True)))
            position = end
        return [*segments, Segment(text[position:], style)]
