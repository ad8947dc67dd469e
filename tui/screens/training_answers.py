"""What the student wrote in each step of RL, and what each answer earned, over Training."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from storage import training
from tui.actions import ANSWERS, Action, bindings
from tui.screens.training_figures import answer, whole
from tui.widgets.keys import Keys

if TYPE_CHECKING:
    from tui.app import SidequestApp


class AnswersScreen(ModalScreen[None]):
    """The answers that were kept of one step, and the whole of one; other steps are a key away."""

    TITLE = "Answers"
    ACTIONS: ClassVar[list[Action]] = ANSWERS
    BINDINGS = bindings(ANSWERS)

    def __init__(self, db: sqlite3.Connection, run: str, steps: Sequence[tuple[str, int]]) -> None:
        super().__init__()
        self._db, self._run, self._steps = db, run, steps
        self._at, self._row = len(steps) - 1, 0
        self._answers: list[dict[str, Any]] = []

    def compose(self) -> ComposeResult:
        yield Static(id="bar")
        yield Static(id="rows")
        with VerticalScroll(id="said"):
            yield Static(id="words")
        yield Keys()

    def on_mount(self) -> None:
        """Begin at the newest step."""
        self.query_one("#said").focus()
        self._draw()

    def on_resize(self) -> None:
        """Draw for the new size."""
        self._draw()

    def _draw(self) -> None:
        phase, step = self._steps[self._at]
        self._answers = training.answers(self._db, self._run, phase, step)
        self._row = min(self._row, len(self._answers) - 1)
        place = f"{self._at + 1:,} of {len(self._steps):,} steps of which answers were kept"
        self.query_one("#bar", Static).update(Content(f"Answers · {phase} · step {step:,} · {place}"))
        rows = []
        for at, one in enumerate(self._answers):
            drawn = answer(one, self.size.width - 4)
            rows.append(
                Content.assemble("▸ " if at == self._row else "  ", drawn.stylize("bold") if at == self._row else drawn)
            )
        self.query_one("#rows", Static).update(Content("\n").join(rows))
        self.query_one("#words", Static).update(whole(self._answers[self._row]))

    def action_step(self, by: int) -> None:
        """Another step."""
        self._at = max(0, min(len(self._steps) - 1, self._at + by))
        self._show()

    def action_edge(self, newest: bool) -> None:
        """The first step, or the newest."""
        self._at = len(self._steps) - 1 if newest else 0
        self._show()

    def action_move(self, by: int) -> None:
        """Another answer."""
        self._row = max(0, min(len(self._answers) - 1, self._row + by))
        self._show()

    def _show(self) -> None:
        self.query_one("#said", VerticalScroll).scroll_home(animate=False)
        self._draw()

    def action_page(self, by: int) -> None:
        """Scroll the words of the answer."""
        said = self.query_one("#said", VerticalScroll)
        said.scroll_relative(y=by * max(1, said.size.height - 1), animate=False)

    def action_copy(self) -> None:
        """Copy the answer."""
        self.app.copy_to_clipboard(json.dumps(self._answers[self._row], indent=2))
        self.notify("copied as JSON", markup=False, timeout=2.5)

    def action_explain_keys(self) -> None:
        """Explain the keys of this screen."""
        cast("SidequestApp", self.app).action_explain()

    def action_close(self) -> None:
        """Back to the training."""
        self.dismiss(None)
