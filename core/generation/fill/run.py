"""Fills the steps of examples: a source writes them, code checks them, a judge may read them, an edit stores them.

Commits an answer before it is used, since it may have cost money, and stores steps and state in one transaction. So a
run that was killed goes on from there, and asks nothing twice that was answered.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from core.config.task import Task
from core.curriculum.cell import Cell
from core.generation.example_run import TRIES, ExamplePool, is_fault, known_costs, total_cost
from core.generation.fill.start import lacks_steps
from core.generation.fill.writer import StepWriter
from core.generation.roles import open_budget, open_judge
from core.qa.endpoint_judge import add_usage
from core.qa.judge import CRITERIA, Judge, JudgeResult
from core.qa.problem import Problem
from core.qa.steps import check_steps
from core.runs.params import NO_JUDGE, FillParams, params_of
from core.runs.progress import FillProgress
from core.runs.session import Ending, Session
from storage import examples, fills, reviews
from storage.database import transaction
from storage.fills import Fill
from storage.runs import StoredCapabilities
from storage.schema import Candidate, Example, Outcome, RunState, Step, Usage

_NEEDS_MODEL = Problem(
    "needs_model", "The procedural source does not know its steps: name a model of the project with --model."
)
_EDITED = "edited"  # the reason of a state that is not stored, since a person was faster


async def fill(session: Session) -> Ending:
    """Fill the steps of the run's examples; returns how it ended."""
    params = params_of(session.run, FillParams)
    try:
        filling = _Filling(session, params)
    except (ValueError, KeyError) as error:
        # A prompt, a price or a model that the source or the judge cannot work with.
        return Ending(RunState.FAILED, str(error))
    try:
        return await filling.run()
    finally:
        await filling.close()


