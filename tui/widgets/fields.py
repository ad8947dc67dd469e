"""Fields to edit stored text in.

They show control characters as visible marks, and return the stored text itself if nobody has edited it. Textual calls
the handlers of a widget's classes one after the other: `on_paste` here prepares what the base class then inserts.
"""

from __future__ import annotations

from typing import Any, ClassVar

from textual import events
from textual.widgets import Input, TextArea

from tui.text import clean

# How a field of one line shows the characters that would break it or jump in it.
_LINE_MARKS = str.maketrans({"\n": "␊", "\t": "␉"})


def unify_line_breaks(text: str) -> str:
    """`text` with \\n for every line break, whatever system it comes from."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


class Field(Input):
    """One line. Of pasted text the lines are joined by blanks."""

    def __init__(self, stored: str = "", **options: Any) -> None:
        self._stored = stored
        self._shown = clean(unify_line_breaks(stored)).translate(_LINE_MARKS)
        super().__init__(self._shown, **options)

    @property
    def edited(self) -> str:
        """The text, with line breaks and tabs where their marks are left; the stored one if nobody has edited it."""
        if self.value == self._shown:
            return self._stored
        text = self.value
        for character, mark in (("\n", "␊"), ("\t", "␉")):
            if mark not in self._stored:
                text = text.replace(mark, character)
        return text

    def on_paste(self, event: events.Paste) -> None:
        """Make the pasted text one line, before the base class inserts it."""
        event.text = _one_line(event.text)

    def action_paste(self) -> None:
        """Paste what was copied or cut in the app."""
        self.replace(_one_line(self.app.clipboard), *self.selection)


class Area(TextArea):
    """Several lines."""

    BINDINGS: ClassVar = [("ctrl+home", "edge(False)", "Start"), ("ctrl+end", "edge(True)", "End")]

    def __init__(self, stored: str, **options: Any) -> None:
        self._stored = stored
        self._shown = clean(unify_line_breaks(stored))
        super().__init__(self._shown, tab_behavior="focus", **options)

    @property
    def edited(self) -> str:
        """The text; the stored one itself if nobody has edited it."""
        return self._stored if self.text == self._shown else self.text

    def action_edge(self, last: bool) -> None:
        """Move the cursor to the end of the text, or to its start."""
        self.move_cursor(self.document.end if last else (0, 0))

    def on_paste(self, event: events.Paste) -> None:
        """Make the pasted text safe to show, before the base class inserts it."""
        event.text = clean(unify_line_breaks(event.text))


def _one_line(text: str) -> str:
    """`text` as it is pasted into one line; the breaks around it are dropped."""
    return clean(unify_line_breaks(text)).strip("\n").replace("\n", " ").replace("\t", " ")
