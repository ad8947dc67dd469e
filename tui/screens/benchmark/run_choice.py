"""The list of all benchmarks, over Benchmark: which two to show."""

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

from core.benchmark.start import benchmark_title
from core.runs.control import run_status
from core.runs.params import BenchmarkParams, params_of
from core.runs.progress import BenchmarkProgress, progress_of
from storage.schema import Run
from tui.actions import BENCH_CHOICE, Action, bindings
from tui.screens.benchmark.figures import interval, percent
from tui.text import line
from tui.widgets.keys import Keys

# So many are listed: an OptionList lays all its options out.
MAX_LISTED = 200


class BenchmarkChoice(ModalScreen[tuple[str, str | None] | None]):
    """All benchmarks, newest first; closes with a role and the id of the run to show in it, or None."""

    TITLE = "Benchmarks"
    ACTIONS: ClassVar[list[Action]] = BENCH_CHOICE
    BINDINGS = bindings(BENCH_CHOICE)

    def __init__(self, benchmarks: Sequence[Run], shown: Mapping[str, str | None]) -> None:
        """`benchmarks` are newest first; `shown` are the ids of the runs on the screen, by role."""
        super().__init__()
        self._listed = benchmarks[:MAX_LISTED]
        self._total = len(benchmarks)
        self._shown = shown

    def compose(self) -> ComposeResult:
        cut = f", the newest {MAX_LISTED} of {self._total:,}" if self._total > MAX_LISTED else ""
        with Vertical(id="box"):
            yield Static(Content.styled(f"Benchmarks{cut}", "bold"))
            yield OptionList(*(Option(self._format_row(run)) for run in self._listed), markup=False)
            yield Static(
                Content.styled("s shows it as the student's, r as the reference's, n no reference", "$text-muted")
            )
        yield Keys()

    def on_mount(self) -> None:
        """Put the cursor on the newest benchmark."""
        choices = self.query_one(OptionList)
        choices.highlighted = 0
        choices.focus()

    def _format_row(self, run: Run) -> Content:
        progress, params = progress_of(run, BenchmarkProgress), params_of(run, BenchmarkParams)
        width = min(self.app.size.width - 8, 100)
        role = next((role for role, run_id in self._shown.items() if run_id == run.id), "")
        accuracy = "no answer yet"
        if progress.accuracy is not None and progress.low is not None and progress.high is not None:
            accuracy = f"{percent(progress.accuracy)} % {interval(progress.low, progress.high)}"
        begun = progress.total is not None
        if params.sniff:
            accuracy = f"{progress.right} of {progress.n} right" if begun else "? of ? right"
        done = f"{progress.done}/{progress.total}" if begun else "?/?"
        state = run_status(run).state.value
        head = line(f"{run.id[-6:]} {benchmark_title(params)}", max(20, width))
        return Content.assemble(
            (head, "bold"), "\n", f"       {state:<9}{done:>12}  {accuracy:<22} ", (role, "$text-accent")
        )

    @on(OptionList.OptionSelected)
    def _pick_for_student(self) -> None:
        self.action_pick("student")

    def action_pick(self, role: str) -> None:
        """Close with the run under the cursor in `role`; with no reference for the role 'none'."""
        position = self.query_one(OptionList).highlighted
        if role == "none":
            self.dismiss(("reference", None))
        elif position is not None:
            self.dismiss((role, self._listed[position].id))

    def action_close(self) -> None:
        """Change nothing."""
        self.dismiss(None)
