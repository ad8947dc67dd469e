"""A question with up to ten answers, each chosen by a digit; the tenth by 0."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.text import clean, content


class Choice(ModalScreen[int | None]):
    """Closes with the position of the chosen answer, or with None if the person goes back."""

    BINDINGS: ClassVar = [
        *(Binding(str(number % 10), f"answer({number})", show=False) for number in range(1, 11)),
        Binding("escape,q", "answer(0)", "Back"),
    ]

    def __init__(self, question: str, answers: Sequence[str], *, current: int | None = None) -> None:
        """`current` is the position of the answer that holds now; it is marked."""
        super().__init__()
        self._question = question
        self._answers = answers
        self._current = current

    def compose(self) -> ComposeResult:
        parts: list[Content | tuple[str, str] | str] = [content(self._question, style="bold"), "\n"]
        for number, answer in enumerate(self._answers, start=1):
            mark = "  (now)" if number - 1 == self._current else ""
            parts += [(f"\n {number % 10}  ", "bold $text-accent"), clean(answer, limit=200), (mark, "$text-muted")]
        yield Static(Content.assemble(*parts, ("\n\nescape goes back", "$text-muted")), id="box")

    def action_answer(self, number: int) -> None:
        """Close with the answer of this number, from 1; 0 goes back."""
        if number <= len(self._answers):
            self.dismiss(number - 1 if number else None)
