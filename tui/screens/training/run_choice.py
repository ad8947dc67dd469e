"""The question which training run is meant, over Training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.cells import set_cell_size
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from core.runs.control import run_status
from storage.schema import Run
from tui.actions import TRAIN_CHOICE, Action, bindings
from tui.text import line
from tui.widgets.keys import Keys

# So many are listed: a list of options lays all of them out.
MOST = 200


class TrainingChoice(ModalScreen[str | None]):
    """Training runs, newest first; closes with the id of one, or None. `shown` is the one on the screen."""

    TITLE = "Training runs"
    ACTIONS: ClassVar[list[Action]] = TRAIN_CHOICE
    BINDINGS = bindings(TRAIN_CHOICE)

    def __init__(self, question: str, found: Sequence[Run], shown: str | None) -> None:
        super().__init__()
        self._question, self._shown = question, shown
        self._found, self._all = found[:MOST], len(found)

    def compose(self) -> ComposeResult:
        cut = f" The newest {MOST} of {self._all:,}." if self._all > MOST else ""
        with Vertical(id="box"):
            yield Static(Content.styled(f"{self._question}{cut}", "bold"))
            yield OptionList(*(Option(self._row(run)) for run in self._found), markup=False)
        yield Keys()

    def on_mount(self) -> None:
        """Begin at the newest."""
        choices = self.query_one(OptionList)
        choices.highlighted = 0
        choices.focus()

    def _row(self, run: Run) -> Content:
        told = run.progress
        name = str(run.params.get("name", ""))
        phase = str(told.get("phase", ""))
        parts = [str(run_status(run).state)]
        parts += [phase] if phase and phase != name else []
        parts.append(f"step {told.get('done', 0)}/{told.get('total', '?')}")
        accuracy = told.get("dev", {}).get("accuracy")
        parts.append("dev not looked at" if accuracy is None else f"dev {100 * accuracy:.0f} %")
        width = min(self.app.size.width - 8, 100)
        head = set_cell_size(f"{run.id[-6:]} {line(name, 20)}", 28)
        here = " (shown)" if run.id == self._shown else ""
        return Content.assemble((head, "bold"), line(" · ".join(parts) + here, max(20, width - 28)))

    @on(OptionList.OptionSelected)
    def _clicked(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._found[event.option_index].id)

    def action_pick(self) -> None:
        """Close with the run under the cursor."""
        self.query_one(OptionList).action_select()

    def action_close(self) -> None:
        """Stay with what is shown."""
        self.dismiss(None)
