"""A benchmark at work: each answer is parsed and committed as it arrives, and what to ask next follows from the store.

So if a worker is killed, another continues its run, on whatever machine; no answer is lost or paid for twice.
"""

from __future__ import annotations

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
from core.runs.supervisor import Supervisor
from storage import predictions
from storage.predictions import PredictionFigures, StoredQuestion, target
from storage.schema import Outcome, Prediction, RunState

# After these the question was not answered and may not even have been read: it stays open, for a resume to ask.
UNASKED = frozenset({Outcome.CONNECTION, Outcome.RATE_LIMITED, Outcome.QUOTA_EXHAUSTED, Outcome.BAD_KEY})
DOUBTFUL = frozenset({Outcome.SERVER_ERROR, Outcome.BAD_REQUEST})
FATAL = frozenset({Outcome.QUOTA_EXHAUSTED, Outcome.BAD_KEY})
# A model that sorts by length sorts within so many cases, so that the order of asking stays random on the whole.
WINDOW = 256


async def benchmark(session: Session) -> Ending:
    """Ask the model of the run what is still to be asked; returns how it ended."""
    params = params_of(session.run, BenchmarkParams)
    questions = predictions.read_questions(session.connection, session.run.id)
    earlier = predictions.prediction_figures(session.connection, session.run.id)
    budget = None
    if params.budget is not None:
        budget = Budget(float(params.budget), spent=sum(prediction.cost or 0.0 for prediction in earlier))
    try:
        # Loading a model takes long: the heartbeat thread works meanwhile.
        model = model_for(
            session.project,
            session.connection,
            params.model,
            params.mode,
            seed=params.seed,
            budget=budget,
            excluded_families={stored.question.family for stored in questions},
        )
    except (ModelError, ValueError) as error:
        return Ending(RunState.FAILED, str(error))
    try:
        return await _Benchmark(session, params, questions, model).run()
    finally:
        await model.close()


