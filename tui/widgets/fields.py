"""Fields to edit stored text in.

They show control characters as visible marks, and return the stored text itself if nobody has edited it.
"""

from __future__ import annotations

from typing import Any, ClassVar

from textual import events
from textual.widgets import Input, TextArea

from tui.text import clean


class Field(Input):
    """One line."""

    def __init__(self, stored: str = "", **options: Any) -> None:
        self._stored = stored
        self._shown = clean(stored).replace("\n", "␊").replace("\t", "␉")
        super().__init__(self._shown, **options)

    @property
    def edited(self) -> str:
        """The text; the stored one itself if nobody has edited it."""
        return self._stored if self.value == self._shown else self.value

    def _on_paste(self, event: events.Paste) -> None:
        event.text = clean(event.text)
        super()._on_paste(event)


class Area(TextArea):
    """Several lines."""

    BINDINGS: ClassVar = [("ctrl+home", "edge(False)", "Start"), ("ctrl+end", "edge(True)", "End")]

    def __init__(self, stored: str, **options: Any) -> None:
        self._stored = stored
        self._shown = clean(stored)
        super().__init__(self._shown, tab_behavior="focus", **options)

    @property
    def edited(self) -> str:
        """The text; the stored one itself if nobody has edited it."""
        return self._stored if self.text == self._shown else self.text

    def action_edge(self, last: bool) -> None:
        """Move the cursor to the end of the text, or to its start."""
        self.move_cursor(self.document.end if last else (0, 0))

    async def _on_paste(self, event: events.Paste) -> None:
        event.text = clean(event.text)
        await super()._on_paste(event)
