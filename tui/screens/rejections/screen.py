"""Rejections: where QA rejects, why, attempt by attempt; and what to do about it."""

from __future__ import annotations

import sqlite3

from pydantic import ValidationError
from textual import on
from textual.content import Content
from textual.widgets import Input

from core.curriculum.shelving import ShelvingChange, ShelvingError, shelve, shelving_change, unshelve
from core.curriculum.shelving import name as named
from core.generation.start import reads_hints, start_generation
from core.qa.verdicts import example_of_attempt
from core.runs.control import RunError
from core.runs.params import GenerateParams
from storage import examples, reviews
from storage.reviews import ReviewError
from storage.schema import Example, Review
from storage.shelves import Shelf
from tui.actions import REJECTIONS, bindings
from tui.as_json import json_value
from tui.keymap import key
from tui.screens.rejections.views import ViewsScreen
from tui.screens.undo import UndoStack
from tui.widgets.heatmap import FLAGGED, SHELVED
from tui.widgets.modals import Confirm


class RejectionsScreen(ViewsScreen):
    """The views, and what can be done about a cell or an attempt."""

    TITLE = "Rejections"
    ACTIONS = REJECTIONS
    BINDINGS = bindings(REJECTIONS)
    MARKS = (
        ("3/12", "rejected, of all attempts"),
        (FLAGGED, "worse than the rest, beyond chance"),
        (SHELVED, "shelved: nothing is generated for it"),
    )

    def __init__(self) -> None:
        super().__init__()
        self._undo_stack = UndoStack(self, self._show_undone)

    def action_overrule(self) -> None:
        """Bring the attempt in for review."""
        judged = self._current
        if judged is None or judged.attempt.candidate is None:
            self.tell("there is no candidate here that could be brought in")
            return
        try:
            example = reviews.overrule(
                self.db, example_of_attempt(judged.attempt, judged.final), reviewer=self.sidequest.reviewer
            )
        except (ReviewError, sqlite3.Error) as error:
            self.tell(f"not brought in: {error}", error=True)
            return
        self._undo_stack.remember(example)
        self.tell(f"example {example.id[-6:]} waits for review; {key('rejections.undo')} takes it back")
        self.redraw()

    def action_undo(self) -> None:
        """Undo the person's newest act."""
        self._undo_stack.undo()

    def _show_undone(self, _: Review, __: Example, message: Content) -> None:
        self.tell(message.plain)
        self.redraw()

    def action_copy(self) -> None:
        """Copy the attempt with its verdicts as JSON."""
        if self._current is not None:
            import json

            self.app.copy_to_clipboard(json.dumps(json_value(self._current), indent=2))
            self.tell("sent to the terminal's clipboard as JSON; not every terminal takes it")

    def action_shelve(self) -> None:
        """Set the cell aside, if the person confirms it; take it back if it is set aside."""
        shelf = Shelf(*self.heat.cursor_cell, self._decision)
        there = [one for one in self._shelves if one == Shelf(*self.heat.cursor_cell, self._decision, one.reason)]
        try:
            if there:
                unshelve(self.db, there[0])
                self.tell(f"{named(shelf)} is taken back")
                self.redraw()
                return
            found = shelving_change(self.project.task, examples.cell_counts(self.db), self._shelves, shelf)
        except (ShelvingError, sqlite3.Error) as error:
            self.tell(str(error), error=True)
            return

        def confirmed(yes: bool | None) -> None:
            if not yes:
                return
            try:
                shelve(self.project.task, self.db, shelf)
            except (ShelvingError, sqlite3.Error) as error:
                self.tell(str(error), error=True)
            else:
                self.tell(f"{named(shelf)} is shelved; {key('rejections.shelve')} takes it back")
            self.redraw()

        back = f"{key('rejections.shelve')} takes it back."
        self.app.push_screen(Confirm(f"Shelve {named(shelf)}? {consequence(found)} {back}"), confirmed)

    # ------------------------------------------------------------ a hint

    def action_hint(self) -> None:
        """Ask for a hint, and write the attempt (on the map: an example of the cell) anew."""
        self._hinting = "" if self._view == "map" or self._current is None else self._current.attempt.id
        if reads_hints(GenerateParams.of(self.project.task).source):
            self._hint.display = True
            self.set_focus(self._hint)
            return
        what = "Write this attempt anew from the critique alone" if self._hinting else "Write one more for the cell"
        question = (
            "The procedural source writes here, and it reads no hints: for them, set roles.generator to a model of the "
            f"project file. {what}?"
        )
        self.app.push_screen(Confirm(question), lambda yes: self._write_anew("") if yes else None)

    @on(Input.Submitted, "#hint")
    def _regenerate(self, event: Input.Submitted) -> None:
        self._write_anew(event.value.strip())

    def _write_anew(self, hint: str) -> None:
        domain, level = self.heat.cursor_cell
        asked = {"hint": hint, "n": 1, "domains": [domain], "levels": [level], "revise": self._hinting or None}
        asked |= {"decisions": [self._decision] if self._decision else []}
        try:
            given = GenerateParams.of(self.project.task).model_dump() | asked
            run = start_generation(self.project, self.db, GenerateParams.model_validate(given))
        except ValidationError as error:
            self.tell(f"{error.errors()[0]['loc'][0]}: {error.errors()[0]['msg']}", error=True)
        except (RunError, sqlite3.Error) as error:
            self.tell(str(error), error=True)
        else:
            self._close_hint()
            self.tell(f"run {run.id[-6:]} writes it anew: key 2 watches it")


def consequence(found: ShelvingChange) -> str:
    """What shelving does, in figures."""
    kept = f"The {found.kept:,} that it has stay." if found.kept else "It has none."
    if not found.examples:
        return f"Nothing more is generated for it, and nothing is missing in it now: no other cell gets more. {kept}"
    cells = f"{found.cells:,} other cell{'s' if found.cells != 1 else ''}"
    moves = f"{found.examples:,} {'are' if found.examples != 1 else 'is'} missing in it, and"
    rounded = ", as the shares are drawn anew" if found.elsewhere > found.examples else ""
    where = f"{found.elsewhere:,} more will be generated in {cells}{rounded}"
    where = where if found.elsewhere else "no other cell gets more"
    return f"Nothing more is generated for it: {moves} {where}. {kept}"