class _Benchmark:
    """A benchmark at work: the answers so far, and the concurrent workers that ask for more."""

    def __init__(
        self, session: Session, params: BenchmarkParams, questions: Sequence[StoredQuestion], model: Model
    ) -> None:
        self._session = session
        self._params = params
        self._db = session.connection
        self._labels = session.project.task.labels
        self._model = model
        self._questions = {stored.question.example: stored for stored in questions}
        earlier = predictions.prediction_figures(self._db, session.run.id)
        self._samples: dict[str, dict[int, PredictionFigures]] = defaultdict(dict)
        for prediction in earlier:
            self._samples[prediction.example][prediction.sample] = prediction
        targets = [target(stored.question) for stored in questions]
        self._answers = {answer.example: answer for answer in score_all(targets, earlier)}
        self._running = RunningFigures(self._labels, self._answers.values())
        self._cost: float | None = None
        for prediction in earlier:
            self._add_cost(prediction.cost)
        # A second round replaces answers that the gate has counted: it has nothing more to settle.
        monitored = not params.sniff and not params.number
        self._gate_monitor = GateMonitor(self._db, session.run.id, params) if monitored else None
        self._verdict: GateVerdict | None = None
        waiting = predictions.unanswered(self._db, session.run.id, params.samples, params.number)
        self._cases = [
            Case(stored.question.example, stored.hypothesis, stored.evidence, sample)
            for stored in questions
            for sample in range(params.samples)
            if (stored.question.example, sample) in waiting
        ]
        characters = sum(self._questions[case.example].length for case in self._cases)
        self._clock = EtaEstimator(len(self._cases), characters)
        self._was_paused = False
        self._total = len(questions) * params.samples
        # Errors are stored once another answer shows that the endpoint works at all.
        self._doubtful: list[tuple[Case, Reply]] = []
        self._unasked = 0
        self._supervisor = Supervisor(session, FATAL)

    async def run(self) -> Ending:
        self._session.log(f"{len(self._cases)} questions to {self._model.name}", waiting=len(self._cases))
        self._clock.start(time.monotonic())
        queue = self._batches()
        try:
            await self._supervisor.run((self._ask(queue) for _ in range(self._model.max_in_flight)), self._on_tick)
        finally:
            self._publish()
        ending = self._supervisor.early_ending() or self._finish()
        self._publish()
        if ending.state is RunState.FINISHED:
            kept = dump_figures(figures(list(self._answers.values()), self._labels))
            self._session.progress = self._session.progress.model_copy(update={"kept": kept})
        return ending

    def _finish(self) -> Ending:
        """Store what was in doubt, since the run does not go on another time; returns how it ended."""
        if self._doubtful and not self._answers:
            # Nothing shows that the endpoint works at all: its errors say nothing of the model.
            _, last = self._doubtful[-1]
            detail = f": {last.detail}" if last.detail else ""
            none = f"{self._model.name} answered none of {len(self._doubtful)} questions"
            reason = f"{none}, the last with {last.outcome.value}{detail}; resume asks them again"
            return Ending(RunState.FAILED, reason)
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
        for start in range(0, len(self._cases), WINDOW):
            yield from self._model.batches(self._cases[start : start + WINDOW])

    def _on_tick(self) -> None:
        paused = self._session.paused
        if self._was_paused and not paused:
            self._clock.start(time.monotonic())
        self._was_paused = paused
        self._publish()

    async def _ask(self, queue: Iterator[list[Case]]) -> None:
        """Ask one batch of `queue` after another, until none is left or the run ends."""
        with self._session.at_work():
            for batch in queue:
                if not await self._session.proceed() or self._supervisor.ending is not None:
                    return
                try:
                    replies = await self._model.answer(batch)
                except BudgetExhaustedError as error:
                    self._supervisor.end(Ending(RunState.STOPPED, str(error)))
                    return
                except ModelError as error:
                    self._supervisor.end(Ending(RunState.FAILED, str(error)))
                    return
                self._take(batch, replies)

    def _take(self, batch: Sequence[Case], replies: Sequence[Reply]) -> None:
        """Commit the replies that say something of the model, and then count them."""
        pairs = list(zip(batch, replies, strict=True))
        for _, reply in pairs:
            if reply.outcome in UNASKED | DOUBTFUL:
                self._supervisor.record_fault(reply.outcome, reply.detail)
            else:
                self._supervisor.record_success()
        self._unasked += sum(reply.outcome in UNASKED for _, reply in pairs)
        self._doubtful += [pair for pair in pairs if pair[1].outcome in DOUBTFUL]
        certain = [pair for pair in pairs if pair[1].outcome not in UNASKED | DOUBTFUL]
        if certain:
            self._commit([*self._doubtful, *certain])
            self._doubtful = []

    def _commit(self, pairs: Sequence[tuple[Case, Reply]]) -> None:
        committed = [self._prediction(case, reply) for case, reply in pairs]
        predictions.add(self._db, committed)
        now = time.monotonic()
        for prediction in committed:
            self._count(prediction)
            self._clock.record(self._questions[prediction.example].length, prediction.usage.seconds, now)
        if self._gate_monitor is not None:
            self._verdict = self._gate_monitor.update()
            if self._params.stop_when_settled and self._verdict is not GateVerdict.OPEN:
                after = f"after {self._running.counts().n} of {len(self._questions)}"
                self._supervisor.end(Ending(RunState.FINISHED, f"settled {after}: {self._verdict.value}"))

    def _prediction(self, case: Case, reply: Reply) -> Prediction:
        parsed = parse_answer(reply.raw, reply.thought, reply.outcome, self._labels)
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
            outcome=parsed.outcome,
            decision=parsed.decision,
            confidence=parsed.confidence,
            rationale=parsed.rationale,
            model=reply.model,
            prompt_version=self._model.prompt_version,
            usage=reply.usage,
        )

    def _count(self, prediction: Prediction) -> None:
        """Add a prediction to the figures; an example that had an answer before is counted anew."""
        if (previous := self._answers.get(prediction.example)) is not None:
            self._running.remove(previous)
        samples = self._samples[prediction.example]
        samples[prediction.sample] = _figures_of(prediction)
        question = target(self._questions[prediction.example].question)
        answer = score_samples(question, [samples[number] for number in sorted(samples)])
        self._answers[prediction.example] = answer
        self._running.add(answer)
        self._add_cost(prediction.usage.cost)

    def _add_cost(self, cost: float | None) -> None:
        if cost is not None:
            self._cost = (self._cost or 0.0) + cost

    def _publish(self) -> None:
        counts = self._running.counts()
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


def _figures_of(prediction: Prediction) -> PredictionFigures:
    """The figures of a prediction, as the store returns them."""
    return PredictionFigures(
        prediction.id,
        prediction.example,
        prediction.sample,
        prediction.number,
        prediction.outcome,
        prediction.decision,
        prediction.confidence,
        prediction.probabilities,
        prediction.usage.seconds,
        prediction.usage.input_tokens,
        prediction.usage.output_tokens,
        prediction.usage.cost,
    )
