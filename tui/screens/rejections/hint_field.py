"""Writing an attempt anew, or one more example of a cell, with a hint where the source reads hints."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from pydantic import ValidationError
from textual.widgets import Input

from core.generation.start import reads_hints, start_generation
from core.runs.params import GenerateParams
from storage.errors import UserError
from tui.screens.project_screen import ProjectScreen
from tui.screens.rejections.cell_choice import CellChoice
from tui.widgets.fields import Field
from tui.widgets.modals import Confirm


class HintField(Field):
    """Asks for a hint, and starts a run that writes for the cell which `choice` returns.

    `on_close` is called once the field is closed.
    """

    def __init__(self, owner: ProjectScreen, choice: Callable[[], CellChoice], on_close: Callable[[], None]) -> None:
        super().__init__("", id="hint", placeholder="what the model should do otherwise; empty: the critique alone")
        self._owner = owner
        self._choice = choice
        self._on_close = on_close
        # The attempt that is written anew; '' for one more example.
        self._revise = ""

    def ask(self, revise: str) -> None:
        """Ask for a hint, or only whether to go on if the source reads none; then write the attempt `revise` anew.

        If `revise` is empty, one more example of the cell is written.
        """
        self._revise = revise
        if reads_hints(GenerateParams.of(self._owner.project.task).source):
            self.display = True
            self._owner.set_focus(self)
            return
        request = "Write this attempt anew from the critique alone" if revise else "Write one more for the cell"
        question = (
            "The procedural source writes here, and it reads no hints: for them, set roles.generator to a model of the "
            f"project file. {request}?"
        )
        self._owner.app.push_screen(Confirm(question), lambda confirmed: self._start("") if confirmed else None)

    def close(self) -> None:
        """Close the field; what it says is not taken."""
        self.display = False
        self.value = ""
        self._on_close()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Start with the hint."""
        self._start(event.value.strip())

    def _start(self, hint: str) -> None:
        domain, level, decision = self._choice()
        request = {"hint": hint, "n": 1, "domains": [domain], "levels": [level], "revise": self._revise or None}
        request |= {"decisions": [decision] if decision else []}
        owner = self._owner
        try:
            defaults = GenerateParams.of(owner.project.task).model_dump()
            run = start_generation(owner.project, owner.db, GenerateParams.model_validate(defaults | request))
        except ValidationError as error:
            owner.tell(f"{error.errors()[0]['loc'][0]}: {error.errors()[0]['msg']}", error=True)
        except (UserError, sqlite3.Error) as error:
            owner.tell(str(error), error=True)
        else:
            self.close()
            owner.tell(f"run {run.id[-6:]} writes it anew: key 2 watches it")
