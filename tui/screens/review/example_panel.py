"""The example in front on Review: its place, its text or what changed in it, its label, and what stands beside it."""

from __future__ import annotations

import sqlite3

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from core.curriculum.plan import Quota
from core.review.item import ReviewItem, changes
from storage import reviews
from tui.screens.project_screen import ProjectScreen
from tui.text import line
from tui.widgets.context_panel import progress_panel
from tui.widgets.diff import diff
from tui.widgets.example import body, entry, place, verdict_text

# From so many columns on, more stands beside the example.
WIDE = 140
LOG_LINES = 8


class ExamplePanel(Vertical):
    """Draws one example, or what changed since the attempt or version before it, and scrolls it."""

    def __init__(self, owner: ProjectScreen) -> None:
        super().__init__()
        self._owner = owner
        self._shows_changes = False

    def compose(self) -> ComposeResult:
        yield Static(id="place")
        with Horizontal(id="columns"):
            with VerticalScroll(id="example"):
                yield Static(id="body")
            yield Static(id="standing")
        yield Static(id="decision")

    @property
    def _scroll(self) -> VerticalScroll:
        return self.query_one("#example", VerticalScroll)

    # ------------------------------------------------------------ drawing

    def show_item(self, item: ReviewItem, label: Content, *, hidden: bool) -> None:
        """Show `item` above the line `label`; `hidden` leaves out whatever tells the label."""
        self._owner.show("#place", place(item.example, self._owner.size.width - 2, hidden=hidden))
        if self._shows_changes:
            text = draw_changes(self._owner.db, item, hidden=hidden)
        else:
            log = [entry(review) for review in item.log]
            text = body(item.example, hidden=hidden, verdict=verdict_text(item), log=log)
        self._owner.show("#body", text)
        self._owner.show("#decision", label)

    def show_empty(self, message: Content) -> None:
        """Show `message` where no example is in front."""
        for selector in ("#place", "#decision"):
            self._owner.show(selector, Content(""))
        self._owner.show("#body", message)

    def show_context(self, item: ReviewItem | None, quotas: dict[str, Quota], *, hidden: bool) -> None:
        """Show beside the example, where there is room, what was accepted, where it came from, and the newest reviews.

        `hidden` leaves out the reviews of the example itself.
        """
        wide = self._owner.size.width >= WIDE
        self.query_one("#standing").display = wide
        if wide:
            example = item.example if item else None
            log = reviews.recent(self._owner.db, LOG_LINES)
            if hidden and example:
                log = [(review, hypothesis) for review, hypothesis in log if review.example != example.id]
            self._owner.show("#standing", progress_panel(quotas, example, log))

    # ------------------------------------------------------------ changes and scrolling

    def reset(self) -> None:
        """Go back to the example itself, at its start."""
        self._shows_changes = False
        self._scroll.scroll_home(animate=False)

    def toggle_changes(self, item: ReviewItem | None) -> bool:
        """Show what changed, or the example again; False if `item` has nothing that came before it."""
        if not self._shows_changes and (item is None or not changes(self._owner.db, item)):
            return False
        self._shows_changes = not self._shows_changes
        self._scroll.scroll_home(animate=False)
        return True

    def scroll_page(self, pages: int) -> None:
        """Scroll a page down (1) or up (-1)."""
        if pages > 0:
            self._scroll.scroll_page_down(animate=False)
        else:
            self._scroll.scroll_page_up(animate=False)

    def scroll_line(self, lines: int) -> None:
        """Scroll so many lines down."""
        self._scroll.scroll_relative(y=lines, animate=False)


def draw_changes(connection: sqlite3.Connection, item: ReviewItem, *, hidden: bool) -> Content:
    """What changed in `item` since the version and the attempt before it; `hidden` leaves out what tells the label."""
    parts: list[Content | tuple[str, str] | str] = []
    for heading, before, after, critique in changes(connection, item):
        parts.append((f"{heading.upper()}\n\n", "bold reverse"))
        if critique and not hidden:
            parts += [("CRITIQUE  ", "bold $text-accent"), Content(line(critique, 2000)), "\n\n"]
        parts += [diff(before, after, blind=hidden), "\n\n"]
    return Content.assemble(*parts)
