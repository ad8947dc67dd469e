"""What the student wrote in each step of RL, and what each answer earned, over Training."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from storage import examples, training
from storage.database import data_version
from storage.schema import Run
from tui.actions import ANSWERS, Action, bindings
from tui.screens.project_screen import POLL_S
from tui.screens.training.figures import answer, noted, whole
from tui.text import clean, line
from tui.widgets.fields import Field
from tui.widgets.keys import Keys

if TYPE_CHECKING:
    from tui.app_context import AppContext

Place = tuple[str, int]


def steps_of(db: sqlite3.Connection, run: Run) -> list[Place]:
    """The steps of which answers were kept, as phase and step, in the order of the phases."""
    return [(phase, step) for phase in run.params["phases"] for step in training.answered(db, run.id, phase)]


class AnswersScreen(ModalScreen[None]):
    """The answers that were kept of one step, and the whole of one; other steps are a key away.

    At the newest step it follows the run.
    """

    TITLE = "Answers"
    ACTIONS: ClassVar[list[Action]] = ANSWERS
    BINDINGS = bindings(ANSWERS)
    MARKS = (("✓ ✗ ·", "right · wrong · no decision"),)

    def __init__(self, db: sqlite3.Connection, run: Run) -> None:
        super().__init__()
        self._db, self._run = db, run
        self._steps: list[Place] = []
        self._at, self._row, self._seen = 0, 0, -1
        self._answers: list[dict[str, Any]] = []

    def compose(self) -> ComposeResult:
        yield Static(id="bar")
        yield Static(id="rows")
        with VerticalScroll(id="said"):
            yield Static(id="words")
        yield Field("", id="note", placeholder="a note, pinned to this step")
        yield Keys()

    def on_mount(self) -> None:
        """Begin at the newest step, and look for newer ones from now on."""
        self.query_one("#said").focus()
        self._look()
        self.set_interval(POLL_S, self._look)

    def on_resize(self) -> None:
        """Draw for the new size."""
        self._draw()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While a note is written, keys are text; escape leaves it."""
        if any(action == one.name.partition("(")[0] for one in ANSWERS) and action != "close":
            return not isinstance(self.focused, Input)
        return super().check_action(action, parameters)

    def _look(self) -> None:
        """See which steps there are, where something has changed, and stay at the step in front if it is there."""
        version = data_version(self._db)
        if version == self._seen:
            return
        here = self._steps[self._at] if self._at < len(self._steps) - 1 else None
        self._seen, self._steps = version, steps_of(self._db, self._run)
        # A run that was resumed makes its last steps again: they are gone until then.
        self._at = self._steps.index(here) if here in self._steps else max(0, len(self._steps) - 1)
        self._draw()

    def _draw(self) -> None:
        bar, rows, words = (self.query_one(f"#{name}", Static) for name in ("bar", "rows", "words"))
        self._answers = []
        if not self._steps:
            bar.update(Content("Answers · none is kept any more: the run makes its steps again"))
            rows.update("")
            words.update("")
            return
        phase, step = self._steps[self._at]
        self._answers = training.answers(self._db, self._run.id, phase, step)
        self._row = max(0, min(self._row, len(self._answers) - 1))
        width = self.app.size.width
        place = f"{self._at + 1:,} of {len(self._steps):,} steps of which answers were kept"
        bar.update(Content(line(f"Answers · {phase} · step {step:,} · {place}", width - 2)))
        lines = [
            Content.assemble("▸ " if at == self._row else "  ", answer(one, width - 4)).stylize(
                "bold" if at == self._row else ""
            )
            for at, one in enumerate(self._answers)
        ]
        there = [one for one in training.notes(self._db, self._run.id) if (one.phase, one.step) == (phase, step)]
        lines += [Content.styled(line(noted(one), width - 2), "$text-muted") for one in there]
        rows.update(Content("\n").join(lines))
        if self._answers:
            one = self._answers[self._row]
            about = examples.get(self._db, str(one.get("example")))
            words.update(whole(one, about.hypothesis if about else None))

    # ------------------------------------------------------------ actions

    def action_step(self, by: int) -> None:
        """Another step."""
        self._at = max(0, min(len(self._steps) - 1, self._at + by))
        self._show()

    def action_edge(self, newest: bool) -> None:
        """The first step, or the newest."""
        self._at = max(0, len(self._steps) - 1) if newest else 0
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

    def action_note(self) -> None:
        """Ask for a note."""
        field = self.query_one("#note", Input)
        field.display, field.value = True, ""
        self.set_focus(field)

    @on(Input.Submitted, "#note")
    def _noted(self, event: Input.Submitted) -> None:
        text = event.value.strip()
        self._close_note()
        if text and self._steps:
            phase, step = self._steps[self._at]
            try:
                training.add_note(self._db, self._run.id, phase, step, text)
            except sqlite3.Error as error:
                self.notify(clean(str(error), limit=500), markup=False, severity="error", timeout=8)
            self._draw()

    def _close_note(self) -> None:
        self.query_one("#note").display = False
        self.set_focus(self.query_one("#said"))
        self.refresh_bindings()

    def action_copy(self) -> None:
        """Copy the answer."""
        if self._answers:
            self.app.copy_to_clipboard(json.dumps(self._answers[self._row], indent=2))
            self.notify("copied as JSON", markup=False, timeout=2.5)

    def action_explain_keys(self) -> None:
        """Explain the keys of this screen."""
        cast("AppContext", self.app).action_explain()

    def action_close(self) -> None:
        """Out of the field; else back to the training."""
        if isinstance(self.focused, Input):
            self._close_note()
        else:
            self.action_leave()

    def action_leave(self) -> None:
        """Back to the training."""
        self.dismiss(None)
