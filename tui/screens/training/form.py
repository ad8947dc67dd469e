"""The form that starts a training, over Training: it shows what the training would take first."""

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
from core.config.recipe import Recipe
from core.models.trained import trained_models
from core.runs.describe import format_duration
from core.runs.params import TrainParams
from core.training.plan import find_adapter
from core.training.run.start import check_recipe
from storage import examples
from storage.database import connect
from storage.errors import UserError
from storage.examples import Filter
from tui.actions import TRAIN_FORM, Action, bindings
from tui.text import clean, content
from tui.widgets.keys import Keys

if TYPE_CHECKING:
    from core.training.estimate.recipe_estimate import RecipeEstimate

_NEW_ADAPTER = "a new adapter"
# So many of the newest messages of an estimate are shown.
_MAX_MESSAGES = 5


class FormulaEstimated(Message):
    """What a training would do, and take by the formulas; or the `problem` for which it cannot be started.

    `request` is the number of the request that this answers.
    """

    def __init__(self, request: int, summary: Content, problem: str = "") -> None:
        super().__init__()
        self.request, self.summary, self.problem = request, summary, problem


class TrainingForm(ModalScreen[tuple[str, str] | None]):
    """Closes with the recipe to train and the run whose adapter it goes on with ('' for none), or None."""

    TITLE = "Start a training"
    ACTIONS: ClassVar[list[Action]] = TRAIN_FORM
    BINDINGS = bindings(TRAIN_FORM)

    def __init__(self, project: Project, db: sqlite3.Connection) -> None:
        super().__init__()
        self._project, self._db = project, db
        # The number of the newest request for an estimate by formula: answers to older ones do not count.
        self._request = 0
        # Whether the form closes as soon as the answer says that the training can be started.
        self._starting = False
        self._estimate_worker: Worker[RecipeEstimate] | None = None
        self._messages: list[str] = []

    def compose(self) -> ComposeResult:
        recipes = list(self._project.task.train)
        # The last phase of a run names what the run has made; the newest run comes first.
        names = {model.run: model.name for model in trained_models(self._project, self._db).values()}
        adapters = [(Content(clean(name)), run_id) for run_id, name in reversed(names.items())]
        with VerticalScroll(id="box"):
            yield Static(Content.styled("Start a training", "bold"))
            with Grid(id="form"):
                yield Label("recipe")
                yield Select(
                    [(Content(clean(recipe)), recipe) for recipe in recipes],
                    value=recipes[0],
                    allow_blank=False,
                    id="recipe",
                )
                yield Label("starts from")
                yield Select([(Content(_NEW_ADAPTER), ""), *adapters], value="", allow_blank=False, id="before")
            yield Static(id="takes")
            yield Static(id="estimate")
        yield Keys()

    def on_mount(self) -> None:
        """Put the cursor on the recipe, and estimate it."""
        self.query_one("#recipe").focus()
        self._request_formula()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave escape to a list that is open."""
        if action == "close":
            return not any(select.expanded for select in self.query(Select))
        return super().check_action(action, parameters)

    # ------------------------------------------------------------ the estimate by formula

    @on(Select.Changed)
    def _on_choice_changed(self) -> None:
        self._starting = False
        self._cancel_estimate()
        self.query_one("#estimate", Static).update("")
        self._request_formula()

    def _request_formula(self) -> None:
        """Find out in a thread what the training would take, or why it cannot be started."""
        self._request += 1
        recipe, start_from = self._choice()
        work = partial(self._compute_formula, self._request, recipe, start_from)
        self.run_worker(work, thread=True, exit_on_error=False, group="formula")

    def _compute_formula(self, request: int, recipe: str, start_from: str) -> None:
        from core.machine import detect_machine
        from core.training.estimate.recipe_estimate import by_formula, combine_phases, refuse

        try:
            connection = connect(self._project.database)
            try:
                params = check_recipe(self._project, connection, recipe)
                if start_from:
                    find_adapter(self._project, connection, start_from)
                refuse(self._project, connection, params)
                this_machine = detect_machine()
                model_size, phases = by_formula(self._project, connection, params, this_machine)
                estimate = combine_phases(recipe, params, model_size, this_machine, phases)
                train, dev = (
                    examples.count(connection, Filter(status=("accepted",), split=(split,)))
                    for split in ("train", "dev")
                )
            finally:
                connection.close()
        except (UserError, sqlite3.Error) as error:
            self.post_message(FormulaEstimated(request, Content(""), str(error)))
        else:
            self.post_message(FormulaEstimated(request, formula_summary(params, train, dev, estimate)))

    def on_formula_estimated(self, event: FormulaEstimated) -> None:
        """Show what the training would take; close, if the form waits to start it."""
        if event.request != self._request:
            return
        text = content(event.problem, style="$text-error", limit=900) if event.problem else event.summary
        self.query_one("#takes", Static).update(text)
        if self._starting and not event.problem:
            self.dismiss(self._choice())
        self._starting = False

    def _choice(self) -> tuple[str, str]:
        return str(self.query_one("#recipe", Select).value), str(self.query_one("#before", Select).value)

    # ------------------------------------------------------------ the estimate by three real steps

    def action_estimate(self) -> None:
        """Try three real steps of each phase."""
        if self._estimate_worker is not None:
            self._tell("it is being estimated: escape gives it up")
            return
        self._messages = []
        self._show_progress("three steps are tried")
        recipe, _ = self._choice()
        self._estimate_worker = self.run_worker(self._estimate(recipe), exit_on_error=False, group="estimate")

    async def _estimate(self, recipe: str) -> RecipeEstimate:
        from core.training.estimate.recipe_estimate import estimate_recipe

        return await estimate_recipe(self._project, recipe, on_progress=self._show_progress)

    def _show_progress(self, message: str) -> None:
        self._messages.append(message)
        lines = [clean(text, limit=200) for text in self._messages[-_MAX_MESSAGES:]]
        text = Content.styled("\n".join([*lines, "… escape gives it up"]), "$text-muted")
        self.query_one("#estimate", Static).update(text)

    @on(Worker.StateChanged)
    def _on_estimate_ended(self, event: Worker.StateChanged) -> None:
        """Show the estimate, or why there is none."""
        if event.worker is not self._estimate_worker or event.state in {WorkerState.PENDING, WorkerState.RUNNING}:
            return
        self._estimate_worker = None
        if event.state is WorkerState.SUCCESS and event.worker.result is not None:
            text = estimate_summary(event.worker.result)
        elif event.state is WorkerState.CANCELLED:
            text = Content.styled("the estimate was given up", "$text-muted")
        else:
            text = content(f"no estimate: {event.worker.error}", style="$text-error", limit=900)
        self.query_one("#estimate", Static).update(text)

    def _cancel_estimate(self) -> bool:
        """Give up the estimate; returns whether one was being made."""
        if self._estimate_worker is None:
            return False
        self._estimate_worker.cancel()
        return True

    # ------------------------------------------------------------ closing

    def action_start(self) -> None:
        """Close with the choice, once it is checked. If it cannot be started, say why and stay open."""
        if self._estimate_worker is not None:
            self._tell("it is being estimated, which takes the memory that it would need: escape gives that up")
            return
        self._starting = True
        self._request_formula()

    def _tell(self, message: str) -> None:
        self.notify(message, markup=False, timeout=4)

    def action_close(self) -> None:
        """Give up the estimate, if one is being made; else close without a choice."""
        if not self._cancel_estimate():
            self.dismiss(None)


def formula_summary(params: TrainParams, train: int, dev: int, estimate: RecipeEstimate) -> Content:
    """What a training would do, phase by phase, on how many cases, and the memory that it needs by the formulas.

    `train` and `dev` count the accepted examples of these splits.
    """
    from core.training.estimate.recipe_estimate import in_words

    evaluated = min(dev, max(recipe.evaluate_on for recipe in params.phases.values()))
    evaluation = f"watched on {evaluated:,} of the {dev:,} of the split dev"
    only_fresh = all(recipe.fresh for recipe in params.phases.values())
    learned = "new procedural cases" if only_fresh else f"{train:,} cases"
    lines = [f"trains {clean(params.student, limit=60)} on {learned}, {evaluation}"]
    lines += [f"  {clean(name, limit=30)}: {_describe_phase(recipe)}" for name, recipe in params.phases.items()]
    if not dev:
        lines.append("the split dev is empty: accuracy cannot be watched")
    lines += [clean(f"{phase.name}: {note}", limit=200) for phase in estimate.phases for note in phase.notes]
    lines.append(f"by formula, {clean(in_words(estimate), limit=200)}; ctrl+e tries three steps, for memory and time")
    return Content("\n").join(lines)


def _describe_phase(recipe: Recipe) -> str:
    cases = "new cases" if recipe.fresh else "cases"
    steps = f"{recipe.algorithm.value.upper()}, {recipe.steps:,} steps of {recipe.batch} {cases}"
    if not recipe.algorithm.by_rewards:
        return steps
    return f"{steps}, {recipe.generations} answers to each, {recipe.batch * recipe.generations:,} a step"


def estimate_summary(estimate: RecipeEstimate) -> Content:
    """Memory and time by three real steps, and what to lower if it does not fit."""
    from core.training.estimate.recipe_estimate import in_words

    largest_first = sorted(estimate.memory_mb.items(), key=lambda part: -part[1])
    parts = " · ".join(f"{name} {megabytes:,.0f}" for name, megabytes in largest_first)
    verdict, style = ("it fits", "$text-success") if estimate.fits else ("it does not fit", "$text-error")
    notes = [note for phase in estimate.phases for note in phase.notes]
    return Content("\n").join(
        [
            Content.styled(verdict, style),
            Content(clean(in_words(estimate), limit=200)),
            Content.styled(clean(f"MB: {parts}", limit=300), "$text-muted"),
            Content(clean(f"time: {format_duration(estimate.seconds)} ({estimate.basis})", limit=300)),
            *(Content.styled(clean(f"! {note}", limit=200), "$text-warning") for note in notes),
            *(Content(clean(f"  lower: {advice}", limit=200)) for advice in estimate.advice),
        ]
    )
