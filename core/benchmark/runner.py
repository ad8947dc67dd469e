"""The work of a benchmark: every question once, every answer committed as it arrives.

What is still to be asked follows from what is stored; so a worker that was killed is continued by another, on this
machine or on the next, without asking anything twice.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence

from core.benchmark.eta import Clock
from core.benchmark.reading import READER, read
from core.benchmark.start import BenchmarkParams
from core.llm.limits import Budget, BudgetExhaustedError
from core.models.choose import ModelError, model_for
from core.models.model import Case, Model, Reply
from core.runs.session import Ending, Session
from storage import predictions

from storage.schema import Outcome, Prediction, PredictionOutcome, RunState

# What is in flight when a stop is asked for may take this long; then it is dropped.
GRACE_S = 20.0
# So many faults in a row, and the run ends: it can be resumed.
FAULTS_IN_A_ROW = 8
# While some answers are read and committed, as many questions again wait to be sent.
SURPLUS = 2
# The same would come back again: nothing was answered, so nothing is kept but the reason.
FATAL = frozenset({Outcome.BAD_KEY, Outcome.QUOTA_EXHAUSTED})
_FAULTS = frozenset({PredictionOutcome.TIMEOUT, PredictionOutcome.ERROR})


async def benchmark(session: Session) -> Ending:
    """Ask what the run has still to ask; returns how it ended."""
    params = BenchmarkParams.model_validate(session.run.params)
    asking = _Asking(session, params)
    try:
        model = model_for(
            session.project, session.connection, params.model, params.mode, samples=params.samples, budget=asking.budget
        )
    except ModelError as error:
        return Ending(RunState.FAILED, str(error))
    try:
        return await asking.run(model)
    finally:
        await model.close()


class _Asking:
    """A benchmark at work: what it has still to ask, what came back, and its concurrent lines of work."""

    def __init__(self, session: Session, params: BenchmarkParams) -> None:
        self._session = session
        self._db = session.connection
        self._params = params
        self._labels = session.project.task.labels
        self._asked = {one.question.example: one for one in predictions.cases(self._db, session.run.id)}
        told = predictions.told(self._db, session.run.id)
        # The newest outcome of each (example, sample): a failure that is asked again counts once.
        self._outcomes = {(one.example, one.sample): one.outcome for one in told}
        self._correct = sum(one.decision == self._asked[one.example].question.label for one in told)
        self._cost = _sum([one.cost for one in told])
        waiting = predictions.waiting(self._db, session.run.id, params.samples, params.round)
        self._waiting = [
            Case(name, one.hypothesis, one.evidence, sample)
            for sample in range(params.samples)
            for name, one in self._asked.items()
            if (name, sample) in waiting
        ]
        self.budget = None if params.budget is None else Budget(float(params.budget), spent=self._cost or 0.0)
        self._clock = Clock(len(self._waiting), sum(self._asked[case.example].length for case in self._waiting))
        self._in_flight = 0
        self._faults = 0
        self._resting = False
        self._ending: Ending | None = None

    async def run(self, model: Model) -> Ending:
        """Ask it all; returns how it ended."""
        if not self._asked:
            return Ending(RunState.FAILED, "nothing was chosen to be asked: start it anew")
        for done in predictions.reread(self._db, self._session.run.id, READER, self._again):
            if done:
                self._session.log(f"read {done} stored answers anew")
        self._session.log(f"{len(self._waiting)} questions for {model.name}", questions=len(self._waiting))
        self._clock.begin(time.monotonic())
        queue = iter(model.batches(self._waiting))
        # One that works on this machine takes a batch at a time; at an endpoint others are made ready meanwhile.
        lines = model.max_in_flight * (SURPLUS if model.max_in_flight > 1 else 1)
        tasks = {asyncio.create_task(self._line(model, queue)) for _ in range(min(lines, len(self._waiting)))}
        try:
            await self._supervise(tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._publish()
        if self._ending is not None:
            return self._ending
        if self._session.stopping:
            return Ending(RunState.STOPPED, "stopped on request; resume continues it")
        return Ending(RunState.FINISHED, self._failures())

    def _failures(self) -> str:
        faults = sum(one in _FAULTS for one in self._outcomes.values())
        return f"{faults} questions failed: `sidequest bench retry` asks them again" if faults else ""

    async def _supervise(self, tasks: set[asyncio.Task[None]]) -> None:
        """Wait for all lines; once the run is to end, only for as long as the grace lasts."""
        deadline: float | None = None
        pending = tasks
        while pending:
            done, pending = await asyncio.wait(pending, timeout=0.2)
            for task in done:
                task.result()
            if self._session.paused != self._resting:
                self._resting = self._session.paused
                self._clock.begin(time.monotonic())
            self._publish()
            if self._ending is not None or self._session.stopping:
                now = asyncio.get_running_loop().time()
                deadline = deadline or now + GRACE_S
                if now >= deadline:
                    self._session.log(f"dropped {len(pending)} batches in flight", severity="warning")
                    return

    def _publish(self) -> None:
        per_minute, eta_s = self._clock.per_minute(), self._clock.eta_s()
        self._session.progress = {
            "total": len(self._asked) * self._params.samples,
            "done": len(self._outcomes),
            "correct": self._correct,
            "outcomes": {one.value: number for one, number in Counter(self._outcomes.values()).most_common()},
            "in_flight": self._in_flight,
            "per_minute": per_minute,
            "eta_s": eta_s,
            "eta_basis": "the lengths that remain" if eta_s is not None else "",
            "cost": self._cost,
        }

    async def _line(self, model: Model, queue: Iterator[list[Case]]) -> None:
        with self._session.at_work():
            while await self._session.proceed() and self._ending is None:
                batch = next(queue, None)
                if batch is None:
                    return
                self._in_flight += len(batch)
                try:
                    replies = await model.answer(batch)
                except BudgetExhaustedError as error:
                    self._end(Ending(RunState.STOPPED, str(error)))
                    return
                finally:
                    self._in_flight -= len(batch)
                self._keep(model, batch, replies)

    def _keep(self, model: Model, batch: Sequence[Case], replies: Sequence[Reply]) -> None:
        """Commit what came back, and end the run where going on would only repeat a fault."""
        made = []
        for case, reply in zip(batch, replies, strict=True):
            if reply.outcome in FATAL:
                self._end(Ending(RunState.FAILED, f"{model.name}: {reply.outcome.value}: {reply.detail}"))
            else:
                made.append(self._prediction(model, case, reply))
        predictions.add(self._db, made)
        now = time.monotonic()
        for one in made:
            asked = self._asked[one.example]
            self._outcomes[one.example, one.sample] = one.outcome
            self._correct += one.decision == asked.question.label
            self._cost = _sum([self._cost, one.usage.cost])
            self._clock.answered(asked.length, one.usage.seconds, now)
            self._heed(model, one)

    def _prediction(self, model: Model, case: Case, reply: Reply) -> Prediction:
        kept = Prediction(
            run=self._session.run.id,
            example=case.example,
            sample=case.sample,
            number=self._params.round,
            ended=reply.outcome,
            raw=reply.raw,
            thought=reply.thought,
            detail=reply.detail,
            probabilities=dict(reply.probabilities) if reply.probabilities else None,
            reader=READER,
            outcome=PredictionOutcome.ERROR,
            model=reply.model,
            prompt_version=model.prompt_version,
            usage=reply.usage,
        )
        return self._again(kept)

    def _again(self, kept: Prediction) -> Prediction:
        """The prediction as the reader of today makes it out of what was kept."""
        found = read(kept.raw, kept.thought, kept.ended, self._labels, probabilities=kept.probabilities)
        return kept.model_copy(
            update={
                "reader": READER,
                "outcome": found.outcome,
                "decision": found.decision,
                "confidence": found.confidence,
                "rationale": found.rationale,
            }
        )

    def _heed(self, model: Model, one: Prediction) -> None:
        if one.outcome not in _FAULTS:
            self._faults = 0
            return
        self._faults += 1
        self._session.log(f"{model.name}: {one.ended.value}: {one.detail}", severity="warning", example=one.example)
        if self._faults >= FAULTS_IN_A_ROW:
            reason = f"{self._faults} faults in a row, the last {one.ended.value}: {one.detail}"
            self._end(Ending(RunState.FAILED, f"{model.name}: {reason}"))

    def _end(self, ending: Ending) -> None:
        self._ending = self._ending or ending


def _sum(costs: Sequence[float | None]) -> float | None:
    """What is known of `costs` in sum; None if nothing is."""
    known = [cost for cost in costs if cost is not None]
    return sum(known) if known else None
