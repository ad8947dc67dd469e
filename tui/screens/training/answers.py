"""The answers that the student wrote in each step of RL, with their rewards, over Training."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from core.runs.params import TrainParams, params_of
from storage import examples, training
from storage.database import data_version
from storage.schema import Run
from storage.training import Figures
from tui.actions import ANSWERS, Action, bindings
from tui.screens.project_screen import POLL_S
from tui.screens.training.figures import answer_detail, answer_line, format_note
from tui.screens.training.note_field import NoteField
from tui.text import clean, line
from tui.widgets.keys import Keys

if TYPE_CHECKING:
    from tui.app_context import AppContext

# A phase, and a step of it.
PhaseStep = tuple[str, int]


def answered_steps(db: sqlite3.Connection, run: Run) -> list[PhaseStep]:
    """The steps that have answers, in the order of the phases."""
    return [
        (phase, step)
        for phase in params_of(run, TrainParams).phases
        for step in training.steps_with_answers(db, run.id, phase)
    ]


class AnswersScreen(ModalScreen[None]):
    """The answers of one step, and one of them as a whole. Keys lead to other steps and answers.

    At the newest step it follows the run.
    """

    TITLE = "Answers"
    ACTIONS: ClassVar[list[Action]] = ANSWERS
    BINDINGS = bindings(ANSWERS)
    MARKS = (("✓ ✗ ·", "right · wrong · no decision"),)

    def __init__(self, db: sqlite3.Connection, run: Run) -> None:
        super().__init__()
        self._db, self._run = db, run
        self._db_version = -1
        self._steps: list[PhaseStep] = []
        self._step_index = 0
        # The answers of that step, and the row of the one that is shown as a whole.
        self._answers: list[Figures] = []
        self._answer_row = 0

    def compose(self) -> ComposeResult:
        yield Static(id="bar")
        yield Static(id="rows")
        with VerticalScroll(id="said"):
            yield Static(id="words")
        yield NoteField("a note, pinned to this step")
        yield Keys()

    def on_mount(self) -> None:
        """Show the newest step, and look for newer ones at each poll."""
        self.query_one("#said").focus()
        self._poll_steps()
        self.set_interval(POLL_S, self._poll_steps)

    def on_resize(self) -> None:
        """Draw for the new size."""
        self._draw()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys are text while a note is written; only escape acts."""
        if any(action == entry.name.partition("(")[0] for entry in ANSWERS) and action != "close":
            return not isinstance(self.focused, Input)
        return super().check_action(action, parameters)

    def _poll_steps(self) -> None:
        """Read which steps have answers, if the database has changed, and draw; stay at the shown step if it exists."""
        version = data_version(self._db)
        if version == self._db_version:
            return
        shown_step = self._steps[self._step_index] if self._step_index < len(self._steps) - 1 else None
        self._db_version, self._steps = version, answered_steps(self._db, self._run)
        # A run that was resumed repeats its last steps: they are gone until then.
        newest = max(0, len(self._steps) - 1)
        self._step_index = self._steps.index(shown_step) if shown_step in self._steps else newest
        self._draw()

    def _draw(self) -> None:
        bar, rows, words = (self.query_one(f"#{name}", Static) for name in ("bar", "rows", "words"))
        self._answers = []
        if not self._steps:
            bar.update(Content("Answers · none is kept any more: the run makes its steps again"))
            rows.update("")
            words.update("")
            return
        phase, step = self._steps[self._step_index]
        self._answers = training.answers(self._db, self._run.id, phase, step)
        self._answer_row = max(0, min(self._answer_row, len(self._answers) - 1))
        width = self.app.size.width
        position = f"{self._step_index + 1:,} of {len(self._steps):,} steps of which answers were kept"
        bar.update(Content(line(f"Answers · {phase} · step {step:,} · {position}", width - 2)))
        rows.update(Content("\n").join([*self._answer_lines(width), *self._note_lines(phase, step, width)]))
        if self._answers:
            answer = self._answers[self._answer_row]
            example = examples.get(self._db, str(answer.get("example")))
            words.update(answer_detail(answer, example.hypothesis if example else None))

    def _answer_lines(self, width: int) -> list[Content]:
        lines = []
        for row, answer in enumerate(self._answers):
            selected = row == self._answer_row
            text = Content.assemble("▸ " if selected else "  ", answer_line(answer, width - 4))
            lines.append(text.stylize("bold" if selected else ""))
        return lines

    def _note_lines(self, phase: str, step: int, width: int) -> list[Content]:
        notes = training.notes(self._db, self._run.id)
        return [
            Content.styled(line(format_note(note), width - 2), "$text-muted")
            for note in notes
            if (note.phase, note.step) == (phase, step)
        ]

    # ------------------------------------------------------------ actions

    def action_step(self, by: int) -> None:
        """Go `by` steps on."""
        self._step_index = max(0, min(len(self._steps) - 1, self._step_index + by))
        self._draw_from_top()

    def action_edge(self, newest: bool) -> None:
        """Go to the newest step, or to the first."""
        self._step_index = max(0, len(self._steps) - 1) if newest else 0
        self._draw_from_top()

    def action_move(self, by: int) -> None:
        """Go `by` answers on."""
        self._answer_row = max(0, min(len(self._answers) - 1, self._answer_row + by))
        self._draw_from_top()

    def _draw_from_top(self) -> None:
        self.query_one("#said", VerticalScroll).scroll_home(animate=False)
        self._draw()

    def action_page(self, by: int) -> None:
        """Scroll the answer by `by` pages."""
        scroll = self.query_one("#said", VerticalScroll)
        scroll.scroll_relative(y=by * max(1, scroll.size.height - 1), animate=False)

    def action_note(self) -> None:
        """Ask for a note."""
        self.query_one(NoteField).open()

    @on(Input.Submitted, "#note")
    def _add_note(self, event: Input.Submitted) -> None:
        text = event.value.strip()
        self._close_note()
        if text and self._steps:
            phase, step = self._steps[self._step_index]
            try:
                training.add_note(self._db, self._run.id, phase, step, text)
            except sqlite3.Error as error:
                self.notify(clean(str(error), limit=500), markup=False, severity="error", timeout=8)
            self._draw()

    def _close_note(self) -> None:
        self.query_one(NoteField).close(focus=self.query_one("#said"))

    def action_copy(self) -> None:
        """Copy the answer as JSON."""
        if self._answers:
            self.app.copy_to_clipboard(json.dumps(self._answers[self._answer_row], indent=2))
            self.notify("copied as JSON", markup=False, timeout=2.5)

    def action_explain_keys(self) -> None:
        """Explain the keys of this screen."""
        cast("AppContext", self.app).action_explain()

    def action_close(self) -> None:
        """Leave the note, if one is being written; else go back to the training."""
        if isinstance(self.focused, Input):
            self._close_note()
        else:
            self.action_leave()

    def action_leave(self) -> None:
        """Go back to the training."""
        self.dismiss(None)
