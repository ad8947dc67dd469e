"""Lines of a log: only those in sight are drawn, one row each, with a cursor."""

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
    """Events, one a row; a longer message is cut, and Enter asks to see it whole."""

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
        """The cursor moved, or would go further than there are lines: -1 up, 1 down, 0 within them."""

        def __init__(self, beyond: int) -> None:
            super().__init__()
            self.beyond = beyond

    class Edge(Message):
        """The first line of the whole log is asked for, or the newest."""

        def __init__(self, newest: bool) -> None:
            super().__init__()
            self.newest = newest

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self.lines: list[Event] = []
        self.at = 0
        self._query = ""
        # Whether the lines are scrolled by this widget itself, not by a person's wheel or scroll bar.
        self._scrolls = False

    def update(self, lines: Sequence[Event], at: int | None, query: str) -> None:
        """Show `lines` with the cursor on row `at` (None: no other than now); what matches `query` stands out."""
        self.lines = list(lines)
        self._query = query.casefold()
        self._go(self.at if at is None else at)

    @property
    def on_last(self) -> bool:
        """Whether the cursor is on the last line."""
        return self.at >= len(self.lines) - 1

    @property
    def current(self) -> Event | None:
        """The line under the cursor."""
        return self.lines[self.at] if self.at < len(self.lines) else None

    def action_step(self, step: int) -> None:
        """Another line."""
        wanted = self.at + step
        self._go(wanted)
        self.post_message(self.Moved(-1 if wanted < 0 else int(wanted >= len(self.lines))))

    def action_page(self, pages: int) -> None:
        """A page of lines up or down."""
        self.action_step(pages * max(1, self.size.height - 1))

    def action_edge(self, newest: bool) -> None:
        """The first line of the log, or the newest."""
        self.post_message(self.Edge(newest))

    def on_resize(self) -> None:
        """Keep the cursor in sight."""
        self._go(self.at)

    def on_click(self, event: events.Click) -> None:
        """The line that is clicked."""
        if (offset := event.get_content_offset(self)) is not None:
            self._go(offset.y + self.scroll_offset.y)
            self.post_message(self.Moved(0))

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Where a person scrolls the cursor comes along, so that what it does at either end is the same."""
        super().watch_scroll_y(old_value, new_value)
        top, down = round(new_value), new_value > old_value
        if self._scrolls or top == round(old_value):
            return
        lowest = top + max(1, self.size.height) - 1
        at_end = down and top >= self.max_scroll_y
        self.at = max(0, len(self.lines) - 1 if at_end else min(max(self.at, top), lowest))
        self.refresh()
        self.post_message(self.Moved(1 if at_end else -1 if top == 0 else 0))

    def _go(self, row: int) -> None:
        self.at = max(0, min(row, len(self.lines) - 1))
        self._scrolls = True
        self.virtual_size = Size(0, len(self.lines))
        self.scroll_to_region(Region(0, self.at, 1, 1), animate=False, force=True, immediate=True)
        self._scrolls = False
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw row `y` of what is in sight."""
        row = y + self.scroll_offset.y
        width, ground = self.scrollable_content_region.width, self.rich_style  # the scroll bar has its own cells
        if row >= len(self.lines):
            return Strip.blank(width, ground)
        event = self.lines[row]
        style = ground
        if event.severity in {"warning", "error"}:
            style += self.get_component_rich_style(f"log--{event.severity}", partial=True)
        time = Segment(f"{event.created.astimezone():%H:%M:%S} ", ground + self.get_component_rich_style("log--time"))
        mark = {"warning": "! ", "error": "✗ "}.get(event.severity, "")
        text = line(mark + event.message, width - _TIME)
        drawn = Strip([time, *self._matches(text, style)]).adjust_cell_length(width, ground)
        if row == self.at and self.has_focus:
            drawn = drawn.apply_style(self.get_component_rich_style("log--cursor", partial=True))
        return drawn

    def _matches(self, text: str, style: Style) -> list[Segment]:
        folded = text.casefold()
        if not self._query or len(folded) != len(text):
            return [Segment(text, style)]
        found: list[Segment] = []
        at = 0
        while (start := folded.find(self._query, at)) >= 0:
            end = start + len(self._query)
            found.append(Segment(text[at:start], style))
            found.append(Segment(text[start:end], style + self.get_component_rich_style("log--match", partial=True)))
            at = end
        return [*found, Segment(text[at:], style)]
