"""The form that starts a benchmark, over Benchmark: what to ask, and what that would cost."""

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

from core.benchmark.answer_stream import askable_models
from core.benchmark.cost_estimate import BenchmarkEstimate, estimate_benchmark
from core.benchmark.run_choice import role_of
from core.benchmark.sampling_order import SMOKE_TEST_SIZE
from core.config.case import Mode
from core.config.project import Project
from core.models import resolve
from core.runs.params import BenchmarkParams, params_of
from storage import runs
from storage.database import connect
from storage.errors import UserError
from storage.splits import SPLITS
from tui.actions import BENCH_FORM, Action, bindings
from tui.screens.benchmark.state import other_role
from tui.text import clean, content
from tui.widgets.fields import Field
from tui.widgets.keys import Keys

_ALL = "all accepted"
_FIRST, _LAST = "model", "budget"
# The estimate is made so long after the last change.
_ESTIMATE_DELAY_S = 0.25


class BenchmarkEstimated(Message):
    """What a benchmark as the form describes it would cost, or `problem` says why it cannot be started.

    `revision` is that of the form that was estimated.
    """

    def __init__(
        self, revision: int, params: BenchmarkParams | None, estimate: BenchmarkEstimate | None, problem: str
    ) -> None:
        super().__init__()
        self.revision, self.params, self.estimate, self.problem = revision, params, estimate, problem


