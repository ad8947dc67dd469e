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
from core.runs.params import TrainParams, params_of
from core.runs.progress import TrainProgress, progress_of
from core.runs.readable import problem_of
from storage.schema import Run
from tui.actions import TRAIN_CHOICE, Action, bindings
from tui.text import line
from tui.widgets.keys import Keys

# At most so many runs are listed: an OptionList lays out all of its options.
MAX_RUNS = 200


class TrainingChoice(ModalScreen[str | None]):
    """Lists training runs, newest first. Closes with the id of one, or None.

    `shown_id` is the run that is on the screen.
    """

    TITLE = "Training runs"
    ACTIONS: ClassVar[list[Action]] = TRAIN_CHOICE
    BINDINGS = bindings(TRAIN_CHOICE)

    def __init__(self, question: str, runs: Sequence[Run], shown_id: str | None) -> None:
        super().__init__()
        self._question, self._shown_id = question, shown_id
        self._listed_runs, self._run_count = runs[:MAX_RUNS], len(runs)

    def compose(self) -> ComposeResult:
        cut = f" The newest {MAX_RUNS} of {self._run_count:,}." if self._run_count > MAX_RUNS else ""
        with Vertical(id="box"):
            yield Static(Content.styled(f"{self._question}{cut}", "bold"))
            yield OptionList(*(Option(self._row(run)) for run in self._listed_runs), markup=False)
        yield Keys()

    def on_mount(self) -> None:
        """Put the cursor on the newest run."""
        options = self.query_one(OptionList)
        options.highlighted = 0
        options.focus()

    def _row(self, run: Run) -> Content:
        if problem := problem_of(run):
            return Content.styled(line(problem, min(self.app.size.width - 8, 100)), "$text-error")
        progress, name = progress_of(run, TrainProgress), params_of(run, TrainParams).name
        parts = [str(run_status(run).state)]
        parts += [progress.phase] if progress.phase and progress.phase != name else []
        parts.append(f"step {progress.done}/{'?' if progress.total is None else progress.total}")
        accuracy = progress.dev.accuracy if progress.dev else None
        parts.append("dev not looked at" if accuracy is None else f"dev {100 * accuracy:.0f} %")
        width = min(self.app.size.width - 8, 100)
        head = set_cell_size(f"{run.id[-6:]} {line(name, 20)}", 28)
        shown = " (shown)" if run.id == self._shown_id else ""
        return Content.assemble((head, "bold"), line(" · ".join(parts) + shown, max(20, width - 28)))

    @on(OptionList.OptionSelected)
    def _choose(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._listed_runs[event.option_index].id)

    def action_pick(self) -> None:
        """Choose the run under the cursor."""
        self.query_one(OptionList).action_select()

    def action_close(self) -> None:
        """Close without a choice."""
        self.dismiss(None)
