"""The question which two benchmarks to show, over Benchmark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from core.benchmark.start import title
from core.runs.control import run_status
from core.runs.params import BenchmarkParams, params_of
from storage.schema import Run
from tui.actions import BENCH_CHOICE, Action, bindings
from tui.screens.benchmark.figures import interval, percent
from tui.text import line
from tui.widgets.keys import Keys

# So many are listed: a list of options lays all of them out.
MOST = 200


class BenchmarkChoice(ModalScreen[tuple[str, str | None] | None]):
    """All benchmarks, newest first; closes with a role and the run that it is to show, or None."""

    TITLE = "Benchmarks"
    ACTIONS: ClassVar[list[Action]] = BENCH_CHOICE
    BINDINGS = bindings(BENCH_CHOICE)

    def __init__(self, found: Sequence[Run], shown: Mapping[str, str | None]) -> None:
        super().__init__()
        self._found = found[:MOST]
        self._all = len(found)
        self._shown = shown

    def compose(self) -> ComposeResult:
        cut = f", the newest {MOST} of {self._all:,}" if self._all > MOST else ""
        with Vertical(id="box"):
            yield Static(Content.styled(f"Benchmarks{cut}", "bold"))
            yield OptionList(*(Option(self._row(run)) for run in self._found), markup=False)
            yield Static(
                Content.styled("s shows it as the student's, r as the reference's, n no reference", "$text-muted")
            )
        yield Keys()

    def on_mount(self) -> None:
        """Begin at the newest."""
        choices = self.query_one(OptionList)
        choices.highlighted = 0
        choices.focus()

    def _row(self, run: Run) -> Content:
        told = run.progress
        width = min(self.app.size.width - 8, 100)
        role = next((role for role, key in self._shown.items() if key == run.id), "")
        right = "no answer yet"
        if told.get("accuracy") is not None:
            right = f"{percent(told['accuracy'])} % {interval(told['low'], told['high'])}"
        if run.params.get("sniff"):
            right = f"{told.get('right', '?')} of {told.get('n', '?')} right"
        done = f"{told.get('done', '?')}/{told.get('total', '?')}"
        state = run_status(run).state.value
        head = line(f"{run.id[-6:]} {title(params_of(run, BenchmarkParams))}", max(20, width))
        return Content.assemble(
            (head, "bold"), "\n", f"       {state:<9}{done:>12}  {right:<22} ", (role, "$text-accent")
        )

    @on(OptionList.OptionSelected)
    def _clicked(self) -> None:
        self.action_pick("student")

    def action_pick(self, role: str) -> None:
        """Close with the run under the cursor in this role."""
        at = self.query_one(OptionList).highlighted
        if role == "none":
            self.dismiss(("reference", None))
        elif at is not None:
            self.dismiss((role, self._found[at].id))

    def action_close(self) -> None:
        """Stay with what is shown."""
        self.dismiss(None)
