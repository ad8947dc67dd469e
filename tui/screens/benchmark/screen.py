"""Benchmark: is it running, what does it say so far, where do student and reference differ, can it be stopped."""

from __future__ import annotations

import sqlite3
from functools import partial

from textual.message import Message
from textual.widgets import ContentSwitcher

from core.benchmark.answer_stream import role_of
from core.benchmark.start import KIND, retry, start_benchmark
from core.exchange.files import FileError
from core.runs.control import RunError, RunStatus
from core.runs.params import BenchmarkParams
from storage import runs
from storage.database import DatabaseError, connect
from storage.schema import Run, RunState
from tui.actions import BENCHMARK, bindings
from tui.keymap import key
from tui.screens.benchmark.views import BenchmarkViews

# After so long it is said that a start takes its time.
SOON_S = 0.2


class BenchmarkStarted(Message):
    """A benchmark was started, or `problem` kept it from that."""

    def __init__(self, params: BenchmarkParams, run: Run | None, problem: str) -> None:
        super().__init__()
        self.params, self.run, self.problem = params, run, problem


class BenchmarkScreen(BenchmarkViews):
    """Two benchmarks, the student's and the reference's, while they run and after; and what can be done about them."""

    TITLE = "Benchmark"
    RESUME = "benchmark.pause-resume"
    ACTIONS = BENCHMARK
    BINDINGS = bindings(BENCHMARK)
    MARKS = (
        ("✓ ✗ ·", "right · wrong · no answer, which counts as wrong"),
        ("(35.4–48.2)", "the 95 % interval of what stands before it"),
        ("▸", "the chosen run, which c r f l p x are about"),
    )

    def __init__(self) -> None:
        super().__init__()
        self._starting = False

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Back leads to the overview, where there is one to go back to."""
        if action == "back" and self._seen_version >= 0 and self._view == "overview":
            return False
        return super().check_action(action, parameters)

    def action_view(self, view: str) -> None:
        """Show a view; again: the overview."""
        if not any(self._seen.values()):
            self.tell(f"there is no benchmark yet: {key('benchmark.start')} starts one")
            return
        wanted = {"slices": "slices-view"}.get(view, view)
        self._show_view("overview" if self._view == wanted else wanted)

    def _show_view(self, view: str) -> None:
        self.query_one("#views", ContentSwitcher).current = view
        scrolled = self.query(f"#{view}").filter("VerticalScroll")
        self.set_focus(scrolled.first() if scrolled else None)
        self.refresh_bindings()
        self.redraw()

    def action_back(self) -> None:
        """Back to the overview."""
        self._show_view("overview")

    def action_switch(self) -> None:
        """Choose the other of the two runs."""
        self._role = "reference" if self._role == "student" else "student"
        self.redraw()

    def action_start(self) -> None:
        """Ask what to measure, and start it."""
        from tui.screens.benchmark.form import BenchmarkForm

        self.app.push_screen(BenchmarkForm(self.project, self.db, self._ids), self._start)

    def _start(self, params: BenchmarkParams | None) -> None:
        if params is None:
            return
        self._starting = True
        self.set_timer(SOON_S, self._say_starting)
        self.run_worker(partial(self._prepare, params), thread=True, exit_on_error=False, group="start")

    def _say_starting(self) -> None:
        if self._starting:
            self.tell("what is asked is being written down …")

    def _prepare(self, params: BenchmarkParams) -> None:
        """Start the benchmark; in a thread, since of many examples it takes seconds to keep what is asked."""
        run, problem = None, ""
        try:
            connection = connect(self.project.database)
            try:
                run = start_benchmark(self.project, connection, params)
            finally:
                connection.close()
        except (RunError, FileError, DatabaseError, sqlite3.Error) as error:
            problem = str(error)
        self.post_message(BenchmarkStarted(params, run, problem))

    def on_benchmark_started(self, event: BenchmarkStarted) -> None:
        """Show the run that starts."""
        self._starting = False
        if event.run is None:
            self.tell(event.problem, error=True)
            return
        self._role = role_of(self.project.task, event.params)
        self._ids[self._role] = event.run.id
        self.tell(f"run {event.run.id[-6:]} starts; it goes on if you leave")
        self._show_view("overview")

    def action_choose(self) -> None:
        """Choose which benchmarks are shown."""
        from tui.screens.benchmark.run_choice import BenchmarkChoice

        found = runs.of_kind(self.db, KIND)
        if not found:
            self.tell(f"there is no benchmark yet: {key('benchmark.start')} starts one")
        else:
            self.app.push_screen(BenchmarkChoice(found, self._ids), self._choose)

    def _choose(self, chosen: tuple[str, str | None] | None) -> None:
        if chosen is None:
            return
        role, run = chosen
        other = "reference" if role == "student" else "student"
        if run is not None and self._ids[other] == run:
            self._ids[other] = self._ids[role]
        self._ids[role] = run
        self.forget(but={key for key in self._ids.values() if key})
        self._role = role if run else "student"
        self.redraw()

    def action_pairs(self) -> None:
        """The pairs of both runs, or the answers of the one that there is."""
        from tui.screens.benchmark.pairs import PairsScreen

        lives = {role: self.read_on(seen) for role, seen in self._seen.items() if seen is not None}
        there = [live for live in (lives.get("student"), lives.get("reference")) if live is not None]
        if len(there) < len(lives):
            self.tell("the answers are being read: a moment")
        elif not there:
            self.tell(f"there is no benchmark yet: {key('benchmark.start')} starts one")
        else:
            self.app.push_screen(PairsScreen(self.db, there[0], there[1] if len(there) > 1 else None))

    def _run(self, what: str) -> RunStatus | None:
        """The chosen run; None if there is none to `what`, which is said."""
        if self._chosen is None:
            self.tell(f"there is no run of the {self._role} to {what}: {key('benchmark.start')} starts one")
        return self._chosen

    def action_pause(self) -> None:
        """Pause the chosen run, let it go on, or resume it."""
        if (seen := self._run("pause")) is not None:
            (self.pause if seen.state is RunState.RUNNING else self.resume)(seen)

    def action_stop(self) -> None:
        """Stop the chosen run, if the person confirms it."""
        if (seen := self._run("stop")) is not None:
            self.stop(seen)

    def action_retry(self) -> None:
        """Ask again what the chosen run has no answer to."""
        if (seen := self._run("ask again")) is None:
            return
        try:
            number = retry(self.project, self.db, seen.run)
        except (RunError, sqlite3.Error) as error:
            self.tell(str(error), error=True)
        else:
            self.tell(f"asks {number} again")
        self.redraw()

    async def action_log(self) -> None:
        """Go to the log of the chosen run."""
        if (seen := self._run("look into")) is not None:
            from tui.screens.runs.screen import RunsScreen

            await self.app.switch_mode("runs")
            if isinstance(self.app.screen, RunsScreen):
                self.app.screen.go_to(seen.run.id)
