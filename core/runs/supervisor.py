"""Runs the concurrent workers of a run: ends them when the run has to end, and ends the run when faults repeat."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine, Iterable

from core.runs.session import Ending, Session
from storage.schema import Outcome, RunState

# What is in flight when a stop is asked for may take this long; then it is dropped.
GRACE_S = 20.0
# After so many faults of endpoints in a row, whichever worker had them, the run ends: it can be resumed.
FAULTS_IN_A_ROW = 8
_TICK_S = 0.2


class Supervisor:
    """Runs workers side by side, counts faults in a row, and keeps the reason why the run ends before its work is done.

    `fatal` are the outcomes after which going on would only repeat the fault. `ending` is None as long as nothing
    ends the run; workers look at it between two units of work.
    """

    def __init__(self, session: Session, fatal: Collection[Outcome]) -> None:
        self._session = session
        self._fatal = fatal
        self._faults = 0
        self.ending: Ending | None = None

    async def run(self, workers: Iterable[Coroutine[object, object, None]], on_tick: Callable[[], None]) -> None:
        """Run all `workers` until they are done; calls `on_tick` at least five times a second meanwhile.

        Once the run has to end, waits no longer than `GRACE_S`, then cancels the rest. Raises what a worker raises,
        after cancelling the others.
        """
        tasks = {asyncio.create_task(worker) for worker in workers}
        try:
            await self._wait_for(tasks, on_tick)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def end(self, ending: Ending) -> None:
        """End the run; the first reason stands."""
        self.ending = self.ending or ending

    def early_ending(self) -> Ending | None:
        """How the run ended before its work was done; None if it was not cut short."""
        if self.ending is None and self._session.stopping:
            return Ending(RunState.STOPPED, "stopped on request; resume continues it")
        return self.ending

    def record_success(self) -> None:
        """Note that an endpoint answered: faults are counted from 0 again."""
        self._faults = 0

    def record_fault(self, outcome: Outcome, detail: str, *, role: str = "") -> None:
        """Log a fault, and end the run if it is fatal or the last of too many in a row.

        `role` names the endpoint in the message, where a run has several.
        """
        self._faults += 1
        prefix, fault = f"{role}: " if role else "", f"{outcome.value}: {detail}"
        self._session.log(f"{prefix}{fault}", severity="warning", outcome=outcome.value)
        if outcome in self._fatal:
            self.end(Ending(RunState.FAILED, f"{prefix}{fault}"))
        elif self._faults >= FAULTS_IN_A_ROW:
            self.end(Ending(RunState.FAILED, f"{prefix}{self._faults} faults in a row, the last {fault}"))

    async def _wait_for(self, tasks: set[asyncio.Task[None]], on_tick: Callable[[], None]) -> None:
        deadline: float | None = None
        pending = tasks
        while pending:
            done, pending = await asyncio.wait(pending, timeout=_TICK_S)
            for task in done:
                task.result()
            on_tick()
            if self.ending is not None or self._session.stopping:
                now = asyncio.get_running_loop().time()
                deadline = deadline or now + GRACE_S
                if now >= deadline:
                    self._session.log(f"dropped {len(pending)} requests in flight", severity="warning")
                    return
