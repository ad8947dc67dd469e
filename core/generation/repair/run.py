"""A repair at work: a model writes the stale fields of each example anew, a judge reads the result, a person decides.

What was written is committed before the judge reads it, since it may have cost money. A resume goes on from there, and
asks again what failed. Nothing of an example changes here.
"""

from __future__ import annotations

from core.curriculum.cell import Cell
from core.generation.example_run import TRIES, ExamplePool, known_costs, total_cost
from core.generation.repair.justifier import Justifier
from core.generation.repair.proposal import candidate_with
from core.generation.roles import open_budget, open_judge
from core.qa.endpoint_judge import add_usage
from core.qa.judge import Judge
from core.runs.params import RepairParams, params_of
from core.runs.progress import RepairProgress
from core.runs.session import Ending, Session
from storage import repairs
from storage.attempts import CONTENT_FAULTS
from storage.repairs import Repair
from storage.runs import StoredCapabilities
from storage.schema import Example, Outcome, RunState, Usage


async def repair(session: Session) -> Ending:
    """Write and judge the repairs of the run; returns how it ended."""
    params = params_of(session.run, RepairParams)
    try:
        repairing = _Repairing(session, params)
    except (ValueError, KeyError) as error:
        # A prompt, a price or a model that the source or the judge cannot work with.
        return Ending(RunState.FAILED, str(error))
    try:
        return await repairing.run()
    finally:
        await repairing.close()


class _Repairing:
    """The examples of a repair, with what is stored of each, and the concurrent tasks that work on them."""

    def __init__(self, session: Session, params: RepairParams) -> None:
        self._session = session
        self._db = session.connection
        self._task = session.project.task
        self._examples = params.examples
        self._repairs = {stored.example: stored for stored in repairs.of_run(self._db, session.run.id)}
        self._limit = None if params.budget is None else float(params.budget)
        budget = open_budget(params, sum(known_costs(self._usages())))
        self._source = Justifier(
            self._task,
            params.source,
            project_dir=session.project.folder,
            capabilities=StoredCapabilities(self._db),
            budget=budget,
        )
        self._judge: Judge = open_judge(params, session.project, self._db, budget)
        self._pool = ExamplePool(session, params.examples, lambda example: bool(example.stale))

    async def run(self) -> Ending:
        self._session.log(
            f"stale fields of {len(self._examples)} examples are written by {self._source.name}, "
            f"and read by {self._judge.name}"
        )
        early = await self._pool.run(self._repair, self._publish, in_flight=self._source.max_in_flight)
        if early is not None:
            return early
        failed = [stored for stored in self._repairs.values() if stored.proposed is None]
        if failed:
            reason = f"{len(failed)} of {len(self._examples)} could not be written: {failed[-1].detail}"
            return Ending(RunState.STOPPED, f"{reason}; resume asks again")
        edited = self._pool.skipped
        return Ending(RunState.FINISHED, f"{edited} were edited meanwhile" if edited else "")

    async def close(self) -> None:
        await self._source.close()
        await self._judge.close()

    async def _repair(self, example: Example) -> None:
        """Write, then judge; what is stored already is not asked again."""
        stored = self._repairs.get(example.id)
        for _ in range(TRIES):
            if stored is not None and stored.proposed is not None:
                break
            stored = await self._write(example, stored)
            if stored.outcome not in CONTENT_FAULTS:
                break
        for _ in range(TRIES):
            if stored is None or stored.proposed is None or stored.judged is Outcome.WRITTEN:
                return
            stored = await self._assess(example, stored)

    async def _write(self, example: Example, earlier: Repair | None) -> Repair:
        written = await self._source.write(example)
        stored = Repair(
            run=self._session.run.id,
            example=example.id,
            version=example.version,
            decision=example.decision,
            outcome=written.outcome,
            proposed=written.fields,
            detail=written.detail,
            model=written.model,
            prompt_version=written.prompt_version,
            usage=_sum(earlier, written.usage),
        )
        self._keep(stored)
        self._pool.check_fault(written.outcome, written.detail, "source")
        return stored

    async def _assess(self, example: Example, stored: Repair) -> Repair:
        candidate = candidate_with(example, stored.decision, stored.proposed or {})
        result = await self._judge.judge(candidate, Cell(example.domain, example.level, stored.decision))
        judged = result.outcome is Outcome.WRITTEN
        stored = stored.model_copy(
            update={
                "judged": result.outcome,
                "blind_decision": result.decision if judged else None,
                "blind_confidence": result.confidence if judged else None,
                "critique": result.critique if judged else result.detail,
                "usage": _sum(stored, result.usage),
            }
        )
        self._keep(stored)
        self._pool.check_fault(result.outcome, result.detail, "judge")
        return stored

    def _keep(self, stored: Repair) -> None:
        repairs.put(self._db, stored)
        self._repairs[stored.example] = stored

    def _usages(self) -> list[Usage]:
        return [stored.usage for stored in self._repairs.values()]

    def _publish(self) -> None:
        stored = list(self._repairs.values())
        ready = [each for each in stored if each.proposed is not None and each.judged is not None]
        self._session.progress = RepairProgress(
            done=len(ready) + self._pool.skipped,
            total=len(self._examples),
            written=sum(each.proposed is not None for each in stored),
            agreed=sum(each.blind_decision == each.decision for each in ready),
            failed=sum(each.proposed is None for each in stored),
            cost=total_cost(self._usages()),
            budget=self._limit,
        )


def _sum(earlier: Repair | None, usage: Usage) -> Usage:
    return usage if earlier is None else add_usage(earlier.usage, usage)
