"""Lines of a log: only those in sight are drawn, one row each, with a cursor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from storage.schema import Event
from tui.text import line

_TIME = 9


class Log(ScrollView, can_focus=True):
    """Events, one a row; a longer message is cut, and Enter asks to see it whole."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"log--time", "log--warning", "log--error", "log--match", "log--cursor"}
    BINDINGS: ClassVar[list[BindingType]] = [
        ("up", "step(-1)", "Up"),
        ("down", "step(1)", "Down"),
        ("pageup", "page(-1)", "Page up"),
        ("pagedown", "page(1)", "Page down"),
        ("home", "step(-1000000000)", "First line"),
        ("end", "step(1000000000)", "Newest line"),
    ]

    class Moved(Message):
        """The cursor moved, or would go further than there are lines: -1 up, 1 down, 0 within them."""

        def __init__(self, beyond: int) -> None:
            super().__init__()
            self.beyond = beyond

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self.lines: list[Event] = []
        self.at = 0
        self._query = ""

    def update(self, lines: Sequence[Event], at: int | None, query: str) -> None:
        """Show `lines` with the cursor on row `at` (None: no other than now); what matches `query` stands out."""
        self.lines = list(lines)
        self._query = query.casefold()
        self.virtual_size = Size(self.size.width, len(self.lines))
        self._go(self.at if at is None else at)
        self.refresh()

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

    def on_resize(self) -> None:
        """Keep the cursor in sight."""
        self.virtual_size = Size(self.size.width, len(self.lines))
        self._go(self.at)

    def on_click(self, event: events.Click) -> None:
        """The line that is clicked."""
        self._go(event.y + self.scroll_offset.y)
        self.post_message(self.Moved(0))

    def _go(self, row: int) -> None:
        self.at = max(0, min(row, len(self.lines) - 1))
        self.scroll_to_region(Region(0, self.at, 1, 1), animate=False, force=True, immediate=True)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw row `y` of what is in sight."""
        row = y + self.scroll_offset.y
        width, ground = self.size.width, self.rich_style
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
