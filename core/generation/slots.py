"""Which slots a run fills, and the next step of each: decided from what is stored, so that a run can be resumed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from core.config.task import Limits
from core.curriculum.cell import Cell
from core.curriculum.plan import CellPlan, apportion
from storage.attempts import CONTENT_FAULTS, JudgedAttempt
from storage.schema import Candidate, Outcome, Result


@dataclass(frozen=True, slots=True)
class Slot:
    """One example that a run should make. `index` is unique in its cell over all runs of the project."""

    cell: Cell
    index: int


@dataclass(frozen=True, slots=True)
class CellSlots:
    """The slots of a run in one cell: `count` of them, from `first` on."""

    cell: Cell
    first: int
    count: int


@dataclass(frozen=True, slots=True)
class Write:
    """Ask the source. `parent` is the attempt to rewrite, `draft` its candidate, `critique` what was wrong with it."""

    idea: int
    number: int
    parent: str | None = None
    draft: Candidate | None = None
    critique: str = ""


@dataclass(frozen=True, slots=True)
class Assess:
    """Ask QA about the newest attempt."""

    judged: JudgedAttempt


@dataclass(frozen=True, slots=True)
class SlotFilled:
    """The slot is filled."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The slot has used up the limits."""


Step = Write | Assess | SlotFilled | GiveUp

# After these faults another request would fail the same way.
FATAL = frozenset({Outcome.BAD_KEY, Outcome.QUOTA_EXHAUSTED, Outcome.BAD_REQUEST})


def allocate_slots(missing: Iterable[CellPlan], n: int | None, next_index: Mapping[Cell, int]) -> list[CellSlots]:
    """The slots for a new run: everything that is missing, or `n` in proportion. New indexes follow the old ones."""
    cells = [cell for cell in missing if cell.missing]
    counts = [cell.missing for cell in cells]
    if n is not None and cells and n < sum(counts):
        counts = apportion(n, counts)
    chosen = []
    for plan, count in zip(cells, counts, strict=True):
        cell = Cell(plan.domain, plan.level, plan.decision)
        if count:
            chosen.append(CellSlots(cell, next_index.get(cell, 0), count))
    return chosen


def unfilled_slots(
    chosen: Iterable[CellSlots], history: Mapping[Slot, list[JudgedAttempt]], missing: Mapping[Cell, int]
) -> list[Slot]:
    """The slots that are still to be filled, in rounds over the cells.

    No more in a cell than it misses by now: what another run or a person has filled meanwhile is not filled again.
    Slots that were begun come first, so that what was paid for is used.
    """
    rounds: list[tuple[int, int, Slot]] = []
    for order, cells in enumerate(chosen):
        slots = [Slot(cells.cell, cells.first + i) for i in range(cells.count)]
        unfilled = [slot for slot in slots if not any(_passed(judged) for judged in history.get(slot, []))]
        unfilled.sort(key=lambda slot: (slot not in history, slot.index))
        rounds += [
            (round_number, order, slot) for round_number, slot in enumerate(unfilled[: missing.get(cells.cell, 0)])
        ]
    return [slot for _, _, slot in sorted(rounds, key=lambda item: item[:2])]


def next_step(history: list[JudgedAttempt], limits: Limits, revised: JudgedAttempt | None = None) -> Step:
    """The next step of a slot, given its attempts in order.

    The first step rewrites `revised`, an attempt of another slot, if it is given. Faults of an endpoint do not use up
    an idea, but a slot that meets nothing else is given up in the end.
    """
    if not history:
        return Write(idea=0, number=0) if revised is None else _revise(revised)
    last = history[-1]
    number = last.attempt.number + 1
    if _passed(last):
        return SlotFilled()
    if last.attempt.outcome is Outcome.WRITTEN and last.final is None:
        return Assess(last)
    idea = last.attempt.idea
    tries = [judged for judged in history if judged.attempt.idea == idea and _uses_up_idea(judged)]
    faults = len(history) - sum(_uses_up_idea(judged) for judged in history)
    if faults > limits.max_attempts * limits.max_ideas:
        return GiveUp()
    abandoned = last.attempt.outcome in {Outcome.REFUSED, Outcome.TRUNCATED} or _is_near_duplicate(last)
    if abandoned or len(tries) >= limits.max_attempts:
        return GiveUp() if idea + 1 >= limits.max_ideas else Write(idea=idea + 1, number=number)
    if last.final is not None:
        return Write(idea, number, last.attempt.id, last.attempt.candidate, last.final.critique)
    parent = next((judged for judged in reversed(tries) if judged.final is not None), None)
    if parent is not None and parent.final is not None:
        return Write(idea, number, parent.attempt.id, parent.attempt.candidate, parent.final.critique)
    return Write(idea, number, critique=last.attempt.detail if _uses_up_idea(last) else "")


def _revise(judged: JudgedAttempt) -> Write:
    critique = judged.final.critique if judged.final is not None else judged.attempt.detail
    return Write(0, 0, judged.attempt.id, judged.attempt.candidate, critique)


def _passed(judged: JudgedAttempt) -> bool:
    return judged.final is not None and judged.final.result is Result.PASSED


def _uses_up_idea(judged: JudgedAttempt) -> bool:
    return judged.attempt.outcome is Outcome.WRITTEN or judged.attempt.outcome in CONTENT_FAULTS


def _is_near_duplicate(judged: JudgedAttempt) -> bool:
    """Whether it was rejected as a near-duplicate: other words do not help then, it takes another idea."""
    return judged.final is not None and judged.final.reason == "near_duplicate"
