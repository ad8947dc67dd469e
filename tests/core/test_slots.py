"""What comes next at a slot, decided from its stored history."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from core.config.task import Limits
from core.curriculum.cell import Cell
from core.curriculum.plan import CellPlan
from core.generation.slots import (
    Assess,
    CellSlots,
    GiveUp,
    Slot,
    SlotFilled,
    Step,
    Write,
    allocate_slots,
    next_step,
    unfilled_slots,
)
from storage.attempts import JudgedAttempt
from storage.schema import Attempt, Outcome, Result, Verdict
from tests.conftest import candidate

pytestmark = pytest.mark.pure

LIMITS = Limits(max_attempts=2, max_ideas=2)
CELL = Cell("market", 1, "VALIDATED")
Play = Callable[[Write], JudgedAttempt]


def attempt(write: Write, outcome: Outcome = Outcome.WRITTEN) -> Attempt:
    return Attempt(
        run="r",
        domain="market",
        level=1,
        decision="VALIDATED",
        slot=0,
        number=write.number,
        idea=write.idea,
        parent=write.parent,
        outcome=outcome,
        candidate=candidate() if outcome is Outcome.WRITTEN else None,
        family="f",
        source="s",
        seed=0,
    )


def judged(result: Result, reason: str = "r") -> Play:
    def play(write: Write) -> JudgedAttempt:
        made_attempt = attempt(write)
        return JudgedAttempt(
            made_attempt,
            (Verdict(attempt=made_attempt.id, result=result, stage="judge", reason=reason, critique="mend"),),
        )

    return play


def failed(outcome: Outcome) -> Play:
    return lambda write: JudgedAttempt(attempt(write, outcome), ())


def play(*answers: Play) -> tuple[list[JudgedAttempt], Step]:
    """The history that these answers make, and the step after it."""
    history: list[JudgedAttempt] = []
    for answer in answers:
        step = next_step(history, LIMITS)
        assert isinstance(step, Write), step
        history.append(answer(step))
    return history, next_step(history, LIMITS)


def test_a_rejected_attempt_is_rewritten_with_its_critique() -> None:
    history, step = play(judged(Result.REJECTED))
    assert step == Write(0, 1, history[0].attempt.id, history[0].attempt.candidate, "mend")


def test_a_slot_goes_through_its_ideas_and_is_given_up() -> None:
    reject = judged(Result.REJECTED)
    history, step = play(reject, reject, reject, reject)
    assert [entry.attempt.idea for entry in history] == [0, 0, 1, 1]
    assert step == GiveUp()


def test_a_passed_attempt_fills_the_slot() -> None:
    assert play(judged(Result.REJECTED), judged(Result.PASSED))[1] == SlotFilled()


@pytest.mark.parametrize(
    "answer", [failed(Outcome.REFUSED), failed(Outcome.TRUNCATED), judged(Result.REJECTED, "near_duplicate")]
)
def test_what_no_rewrite_can_mend_takes_a_new_idea(answer: Play) -> None:
    assert play(answer)[1] == Write(idea=1, number=1)


def test_faults_of_the_endpoint_use_up_no_idea_but_end_at_last() -> None:
    fault = failed(Outcome.TIMEOUT)
    assert play(fault, fault, fault)[1] == Write(idea=0, number=3)
    assert play(*[fault] * 5)[1] == GiveUp()


def test_a_fault_during_a_rewrite_keeps_the_draft() -> None:
    history, step = play(judged(Result.REJECTED), failed(Outcome.CONNECTION))
    assert step == Write(0, 2, history[0].attempt.id, history[0].attempt.candidate, "mend")


@pytest.mark.parametrize("verdicts", [0, 1, 3])
def test_a_candidate_without_a_verdict_is_assessed_not_written_again(verdicts: int) -> None:
    made_attempt = attempt(Write(0, 0))
    fault = Verdict(attempt=made_attempt.id, result=Result.FAILED, stage="judge")
    history = [JudgedAttempt(made_attempt, (fault,) * verdicts)]
    assert next_step(history, LIMITS) == Assess(history[0])


def plans(*missing: int) -> list[CellPlan]:
    return [CellPlan("market", level, "VALIDATED", 9, 9 - m, m) for level, m in enumerate(missing, start=1)]


def test_n_of_the_missing_are_chosen_in_proportion_after_the_used_indexes() -> None:
    chosen = allocate_slots(plans(6, 0, 3), 3, {CELL: 4})
    assert chosen == [CellSlots(CELL, 4, 2), CellSlots(Cell("market", 3, "VALIDATED"), 0, 1)]
    assert sum(cell_slots.count for cell_slots in allocate_slots(plans(6, 0, 3), None, {})) == 9
    assert allocate_slots(plans(0, 0), None, {}) == []


def test_a_resumed_run_fills_no_more_than_is_missing_by_now() -> None:
    filled = [judged(Result.PASSED)(Write(0, 0))]
    begun = [judged(Result.REJECTED)(Write(0, 0))]
    history = {Slot(CELL, 0): filled, Slot(CELL, 3): begun}
    chosen = [CellSlots(CELL, 0, 5)]
    assert unfilled_slots(chosen, history, {CELL: 2}) == [Slot(CELL, 3), Slot(CELL, 1)]
    assert unfilled_slots(chosen, history, {CELL: 0}) == []
    assert unfilled_slots(chosen, history, {}) == []
