"""What Review asks below an example: the reason of a rejection, a note, and what to narrow the queue to."""

from __future__ import annotations

from abc import abstractmethod

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Input, Static

from tui.screens.project_screen import ProjectScreen
from tui.text import clean, flow
from tui.widgets.fields import Field

_REJECT = "Reject the example:"


class QuestionScreen(ProjectScreen):
    """A screen that scrolls one example, and asks below it."""

    def __init__(self) -> None:
        super().__init__()
        self._rejecting = False
        # Whether the reason is asked for again as soon as the note is written.
        self._then_reason = False
        self.narrowed = ""
        self.note = ""

    @abstractmethod
    def reject(self, reason: str) -> None:
        """Reject what is in front."""

    @abstractmethod
    def narrow(self, query: str) -> str:
        """Narrow the queue to what `query` means; returns what is wrong with it, '' if nothing is."""

    def questions(self) -> ComposeResult:
        """The widgets that ask."""
        yield Static(id="said")
        yield Static(id="prompt")
        yield Field(id="filter", placeholder="words, level:1-2 domain:risk; empty: the whole queue")
        yield Field(id="note", placeholder="a note that goes with your next decision about this example")

    @property
    def asking(self) -> bool:
        """Whether the reason of a rejection is asked for."""
        return self._rejecting

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Answers where there is a question."""
        if action in {"answer", "note_reason"}:
            return self.asking
        if action == "close_field":
            return self.typing
        return super().check_action(action, parameters)

    def say(self, said: Content) -> None:
        """What the last decision came to; it stays in its line until the person goes on."""
        self.query_one("#said").set_class(bool(said.plain), "open")
        self.show("#said", said)

    def ask_reason(self) -> None:
        """Ask why the example is rejected."""
        self._rejecting = True
        self.refresh_bindings()
        reasons = self.project.task.review.reasons
        keys = [f"{number} {clean(reason)}" for number, reason in enumerate(reasons, start=1)]
        drawn = flow([_REJECT, *keys, "enter no reason", "n note", "escape back"], self.size.width - 2)
        self.show("#prompt", Content(drawn).stylize("bold", 0, len(_REJECT)))

    def action_answer(self, number: int) -> None:
        """Reject for the reason with this number, from 1; 0 for no reason; below, do not reject."""
        reasons = self.project.task.review.reasons
        if number > len(reasons):
            return
        self._rejecting = False
        self.refresh_bindings()
        if number < 0:
            self.redraw()
        else:
            self.reject(reasons[number - 1] if number else "")

    def action_note_reason(self) -> None:
        """Write a note, then give the reason."""
        self._then_reason, self._rejecting = True, False
        self._open("#note", self.note)

    def action_note(self) -> None:
        """Write a note that goes with the next decision."""
        self._open("#note", self.note)

    def action_filter(self) -> None:
        """Open the filter."""
        self._open("#filter", self.narrowed)

    def _open(self, selector: str, text: str) -> None:
        field = self.query_one(selector, Input)
        field.display = True
        field.value = clean(text)
        # At once: the keys that follow are the field's, however soon they come.
        self.set_focus(field)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take what a field says."""
        text = event.value.strip()
        if event.input.id == "note":
            self.note = text
        elif problem := self.narrow(text):
            self.tell(problem, error=True)
            return
        self.action_close_field()

    def action_close_field(self) -> None:
        """Leave the open field as it was."""
        for selector in ("#filter", "#note"):
            self.query_one(selector).display = False
        self.set_focus(self.query_one("#example"))
        self.redraw()
        if self._then_reason:
            self._then_reason = False
            self.ask_reason()

    def action_page_down(self) -> None:
        """Scroll down a page."""
        self.query_one("#example", VerticalScroll).scroll_page_down(animate=False)

    def action_page_up(self) -> None:
        """Scroll up a page."""
        self.query_one("#example", VerticalScroll).scroll_page_up(animate=False)

    def action_scroll_line(self, step: int) -> None:
        """Scroll a line."""
        self.query_one("#example", VerticalScroll).scroll_relative(y=step, animate=False)
