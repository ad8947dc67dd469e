"""Training: is it learning, is it going wrong, can it be stopped; and what came of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import ContentSwitcher, Input, Static

from core.runs.control import RunError, Seen, look
from core.training.start import KIND, start
from core.training.watch import Watched, shown, watch
from storage import runs, training
from storage.database import DatabaseError, connect
from storage.schema import Run, RunState
from tui.actions import TRAINING, bindings
from tui.screens import training_figures as drawn
from tui.screens.run_control import RunControl
from tui.screens.training_plots import Curves
from tui.text import clean, content, line
from tui.widgets.choice import Choice
from tui.widgets.fields import Field

# From so many columns and rows on, curves stand beside the figures.
WIDE, TALL = 120, 34
# So many runs are offered at once: a digit chooses.
OFFERED = 10


class TrainingScreen(RunControl):
    """One training run while it goes and after; and what can be done about it."""

    TITLE = "Training"
    GOES_ON = "p resumes it"
    ACTIONS = TRAINING
    BINDINGS = bindings(TRAINING)
    MARKS = (
        ("✓ ✗ ·", "right · wrong · no decision"),
        ("58 → 71 %", "before the first step, and now"),
        ("▁▃█", "from the lowest to the highest so far"),
        ("!", "an alarm, with what to try"),
    )

    def __init__(self) -> None:
        super().__init__()
        # The runs that are shown, and held beside it; None: the newest, and none.
        self._id: str | None = None
        self._other: str | None = None
        self._seen: Seen | None = None

    def parts(self) -> ComposeResult:
        with ContentSwitcher(initial="overview", id="views"):
            with Vertical(id="overview"):
                for name in ("head", "standing", "dev", "mix"):
                    yield Static(id=name, classes="row")
                yield Static(id="alarms")
                with Horizontal(id="columns"):
                    yield Static(id="sparks")
                    with Vertical(id="plots"):
                        yield Curves(id="near-steps")
                        yield Curves(id="near-looks")
                yield Static(id="newest")
            with Vertical(id="curves"):
                yield Static(id="curves-words", classes="row")
                yield Curves(id="far-steps")
                yield Curves(id="far-looks")
            for name in ("beside", "table"):
                with VerticalScroll(id=name):
                    yield Static(id=f"{name}-words")
        yield Field("", id="note", placeholder="a note, pinned to the step that it is at")

    def ticking(self) -> bool:
        """The age of a run passes by itself."""
        return self._seen is not None and not self._seen.state.ended

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Back leads out of the field, and to the overview."""
        if action == "back" and self._seen_version >= 0:
            return self.typing or self._view != "overview"
        return super().check_action(action, parameters)

    @property
    def _view(self) -> str:
        return self.query_one("#views", ContentSwitcher).current or "overview"

    # ------------------------------------------------------------ drawing

    def draw(self) -> None:
        """Read the run, and show the view in front."""
        found = self._look(self._id) or shown(self.db, lambda run: not look(run).state.ended)
        self._seen = None if found is None else look(found)
        for name in ("columns", "newest", "alarms"):
            self.query_one(f"#{name}").display = found is not None
        self.query_one("#head").set_class(found is None, "open")
        if found is None or self._seen is None:
            self._draw_nothing()
            return
        known = watch(self.db, found)
        match self._view:
            case "overview":
                self._draw_overview(known, self._seen)
            case "curves":
                self.show("#curves-words", drawn.headline(known, self._seen, self.size.width - 2))
                self._draw_curves(known, "far")
            case "beside":
                other = self._look(self._other)
                words = (
                    Content("o chooses") if other is None else drawn.beside(known, watch(self.db, other), self._width)
                )
                self.show("#beside-words", words)

    def _look(self, key: str | None) -> Run | None:
        return runs.get(self.db, key) if key else None

    @property
    def _width(self) -> int:
        return self.size.width - 2

    def _draw_nothing(self) -> None:
        recipes = ", ".join(self.project.task.train)
        first = (
            "g chooses a recipe and starts it." if recipes else "[train.NAME] in sidequest.toml is a recipe: write one."
        )
        words = Content.assemble(
            ("Nothing was trained yet\n\n", "bold"),
            "Training makes an adapter for the student from accepted examples of the split train, by imitation (SFT) "
            "or by reward (GRPO, PPO), and looks at the split dev as it goes.\n\n",
            (clean(first), "bold"),
            "\n\nIs it worth it? The gate on ",
            ("6 Benchmark", "bold"),
            " says how far the student is behind.",
        )
        self.show("#head", words)
        for name in ("standing", "dev", "mix"):
            self.show(f"#{name}", Content(""))

    def _draw_overview(self, known: Watched, seen: Seen) -> None:
        width, wide = self._width, self.size.width >= WIDE and self.size.height >= TALL
        self.query_one("#plots").display = wide
        self.show("#head", drawn.headline(known, seen, width))
        self.show("#standing", drawn.standing(known, seen, width))
        self.show("#dev", drawn.dev(known.current.looks, width))
        self.show("#mix", drawn.mix(known.current, width))
        told = drawn.alarms(known)
        self.query_one("#alarms").display = bool(told.plain)
        self.show("#alarms", told)
        answers = training.answers(self.db, known.run.id, known.current.name, known.current.at)
        spare = self.size.height - 8 - (told.plain.count("\n") + 1 if told.plain else 0)
        rows = spare - min(len(answers) + 1, 4 if spare < 20 else 8)
        self.show("#sparks", drawn.sparks(known.current, (width - 2) // 2 if wide else width, rows))
        if wide:
            self._draw_curves(known, "near")
        title = Content.styled(f"step {known.current.at:,}: what it wrote, and what that earned", "bold $text-accent")
        lines = [title, *(drawn.answer(one, width) for one in answers)] if answers else []
        self.show("#newest", Content("\n").join(lines))

    def _draw_curves(self, known: Watched, where: str) -> None:
        phase = known.current
        notes = [one for one in known.notes if one.phase == phase.name]
        name = "reward" if phase.series("reward")[-1:] not in ([], [None]) else "loss"
        self.query_one(f"#{where}-steps", Curves).steps(phase.steps, name, name, notes)
        self.query_one(f"#{where}-looks", Curves).looks(phase.looks, notes)

    # ------------------------------------------------------------ actions

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

    def _run(self) -> Seen | None:
        """The run that is shown; None if there is none, which is said."""
        if self._seen is None:
            self.tell("nothing was trained yet: g starts")
        return self._seen

    def action_start(self) -> None:
        """Ask which recipe to train, and start it."""
        if not self.project.task.train:
            self.tell("there is no recipe: [train.NAME] in sidequest.toml adds one, then ctrl+r", error=True)
            return
        from tui.screens.training_form import TrainingForm

        self.app.push_screen(TrainingForm(self.project, self.db), self._start)

    def _start(self, wanted: tuple[str, str] | None) -> None:
        if wanted is None:
            return
        recipe, before = wanted
        try:
            run = start(self.project, self.db, recipe, start_from=before)
        except (RunError, sqlite3.Error) as error:
            self.tell(str(error), error=True)
            return
        self._id = run.id
        self.tell(f"run {run.id[-6:]} starts; it goes on if you leave")
        self._show_view("overview")

    def action_pause(self) -> None:
        """Pause the run, let it go on, or resume it."""
        if (seen := self._run()) is not None:
            (self.pause if seen.state is RunState.RUNNING else self.resume)(seen)

    def action_stop(self) -> None:
        """Stop the run, if the person confirms it."""
        if (seen := self._run()) is not None:
            self.stop(seen)

    def action_answers(self) -> None:
        """What the student wrote, step by step."""
        if (seen := self._run()) is None:
            return
        steps = training.answered(self.db, seen.run.id)
        if not steps:
            self.tell("no answer was kept: SFT shows none, and RL keeps some of each step")
            return
        from tui.screens.training_answers import AnswersScreen

        self.app.push_screen(AnswersScreen(self.db, seen.run.id, steps))

    def action_note(self) -> None:
        """Ask for a note."""
        if self._run() is not None:
            field = self.query_one("#note", Input)
            field.display, field.value = True, ""
            self.set_focus(field)

    @on(Input.Submitted, "#note")
    def _noted(self, event: Input.Submitted) -> None:
        text, seen = event.value.strip(), self._seen
        self._close_note()
        if text and seen is not None:
            current = watch(self.db, seen.run).current
            try:
                training.add_note(self.db, seen.run.id, current.name, current.at, text)
            except sqlite3.Error as error:
                self.tell(str(error), error=True)
                return
            self.tell(f"noted at step {current.at:,}")
            self.redraw()

    def _close_note(self) -> None:
        self.query_one("#note").display = False
        self.set_focus(None)
        self.refresh_bindings()

    def action_choose(self) -> None:
        """Choose which run is shown."""
        self._offer("Which training run?", self._choose)

    def _choose(self, run: Run) -> None:
        self._id = run.id
        self._show_view("overview")

    def action_beside(self) -> None:
        """Hold another run beside this one."""
        if self._view == "beside":
            self._show_view("overview")
        elif (seen := self._run()) is not None:
            self._offer("Which run beside this one?", lambda run: self._put_beside(seen.run, run), without=seen)

    def _put_beside(self, first: Run, other: Run) -> None:
        self._id, self._other = first.id, other.id
        self._show_view("beside")

    def _offer(self, question: str, then: Callable[[Run], None], *, without: Seen | None = None) -> None:
        every = [run for run in runs.of_kind(self.db, KIND) if without is None or run.id != without.run.id]
        if not every:
            self.tell("there is no other training run" if without else "nothing was trained yet: g starts")
            return
        offered = every[:OFFERED]
        cut = f" The newest {OFFERED} of {len(every)}." if len(every) > OFFERED else ""

        def chosen(at: int | None) -> None:
            if at is not None:
                then(offered[at])

        self.app.push_screen(Choice(f"{question}{cut}", [_said(run) for run in offered]), chosen)

    def action_table(self) -> None:
        """Base, SFT and RL on the same benchmark."""
        if self._view == "table":
            self._show_view("overview")
        elif self._run() is not None:
            self.show("#table-words", Content("weighing the benchmarks …"))
            self._show_view("table")
            self._weigh()

    @work(thread=True, exclusive=True, group="table")
    def _weigh(self) -> None:
        """Read the benchmarks beside the app: intervals are drawn anew many times."""
        from core.training.comparison import table
        from tui.screens.training_table import drawn_table

        try:
            connection = connect(self.project.database)
            try:
                words = drawn_table(table(self.project, connection, []))
            finally:
                connection.close()
        except (RunError, DatabaseError, sqlite3.Error) as error:
            words = content(str(error), limit=1000)
        self.app.call_from_thread(self.show, "#table-words", words)

    async def action_log(self) -> None:
        """Go to the log of the run."""
        if (seen := self._run()) is not None:
            from tui.screens.runs import RunsScreen

            await self.app.switch_mode("runs")
            if isinstance(self.app.screen, RunsScreen):
                self.app.screen.go_to(seen.run.id)


def _said(run: Run) -> str:
    told = run.progress
    done = f"step {told.get('done', 0)}/{told.get('total', '?')}"
    return line(f"{run.params.get('name')} · {run.id[-6:]} · {look(run).state} · {told.get('phase', '')} {done}", 66)
