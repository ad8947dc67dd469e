"""Which recipe to train, over Training: the form, and what it would take, before it is started."""

from __future__ import annotations

import sqlite3
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Grid, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Label, Select, Static
from textual.worker import Worker, WorkerState

from core.config.project import Project
from core.config.recipe import Algorithm, Recipe
from core.models.trained import trained_models
from core.runs.control import RunError
from core.runs.describe import duration
from core.runs.params import TrainParams
from core.training.plan import adapter_of
from core.training.run.start import check_recipe
from storage import examples
from storage.database import DatabaseError, connect
from storage.examples import Filter
from tui.actions import TRAIN_FORM, Action, bindings
from tui.text import clean, content
from tui.widgets.keys import Keys

if TYPE_CHECKING:
    from core.training.estimate.recipe_estimate import RecipeEstimate

_NEW = "a new adapter"
# Of what an estimate says while it is made, so many of the newest lines are shown.
_LINES = 5


class FormulaEstimated(Message):
    """What a training of the form's recipe would do, and take by the formulas; or why it cannot be started."""

    def __init__(self, turn: int, said: Content, problem: str = "") -> None:
        super().__init__()
        self.turn, self.said, self.problem = turn, said, problem


class TrainingForm(ModalScreen[tuple[str, str] | None]):
    """Closes with the recipe to train and the run whose adapter it goes on with ('' for none), or None."""

    TITLE = "Start a training"
    ACTIONS: ClassVar[list[Action]] = TRAIN_FORM
    BINDINGS = bindings(TRAIN_FORM)

    def __init__(self, project: Project, db: sqlite3.Connection) -> None:
        super().__init__()
        self._project, self._db = project, db
        self._turn = 0
        # Whether to close, once it is known that what the form says can be started.
        self._starting = False
        self._trial: Worker[RecipeEstimate] | None = None
        self._heard: list[str] = []

    def compose(self) -> ComposeResult:
        names = list(self._project.task.train)
        # The last phase of a run is what it has made; the newest run first.
        made = {one.run: one.name for one in trained_models(self._project, self._db).values()}
        with VerticalScroll(id="box"):
            yield Static(Content.styled("Start a training", "bold"))
            with Grid(id="form"):
                yield Label("recipe")
                yield Select(
                    [(Content(clean(one)), one) for one in names], value=names[0], allow_blank=False, id="recipe"
                )
                yield Label("starts from")
                choices = [(Content(_NEW), ""), *((Content(clean(name)), run) for run, name in reversed(made.items()))]
                yield Select(choices, value="", allow_blank=False, id="before")
            yield Static(id="takes")
            yield Static(id="estimate")
        yield Keys()

    def on_mount(self) -> None:
        """Begin with the recipe."""
        self.query_one("#recipe").focus()
        self._weigh()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Escape closes a list that hangs open."""
        if action == "close":
            return not any(one.expanded for one in self.query(Select))
        return super().check_action(action, parameters)

    # ------------------------------------------------------------ what it would take

    @on(Select.Changed)
    def _another(self) -> None:
        self._starting = False
        self._give_up()
        self.query_one("#estimate", Static).update("")
        self._weigh()

    def _weigh(self) -> None:
        """Find out beside the app what it would take, or why it cannot be started."""
        self._turn += 1
        recipe, before = self._wanted()
        work = partial(self._weighed, self._turn, recipe, before)
        self.run_worker(work, thread=True, exit_on_error=False, group="weigh")

    def _weighed(self, turn: int, recipe: str, before: str) -> None:
        from core.machine import machine
        from core.training.estimate.recipe_estimate import by_formula, combine_phases, refuse

        try:
            connection = connect(self._project.database)
            try:
                params = check_recipe(self._project, connection, recipe)
                if before:
                    adapter_of(self._project, connection, before)
                refuse(self._project, connection, params)
                has = machine()
                shape, phases = by_formula(self._project, connection, params, has)
                needs = combine_phases(recipe, params, shape, has, phases)
                train, dev = (
                    examples.count(connection, Filter(status=("accepted",), split=(one,))) for one in ("train", "dev")
                )
            finally:
                connection.close()
        except (RunError, DatabaseError, sqlite3.Error) as error:
            self.post_message(FormulaEstimated(turn, Content(""), str(error)))
        else:
            self.post_message(FormulaEstimated(turn, takes(params, train, dev, needs)))

    def on_formula_estimated(self, event: FormulaEstimated) -> None:
        """Show what it would take; close, if that was waited for."""
        if event.turn != self._turn:
            return
        said = content(event.problem, style="$text-error", limit=900) if event.problem else event.said
        self.query_one("#takes", Static).update(said)
        if self._starting and not event.problem:
            self.dismiss(self._wanted())
        self._starting = False

    def _wanted(self) -> tuple[str, str]:
        return str(self.query_one("#recipe", Select).value), str(self.query_one("#before", Select).value)

    # ------------------------------------------------------------ three real steps

    def action_estimate(self) -> None:
        """Try three real steps of each phase."""
        if self._trial is not None:
            self._tell("it is being estimated: escape gives it up")
            return
        self._heard = []
        self._hear("three steps are tried")
        self._trial = self.run_worker(self._estimate(self._wanted()[0]), exit_on_error=False, group="estimate")

    async def _estimate(self, recipe: str) -> RecipeEstimate:
        from core.training.estimate.recipe_estimate import estimate_recipe

        return await estimate_recipe(self._project, recipe, heard=self._hear)

    def _hear(self, sentence: str) -> None:
        self._heard.append(sentence)
        lines = [clean(one, limit=200) for one in self._heard[-_LINES:]]
        said = Content.styled("\n".join([*lines, "… escape gives it up"]), "$text-muted")
        self.query_one("#estimate", Static).update(said)

    @on(Worker.StateChanged)
    def _ended(self, event: Worker.StateChanged) -> None:
        """Show what the trial says, or why it says nothing."""
        if event.worker is not self._trial or event.state in {WorkerState.PENDING, WorkerState.RUNNING}:
            return
        self._trial = None
        if event.state is WorkerState.SUCCESS and event.worker.result is not None:
            said = estimated(event.worker.result)
        elif event.state is WorkerState.CANCELLED:
            said = Content.styled("the estimate was given up", "$text-muted")
        else:
            said = content(f"no estimate: {event.worker.error}", style="$text-error", limit=900)
        self.query_one("#estimate", Static).update(said)

    def _give_up(self) -> bool:
        """Give up the estimate that is made, if one is."""
        if self._trial is None:
            return False
        self._trial.cancel()
        return True

    # ------------------------------------------------------------ ends

    def action_start(self) -> None:
        """Close with what to start; what is wrong with it is said, and nothing closes."""
        if self._trial is not None:
            self._tell("it is being estimated, which takes the memory that it would need: escape gives that up")
            return
        self._starting = True
        self._weigh()

    def _tell(self, words: str) -> None:
        self.notify(words, markup=False, timeout=4)

    def action_close(self) -> None:
        """Give up the estimate that is made; else start nothing."""
        if not self._give_up():
            self.dismiss(None)


def takes(params: TrainParams, train: int, dev: int, found: RecipeEstimate) -> Content:
    """What a training would do, phase by phase, on how many cases, and the memory that it needs by the formulas."""
    from core.training.estimate.recipe_estimate import in_words

    most = max(one.evaluate_on for one in params.phases.values())
    watched = f"watched on {min(dev, most):,} of the {dev:,} of the split dev"
    lines = [f"trains {clean(params.student, limit=60)} on {train:,} cases, {watched}"]
    lines += [f"  {clean(name, limit=30)}: {_phase(recipe)}" for name, recipe in params.phases.items()]
    if not dev:
        lines.append("the split dev is empty: accuracy cannot be watched")
    lines.append(f"by formula, {clean(in_words(found), limit=200)}; ctrl+e tries three steps, for memory and time")
    return Content("\n".join(lines))


def _phase(recipe: Recipe) -> str:
    steps = f"{recipe.algorithm.value.upper()}, {recipe.steps:,} steps of {recipe.batch} cases"
    if recipe.algorithm is Algorithm.SFT:
        return steps
    return f"{steps}, {recipe.generations} answers to each, {recipe.batch * recipe.generations:,} a step"


def estimated(found: RecipeEstimate) -> Content:
    """What three steps say of memory and time, and what to lower where it does not fit."""
    from core.training.estimate.recipe_estimate import in_words

    parts = " · ".join(
        f"{name} {value:,.0f}" for name, value in sorted(found.memory_mb.items(), key=lambda part: -part[1])
    )
    lines = [
        Content.styled(
            "it fits" if found.fits else "it does not fit", "$text-success" if found.fits else "$text-error"
        ),
        Content(clean(in_words(found), limit=200)),
        Content.styled(clean(f"MB: {parts}", limit=300), "$text-muted"),
        Content(clean(f"time: {duration(found.seconds)} ({found.basis})", limit=300)),
        *(Content.styled(clean(f"! {note}", limit=200), "$text-warning") for one in found.phases for note in one.notes),
        *(Content(clean(f"  lower: {one}", limit=200)) for one in found.advice),
    ]
    return Content("\n").join(lines)
