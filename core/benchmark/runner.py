"""A benchmark at work: each answer is read and committed as it arrives, and what is asked next follows from the store.

So a worker that was killed is continued by another, on whatever machine, without an answer lost or paid for twice.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence

from core.benchmark.eta import EtaEstimator
from core.benchmark.figures_cache import dump_figures
from core.benchmark.gate_monitor import GateMonitor
from core.benchmark.metrics import RunningFigures, figures
from core.benchmark.results import score_all, score_samples
from core.benchmark.sequential_gate import GateVerdict
from core.config.case import Case
from core.llm.limits import Budget, BudgetExhaustedError
from core.models.model import Model, Reply
from core.models.parse_answer import PARSER_VERSION, parse_answer
from core.models.resolve import ModelError, model_for
from core.runs.params import BenchmarkParams, params_of
from core.runs.progress import BenchmarkProgress
from core.runs.session import Ending, Session
from storage import predictions
from storage.predictions import PredictionFigures, StoredQuestion, target
from storage.schema import Outcome, Prediction, RunState

# After these the question was not answered and may not even have been read: it stays open, for a resume to ask.
UNASKED = frozenset({Outcome.CONNECTION, Outcome.RATE_LIMITED, Outcome.QUOTA_EXHAUSTED, Outcome.BAD_KEY})
DOUBTFUL = frozenset({Outcome.SERVER_ERROR, Outcome.BAD_REQUEST})
FATAL = frozenset({Outcome.QUOTA_EXHAUSTED, Outcome.BAD_KEY})
# So many faults in a row, whoever asked, and the run ends: it can be resumed.
FAULTS_IN_A_ROW = 8
# A model that sorts by length sorts within so many cases, so that the order of asking stays random on the whole.
WINDOW = 256
GRACE_S = 20.0


async def benchmark(session: Session) -> Ending:
    """Ask the model of the run what is still to be asked; returns how it ended."""
    params = params_of(session.run, BenchmarkParams)
    asked = predictions.read_questions(session.connection, session.run.id)
    spent = sum(one.cost or 0.0 for one in predictions.prediction_figures(session.connection, session.run.id))
    budget = None if params.budget is None else Budget(float(params.budget), spent=spent)
    try:
        # Loading a model takes long: heartbeat and requests live on meanwhile.
        model = model_for(
            session.project,
            session.connection,
            params.model,
            params.mode,
            seed=params.seed,
            budget=budget,
            excluded_families={one.question.family for one in asked},
        )
    except (ModelError, ValueError) as error:
        return Ending(RunState.FAILED, str(error))
    try:
        return await _Asking(session, params, asked, model).run()
    finally:
        await model.close()


class _Asking:
    """A benchmark at work: what it has heard so far, and its concurrent lines of asking."""

    def __init__(
        self, session: Session, params: BenchmarkParams, asked: Sequence[StoredQuestion], model: Model
    ) -> None:
        self._session = session
        self._params = params
        self._db = session.connection
        self._labels = session.project.task.labels
        self._model = model
        self._asked = {one.question.example: one for one in asked}
        told = predictions.prediction_figures(self._db, session.run.id)
        self._samples: dict[str, dict[int, PredictionFigures]] = defaultdict(dict)
        for one in told:
            self._samples[one.example][one.sample] = one
        self._heard = {one.example: one for one in score_all([target(one.question) for one in asked], told)}
        self._tally = RunningFigures(self._labels, self._heard.values())
        self._cost: float | None = None
        for one in told:
            self._pay(one.cost)
        # A second round replaces answers that the watch has counted: it has nothing more to settle.
        watched = not params.sniff and not params.number
        self._watching = GateMonitor(self._db, session.run.id, params) if watched else None
        self._verdict: GateVerdict | None = None
        waiting = predictions.unanswered(self._db, session.run.id, params.samples, params.number)
        self._waiting = [
            Case(one.question.example, one.hypothesis, one.evidence, sample)
            for one in asked
            for sample in range(params.samples)
            if (one.question.example, sample) in waiting
        ]
        length = {key: one.length for key, one in self._asked.items()}
        self._clock = EtaEstimator(len(self._waiting), sum(length[case.example] for case in self._waiting))
        self._total = len(asked) * params.samples
        self._faults = 0
        # Errors are kept once another answer shows that the endpoint works at all.
        self._doubtful: list[tuple[Case, Reply]] = []
        self._unasked = 0
        self._ending: Ending | None = None

    async def run(self) -> Ending:
        self._session.log(f"{len(self._waiting)} questions to {self._model.name}", waiting=len(self._waiting))
        self._clock.start(time.monotonic())
        queue = self._batches()
        tasks = {asyncio.create_task(self._line(queue)) for _ in range(self._model.max_in_flight)}
        try:
            await self._supervise(tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._publish()
        ending = self._over()
        self._publish()
        if ending.state is RunState.FINISHED:
            kept = dump_figures(figures(list(self._heard.values()), self._labels))
            self._session.progress = self._session.progress.model_copy(update={"kept": kept})
        return ending

    def _over(self) -> Ending:
        """How it ended; what was in doubt is an answer, unless the run goes on another time."""
        if self._ending is not None:
            return self._ending
        if self._session.stopping:
            return Ending(RunState.STOPPED, "stopped on request; resume continues it")
        if self._doubtful:
            self._commit(self._doubtful)
        if self._unasked:
            return Ending(
                RunState.STOPPED, f"{self._unasked} questions did not reach the model: resume asks them again"
            )
        failures = predictions.count_failed(self._db, self._session.run.id)
        without = f"{failures} without an answer; `sidequest bench retry` asks those again" if failures else ""
        return Ending(RunState.FINISHED, without)

    def _batches(self) -> Iterator[list[Case]]:
        for start in range(0, len(self._waiting), WINDOW):
            yield from self._model.batches(self._waiting[start : start + WINDOW])

    async def _supervise(self, tasks: set[asyncio.Task[None]]) -> None:
        """Wait for all lines; once the run is to end, only for as long as the grace lasts."""
        deadline: float | None = None
        pending, resting = tasks, False
        while pending:
            done, pending = await asyncio.wait(pending, timeout=0.2)
            for task in done:
                task.result()
            if resting and not self._session.paused:
                self._clock.start(time.monotonic())
            resting = self._session.paused
            self._publish()
            if self._ending is not None or self._session.stopping:
                now = asyncio.get_running_loop().time()
                deadline = deadline or now + GRACE_S
                if now >= deadline:
                    self._session.log(f"dropped {len(pending)} requests in flight", severity="warning")
                    return

    async def _line(self, queue: Iterator[list[Case]]) -> None:
        with self._session.at_work():
            for batch in queue:
                if not await self._session.proceed() or self._ending is not None:
                    return
                try:
                    replies = await self._model.answer(batch)
                except BudgetExhaustedError as error:
                    self._end(Ending(RunState.STOPPED, str(error)))
                    return
                except ModelError as error:
                    self._end(Ending(RunState.FAILED, str(error)))
                    return
                self._keep(batch, replies)

    def _keep(self, batch: Sequence[Case], replies: Sequence[Reply]) -> None:
        """Commit what came back, then count it."""
        pairs = list(zip(batch, replies, strict=True))
        for _, reply in pairs:
            self._heed(reply)
        self._unasked += sum(reply.outcome in UNASKED for _, reply in pairs)
        self._doubtful += [pair for pair in pairs if pair[1].outcome in DOUBTFUL]
        sure = [pair for pair in pairs if pair[1].outcome not in UNASKED | DOUBTFUL]
        if sure:
            self._commit([*self._doubtful, *sure])
            self._doubtful = []

    def _commit(self, pairs: Sequence[tuple[Case, Reply]]) -> None:
        made = [self._prediction(case, reply) for case, reply in pairs]
        predictions.add(self._db, made)
        at = time.monotonic()
        for prediction in made:
            self._count(prediction)
            self._clock.record(self._asked[prediction.example].length, prediction.usage.seconds, at)
        if self._watching is not None:
            self._verdict = self._watching.update()
            if self._params.stop_when_settled and self._verdict is not GateVerdict.OPEN:
                after = f"after {self._tally.counts().n} of {len(self._asked)}"
                self._end(Ending(RunState.FINISHED, f"settled {after}: {self._verdict.value}"))

    def _prediction(self, case: Case, reply: Reply) -> Prediction:
        said = parse_answer(reply.raw, reply.thought, reply.outcome, self._labels)
        return Prediction(
            run=self._session.run.id,
            example=case.example,
            sample=case.sample,
            number=self._params.number,
            ended=reply.outcome,
            raw=reply.raw,
            thought=reply.thought,
            detail=reply.detail,
            probabilities=None if reply.probabilities is None else dict(reply.probabilities),
            reader=PARSER_VERSION,
            outcome=said.outcome,
            decision=said.decision,
            confidence=said.confidence,
            rationale=said.rationale,
            model=reply.model,
            prompt_version=self._model.prompt_version,
            usage=reply.usage,
        )

    def _count(self, one: Prediction) -> None:
        """Take a prediction into the figures; an example that had an answer before is counted anew."""
        before = self._heard.get(one.example)
        if before is not None:
            self._tally.remove(before)
        samples = self._samples[one.example]
        samples[one.sample] = _told(one)
        asked = target(self._asked[one.example].question)
        self._heard[one.example] = score_samples(asked, [samples[number] for number in sorted(samples)])
        self._tally.add(self._heard[one.example])
        self._pay(one.usage.cost)

    def _pay(self, cost: float | None) -> None:
        if cost is not None:
            self._cost = (self._cost or 0.0) + cost

    def _heed(self, reply: Reply) -> None:
        """End the run where going on would only repeat a fault."""
        if reply.outcome not in UNASKED | DOUBTFUL:
            self._faults = 0
            return
        self._faults += 1
        told = f"{reply.outcome.value}: {reply.detail}"
        self._session.log(told, severity="warning", outcome=reply.outcome.value)
        if reply.outcome in FATAL:
            self._end(Ending(RunState.FAILED, told))
        elif self._faults >= FAULTS_IN_A_ROW:
            self._end(Ending(RunState.FAILED, f"{self._faults} faults in a row, the last {told}"))

    def _end(self, ending: Ending) -> None:
        self._ending = self._ending or ending

    def _publish(self) -> None:
        counts = self._tally.counts()
        self._session.progress = BenchmarkProgress(
            total=self._total,
            done=self._total - self._clock.left,
            n=counts.n,
            right=counts.right,
            accuracy=counts.accuracy,
            low=counts.low,
            high=counts.high,
            outcomes=counts.outcomes,
            per_minute=self._clock.per_minute(),
            eta_s=self._clock.eta_s(),
            eta_basis="by lengths",
            cost=self._cost,
            budget=None if self._params.budget is None else float(self._params.budget),
            settled=None if self._verdict is None else self._verdict.value,
        )


def _told(one: Prediction) -> PredictionFigures:
    """A prediction as the store tells it back."""
    return PredictionFigures(
        one.id,
        one.example,
        one.sample,
        one.number,
        one.outcome,
        one.decision,
        one.confidence,
        one.probabilities,
        one.usage.seconds,
        one.usage.input_tokens,
        one.usage.output_tokens,
        one.usage.cost,
    )
