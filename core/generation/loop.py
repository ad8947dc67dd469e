"""The loop of a generating run: candidate, QA, rewrite with the critique, until each slot is filled or given up.

Every attempt and every verdict is committed at once, and the next step of a slot is decided from what is stored. So
another worker can continue after one was killed, without losing or repeating anything.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator

from aiolimiter import AsyncLimiter

from core.curriculum.cell import Cell
from core.curriculum.plan import current_plan
from core.generation.figures import GenerationFigures
from core.generation.roles import open_budget, open_judge, open_source
from core.generation.slots import (
    FATAL,
    Assess,
    CellSlots,
    GiveUp,
    Slot,
    SlotFilled,
    Write,
    next_step,
    unfilled_slots,
)
from core.generation.source import Request, Source
from core.llm.limits import BudgetExhaustedError
from core.qa import duplicates
from core.qa.judge import Judge
from core.qa.verdicts import assess, example_of_attempt, groups, near_duplicate
from core.runs.params import GenerateParams, params_of
from core.runs.session import Ending, Session
from core.runs.supervisor import Supervisor
from storage import attempts, examples, shelves
from storage.attempts import CONTENT_FAULTS, JudgedAttempt
from storage.schema import Attempt, Event, Example, Outcome, Result, RunState, Verdict

# How often one worker asks a judge that fails on a candidate.
JUDGE_TRIES = 2
# Concurrent tasks for each request that may be in flight: while some are judged and committed, others are sent.
TASKS_PER_REQUEST = 2
BREATH_S = 0.002
SIBLINGS = 8


async def generate(session: Session) -> Ending:
    """Fill the slots of the run; returns how it ended."""
    params = params_of(session.run, GenerateParams)
    chosen = [CellSlots(Cell(*slot[:3]), slot[3], slot[4]) for slot in params.slots]
    try:
        filling = _Filling(session, params, chosen)
    except ValueError as error:  # a task, a prompt or a price that the source or the judge cannot work with
        return Ending(RunState.FAILED, str(error))
    try:
        return await filling.run()
    finally:
        await filling.close()


class _Filling:
    """A generating run at work: the state of its slots, and its concurrent tasks."""

    def __init__(self, session: Session, params: GenerateParams, chosen: list[CellSlots]) -> None:
        self._session = session
        self._task = session.project.task
        self._db = session.connection
        self._seed = params.seed
        self._history: dict[Slot, list[JudgedAttempt]] = defaultdict(list)
        self._figures = GenerationFigures(
            sum(cell_slots.count for cell_slots in chosen), None if params.budget is None else float(params.budget)
        )
        for judged in attempts.of_run(self._db, session.run.id):
            attempt = judged.attempt
            self._history[Slot(Cell(attempt.domain, attempt.level, attempt.decision), attempt.slot)].append(judged)
            self._figures.count_before(judged)
        cells = current_plan(self._task, self._db).cells
        missing = {Cell(cell.domain, cell.level, cell.decision): cell.missing for cell in cells}
        self._slots = unfilled_slots(chosen, self._history, missing)
        # Slots that another run has filled meanwhile are not this run's any more.
        self._figures.total = self._figures.accepted + len(self._slots)
        self._revised = attempts.get(self._db, params.revise) if params.revise else None
        self._hint = params.hint
        self._inference = params.inference
        self._corpus = duplicates.Corpus(self._task.limits.near_duplicate)
        for cell in {slot.cell for slot in self._slots}:
            for key, family, hypothesis, evidence in examples.texts(self._db, cell.domain, cell.level, cell.decision):
                self._corpus.add(key, duplicates.stored_words(hypothesis, evidence), groups(cell, family))
        budget = open_budget(params, self._figures.cost)
        self._source: Source = open_source(params, session.project, self._db, budget)
        self._judge: Judge = open_judge(params, session.project, self._db, budget)
        # Work of the processor is done one piece at a time: answers come in volleys, and the next requests are sent in
        # between. An embedded judge is such work, too; one at an endpoint is not.
        self._writing = asyncio.Lock()
        self._judging = asyncio.Semaphore(self._judge.max_in_flight)
        pace = params.attempts_per_minute
        self._pace = AsyncLimiter(1, 60 / pace) if pace else None
        self._at_source = 0
        self._shelves = shelves.read_all(self._db)
        self._supervisor = Supervisor(session, FATAL)

    async def run(self) -> Ending:
        self._session.log(
            f"{len(self._slots)} slots to fill with {self._source.name}, judged by {self._judge.name}",
            slots=len(self._slots),
        )
        queue = iter(self._slots)
        lines = min(len(self._slots), TASKS_PER_REQUEST * max(self._source.max_in_flight, self._judge.max_in_flight))
        try:
            await self._supervisor.run((self._fill_slots(queue) for _ in range(lines)), self._on_tick)
        finally:
            self._publish()
        if ending := self._supervisor.early_ending():
            return ending
        if self._figures.unjudged:
            waiting = f"{self._figures.unjudged} candidates wait for a judge that answers: resume asks it again"
            return Ending(RunState.STOPPED, waiting)
        if self._figures.given_up:
            given_up = f"{self._figures.given_up} slots were given up after all their ideas failed"
            return Ending(RunState.FINISHED, given_up)
        return Ending(RunState.FINISHED)

    async def close(self) -> None:
        await self._source.close()
        await self._judge.close()

    def _on_tick(self) -> None:
        if self._session.paused:
            self._figures.rest()
        self._publish()
        self._shelves = shelves.read_all(self._db)

    def _publish(self) -> None:
        self._session.progress = self._figures.snapshot()

    async def _fill_slots(self, queue: Iterator[Slot]) -> None:
        with self._session.at_work():
            for slot in queue:
                if self._shelved(slot.cell):
                    self._figures.total -= 1
                elif not await self._fill(slot):
                    return

    def _shelved(self, cell: Cell) -> bool:
        """Whether the cell was set aside; that may happen while the run works, and is read now and then."""
        return any(shelf.holds(cell.domain, cell.level, cell.decision) for shelf in self._shelves)

    async def _fill(self, slot: Slot) -> bool:
        """Work on a slot until it is filled or given up; returns whether to continue with others."""
        history = self._history[slot]
        judge_failures = 0
        while await self._session.proceed() and self._supervisor.ending is None:
            step = next_step(history, self._task.limits, self._revised)
            try:
                self._figures.in_flight += 1
                match step:
                    case SlotFilled():
                        self._figures.closed()
                        return True
                    case GiveUp():
                        self._give_up(slot)
                        return True
                    case Assess(judged):
                        verdict = await self._assess(slot, judged)
                        if verdict.result is Result.FAILED:
                            judge_failures += 1
                            self._check_fault(verdict.outcome, verdict.critique, "judge")
                            if judge_failures >= JUDGE_TRIES:
                                self._figures.unjudged += 1
                                return True
                        else:
                            self._check_fault(Outcome.WRITTEN, "", "judge")
                    case Write():
                        attempt = await self._write(slot, step)
                        self._check_fault(attempt.outcome, attempt.detail, "source")
            except BudgetExhaustedError as error:
                self._supervisor.end(Ending(RunState.STOPPED, str(error)))
            finally:
                self._figures.in_flight -= 1
        return False

    async def _write(self, slot: Slot, step: Write) -> Attempt:
        cell = slot.cell
        async with self._writing:  # before the request is built, too: the first volley has to be sent at once
            await self._yield_to_requests()
        siblings = examples.hypotheses(self._db, cell.domain, cell.level, cell.decision, SIBLINGS)
        request = Request(
            cell,
            slot.index,
            step.idea,
            step.number,
            self._seed,
            step.draft,
            step.critique,
            tuple(siblings),
            self._hint,
            self._inference,
        )
        if self._pace is not None:
            await self._pace.acquire()
        self._at_source += 1
        try:
            written = await self._source.write(request)
        finally:
            self._at_source -= 1
        attempt = Attempt(
            run=self._session.run.id,
            domain=cell.domain,
            level=cell.level,
            decision=cell.decision,
            slot=slot.index,
            number=step.number,
            idea=step.idea,
            parent=step.parent,
            outcome=written.outcome,
            candidate=written.candidate,
            raw=written.raw,
            detail=written.detail,
            family=written.family,
            source=self._source.name,
            model=written.model,
            prompt_version=written.prompt_version,
            seed=self._seed,
            usage=written.usage,
        )
        async with self._writing:
            await self._yield_to_requests()
            attempts.add_attempt(self._db, attempt, written.flaw, rejection_event(attempt))
        self._history[slot].append(JudgedAttempt(attempt, ()))
        self._figures.attempted(attempt)
        return attempt

    async def _assess(self, slot: Slot, judged: JudgedAttempt) -> Verdict:
        attempt = judged.attempt
        async with self._judging:
            await self._yield_to_requests()
            verdict = await assess(self._task, attempt, self._corpus, self._judge)
        example: Example | None = None
        if verdict.result is Result.PASSED and attempt.candidate is not None:
            # Another task may have passed a near-duplicate while the judge was working.
            twin = near_duplicate(attempt, self._corpus)
            if twin is not None:
                verdict = twin.model_copy(update={"usage": verdict.usage})
            else:
                example = example_of_attempt(attempt, verdict)
        attempts.add_verdict(self._db, verdict, example, rejection_event(attempt, verdict))
        if example is not None:
            self._corpus.add(example.id, duplicates.candidate_words(example), groups(slot.cell, example.family))
        self._history[slot][-1] = JudgedAttempt(attempt, (*judged.verdicts, verdict))
        self._figures.judged(verdict)
        return verdict

    async def _yield_to_requests(self) -> None:
        """Let the event loop send and receive, while requests to an endpoint are in flight."""
        if self._source.max_in_flight > 1 and self._at_source:
            await asyncio.sleep(BREATH_S)

    def _give_up(self, slot: Slot) -> None:
        self._figures.given_up += 1
        self._figures.closed()
        cell = slot.cell
        self._session.log(
            f"gave up a slot of {cell.domain} · level {cell.level} · {cell.decision}: "
            f"{len(self._history[slot])} attempts, none passed",
            severity="warning",
        )

    def _check_fault(self, outcome: Outcome, detail: str, role: str) -> None:
        """Count a fault of an endpoint; the run ends if continuing would only repeat it."""
        if outcome is Outcome.WRITTEN or outcome in CONTENT_FAULTS:
            self._supervisor.record_success()
        else:
            self._supervisor.record_fault(outcome, detail, role=role)


def rejection_event(attempt: Attempt, verdict: Verdict | None = None) -> Event | None:
    """The event for an attempt that QA rejected or that could not be parsed; None for any other."""
    if verdict is not None and verdict.result is Result.REJECTED:
        reason, detail = verdict.reason, verdict.critique
    elif verdict is None and attempt.outcome in CONTENT_FAULTS:
        reason, detail = attempt.outcome.value, attempt.detail
    else:
        return None
    location = f"{attempt.domain} · level {attempt.level} · {attempt.decision}, attempt {attempt.number + 1}"
    message = ": ".join(part for part in (location, reason.replace("_", " "), detail) if part)
    return Event(run=attempt.run, message=f"rejected {message}", data={"attempt": attempt.id, "reason": reason})
