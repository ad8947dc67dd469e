"""Benchmark: how far the runs are, what they say so far, where student and reference differ, and how to stop them."""

from __future__ import annotations

import sqlite3

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import ContentSwitcher

from core.benchmark.run_choice import role_of
from core.benchmark.start import KIND, retry_failures
from core.runs.control import RunStatus
from core.runs.params import BenchmarkParams
from core.runs.readable import readable_of_kind
from storage.errors import UserError
from tui.actions import BENCHMARK, bindings
from tui.app_context import GenerationWish
from tui.keymap import key
from tui.screens.benchmark.answer_loader import AnswerLoader, AnswersLoaded
from tui.screens.benchmark.fields_view import FieldsView
from tui.screens.benchmark.figures_cache import BenchmarkFiguresCache, FiguresComputed
from tui.screens.benchmark.gate_view import GateView, compute_gate
from tui.screens.benchmark.overview import BenchmarkOverview
from tui.screens.benchmark.starter import BenchmarkStarted, BenchmarkStarter
from tui.screens.benchmark.state import BenchmarkState, ShownBenchmarks
from tui.screens.benchmark.views import ConfusionView, ReliabilityView, SlicesView
from tui.screens.project_screen import ProjectScreen
from tui.screens.run_control import RunControl


class BenchmarkScreen(ProjectScreen):
    """Two benchmarks, the student's and the reference's, while they run and after; and what can be done about them."""

    TITLE = "Benchmark"
    ACTIONS = BENCHMARK
    BINDINGS = bindings(BENCHMARK)
    MARKS = (
        ("✓ ✗ ·", "right · wrong · no answer, which counts as wrong"),
        ("(35.4–48.2)", "the 95 % interval of what stands before it"),
        ("▸", "what is chosen; c r t f l p x are about that run"),
        ("80!", "differs from the rest of its run"),
    )

    def __init__(self) -> None:
        super().__init__()
        self._run_control = RunControl(self, "benchmark.pause-resume")
        self._shown = ShownBenchmarks()
        self._loader = AnswerLoader(self)
        self._cache = BenchmarkFiguresCache(self)
        self._starter = BenchmarkStarter(self)

    def parts(self) -> ComposeResult:
        with ContentSwitcher(initial="overview", id="views"):
            yield BenchmarkOverview(id="overview")
            yield ConfusionView(id="confusion")
            yield SlicesView(id="slices-view")
            yield GateView(id="gate")
            yield ReliabilityView(id="reliability")
            yield FieldsView()

    @property
    def _view(self) -> str:
        return self.query_one("#views", ContentSwitcher).current or "overview"

    @property
    def working(self) -> bool:
        """Whether something that is to be shown is still being read or computed."""
        return self._loader.loading or self._cache.computing

    def ticking(self) -> bool:
        """The age of a run changes by itself; what is not read or computed yet is read or computed with time."""
        unread, outdated = self._loader.take_pending(), self._cache.take_pending()
        return unread or outdated or self._shown.active

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer the way back to the overview only in another view, and what acts on fields only there."""
        if action == "back" and self._seen_version >= 0 and self._view == "overview":
            return False
        if action in {"more", "move_field", "move_answer"} and (self._seen_version < 0 or self._view != "fields-view"):
            return False
        return super().check_action(action, parameters)

    # ------------------------------------------------------------ drawing

    def draw(self) -> None:
        """Read what is new of both runs, and draw the view in front."""
        self._shown.refresh(self.project.task, self.db)
        overview = self.query_one(BenchmarkOverview)
        overview.lay_out(empty=self._shown.empty)
        if self._shown.empty:
            overview.draw_empty()
            return
        statuses = self._shown.statuses
        streams = {role: None if status is None else self._loader.read(status) for role, status in statuses.items()}
        gate = compute_gate(self._shown, streams, self._cache)
        state = BenchmarkState(self.project, self.db, self._shown, streams, self._cache, gate)
        match self._view:
            case "overview":
                overview.draw(state)
            case "confusion":
                self.query_one(ConfusionView).draw(state)
            case "slices-view":
                self.query_one(SlicesView).draw(state)
            case "gate":
                self.query_one(GateView).draw(state)
            case "reliability":
                self.query_one(ReliabilityView).draw(state)
            case "fields-view":
                self.query_one(FieldsView).draw(state)

    def on_answers_loaded(self, event: AnswersLoaded) -> None:
        """Show the answers that were read."""
        self._loader.store(event)
        if event.stream is None:
            self.tell(f"the answers of run {event.run[-6:]} cannot be read: {event.problem}", error=True)
        else:
            self._cache.discard(event.run)
        self.redraw()

    def on_figures_computed(self, event: FiguresComputed) -> None:
        """Show the figures that were computed."""
        self._cache.store(event)
        self.redraw()

    # ------------------------------------------------------------ views

    def action_view(self, view: str) -> None:
        """Show a view; the overview, if that view is shown already."""
        if self._shown.empty:
            self._tell_first_step()
            return
        view_id = {"slices": "slices-view", "fields": "fields-view"}.get(view, view)
        self._show_view("overview" if self._view == view_id else view_id)

    def action_back(self) -> None:
        """Go back to the overview."""
        self._show_view("overview")

    def action_switch(self) -> None:
        """Choose the other of the two runs."""
        self._shown.switch()
        self.redraw()

    def action_move_field(self, step: int) -> None:
        """Move the cursor by `step` fields."""
        self.query_one(FieldsView).move_field(step)
        self.redraw()

    def action_move_answer(self, step: int) -> None:
        """Choose another of the worst answers of the field."""
        self.query_one(FieldsView).move_answer(step)
        self.redraw()

    def action_more(self) -> None:
        """Open Generate, filled in for more examples of the kind in which the field goes wrong."""
        spot = self.query_one(FieldsView).spot
        if spot is None:
            self.tell("no field is wrong: there is nothing to make more of")
            return
        reason = f"{spot.field} is right in {spot.right:,} of {spot.n:,} there"
        self.sidequest.generation_wish = GenerationWish(f"level:{spot.level}", spot.inference, reason)
        self.sidequest.action_go("generate")

    def _show_view(self, view_id: str) -> None:
        self.query_one("#views", ContentSwitcher).current = view_id
        view = self.query_one(f"#{view_id}")
        self.set_focus(view if isinstance(view, VerticalScroll) else None)
        self.refresh_bindings()
        self.redraw()

    def _tell_first_step(self) -> None:
        self.tell(f"there is no benchmark yet: {key('benchmark.start')} starts one")

    # ------------------------------------------------------------ which runs

    def action_start(self) -> None:
        """Ask what to measure, and start it."""
        from tui.screens.benchmark.form import BenchmarkForm

        self.app.push_screen(BenchmarkForm(self.project, self.db, self._shown.ids), self._start)

    def _start(self, params: BenchmarkParams | None) -> None:
        if params is not None:
            self._starter.start(params)

    def on_benchmark_started(self, event: BenchmarkStarted) -> None:
        """Show the run that starts."""
        self._starter.finish()
        if event.leaks:
            self._ask_about_leaks(event)
            return
        if event.run is None:
            self.tell(event.problem, error=True)
            return
        self._shown.show_new(role_of(self.project.task, event.params), event.run.id)
        self.tell(f"run {event.run.id[-6:]} starts; it goes on if you leave")
        self._show_view("overview")

    def _ask_about_leaks(self, event: BenchmarkStarted) -> None:
        """Start it all the same if the person says so."""
        from tui.widgets.modals import Confirm

        def on_answer(yes: bool | None) -> None:
            if yes:
                self._starter.start(event.params.model_copy(update={"allow_leaks": True}))

        question = f"{event.leaks}.\n{key('dataset.check')} on Dataset shows all of it. Measure all the same?"
        self.app.push_screen(Confirm(question), on_answer)

    def action_choose(self) -> None:
        """Choose which benchmarks are shown."""
        from tui.screens.benchmark.run_choice import BenchmarkChoice

        benchmarks = readable_of_kind(self.db, KIND)
        if not benchmarks:
            self._tell_first_step()
        else:
            self.app.push_screen(BenchmarkChoice(benchmarks, self._shown.ids), self._assign)

    def _assign(self, choice: tuple[str, str | None] | None) -> None:
        if choice is None:
            return
        self._shown.assign(*choice)
        run_ids = {run_id for run_id in self._shown.ids.values() if run_id}
        self._loader.keep_only(run_ids)
        self._cache.keep_only(run_ids)
        self.redraw()

    def action_pairs(self) -> None:
        """Show the pairs of both runs, or the answers of the one that there is."""
        from tui.screens.benchmark.pairs import PairsScreen

        streams = [self._loader.read(status) for status in self._shown.statuses.values() if status is not None]
        loaded = [stream for stream in streams if stream is not None]
        if len(loaded) < len(streams):
            self.tell("the answers are being read: a moment")
        elif not loaded:
            self._tell_first_step()
        else:
            example = self.query_one(FieldsView).example if self._view == "fields-view" else None
            self.app.push_screen(PairsScreen(self.db, loaded[0], loaded[1] if len(loaded) > 1 else None, example))

    # ------------------------------------------------------------ the chosen run

    def _chosen_run(self, purpose: str) -> RunStatus | None:
        """Return the chosen run; None if there is none to `purpose`, which the person is told."""
        if self._shown.chosen is None:
            self.tell(f"there is no run of the {self._shown.role} to {purpose}: {key('benchmark.start')} starts one")
        return self._shown.chosen

    def action_pause(self) -> None:
        """Pause the chosen run, or resume it."""
        if (status := self._chosen_run("pause")) is not None:
            self._run_control.pause_or_resume(status)

    def action_stop(self) -> None:
        """Stop the chosen run, if the person confirms it."""
        if (status := self._chosen_run("stop")) is not None:
            self._run_control.stop(status)

    def action_retry(self) -> None:
        """Ask again what the chosen run has no answer to."""
        if (status := self._chosen_run("ask again")) is None:
            return
        try:
            count = retry_failures(self.project, self.db, status.run)
        except (UserError, sqlite3.Error) as error:
            self.tell(str(error), error=True)
        else:
            self.tell(f"asks {count} again")
        self.redraw()

    async def action_log(self) -> None:
        """Go to the log of the chosen run."""
        if (status := self._chosen_run("look into")) is not None:
            from tui.screens.runs.screen import RunsScreen

            await self.app.switch_mode("runs")
            if isinstance(self.app.screen, RunsScreen):
                self.app.screen.go_to(status.run.id)
