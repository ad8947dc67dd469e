"""The field for a note on a training step, as Training and the answers over it have it."""

from __future__ import annotations

from textual.widget import Widget

from tui.widgets.fields import Field


class NoteField(Field):
    """One line for a note. It is hidden until somebody writes one."""

    def __init__(self, placeholder: str) -> None:
        super().__init__("", id="note", placeholder=placeholder)

    def open(self) -> None:
        """Show the field, empty, and put the cursor into it."""
        self.display, self.value = True, ""
        self.screen.set_focus(self)

    def close(self, *, focus: Widget | None = None) -> None:
        """Hide the field, and give the focus to `focus`."""
        self.display = False
        self.screen.set_focus(focus)
        self.screen.refresh_bindings()
