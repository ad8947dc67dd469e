"""Which recipe to train, over Training: the form, and what it would take, before it is started."""

from __future__ import annotations

import sqlite3
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Grid, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Label, Select, Static

from core.models.trained import trained
from core.project import Project
from core.runs.control import RunError
from core.training.recipe import Algorithm, Recipe
from core.training.start import TrainParams, check
from storage import examples
from storage.examples import Filter
from tui.actions import TRAIN_FORM, Action, bindings
from tui.text import clean, content
from tui.widgets.keys import Keys

_NEW = "a new adapter"


class TrainingForm(ModalScreen[tuple[str, str] | None]):
    """Closes with the recipe to train and the run whose adapter it goes on with ('' for none), or None."""

    TITLE = "Start a training"
    ACTIONS: ClassVar[list[Action]] = TRAIN_FORM
    BINDINGS = bindings(TRAIN_FORM)

    def __init__(self, project: Project, db: sqlite3.Connection) -> None:
        super().__init__()
        self._project, self._db = project, db

    def compose(self) -> ComposeResult:
        names = list(self._project.task.train)
        # The last phase of a run is what it has made; the newest run first.
        made = {one.run: one.name for one in trained(self._project, self._db).values()}
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

    @on(Select.Changed)
    def _weigh(self) -> None:
        """Say what it would take, or why it cannot be started."""
        recipe, _ = self._wanted()
        try:
            params = check(self._project, self._db, recipe)
        except RunError as error:
            self.query_one("#takes", Static).update(content(str(error), style="$text-error", limit=600))
        else:
            self.query_one("#takes", Static).update(takes(params, *self._cases()))

    def _cases(self) -> tuple[int, int]:
        found = [examples.count(self._db, Filter(status=("accepted",), split=(one,))) for one in ("train", "dev")]
        return found[0], found[1]

    def _wanted(self) -> tuple[str, str]:
        return str(self.query_one("#recipe", Select).value), str(self.query_one("#before", Select).value)

    def action_start(self) -> None:
        """Close with what to start; what is wrong with it is said, and nothing closes."""
        try:
            check(self._project, self._db, self._wanted()[0])
        except RunError:
            self._weigh()
        else:
            self.dismiss(self._wanted())

    def action_close(self) -> None:
        """Start nothing."""
        self.dismiss(None)


def takes(params: TrainParams, train: int, dev: int) -> Content:
    """What a training would do, phase by phase, and on how many cases."""
    lines = [f"trains {clean(params.student, limit=60)} on {train:,} cases, watched on {dev:,} of the split dev"]
    lines += [f"  {clean(name, limit=30)}: {_phase(recipe)}" for name, recipe in params.phases.items()]
    if not dev:
        lines.append("the split dev is empty: accuracy cannot be watched")
    return Content("\n".join(lines))


def _phase(recipe: Recipe) -> str:
    steps = f"{recipe.algorithm.value.upper()}, {recipe.steps:,} steps of {recipe.batch} cases"
    if recipe.algorithm is Algorithm.SFT:
        return steps
    return f"{steps}, {recipe.generations} answers to each, {recipe.batch * recipe.generations:,} a step"
