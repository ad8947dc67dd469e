"""The lines below an example: messages, keys, and the questions for a reason, a note and a filter."""

from __future__ import annotations

from collections.abc import Callable

from textual.app import ComposeResult
from textual.containers import VerticalGroup
from textual.content import Content
from textual.widgets import Input, Static

from tui.screens.project_screen import ProjectScreen
from tui.text import clean, flow
from tui.widgets.fields import Field

_REJECT = "Reject the example:"


class QuestionPanel(VerticalGroup):
    """Shows what the last decision came to and which keys decide, and asks for reasons, notes and filters.

    It calls `reject` with the reason of a rejection ('' for none), and `narrow` with the text of the filter; `narrow`
    returns what is wrong with it, '' if nothing is. Both are called at once, before the next key acts. `note` goes
    with the next decision about the example.
    """

    def __init__(self, owner: ProjectScreen, reject: Callable[[str], None], narrow: Callable[[str], str]) -> None:
        super().__init__()
        self._owner = owner
        self._reject = reject
        self._narrow = narrow
        self.note = ""
        # Whether keys give the reason of a rejection now.
        self.asks_reason = False
        # Whether the reason is asked for again as soon as the note is written.
        self._reason_follows = False

    def compose(self) -> ComposeResult:
        yield Static(id="said")
        yield Static(id="prompt")
        yield Field(id="filter", placeholder="words, level:1-2 domain:risk; empty: the whole queue")
        yield Field(id="note", placeholder="a note that goes with your next decision about this example")

    def say(self, message: Content) -> None:
        """Show what the last decision came to; it stays until the person goes on."""
        self.query_one("#said").set_class(bool(message.plain), "open")
        self._owner.show("#said", message)

    def show_keys(self, keys: Content) -> None:
        """Show which keys decide."""
        self._owner.show("#prompt", keys)

    # ------------------------------------------------------------ the reason of a rejection

    def ask_reason(self) -> None:
        """Ask why the example is rejected."""
        self.asks_reason = True
        self._owner.refresh_bindings()
        keys = [f"{number} {clean(reason)}" for number, reason in enumerate(self._reasons, start=1)]
        question = flow([_REJECT, *keys, "enter no reason", "n note", "escape back"], self._owner.size.width - 2)
        self.show_keys(Content(question).stylize("bold", 0, len(_REJECT)))

    def answer(self, number: int) -> None:
        """Reject for the reason with this number, from 1; 0 gives no reason, a negative number does not reject."""
        if number > len(self._reasons):
            return
        self.asks_reason = False
        self._owner.refresh_bindings()
        if number < 0:
            self._owner.redraw()
        else:
            self._reject(self._reasons[number - 1] if number else "")

    @property
    def _reasons(self) -> list[str]:
        return self._owner.project.task.review.reasons

    # ------------------------------------------------------------ the note and the filter

    def open_note(self) -> None:
        """Open the field of the note."""
        self._open("#note", self.note)

    def open_note_before_reason(self) -> None:
        """Open the field of the note; the reason is asked for again once it is closed."""
        self._reason_follows, self.asks_reason = True, False
        self.open_note()

    def open_filter(self, query: str) -> None:
        """Open the filter, which says `query` now."""
        self._open("#filter", query)

    def _open(self, selector: str, text: str) -> None:
        field = self.query_one(selector, Input)
        field.display = True
        field.value = clean(text)
        # At once: the keys that follow are the field's, however soon they come.
        self._owner.set_focus(field)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take what a field says."""
        text = event.value.strip()
        if event.input.id == "note":
            self.note = text
        elif problem := self._narrow(text):
            self._owner.tell(problem, error=True)
            return
        self.close_field()

    def close_field(self) -> None:
        """Close the open field; what it says is not taken."""
        for selector in ("#filter", "#note"):
            self.query_one(selector).display = False
        self._owner.set_focus(self._owner.query_one("#example"))
        self._owner.redraw()
        if self._reason_follows:
            self._reason_follows = False
            self.ask_reason()
