"""Training: is it learning, is it going wrong, can it be stopped; and what came of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import ContentSwitcher, Input

from core.runs.control import RunStatus, run_status
from core.runs.params import TrainParams, params_of
from core.runs.readable import problem_of
from core.training.curve.cells import KIND as CURVE
from core.training.monitor import PhaseMonitor, TrainingMonitor, select_run
from core.training.plan import KIND
from core.training.run.start import start_training
from storage import runs, training
from storage.errors import UserError
from storage.schema import Run
from tui.actions import TRAINING, bindings
from tui.keymap import key
from tui.screens.project_screen import ProjectScreen
from tui.screens.run_control import RunControl
from tui.screens.training.curve_line import curve_line
from tui.screens.training.curves import CurvesView
from tui.screens.training.empty_state import FIRST_RECIPE, LOADING, no_run_message, unreadable_message
from tui.screens.training.loader import RunLoaded, TrainingLoader
from tui.screens.training.note_field import NoteField
from tui.screens.training.overview import TrainingOverview
from tui.screens.training.side_by_side import SideBySideView
from tui.screens.training.table_view import TrainingTableView
from tui.widgets.text_panel import TextPanel


class TrainingScreen(ProjectScreen):
    """One training run while it goes and after; and what can be done about it."""

    TITLE = "Training"
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
        self._run_control = RunControl(self, "training.pause-resume")
        self._loader = TrainingLoader(self)
        # The chosen run, and the one beside it; None: the newest run, and none.
        self._run_id: str | None = None
        self._other_id: str | None = None
        # The chosen phase; '': the one that the run is at.
        self._phase_name = ""
        # The run that is on the screen.
        self._status: RunStatus | None = None
        # The learning curve that is at work.
        self._curve: RunStatus | None = None

    def parts(self) -> ComposeResult:
        yield TextPanel(id="learning", classes="row")
        with ContentSwitcher(initial="overview", id="views"):
            yield TrainingOverview(id="overview")
            yield CurvesView(id="curves")
            yield SideBySideView(id="beside")
            yield TrainingTableView(id="table")
        yield NoteField("a note, pinned to the step that it is at")

    def on_screen_suspend(self) -> None:
        """Close the note field for the palette or another screen: its actions act."""
        if self.query_one(NoteField).has_focus:
            self.query_one(NoteField).close()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Back acts in the note field and in all views but the overview; starting a benchmark acts in the table."""
        if action == "back" and self._seen_version >= 0:
            return self.typing or (self._view != "overview" and super().check_action(action, parameters))
        if action == "benchmark" and self._view != "table":
            return False
        return super().check_action(action, parameters)

    def ticking(self) -> bool:
        """The age of a run grows until it has ended."""
        return self._curve is not None or (self._status is not None and not self._status.state.ended)

    # ------------------------------------------------------------ drawing

    def draw(self) -> None:
        """Read what is new of the run, and draw the view in front, under a line for a learning curve at work."""
        statuses = (run_status(run) for run in runs.unended(self.db) if run.kind == CURVE)
        self._curve = next((status for status in statuses if not status.state.ended), None)
        panel = self.query_one("#learning", TextPanel)
        panel.display = self._curve is not None
        if self._curve is not None:
            panel.show(curve_line(self._curve))
        self._draw_run()
        if self._view == "table":
            self.query_one(TrainingTableView).reload_if_measured(self.project, self.db)

    def _draw_run(self) -> None:
        run = self._find_run(self._run_id) or select_run(self.db, lambda run: not run_status(run).state.ended)
        self._status = None if run is None else run_status(run)
        monitor = None if run is None else self._loader.load(run)
        if monitor is None or self._status is None:
            message = no_run_message(self.project, self.db) if run is None else unreadable_message(run)
            self.query_one(TrainingOverview).show_message(message)
            return
        phase = monitor.phase(self._phase_name)
        match self._view:
            case "overview":
                answers = training.answers(self.db, monitor.run.id, phase.name, phase.step)
                loading = self._loader.is_loading(monitor.run)
                self.query_one(TrainingOverview).draw(
                    monitor, phase, self._status, answers, loading=loading, lines_above=int(self._curve is not None)
                )
            case "curves":
                self.query_one(CurvesView).draw(monitor, phase, self._status)
            case "beside":
                self._draw_side_by_side(monitor, phase)

    def _draw_side_by_side(self, monitor: TrainingMonitor, phase: PhaseMonitor) -> None:
        view = self.query_one(SideBySideView)
        other_run = self._find_run(self._other_id)
        if other_run is None:
            view.show_message(Content(f"{key('training.compare')} chooses a run"))
        elif (other := self._loader.load(other_run)) is None:
            view.show_message(unreadable_message(other_run))
        elif self._loader.is_loading(monitor.run) or self._loader.is_loading(other_run):
            view.show_message(LOADING)
        else:
            view.draw((monitor, phase), (other, other.phase(phase.name)))

    def on_run_loaded(self, event: RunLoaded) -> None:
        """Show what was read in a thread."""
        self._loader.accept(event)
        if event.problem:
            self.tell(f"run {event.monitor.run.id[-6:]} cannot be read: {event.problem}", error=True)
        self.redraw()

    def _find_run(self, run_id: str | None) -> Run | None:
        return runs.get(self.db, run_id) if run_id else None

    # ------------------------------------------------------------ views

    @property
    def _view(self) -> str:
        return self.query_one("#views", ContentSwitcher).current or "overview"

    def action_view(self, view: str) -> None:
        """Show a view; again: the overview."""
        if self._status_or_tell() is not None:
            self._show_view("overview" if self._view == view else view)

    def _show_view(self, view: str) -> None:
        self.query_one("#views", ContentSwitcher).current = view
        scrolled = self.query(f"#{view}").filter("VerticalScroll")
        self.set_focus(scrolled.first() if scrolled else None)
        self.refresh_bindings()
        self.redraw()

    def action_back(self) -> None:
        """Leave the note field, or else go back to the overview."""
        if self.typing:
            self.query_one(NoteField).close()
        else:
            self._show_view("overview")

    def action_phase(self) -> None:
        """Show the next phase of the run."""
        if (status := self._readable_status_or_tell()) is None:
            return
        names = list(params_of(status.run, TrainParams).phases)
        if len(names) < 2:
            self.tell(f"this run has one phase, {names[0]}")
            return
        if (phase := self._shown_phase(status)) is not None:
            self._phase_name = names[(names.index(phase.name) + 1) % len(names)]
            self.redraw()

    def _shown_phase(self, status: RunStatus) -> PhaseMonitor | None:
        """The phase on the screen; None if the recipes of the run cannot be read."""
        monitor = self._loader.load(status.run)
        return None if monitor is None else monitor.phase(self._phase_name)

    def _status_or_tell(self) -> RunStatus | None:
        """The run on the screen; if there is none, say so and return None."""
        if self._status is None:
            self.tell(f"nothing was trained yet: {key('training.start')} starts")
        return self._status

    def _readable_status_or_tell(self) -> RunStatus | None:
        """The run on the screen; if there is none, or it cannot be read, say so and return None."""
        status = self._status_or_tell()
        if status is not None and (problem := problem_of(status.run)):
            self.tell(problem, error=True)
            return None
        return status

    # ------------------------------------------------------------ starting and stopping

    def action_start(self) -> None:
        """Ask which recipe to train, and start it."""
        if not self.project.task.train:
            self.tell(f"there is no recipe: {FIRST_RECIPE}, then {key('app.read-the-project-file')}", error=True)
            return
        from tui.screens.training.form import TrainingForm

        self.app.push_screen(TrainingForm(self.project, self.db), self._start)

    def _start(self, choice: tuple[str, str] | None) -> None:
        """Start the recipe that was chosen, from the adapter of the run that was chosen, and show the new run."""
        if choice is None:
            return
        recipe, start_from = choice
        try:
            run = start_training(self.project, self.db, recipe, start_from=start_from)
        except (UserError, sqlite3.Error) as error:
            self.tell(str(error), error=True)
            return
        self._show_run(run.id)
        self.tell(f"run {run.id[-6:]} starts; it goes on if you leave")

    def action_pause(self) -> None:
        """Pause the run, let it go on, or resume it."""
        if (status := self._status_or_tell()) is not None:
            self._run_control.pause_or_resume(status)

    def action_stop(self) -> None:
        """Stop the run, if the person confirms it."""
        if (status := self._status_or_tell()) is not None:
            self._run_control.stop(status)

    async def action_log(self) -> None:
        """Go to the log of the run."""
        if (status := self._status_or_tell()) is not None:
            from tui.screens.runs.screen import RunsScreen

            await self.app.switch_mode("runs")
            if isinstance(self.app.screen, RunsScreen):
                self.app.screen.go_to(status.run.id)

    # ------------------------------------------------------------ answers and notes

    def action_answers(self) -> None:
        """Show what the student wrote, step by step."""
        if (status := self._readable_status_or_tell()) is None:
            return
        from tui.screens.training.answers import AnswersScreen, answered_steps

        if answered_steps(self.db, status.run):
            self.app.push_screen(AnswersScreen(self.db, status.run))
        else:
            self.tell("no answer was kept: SFT shows none, and RL keeps some of each step")

    def action_note(self) -> None:
        """Ask for a note."""
        if (status := self._status_or_tell()) is not None and self._shown_phase(status) is not None:
            self.query_one(NoteField).open()

    @on(Input.Submitted, "#note")
    def _add_note(self, event: Input.Submitted) -> None:
        text, status = event.value.strip(), self._status
        self.query_one(NoteField).close()
        if text and status is not None and (phase := self._shown_phase(status)) is not None:
            try:
                training.add_note(self.db, status.run.id, phase.name, phase.step, text)
            except sqlite3.Error as error:
                self.tell(str(error), error=True)
                return
            self.tell(f"noted at step {phase.step:,}")
            self.redraw()

    # ------------------------------------------------------------ other runs

    def action_choose(self) -> None:
        """Choose which run is shown."""
        self._choose_run("Which training run?", self._show_run)

    def _show_run(self, run_id: str) -> None:
        self._run_id, self._phase_name = run_id, ""
        self._loader.keep_only({run_id, *([self._other_id] if self._other_id else [])})
        self._show_view("overview")

    def action_compare(self) -> None:
        """Choose a run to show beside this one; again: back to the overview."""
        if self._view == "beside":
            self._show_view("overview")
        elif (status := self._status_or_tell()) is not None:
            run_id = status.run.id
            self._choose_run(
                "Which run beside this one?", lambda other_id: self._show_side_by_side(run_id, other_id), without=run_id
            )

    def _show_side_by_side(self, run_id: str, other_id: str) -> None:
        self._run_id, self._other_id = run_id, other_id
        self._loader.keep_only({run_id, other_id})
        self._show_view("beside")

    def _choose_run(self, question: str, on_choice: Callable[[str], None], *, without: str = "") -> None:
        """Ask for a training run other than `without`, and pass its id on."""
        choices = [run for run in runs.of_kind(self.db, KIND) if run.id != without]
        if not choices:
            nothing = f"nothing was trained yet: {key('training.start')} starts"
            self.tell("there is no other training run" if without else nothing)
            return
        from tui.screens.training.run_choice import TrainingChoice

        def on_closed(run_id: str | None) -> None:
            if run_id is not None:
                on_choice(run_id)

        self.app.push_screen(TrainingChoice(question, choices, self._run_id), on_closed)

    # ------------------------------------------------------------ the table after training

    def action_table(self) -> None:
        """Show base, SFT and RL on the same benchmark; again: the overview."""
        if self._view == "table":
            self._show_view("overview")
        elif self._status_or_tell() is not None:
            table = self.query_one(TrainingTableView)
            table.show_loading()
            self._show_view("table")
            table.load(self.project)

    def action_benchmark(self) -> None:
        """Start the first benchmark that the table lacks."""
        from core.training.comparison import start_missing

        table = self.query_one(TrainingTableView)
        if (missing := table.first_missing()) is None:
            self.tell("the table lacks no benchmark that could be started")
            return
        comparison, row = missing
        try:
            run = start_missing(self.project, self.db, comparison, row)
        except (UserError, sqlite3.Error) as error:
            self.tell(str(error), error=True)
            return
        self.tell(f"benchmark {run.id[-6:]} asks {row.model}; 6 shows it as it goes")
        table.load(self.project)
