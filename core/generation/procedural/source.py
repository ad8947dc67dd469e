"""The procedural source writes an example for a request, without network and model."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from itertools import count

from core.config.task import Level, Task
from core.generation.procedural import flaws
from core.generation.procedural.bodies import Body, draw_from_band, plan_body
from core.generation.procedural.lexicon import lexicons
from core.generation.procedural.reasoning import write_reasoning
from core.generation.procedural.steps import write_steps
from core.generation.procedural.wording_evidence import write_evidence
from core.generation.procedural.wording_hypothesis import write_hypothesis
from core.generation.procedural.worlds import (
    BODIES,
    DECISIONS,
    World,
    build_world,
    family_of,
    inferences,
    random_stream,
)
from core.generation.source import Request, SourceResult
from storage.errors import UserError
from storage.schema import Candidate, Flaw, Outcome, Usage

NAME = "procedural"
VERSION = "3"


class UnsuitableTaskError(UserError, ValueError):
    """The procedural source cannot write for this task; `str()` names the unsuitable decision."""


class ProceduralSource:
    """Writes examples of the hypothesis task. `flaw_rate` is the share of first attempts with a planted flaw."""

    name = NAME
    max_in_flight = 1

    def __init__(self, task: Task, flaw_rate: float = 0.0) -> None:
        """Raises UnsuitableTaskError or UnknownDomainError, both ValueErrors, where it cannot write for `task`."""
        check_task(task)
        if not 0 <= flaw_rate <= 1:
            raise ValueError(f"flaw_rate is a share from 0 to 1, not {flaw_rate}")
        self._task = task
        self._flaw_rate = flaw_rate

    async def write(self, request: Request) -> SourceResult:
        """Write the example for `request`; the same request gives the same example."""
        written = write_example(self._task, request, self._flaw_rate)
        await asyncio.sleep(0)
        return written

    async def close(self) -> None:
        """Nothing to free."""


def check_task(task: Task) -> None:
    """Raise UnsuitableTaskError or UnknownDomainError unless the procedural source can write for `task`."""
    strange = [label for label in task.labels if label not in DECISIONS]
    missing = [label for label in DECISIONS if label not in task.labels]
    if strange or missing:
        parts = [f"it cannot write {', '.join(strange)}"] if strange else []
        parts += [f"{', '.join(missing)} is missing"] if missing else []
        raise UnsuitableTaskError(
            f"the procedural source writes for the decisions {', '.join(DECISIONS)} only: {'; '.join(parts)}"
        )
    for domain in task.domains:
        lexicons(domain.name)


def family_size(task: Task, decision: str) -> int:
    """How many examples of `decision` one family gives, 1 to 3, in proportion to the targets of the decisions.

    So a family has the decisions in the same proportion as the whole, and the family does not reveal the decision.
    """
    targets = {row.name: row.want for row in task.decisions}
    largest = max(targets.values())
    return max(1, round(len(BODIES[decision]) * targets[decision] / largest)) if largest else 1


def write_example(task: Task, request: Request, flaw_rate: float = 0.0) -> SourceResult:
    """The example for `request`, as a pure function.

    Raises KeyError for a level, ValueError for an unknown cell and for a kind of inference that the level has not.
    """
    started = time.perf_counter()
    if request.cell.decision not in DECISIONS:
        raise UnsuitableTaskError(f"the procedural source does not know the decision {request.cell.decision!r}")
    flaw = _flaw(task, request, flaw_rate)
    if flaw == Flaw.NEAR_DUPLICATE:
        family, candidate = _repeat(task, request, flaw_rate)
    else:
        world = _world(task, request)
        family, candidate = world.family, _candidate(task, world, request, flaw)
    return SourceResult(
        Outcome.WRITTEN,
        family,
        candidate,
        prompt_version=VERSION,
        usage=Usage(cost=0.0, seconds=time.perf_counter() - started),
        flaw=flaw,
    )


def _world(task: Task, request: Request) -> World:
    cell = request.cell
    level = task.level(cell.level)
    if request.inference and request.inference not in inferences(level):
        raise ValueError(f"level {cell.level} has no cases of {request.inference}: {', '.join(inferences(level))}")
    number = request.slot // family_size(task, cell.decision)
    # The kind of inference follows from the family, so that a world can be built again from its name alone.
    draws = (family_of(request.seed, cell.domain, cell.level, number, request.idea, draw) for draw in count())
    worlds = (build_world(family, cell.domain, level) for family in draws)
    return next(world for world in worlds if request.inference in ("", world.inference))


def _chance(request: Request) -> tuple[object, ...]:
    cell = request.cell
    return (request.seed, cell.domain, cell.level, cell.decision, request.slot, request.idea, "flaw")


def _flaw(task: Task, request: Request, rate: float) -> Flaw | None:
    if request.draft is not None or rate <= 0:
        return None
    rng = random_stream(*_chance(request))
    if rng.random() >= rate:
        return None
    level = task.level(request.cell.level)
    return rng.choice(flaws.applicable(level, request.cell.decision, _repeatable(task, request, rate)))


def _repeatable(task: Task, request: Request, rate: float) -> bool:
    """Whether the cell has an earlier example to repeat. Earlier slots may come from a run with another seed."""
    earlier = _earlier(request, rate) if request.idea == 0 else None
    if earlier is None or not request.siblings:
        return earlier is not None
    return _candidate(task, _world(task, earlier), earlier, None).hypothesis in request.siblings


def _earlier(request: Request, rate: float) -> Request | None:
    """The nearest earlier slot of the cell whose first attempt has no flaw."""
    for slot in range(request.slot - 1, -1, -1):
        earlier = replace(request, slot=slot, idea=0, number=0, draft=None, critique="")
        if random_stream(*_chance(earlier)).random() >= rate:
            return earlier
    return None


def _repeat(task: Task, request: Request, rate: float) -> tuple[str, Candidate]:
    earlier = _earlier(request, rate)
    if earlier is None:
        raise ValueError(f"slot {request.slot} has no earlier example to repeat")
    world = _world(task, earlier)
    return world.family, flaws.near_duplicate(
        _candidate(task, world, earlier, None), random_stream(*_chance(request), "edit")
    )


def _candidate(task: Task, world: World, request: Request, flaw: Flaw | None) -> Candidate:
    level, decision = task.level(request.cell.level), request.cell.decision
    position = BODIES[decision][request.slot % family_size(task, decision)]
    claim = world.partner(position, decision)
    # A body is worded alike under every decision, so that the evidence alone reveals nothing. A rewrite gets new words.
    version = request.number if request.draft is not None else 0
    body = plan_body(world, position, level, random_stream(world.family, position, "body"))
    rng = random_stream(world.family, position, version, decision if flaw else "", flaw or "", "evidence")
    body = _flawed(body, level, request, flaw)
    worded = write_evidence(body, level, rng)
    wrong = flaw == Flaw.WRONG_DECISION
    # The label of the cell stays, so that only reading the case reveals that the hypothesis belongs to another label.
    worded_claim = world.partner(position, flaws.other_decision(decision, rng)) if wrong else claim
    reasoning_stream = random_stream(world.family, position, claim, version, "reasoning")
    hypothesis, order = write_hypothesis(
        world, worded_claim, random_stream(world.family, worded_claim, version, "hypothesis")
    )
    evidence = [piece.evidence for piece in worded]
    steps = write_steps(world, body, claim, worded, order)
    candidate = Candidate(
        hypothesis=hypothesis,
        evidence=evidence,
        steps=steps,
        reasoning=write_reasoning(world, body, steps, decision, evidence, reasoning_stream),
        decision=decision,
        confidence=draw_from_band(
            level.confidence.get(decision, (0.0, 1.0)), random_stream(world.family, position, version, "sure")
        ),
    )
    if flaw == Flaw.RELEVANCE_OUT_OF_BAND:
        return flaws.off_relevance(candidate, level, rng)
    if flaw == Flaw.CONFIDENCE_OUT_OF_BAND:
        return flaws.off_confidence(candidate, level)
    if flaw == Flaw.WRONG_STEP:
        return flaws.wrong_step(candidate, rng)
    return flaws.grounded(candidate) if flaw else candidate


def _flawed(body: Body, level: Level, request: Request, flaw: Flaw | None) -> Body:
    rng = random_stream(*_chance(request), "plant")
    if flaw == Flaw.MISSING_EVIDENCE:
        return flaws.without_decisive(body, level, rng)
    if flaw == Flaw.AMBIGUOUS:
        return flaws.inconclusive(body, level, rng)
    if flaw == Flaw.FOREIGN_EVIDENCE:
        return flaws.with_foreign(body, _unrelated_body(body.world, level), rng)
    return body


def _unrelated_body(world: World, level: Level) -> Body:
    """A body of a case that shares neither intervention nor metric with `world`."""
    used_metrics = {metric.name for metric in world.metrics}
    number = 0
    while True:
        family = f"{world.family}/{number}"
        world_of_family = build_world(family, world.lexicon.domain, level)
        if world_of_family.intervention != world.intervention and not used_metrics & {
            metric.name for metric in world_of_family.metrics
        }:
            return plan_body(world_of_family, 0, level, random_stream(family, "body"))
        number += 1
