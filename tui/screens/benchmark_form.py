"""What to ask: a form over Benchmark."""

from __future__ import annotations

from typing import ClassVar

from pydantic import ValidationError
from textual.app import ComposeResult
from textual.containers import Grid, VerticalGroup
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Label, Select, Static

from core.benchmark.start import BenchParams
from core.models import choose
from core.models.model import Mode
from core.task import Task
from storage.schema import Run
from storage.splits import SPLITS
from tui.actions import ASKING, Action, bindings
from tui.text import clean
from tui.widgets.fields import Field
from tui.widgets.keys import Keys

_BY_MODEL, _ALL, _SNIFF = "by model", "all", "sniff"
_WATCHED = "yes"
_FIELDS = ("model", "mode", "over", "many", "samples", "seed", "stop", "budget")


class BenchmarkForm(ModalScreen[BenchParams | None]):
    """Closes with what is to be asked, or None. `student` is the run that a reference would be watched against."""

    TITLE = "Start a benchmark"
    ACTIONS: ClassVar[list[Action]] = ASKING
    BINDINGS = bindings(ASKING)

    def __init__(self, task: Task, student: Run | None) -> None:
        super().__init__()
        self._asked_of = task
        self._student = student

    def compose(self) -> ComposeResult:
        roles = self._asked_of.roles
        names = choose.known(self._asked_of)
        begins = (
            roles.reference if self._student and self._student.params.get("model") == roles.student else roles.student
        )
        with VerticalGroup(id="box"):
            yield Static(Content.styled("Ask a model about examples whose label is known", "bold"))
            with Grid(id="form"):
                yield Label("model")
                yield Select(
                    [(Content(clean(name)), name) for name in names], value=begins, allow_blank=False, id="model"
                )
                yield Label("mode")
                modes = [_BY_MODEL, *(mode.value for mode in Mode)]
                yield Select([(mode, mode) for mode in modes], value=_BY_MODEL, allow_blank=False, id="mode")
                yield Label("about")
                yield Field("test", id="over", placeholder="train, dev, test, or a query: domain:risk level:1-2")
                yield Label("how many")
                yield Field(_ALL, id="many", placeholder="all, a number, or sniff: five, a smoke test")
                yield Label("samples")
                yield Field("1", id="samples", placeholder="how often each is asked; most answers win")
                yield Label("seed")
                yield Field("0", id="seed", placeholder="of the order of asking")
                yield Label("stop early")
                yield Field("no", id="stop", placeholder="yes: end as soon as the gate's answer is settled")
                yield Label("budget")
                budget = self._asked_of.limits.budget
                yield Field("" if budget is None else str(budget), id="budget", placeholder="none")
            yield Static(id="problem")
            yield Keys()

    def on_mount(self) -> None:
        """Begin at the model."""
        self.query_one("#model").focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Enter opens and closes a list by itself."""
        if action == "next_field":
            return isinstance(self.focused, Input)
        if action == "cancel":
            return not any(one.expanded for one in self.query(Select))
        return super().check_action(action, parameters)

    def action_next_field(self) -> None:
        """On to the next field; from the last one on to the question."""
        if self.focused is not None and self.focused.id == _FIELDS[-1]:
            self.action_submit()
        else:
            self.focus_next()

    def action_cancel(self) -> None:
        """Ask nothing."""
        self.dismiss(None)

    def action_submit(self) -> None:
        """Close with what the form says, or say what is wrong with it."""
        try:
            self.dismiss(self._params())
        except ValidationError as error:
            first = error.errors()[0]
            self._say(f"{first['loc'][0]}: {first['msg']}")
        except ValueError as error:
            self._say(str(error))

    def _say(self, problem: str) -> None:
        self.query_one("#problem", Static).update(Content.styled(clean(problem, limit=300), "$text-error"))

    def _params(self) -> BenchParams:
        model = str(self.query_one("#model", Select).value)
        mode = str(self.query_one("#mode", Select).value)
        said = {name: self.query_one(f"#{name}", Input).value.strip() for name in _FIELDS[2:]}
        over = said["over"] or "test"
        where = {"split": over} if over in SPLITS else {"where": over}
        many = said["many"].casefold()
        how: dict[str, object] = {}
        if many == _SNIFF:
            how["sniff"] = True
        elif many and many != _ALL:
            if not many.isdecimal():
                raise ValueError("how many: write all, a number, or sniff")
            how["limit"] = int(many)
        if said["stop"].casefold() not in {"", "no", _WATCHED}:
            raise ValueError("stop early: write yes or no")
        if said["budget"]:
            how["budget"] = said["budget"]
        watched = self._student if self._student and self._student.params.get("model") != model else None
        return BenchParams.model_validate(
            {
                "model": model,
                "mode": choose.default_mode(self._asked_of, model) if mode == _BY_MODEL else Mode(mode),
                "samples": said["samples"] or 1,
                "seed": said["seed"] or 0,
                "stop_when_settled": said["stop"].casefold() == _WATCHED,
                "student": watched.id if watched and model == self._asked_of.roles.reference else "",
                **where,
                **how,
            }
        )