class _Filling:
    """The examples of a run with the state of each, and the concurrent tasks that work on them."""

    def __init__(self, session: Session, params: FillParams) -> None:
        self._session = session
        self._db = session.connection
        self._task = session.project.task
        self._params = params
        self._fills = {state.example: state for state in fills.of_run(self._db, session.run.id)}
        self._failed: dict[str, str] = {}  # by example: how the endpoint failed this time
        budget = open_budget(params, sum(known_costs(self._usages())))
        self._writer: StepWriter | None = None
        if params.source in self._task.models:
            self._writer = StepWriter(
                self._task,
                params.source,
                project_dir=session.project.folder,
                capabilities=StoredCapabilities(self._db),
                budget=budget,
            )
        self._judge = None if params.judge == NO_JUDGE else open_judge(params, session.project, self._db, budget)
        done = {state.example for state in self._fills.values() if state.done}
        waiting = [(example, version) for example, version in params.examples if example not in done]
        self._pool = ExamplePool(session, waiting, lacks_steps)

    async def run(self) -> Ending:
        total = len(self._params.examples)
        judge = "" if self._judge is None else f", and read by {self._judge.name}"
        self._session.log(f"the steps of {total} examples are written by {self._params.source}{judge}")
        in_flight = 1 if self._writer is None else self._writer.max_in_flight
        early = await self._pool.run(self._fill, self._publish, in_flight=in_flight)
        if early is not None:
            return early
        if self._failed:
            *_, detail = self._failed.values()
            reason = f"{len(self._failed)} of {total} got no answer: {detail}; resume asks again"
            return Ending(RunState.STOPPED, reason)
        parts = []
        if reasons := self._reasons():
            counts = ", ".join(f"{name} {count}" for name, count in reasons.items())
            parts.append(f"{sum(reasons.values())} of {total} refused: {counts}")
        if skipped := self._pool.skipped:
            parts.append(f"{skipped} of {total} skipped: edited meanwhile")
        return Ending(RunState.FINISHED, "; ".join(parts))

    async def close(self) -> None:
        if self._writer is not None:
            await self._writer.close()
        if self._judge is not None:
            await self._judge.close()

    async def _fill(self, example: Example) -> None:
        """Write, check and store the steps of one example, as far as the endpoints answer."""
        # What is known offline never waits: let others have their turn.
        await asyncio.sleep(0)
        state = self._fills.get(example.id)
        if state is None:
            state = self._recall(example)
        self._failed.pop(example.id, None)
        while not state.done and example.id not in self._failed:
            if state.steps is None or state.reason:
                state = await self._write(example, state)
            elif self._judge is not None and state.model and state.judged is not Outcome.WRITTEN:
                state = await self._assess(example, state, self._judge)
            else:
                state = self._store(example, state)

    def _recall(self, example: Example) -> Fill:
        """The state with the steps that the procedural source knows; refused if no model can write what it does not."""
        # Imported late: it loads the vocabulary, and few examples need it.
        from core.generation.procedural.rebuild import known_answer

        state = Fill(run=self._session.run.id, example=example.id, version=example.version)
        answer = known_answer(self._task, example)
        if answer is not None:
            problems = _broken_rules(self._task, example, answer.steps)
            if answer.decision != example.decision and not problems:
                critique = (
                    f"The evidence leads to {answer.decision}, and the decision is {example.decision}: mend either."
                )
                problems = [Problem("step_decision", critique)]
            if not problems:
                return self._keep(state, steps=answer.steps, usage=Usage(cost=0.0))
            if self._writer is None or answer.decision != example.decision:
                return self._keep(state, done=True, usage=Usage(cost=0.0), **_described(problems))
        if self._writer is None:
            return self._keep(state, done=True, usage=Usage(cost=0.0), **_described([_NEEDS_MODEL]))
        return state

    async def _write(self, example: Example, state: Fill) -> Fill:
        if self._writer is None or state.tries >= self._task.limits.max_attempts:
            return self._keep(state, done=True)
        written = await self._writer.write(example, state.steps, state.detail)
        self._pool.check_fault(written.outcome, written.detail, "source")
        if is_fault(written.outcome):
            self._failed[example.id] = written.detail
            return self._keep(state, outcome=written.outcome)
        steps: list[Step] | None = None
        if written.fields is None:
            problems = [Problem(written.outcome.value, written.detail)]
        else:
            steps = [Step.model_validate(step) for step in written.fields["steps"]]
            problems = _broken_rules(self._task, example, steps)
        return self._keep(
            state,
            tries=state.tries + 1,
            outcome=written.outcome,
            steps=steps,
            judged=None,
            model=written.model,
            prompt_version=written.prompt_version,
            usage=add_usage(state.usage, written.usage) if state.tries else written.usage,
            **_described(problems),
        )

    async def _assess(self, example: Example, state: Fill, judge: Judge) -> Fill:
        if problems := self._task.cell_problems(example.domain, example.level, example.decision):
            return self._keep(state, done=True, reason="unknown_cell", detail="; ".join(problems))
        cell = Cell(example.domain, example.level, example.decision)
        for attempts_left in reversed(range(TRIES)):
            result = await judge.judge(_with_steps(example, state.steps or []), cell)
            self._pool.check_fault(result.outcome, result.detail, "judge")
            if is_fault(result.outcome):
                self._failed[example.id] = result.detail
                return self._keep(state, judged=result.outcome)
            # The ruling is stored with the judgement, so that a resume cannot take the one without the other.
            final = result.outcome is Outcome.WRITTEN or not attempts_left
            ruling = self._ruling(example, result) if final else {}
            usage = add_usage(state.usage, result.usage)
            state = self._keep(state, judged=result.outcome, usage=usage, **ruling)
            if final:
                break
        return state

    def _ruling(self, example: Example, result: JudgeResult) -> dict[str, Any]:
        """The change of the state that follows from the judge's result.

        An example whose label the judge doubts is refused: a person has to decide, and other steps would not help.
        Steps from which the decision does not follow are written anew. The other criteria are not about steps.
        """
        if result.outcome is not Outcome.WRITTEN:
            return {"done": True, "reason": f"judge_{result.outcome.value}", "detail": result.detail}
        if result.decision != example.decision:
            detail = f"Without the label the judge decides {result.decision}, not {example.decision}. {result.critique}"
            return {"done": True, "reason": "blind_disagreement", "detail": detail.strip()}
        if result.rubric.get("decision_follows", 0.0) < self._task.limits.rubric_pass:
            detail = result.critique or f"It fails the criterion that {CRITERIA['decision_follows']}."
            return {"reason": "decision_follows", "detail": detail}
        return {}

    def _store(self, example: Example, state: Fill) -> Fill:
        """Store the steps as a new version of the example, unless a person was faster."""
        note = f"steps written by {self._params.source if state.model else 'the procedural source'}"
        run, reviewer = self._session.run.id, self._params.reviewer
        with transaction(self._db):
            current = examples.get(self._db, example.id)
            if current is None or current.version != example.version or not lacks_steps(current):
                self._pool.skipped += 1
                state = state.model_copy(update={"done": True, "reason": _EDITED})
            else:
                edited = current.model_copy(update={"steps": state.steps})
                saved = reviews.apply_edit(self._db, edited, note=note, reviewer=reviewer, batch=run)
                state = state.model_copy(update={"stored": saved.version, "done": True})
                fills.put(self._db, state)
        self._fills[example.id] = state
        return state

    def _keep(self, state: Fill, **change: Any) -> Fill:
        """Store a changed state, and return it."""
        state = state.model_copy(update=change)
        with transaction(self._db):
            fills.put(self._db, state)
        self._fills[state.example] = state
        return state

    def _usages(self) -> list[Usage]:
        return [state.usage for state in self._fills.values()]

    def _reasons(self) -> dict[str, int]:
        """How many examples were refused for each reason, the most frequent first."""
        refused = (state.reason for state in self._fills.values() if state.refused and state.reason != _EDITED)
        return dict(Counter(refused).most_common())

    def _publish(self) -> None:
        reasons = self._reasons()
        written = sum(state.stored is not None for state in self._fills.values())
        refused, skipped = sum(reasons.values()), self._pool.skipped
        self._session.progress = FillProgress(
            done=written + refused + skipped,
            total=len(self._params.examples),
            written=written,
            refused=refused,
            skipped=skipped,
            reasons=reasons,
            cost=total_cost(self._usages()),
            budget=None if self._params.budget is None else float(self._params.budget),
        )


def _with_steps(example: Example, steps: list[Step]) -> Candidate:
    values = {name: getattr(example, name) for name in Candidate.model_fields}
    return Candidate.model_validate(values | {"steps": steps})


def _broken_rules(task: Task, example: Example, steps: list[Step]) -> list[Problem]:
    if not steps:
        return [Problem("step_missing", "There is no step: the hypothesis claims one thing at least.")]
    return check_steps(task.steps.rule, _with_steps(example, steps))


def _described(problems: list[Problem]) -> dict[str, str]:
    """The reason and the detail of a state: the name of the first problem, and all in words; empty without problems."""
    reason = problems[0].reason if problems else ""
    return {"reason": reason, "detail": " ".join(problem.critique for problem in problems)}
