"""Training: is it learning, is it going wrong, can it be stopped; and what came of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING

from textual import on, work
from textual.message import Message
from textual.widgets import ContentSwitcher, Input

from core.runs.control import RunError, RunStatus, run_status
from core.training.plan import KIND
from core.training.run.start import start_training
from storage import runs, training
from storage.database import connect
from storage.schema import Run, RunState
from tui.actions import TRAINING, bindings
from tui.keymap import key
from tui.screens.training.views import FIRST_RECIPE, TrainingViews
from tui.text import content

if TYPE_CHECKING:
    from core.training.comparison import ComparisonTable
    from core.training.monitor import PhaseMonitor


class ComparisonReady(Message):
    """The table of what came of training is there, or `problem` says why not."""

    def __init__(self, found: ComparisonTable | None, problem: str = "") -> None:
        super().__init__()
        self.found, self.problem = found, problem


class TrainingScreen(TrainingViews):
    """One training run while it goes and after; and what can be done about it."""

    TITLE = "Training"
    RESUME = "training.pause-resume"
    ACTIONS = TRAINING
    BINDINGS = bindings(TRAINING)
    MARKS = (
        ("✓ ✗ ·", "right · wrong · no decision"),
        ("58 → 71 %", "before the first step, and now"),
        ("▁▃█", "from the lowest to the highest so far; shares from 0 to 100 %"),
        ("!", "an alarm, with what to try"),
        ("▴", "a note; in the plots a line at its step"),
    )

    def __init__(self) -> None:
        super().__init__()
        self._table: ComparisonTable | None = None

    def on_screen_suspend(self) -> None:
        """Leave the note for what is laid over the screen, such as the palette: its actions act."""
        if self.query_one("#note").has_focus:
            self._close_note()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Back leads out of the field, and to the overview; what belongs to the table acts there."""
        if action == "back" and self._seen_version >= 0:
            return self.typing or (self._view != "overview" and super().check_action(action, parameters))
        if action == "benchmark" and self._view != "table":
            return False
        return super().check_action(action, parameters)

    # ------------------------------------------------------------ views

    def action_view(self, view: str) -> None:
        """Show a view; again: the overview."""
        if self._run() is not None:
            self._show_view("overview" if self._view == view else view)

    def _show_view(self, view: str) -> None:
        self.query_one("#views", ContentSwitcher).current = view
        scrolled = self.query(f"#{view}").filter("VerticalScroll")
        self.set_focus(scrolled.first() if scrolled else None)
        self.refresh_bindings()
        self.redraw()

    def action_back(self) -> None:
        """Out of the field; else back to the overview."""
        if self.typing:
            self._close_note()
        else:
            self._show_view("overview")

    def action_phase(self) -> None:
        """Show the next phase of the run."""
        if (seen := self._run()) is None:
            return
        names = list(seen.run.params["phases"])
        if len(names) < 2:
            self.tell(f"this run has one phase, {names[0]}")
            return
        if (phase := self._shown_phase(seen)) is not None:
            self._phase = names[(names.index(phase.name) + 1) % len(names)]
            self.redraw()

    def _shown_phase(self, seen: RunStatus) -> PhaseMonitor | None:
        """The phase on the screen; None if the recipes of the run cannot be read, which the screen says."""
        known = self._known(seen.run)
        return None if known is None else known.phase(self._phase)

    def _run(self) -> RunStatus | None:
        """The run that is shown; None if there is none, which is said."""
        if self._seen is None:
            self.tell(f"nothing was trained yet: {key('training.start')} starts")
        return self._seen

    # ------------------------------------------------------------ starting and stopping

    def action_start(self) -> None:
        """Ask which recipe to train, and start it."""
        if not self.project.task.train:
            self.tell(f"there is no recipe: {FIRST_RECIPE}, then {key('app.read-the-project-file')}", error=True)
            return
        from tui.screens.training.form import TrainingForm

        self.app.push_screen(TrainingForm(self.project, self.db), self._start)

    def _start(self, wanted: tuple[str, str] | None) -> None:
        if wanted is None:
            return
        recipe, before = wanted
        try:
            run = start_training(self.project, self.db, recipe, start_from=before)
        except (RunError, sqlite3.Error) as error:
            self.tell(str(error), error=True)
            return
        self._choose(run.id)
        self.tell(f"run {run.id[-6:]} starts; it goes on if you leave")

    def action_pause(self) -> None:
        """Pause the run, let it go on, or resume it."""
        if (seen := self._run()) is not None:
            (self.pause if seen.state is RunState.RUNNING else self.resume)(seen)

    def action_stop(self) -> None:
        """Stop the run, if the person confirms it."""
        if (seen := self._run()) is not None:
            self.stop(seen)

    async def action_log(self) -> None:
        """Go to the log of the run."""
        if (seen := self._run()) is not None:
            from tui.screens.runs.screen import RunsScreen

            await self.app.switch_mode("runs")
            if isinstance(self.app.screen, RunsScreen):
                self.app.screen.go_to(seen.run.id)

    # ------------------------------------------------------------ answers and notes

    def action_answers(self) -> None:
        """What the student wrote, step by step."""
        if (seen := self._run()) is None:
            return
        from tui.screens.training.answers import AnswersScreen, steps_of

        if steps_of(self.db, seen.run):
            self.app.push_screen(AnswersScreen(self.db, seen.run))
        else:
            self.tell("no answer was kept: SFT shows none, and RL keeps some of each step")

    def action_note(self) -> None:
        """Ask for a note."""
        if (seen := self._run()) is not None and self._shown_phase(seen) is not None:
            field = self.query_one("#note", Input)
            field.display, field.value = True, ""
            self.set_focus(field)

    @on(Input.Submitted, "#note")
    def _noted(self, event: Input.Submitted) -> None:
        text, seen = event.value.strip(), self._seen
        self._close_note()
        if text and seen is not None and (phase := self._shown_phase(seen)) is not None:
            try:
                training.add_note(self.db, seen.run.id, phase.name, phase.at, text)
            except sqlite3.Error as error:
                self.tell(str(error), error=True)
                return
            self.tell(f"noted at step {phase.at:,}")
            self.redraw()

    def _close_note(self) -> None:
        self.query_one("#note").display = False
        self.set_focus(None)
        self.refresh_bindings()

    # ------------------------------------------------------------ other runs

    def action_choose(self) -> None:
        """Choose which run is shown."""
        self._offer("Which training run?", self._choose)

    def _choose(self, run: str) -> None:
        self._id, self._phase = run, ""
        self.forget(but={run, *([self._other] if self._other else [])})
        self._show_view("overview")

    def action_beside(self) -> None:
        """Hold another run beside this one."""
        if self._view == "beside":
            self._show_view("overview")
        elif (seen := self._run()) is not None:
            first = seen.run.id
            self._offer("Which run beside this one?", lambda other: self._put_beside(first, other), without=first)

    def _put_beside(self, first: str, other: str) -> None:
        self._id, self._other = first, other
        self.forget(but={first, other})
        self._show_view("beside")

    def _offer(self, question: str, then: Callable[[str], None], *, without: str = "") -> None:
        every: list[Run] = [run for run in runs.of_kind(self.db, KIND) if run.id != without]
        if not every:
            first = f"nothing was trained yet: {key('training.start')} starts"
            self.tell("there is no other training run" if without else first)
            return
        from tui.screens.training.run_choice import TrainingChoice

        def chosen(run: str | None) -> None:
            if run is not None:
                then(run)

        self.app.push_screen(TrainingChoice(question, every, self._id), chosen)

    # ------------------------------------------------------------ what came of it

    def action_table(self) -> None:
        """Base, SFT and RL on the same benchmark."""
        if self._view == "table":
            self._show_view("overview")
        elif self._run() is not None:
            self.show("#table-words", content("weighing the benchmarks …"))
            self._show_view("table")
            self._weigh()

    @work(thread=True, exclusive=True, exit_on_error=False, group="table")
    def _weigh(self) -> None:
        """Read the benchmarks beside the app: intervals are drawn anew many times."""
        from core.training.comparison import comparison_table

        try:
            connection = connect(self.project.database)
            try:
                found = comparison_table(self.project, connection, [])
            finally:
                connection.close()
        except Exception as error:  # whatever it is, it must not end the app: it is said where the table would be
            self.post_message(ComparisonReady(None, str(error) or type(error).__name__))
        else:
            self.post_message(ComparisonReady(found))

    def on_comparison_ready(self, event: ComparisonReady) -> None:
        """Show the table."""
        from tui.screens.training.comparison_table import drawn_table

        self._table = event.found
        self.show(
            "#table-words", content(event.problem, limit=1000) if event.found is None else drawn_table(event.found)
        )

    def draw(self) -> None:
        """Show what is new; the table, once a benchmark that it waits for has ended."""
        super().draw()
        going = [row.going for row in self._table.rows if row.going] if self._table and self._view == "table" else []
        if any(found is None or run_status(found).state.ended for found in map(self._look, going)):
            self._table = None
            self._weigh()

    def action_benchmark(self) -> None:
        """Start the first benchmark that the table lacks."""
        from core.training.comparison import start_missing

        row = next((row for row in self._table.rows if row.command), None) if self._table else None
        if self._table is None or row is None:
            self.tell("the table lacks no benchmark that could be started")
            return
        try:
            run = start_missing(self.project, self.db, self._table, row)
        except (RunError, sqlite3.Error) as error:
            self.tell(str(error), error=True)
            return
        self.tell(f"benchmark {run.id[-6:]} asks {row.model}; 6 shows it as it goes")
        self._weigh()