class BenchmarkForm(ModalScreen[BenchmarkParams | None]):
    """Closes with what to start, or None. `shown` are the runs on the screen, by role, which may be paired with it."""

    TITLE = "Start a benchmark"
    ACTIONS: ClassVar[list[Action]] = BENCH_FORM
    BINDINGS = bindings(BENCH_FORM)

    def __init__(self, project: Project, db: sqlite3.Connection, shown: Mapping[str, str | None]) -> None:
        super().__init__()
        self._project = project
        self._db = db
        self._shown = shown
        # Counts the changes: an estimate of an older form is dropped.
        self._revision = 0
        # Whether to close as soon as the estimate shows that this can be started.
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
                yield _select("model", names, first)
                yield Label("asked by")
                yield _select(
                    "mode", [mode.value for mode in Mode], resolve.default_mode(self._project, self._db, first).value
                )
                yield Label("split")
                yield _select("split", [*SPLITS[::-1], _ALL], "test")
                yield Label("only")
                yield Field("", id="where", placeholder="level:1-2 domain:risk")
                yield Label("how many")
                yield Field("", id="limit", placeholder="all")
                yield Label("sniff")
                yield _select("sniff", ["no", f"{SMOKE_TEST_SIZE} examples"], "no")
                yield Label("samples")
                yield Field("1", id="samples", placeholder="how often each is asked")
                yield Label("stop")
                yield _select("stop", ["at the end", "when settled"], "at the end")
                yield Label("seed")
                yield Field("0", id="seed")
                yield Label("budget")
                yield Field("" if budget is None else str(budget), id="budget", placeholder="none")
            yield Static(id="takes")
        yield Keys()

    def on_mount(self) -> None:
        """Put the cursor into the first field."""
        self.query_one(f"#{_FIRST}").focus()
        self._schedule_estimate()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Enter opens and closes a list; escape closes one that hangs open."""
        if action == "next_field":
            return isinstance(self.focused, Input)
        if action == "close":
            return not any(select.expanded for select in self.query(Select))
        return super().check_action(action, parameters)

    @on(Select.Changed, "#model")
    def _choose_default_mode(self, event: Select.Changed) -> None:
        if event.value in resolve.known_models(self._project, self._db):
            mode = resolve.default_mode(self._project, self._db, str(event.value))
            self.query_one("#mode", Select).value = mode.value

    @on(Select.Changed)
    @on(Input.Changed)
    def _schedule_estimate(self) -> None:
        """Estimate the costs, once nothing changes for a moment."""
        self._revision += 1
        self._starting = False
        self.set_timer(_ESTIMATE_DELAY_S, partial(self._start_estimate, self._revision))

    def _start_estimate(self, revision: int) -> None:
        if revision != self._revision:
            return
        try:
            params = self._params()
        except (ValueError, ArithmeticError, UserError) as error:
            self.post_message(BenchmarkEstimated(revision, None, None, _describe_error(error)))
        else:
            work = partial(self._estimate, revision, params)
            self.run_worker(work, thread=True, exit_on_error=False, group="estimate")

    def _estimate(self, revision: int, params: BenchmarkParams) -> None:
        """Estimate the costs; runs in a thread."""
        estimate, problem = None, ""
        try:
            connection = connect(self._project.database)
            try:
                estimate = estimate_benchmark(self._project, connection, params)
            finally:
                connection.close()
        except (UserError, sqlite3.Error, ValueError) as error:
            problem = str(error)
        self.post_message(BenchmarkEstimated(revision, params, estimate, problem))

    def on_benchmark_estimated(self, event: BenchmarkEstimated) -> None:
        """Show the estimate, or what is wrong with the form."""
        if event.revision == self._revision:
            problem = content(event.problem, style="$text-error", limit=600)
            text = problem if event.estimate is None else format_estimate(event.estimate)
            self.query_one("#takes", Static).update(text)
            if self._starting and event.estimate is not None:
                self.dismiss(event.params)
            self._starting = False

    def _params(self) -> BenchmarkParams:
        """The params that the form describes; raises ValueError, ArithmeticError, RunError."""
        selected = {name: str(self.query_one(f"#{name}", Select).value) for name in ("model", "mode", "split")}
        texts = {name: self.query_one(f"#{name}", Input).value.strip() for name in ("where", "limit", "budget")}
        values: dict[str, Any] = {**selected, "sniff": self.query_one("#sniff", Select).value != "no"}
        if selected["split"] == _ALL:
            values |= {"split": "", "where": texts["where"]}
        elif texts["where"]:
            raise ValueError(f"only: choose {_ALL!r} above to narrow it down by a query")
        if not selected["split"]:
            raise ValueError("split: choose one")
        for name in ("samples", "seed", "limit"):
            if text := self.query_one(f"#{name}", Input).value.strip():
                values[name] = _parse_whole_number(name, text)
        if texts["budget"]:
            values["budget"] = Decimal(texts["budget"])
        values["stop_when_settled"] = self.query_one("#stop", Select).value == "when settled"
        return self._pair(BenchmarkParams.model_validate(values))

    def _pair(self, params: BenchmarkParams) -> BenchmarkParams:
        """Return the params with the run in the other role to compare with, if that asks the same examples."""
        other = other_role(role_of(self._project.task, params))
        run_id = self._shown[other]
        run = runs.get(self._db, run_id) if run_id else None
        if run is None or params.sniff:
            return params
        theirs = params_of(run, BenchmarkParams)
        same = (theirs.split, theirs.where, theirs.file) == (params.split, params.where, params.file)
        return params.model_copy(update={other: run.id}) if same and not theirs.sniff else params

    def action_next_field(self) -> None:
        """Go to the next field; from the last one, start."""
        if self.focused is not None and self.focused.id == _LAST:
            self.action_start()
        else:
            self.focus_next()

    def action_start(self) -> None:
        """Close with what to start; if something is wrong with it, show that and stay open."""
        self._revision += 1
        self._starting = True
        self._start_estimate(self._revision)

    def action_close(self) -> None:
        """Start nothing."""
        self.dismiss(None)


def format_estimate(estimate: BenchmarkEstimate) -> Content:
    """What a benchmark would ask, and cost."""
    examples = f"{estimate.examples:,} example{'s' if estimate.examples != 1 else ''}"
    asked = examples if estimate.questions == estimate.examples else f"{examples}, {estimate.questions:,} questions"
    if estimate.free:
        return Content(f"asks {asked}; it costs no money")
    bound = "up to " if estimate.at_most else "about "
    tokens = f"about {estimate.input_tokens:,} tokens in, {bound}{estimate.output_tokens:,} out"
    unknown = "the model has no price: the cost is not known"
    cost = unknown if estimate.cost is None else f"{bound}{estimate.cost:.4f} in money"
    return Content(f"asks {asked}: {tokens}\n{cost}")


def _describe_error(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{first['loc'][0]}: {first['msg']}"
    return "budget: write a number" if isinstance(error, ArithmeticError) else str(error)


def _parse_whole_number(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{name}: {clean(text, limit=20)} is no whole number") from None


def _select(name: str, options: list[str], value: str) -> Select[str]:
    return Select([(Content(clean(option)), option) for option in options], value=value, allow_blank=False, id=name)
