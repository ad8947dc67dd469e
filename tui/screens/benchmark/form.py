"""What a benchmark is to ask, over Benchmark: the form, and what it would take, before it is started."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from typing import Any, ClassVar

from pydantic import ValidationError
from textual import on
from textual.app import ComposeResult
from textual.containers import Grid, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input, Label, Select, Static

from core.benchmark.answer_stream import askable_models, role_of
from core.benchmark.cost_estimate import BenchmarkEstimate, estimate_benchmark
from core.benchmark.sampling_order import SNIFF
from core.config.case import Mode
from core.config.project import Project
from core.exchange.files import FileError
from core.models import resolve
from core.runs.control import RunError
from core.runs.params import BenchmarkParams
from storage import runs
from storage.database import DatabaseError, connect
from storage.splits import SPLITS
from tui.actions import BENCH_FORM, Action, bindings
from tui.text import clean, content
from tui.widgets.fields import Field
from tui.widgets.keys import Keys

_ALL = "all accepted"
_FIRST, _LAST = "model", "budget"
# So long after the last change the figures are made.
_REST_S = 0.25


class BenchmarkEstimated(Message):
    """What a benchmark as the form says would take; or why it cannot be."""

    def __init__(
        self, turn: int, params: BenchmarkParams | None, found: BenchmarkEstimate | None, problem: str
    ) -> None:
        super().__init__()
        self.turn, self.params, self.found, self.problem = turn, params, found, problem


class BenchmarkForm(ModalScreen[BenchmarkParams | None]):
    """Closes with what to start, or None. `shown` are the runs on the screen, by role, to be paired with."""

    TITLE = "Start a benchmark"
    ACTIONS: ClassVar[list[Action]] = BENCH_FORM
    BINDINGS = bindings(BENCH_FORM)

    def __init__(self, project: Project, db: sqlite3.Connection, shown: Mapping[str, str | None]) -> None:
        super().__init__()
        self._project = project
        self._db = db
        self._shown = shown
        self._turn = 0
        # Whether to close, once it is known that what the form says can be started.
        self._starting = False

    def compose(self) -> ComposeResult:
        task = self._project.task
        # The student first; once it has a benchmark, the reference on the same examples.
        names = askable_models(self._project, self._db)
        first = names[0] if not self._shown["student"] or len(names) < 2 else names[1]
        budget = task.limits.budget
        with VerticalScroll(id="box"):
            yield Static(Content.styled("Start a benchmark", "bold"))
            with Grid(id="form"):
                yield Label("model")
                yield _choice("model", names, first)
                yield Label("asked by")
                yield _choice(
                    "mode", [one.value for one in Mode], resolve.default_mode(self._project, self._db, first).value
                )
                yield Label("split")
                yield _choice("split", [*SPLITS[::-1], _ALL], "test")
                yield Label("only")
                yield Field("", id="where", placeholder="level:1-2 domain:risk")
                yield Label("how many")
                yield Field("", id="limit", placeholder="all")
                yield Label("sniff")
                yield _choice("sniff", ["no", f"{SNIFF} examples"], "no")
                yield Label("samples")
                yield Field("1", id="samples", placeholder="how often each is asked")
                yield Label("stop")
                yield _choice("stop", ["at the end", "when settled"], "at the end")
                yield Label("seed")
                yield Field("0", id="seed")
                yield Label("budget")
                yield Field("" if budget is None else str(budget), id="budget", placeholder="none")
            yield Static(id="takes")
        yield Keys()

    def on_mount(self) -> None:
        """Begin with the model."""
        self.query_one(f"#{_FIRST}").focus()
        self._weigh_soon()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Enter opens and closes a list; escape closes one that hangs open."""
        if action == "next_field":
            return isinstance(self.focused, Input)
        if action == "close":
            return not any(one.expanded for one in self.query(Select))
        return super().check_action(action, parameters)

    @on(Select.Changed, "#model")
    def _another_model(self, event: Select.Changed) -> None:
        if event.value in resolve.known_models(self._project, self._db):
            mode = resolve.default_mode(self._project, self._db, str(event.value))
            self.query_one("#mode", Select).value = mode.value

    @on(Select.Changed)
    @on(Input.Changed)
    def _weigh_soon(self) -> None:
        """Say what it would take, once nothing changes for a moment."""
        self._turn += 1
        self._starting = False
        self.set_timer(_REST_S, partial(self._weigh, self._turn))

    def _weigh(self, turn: int) -> None:
        if turn != self._turn:
            return
        try:
            params = self._params()
        except (ValueError, ArithmeticError, RunError) as error:
            self.post_message(BenchmarkEstimated(turn, None, None, _said(error)))
        else:
            self.run_worker(partial(self._estimate, turn, params), thread=True, exit_on_error=False, group="weigh")

    def _estimate(self, turn: int, params: BenchmarkParams) -> None:
        found, problem = None, ""
        try:
            connection = connect(self._project.database)
            try:
                found = estimate_benchmark(self._project, connection, params)
            finally:
                connection.close()
        except (RunError, FileError, DatabaseError, sqlite3.Error, ValueError) as error:
            problem = str(error)
        self.post_message(BenchmarkEstimated(turn, params, found, problem))

    def on_benchmark_estimated(self, event: BenchmarkEstimated) -> None:
        """Show what it would take."""
        if event.turn == self._turn:
            said = content(event.problem, style="$text-error", limit=600)
            self.query_one("#takes", Static).update(said if event.found is None else takes(event.found))
            if self._starting and event.found is not None:
                self.dismiss(event.params)
            self._starting = False

    def _params(self) -> BenchmarkParams:
        """What the form says; raises ValueError, ArithmeticError, RunError."""
        chosen = {name: str(self.query_one(f"#{name}", Select).value) for name in ("model", "mode", "split")}
        written = {name: self.query_one(f"#{name}", Input).value.strip() for name in ("where", "limit", "budget")}
        values: dict[str, Any] = {**chosen, "sniff": self.query_one("#sniff", Select).value != "no"}
        if chosen["split"] == _ALL:
            values |= {"split": "", "where": written["where"]}
        elif written["where"]:
            raise ValueError(f"only: choose {_ALL!r} above to narrow it down by a query")
        if not chosen["split"]:
            raise ValueError("split: choose one")
        for name in ("samples", "seed", "limit"):
            if text := self.query_one(f"#{name}", Input).value.strip():
                values[name] = _whole(name, text)
        if written["budget"]:
            values["budget"] = Decimal(written["budget"])
        values["stop_when_settled"] = self.query_one("#stop", Select).value == "when settled"
        return self._paired(BenchmarkParams.model_validate(values))

    def _paired(self, params: BenchmarkParams) -> BenchmarkParams:
        """The params with the other role's run to be watched against, if it shares an example with them."""
        role = role_of(self._project.task, params)
        other = "student" if role == "reference" else "reference"
        key = self._shown[other]
        found = runs.get(self._db, key) if key else None
        if found is None or params.sniff or found.params.get("sniff"):
            return params
        same = all(found.params.get(name) == getattr(params, name) for name in ("split", "where", "file"))
        return params.model_copy(update={other: found.id}) if same else params

    def action_next_field(self) -> None:
        """On to the next field; from the last one to the start."""
        if self.focused is not None and self.focused.id == _LAST:
            self.action_start()
        else:
            self.focus_next()

    def action_start(self) -> None:
        """Close with what to start; what is wrong with it is said, and nothing closes."""
        self._turn += 1
        self._starting = True
        self._weigh(self._turn)

    def action_close(self) -> None:
        """Start nothing."""
        self.dismiss(None)


def takes(found: BenchmarkEstimate) -> Content:
    """What a benchmark would ask, and cost."""
    examples = f"{found.examples:,} example{'s' if found.examples != 1 else ''}"
    asked = examples if found.questions == found.examples else f"{examples}, {found.questions:,} questions"
    if found.free:
        return Content(f"asks {asked}; it costs no money")
    most = "up to " if found.at_most else "about "
    tokens = f"about {found.input_tokens:,} tokens in, {most}{found.output_tokens:,} out"
    cost = "the model has no price: the cost is not known" if found.cost is None else f"{most}{found.cost:.4f} in money"
    return Content(f"asks {asked}: {tokens}\n{cost}")


def _said(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{first['loc'][0]}: {first['msg']}"
    return "budget: write a number" if isinstance(error, ArithmeticError) else str(error)


def _whole(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{name}: {clean(text, limit=20)} is no whole number") from None


def _choice(name: str, names: list[str], value: str) -> Select[str]:
    return Select([(Content(clean(one)), one) for one in names], value=value, allow_blank=False, id=name)
