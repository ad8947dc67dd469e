"""Fields to edit stored text in.

They show control characters as visible marks, and return the stored text itself if nobody has edited it. Textual calls
the handlers of a widget's classes one after the other: `on_paste` here prepares what the base class then inserts.
"""

from __future__ import annotations

from typing import Any, ClassVar

from textual import events
from textual.widgets import Input, TextArea

from tui.text import clean

# So many changes of a field can be undone.
MAX_CHANGES = 100
# How a field of one line shows the characters that would break it or jump in it.
_LINE_MARKS = str.maketrans({"\n": "␊", "\t": "␉"})


def unify_line_breaks(text: str) -> str:
    """`text` with \\n for every line break, whatever system it comes from."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


class Field(Input):
    """One line. Of pasted text the lines are joined by blanks."""

    BINDINGS: ClassVar = [("ctrl+z", "undo", "Undo")]

    def __init__(self, stored: str = "", **options: Any) -> None:
        self._stored = stored
        # What the field said before each change; letters typed one after the other are one change.
        self._history: list[str] = []
        self._typing = False
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

    @property
    def can_undo(self) -> bool:
        """Whether there is a change to undo."""
        return bool(self._history)

    def action_undo(self) -> None:
        """Undo the last change."""
        if self._history:
            previous = self._history[-1]
            self.value = previous
            self.cursor_position = len(previous)
            # The watcher has noted the undo itself as a change.
            del self._history[-2:]
            self._typing = False

    def amend(self, text: str) -> None:
        """Let the field say `text`, as no change of the person's: an undo does not take it back."""
        if text != self.value:
            self.value = text
            self._history.pop()
            self._typing = False

    def on_mount(self) -> None:
        """Begin the history with what the field says at first: an undo never empties it."""
        self._history.clear()

    def watch_value(self, before: str, after: str) -> None:
        """Note what the field said before a change."""
        if before == after:
            return
        typing = len(after) == len(before) + 1
        if not (typing and self._typing):
            self._history.append(before)
            del self._history[:-MAX_CHANGES]
        self._typing = typing

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

    @property
    def can_undo(self) -> bool:
        """Whether there is a change to undo."""
        return bool(self.history.undo_stack)

    def action_edge(self, last: bool) -> None:
        """Move the cursor to the end of the text, or to its start."""
        self.move_cursor(self.document.end if last else (0, 0))

    def on_paste(self, event: events.Paste) -> None:
        """Make the pasted text safe to show, before the base class inserts it."""
        event.text = clean(unify_line_breaks(event.text))


def _one_line(text: str) -> str:
    """`text` as it is pasted into one line; the breaks around it are dropped."""
    return clean(unify_line_breaks(text)).strip("\n").replace("\n", " ").replace("\t", " ")
