"""The field in which the person writes the filter of Dataset, and what can be written there."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from storage.search import LANGUAGE
from tui.widgets.fields import Field


class QueryFilter(Vertical):
    """A field for a query, below the language of queries. Both are shown only while the person writes one."""

    def compose(self) -> ComposeResult:
        yield Static(_describe_language(), id="language")
        yield Field(id="filter", placeholder="words level:1-2 domain:risk -status:rejected; empty: all of them")

    def open(self, query: str) -> None:
        """Let the person change `query`."""
        field = self.query_one("#filter", Field)
        self.display = True
        field.value = query
        # At once: the keys that follow are the filter's, however soon they come.
        self.screen.set_focus(field)

    def close(self) -> None:
        """Hide the field."""
        self.display = False


def _describe_language() -> Content:
    return Content("\n").join(
        [Content.assemble((f" {example:<20}", "bold"), (meaning, "$text-muted")) for example, meaning in LANGUAGE]
    )
