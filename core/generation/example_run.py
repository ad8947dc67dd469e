"""Runs that work on examples that are there already, each given with its version: what all of them share."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence

from core.generation.slots import FATAL
from core.llm.limits import BudgetExhaustedError
from core.runs.control import RunError, run_status
from core.runs.params import FillParams, RepairParams, parse_params
from core.runs.readable import readable_of_kind
from core.runs.session import Ending, Session
from core.runs.supervisor import Supervisor
from storage import examples
from storage.attempts import CONTENT_FAULTS
from storage.schema import Example, Outcome, Run, RunState, Usage

# How often a worker asks a judge that gives no usable answer, and a repair its source.
TRIES = 2


class ExamplePool:
    """Examples that several tasks work on at once, each example once.

    Skips an example that was edited since, or is no longer `wanted`, and counts it in `skipped`. The tasks end
    when the budget is used up, when the run is asked to stop, and when the endpoints' faults repeat.
    """

    def __init__(
        self, session: Session, selected: Sequence[tuple[str, int]], wanted: Callable[[Example], bool]
    ) -> None:
        self.skipped = 0
        self._session = session
        self._selected = selected
        self._wanted = wanted
        self._supervisor = Supervisor(session, FATAL)

    async def run(
        self, work: Callable[[Example], Awaitable[None]], publish: Callable[[], None], *, in_flight: int
    ) -> Ending | None:
        """Call `work` for each example; returns how the run ended before all were done, None if it was not cut short.

        Calls `publish` at least five times a second, and at the end.
        """
        queue = iter(self._selected)
        tasks = min(len(self._selected), in_flight)
        try:
            await self._supervisor.run((self._work(queue, work) for _ in range(tasks)), publish)
        finally:
            publish()
        return self._supervisor.early_ending()

    def check_fault(self, outcome: Outcome, detail: str, role: str) -> None:
        """Count a fault of an endpoint; the run ends if continuing would only repeat it."""
        if is_fault(outcome):
            self._supervisor.record_fault(outcome, detail, role=role)
        else:
            self._supervisor.record_success()

    async def _work(self, queue: Iterator[tuple[str, int]], work: Callable[[Example], Awaitable[None]]) -> None:
        with self._session.at_work():
            for example_id, version in queue:
                if not await self._session.proceed() or self._supervisor.ending is not None:
                    return
                example = examples.get(self._session.connection, example_id)
                if example is None or example.version != version or not self._wanted(example):
                    self.skipped += 1
                    continue
                try:
                    await work(example)
                except BudgetExhaustedError as error:
                    self._supervisor.end(Ending(RunState.STOPPED, str(error)))
                    return


def is_fault(outcome: Outcome) -> bool:
    """Whether the endpoint failed, and not its answer."""
    return outcome is not Outcome.WRITTEN and outcome not in CONTENT_FAULTS


def known_costs(usages: Iterable[Usage]) -> list[float]:
    """The costs that are known."""
    return [usage.cost for usage in usages if usage.cost is not None]


def total_cost(usages: Sequence[Usage]) -> float | None:
    """What all requests of a run have cost; None if that is not known of one of them."""
    known = known_costs(usages)
    return sum(known) if len(known) == len(usages) else None


def find_run(connection: sqlite3.Connection, kind: str, example: Example) -> Run | None:
    """The newest run of a kind that was given this version of an example; None if there is none."""
    for run in readable_of_kind(connection, kind):
        if (example.id, example.version) in _given(run):
            return run
    return None


def refuse_taken(connection: sqlite3.Connection, kind: str, selected: Sequence[Example]) -> None:
    """Raise RunError if a run of `kind` works on one of the examples at the moment."""
    versions = {(example.id, example.version) for example in selected}
    for run in readable_of_kind(connection, kind):
        taken = next((key for key in _given(run) if key in versions), None)
        if taken is not None and not run_status(run).state.ended:
            raise RunError(f"run {run.id[-6:]} {kind}s {taken[0]} already: `sidequest runs show {run.id[-6:]}`")


def _given(run: Run) -> list[tuple[str, int]]:
    params = parse_params(run)
    return params.examples if isinstance(params, RepairParams | FillParams) else []
