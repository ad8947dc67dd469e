"""Which slots a run fills, and what comes next at each: decided from what is stored, so that resuming is the rule."""

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
    """One example that a run is to make. `index` is unique in its cell over all runs of the project."""

    cell: Cell
    index: int


@dataclass(frozen=True, slots=True)
class CellSlots:
    """The slots that a run has in one cell: `count` of them, from `first` on."""

    cell: Cell
    first: int
    count: int


@dataclass(frozen=True, slots=True)
class Write:
    """Ask the source. `parent` is the attempt that is rewritten, with its candidate and what was wrong with it."""

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
    """The slot has used up what the limits allow."""


Step = Write | Assess | SlotFilled | GiveUp

# After these another request would end the same way.
FATAL = frozenset({Outcome.BAD_KEY, Outcome.QUOTA_EXHAUSTED, Outcome.BAD_REQUEST})


def allocate_slots(missing: Iterable[CellPlan], n: int | None, next_index: Mapping[Cell, int]) -> list[CellSlots]:
    """The slots for a new run: all that is missing, or `n` of it in proportion. New indexes follow the old ones."""
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
    """The slots that are still to be filled, round by round over the cells.

    No more in a cell than it lacks by now: what another run or a person has filled meanwhile is not filled again.
    Slots that were begun come first, so that nothing paid for is left lying.
    """
    rounds: list[tuple[int, int, Slot]] = []
    for order, cells in enumerate(chosen):
        slots = [Slot(cells.cell, cells.first + i) for i in range(cells.count)]
        left = [slot for slot in slots if not any(_passed(one) for one in history.get(slot, []))]
        left.sort(key=lambda slot: (slot not in history, slot.index))
        rounds += [(turn, order, slot) for turn, slot in enumerate(left[: missing.get(cells.cell, 0)])]
    return [slot for _, _, slot in sorted(rounds, key=lambda item: item[:2])]


def next_step(history: list[JudgedAttempt], limits: Limits, revised: JudgedAttempt | None = None) -> Step:
    """What comes next at a slot, given its attempts in order.

    The first is a rewrite of `revised`, an attempt of another slot, if there is one. Faults of an endpoint do not use
    up an idea, but a slot that meets nothing else is given up in the end.
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
    tries = [one for one in history if one.attempt.idea == idea and _counts(one)]
    faults = len(history) - sum(_counts(one) for one in history)
    if faults > limits.max_attempts * limits.max_ideas:
        return GiveUp()
    abandoned = last.attempt.outcome in {Outcome.REFUSED, Outcome.TRUNCATED} or _hopeless(last)
    if abandoned or len(tries) >= limits.max_attempts:
        return GiveUp() if idea + 1 >= limits.max_ideas else Write(idea=idea + 1, number=number)
    if last.final is not None:
        return Write(idea, number, last.attempt.id, last.attempt.candidate, last.final.critique)
    parent = next((one for one in reversed(tries) if one.final is not None), None)
    if parent is not None and parent.final is not None:
        return Write(idea, number, parent.attempt.id, parent.attempt.candidate, parent.final.critique)
    return Write(idea, number, critique=last.attempt.detail if _counts(last) else "")


def _revise(judged: JudgedAttempt) -> Write:
    critique = judged.final.critique if judged.final is not None else judged.attempt.detail
    return Write(0, 0, judged.attempt.id, judged.attempt.candidate, critique)


def _passed(judged: JudgedAttempt) -> bool:
    return judged.final is not None and judged.final.result is Result.PASSED


def _counts(judged: JudgedAttempt) -> bool:
    return judged.attempt.outcome is Outcome.WRITTEN or judged.attempt.outcome in CONTENT_FAULTS


def _hopeless(judged: JudgedAttempt) -> bool:
    """A near-duplicate is not mended by other words: it takes another idea."""
    return judged.final is not None and judged.final.reason == "near_duplicate"
