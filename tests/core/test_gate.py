"""Pairs, confidence sequences and the gate: against scipy, by the published figures, and by simulation."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from core.benchmark.ceiling import ceiling
from core.benchmark.gate import gate
from core.benchmark.gate_progress import reference_lead
from core.benchmark.paired import NotSharedError, compare, mcnemar
from core.benchmark.scored import ScoredAnswer
from core.benchmark.sequential import ConfidenceSequence
from core.benchmark.sequential_gate import GateVerdict, SequentialGate
from storage.schema import PredictionOutcome

pytestmark = pytest.mark.pure


def scored(right: Sequence[bool], families: int = 0) -> list[ScoredAnswer]:
    """Answers that are right or wrong in this order; of so many families in turn, by default each its own."""
    return [
        ScoredAnswer(f"e{i}", "YES", "market", 1 + i % 2, f"f{i % families if families else i}",
               PredictionOutcome.ANSWERED, "YES" if is_right else "NO")
        for i, is_right in enumerate(right)
    ]  # fmt: skip


def first_right(right: int, n: int) -> list[ScoredAnswer]:
    """`right` of `n`."""
    return scored([i < right for i in range(n)])


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_exact_binomial_test(b: int, c: int) -> None:
    """Two-sided, on the pairs that differ; without any there is nothing to see."""
    assert mcnemar(b, c) == pytest.approx(binomtest(b, b + c).pvalue if b + c else 1.0)


def test_two_runs_as_pairs() -> None:
    """Ten only the first has right, thirty only the second: a gap of 20 points, as certain as resampling says."""
    first = scored([i < 50 for i in range(100)])
    second = scored([10 <= i < 80 for i in range(100)])
    comparison = compare(first, second)
    assert (comparison.b, comparison.c, comparison.both_right, comparison.both_wrong) == (10, 30, 40, 20)
    assert comparison.gap == pytest.approx(0.2)
    assert comparison.p == pytest.approx(binomtest(10, 40).pvalue)
    rng = random.Random(3)
    values = [
        int(second_answer.correct) - int(first_answer.correct)
        for first_answer, second_answer in zip(first, second, strict=True)
    ]
    drawn = sorted(sum(rng.choices(values, k=100)) / 100 for _ in range(4000))
    assert comparison.low == pytest.approx(drawn[100], abs=0.03)
    assert comparison.high == pytest.approx(drawn[3900], abs=0.03)
    assert sum(gap.n for gap in comparison.by_level.values()) == 100


def test_what_only_one_was_asked_is_left_out_and_families_widen() -> None:
    """Ten families of ten alike say as little as ten examples."""
    comparison = compare(first_right(50, 100), first_right(60, 80))
    assert (comparison.n, comparison.only_first_asked, comparison.only_second_asked) == (80, 20, 0)
    with pytest.raises(NotSharedError):
        compare(first_right(1, 2), [])
    right = [i % 10 < 7 for i in range(100)]
    alone, together = (compare(scored([False] * 100, size), scored(right, size)) for size in (0, 10))
    assert together.high - together.low > 2 * (alone.high - alone.low)


def test_85_percent_of_400_is_reached_from_354_and_missed_up_to_326() -> None:
    """The figures by Wilson's interval; between them it is open, and says how many more would settle it."""
    assert gate(first_right(354, 400)).verdict is GateVerdict.GOOD_ENOUGH
    assert gate(first_right(326, 400)).verdict is GateVerdict.BELOW_TARGET  # by a hair: Wilson's upper end is 84.999 %
    for right in (327, 353):
        decision = gate(first_right(right, 400))
        assert decision.verdict is GateVerdict.OPEN
        assert decision.more_needed
    middle = gate(first_right(340, 400)).student
    assert (middle.low, middle.high) == pytest.approx((0.812, 0.882), abs=0.0005)


def test_the_reference_decides_whether_training_is_worth_it() -> None:
    """Clearly ahead; as good as equal; or too few to tell."""
    poor = first_right(120, 300)
    assert gate(poor, first_right(270, 300)).verdict is GateVerdict.WORTH_TRAINING
    assert gate(poor, first_right(121, 300)).verdict is GateVerdict.NO_HEADROOM
    rng = random.Random(1)
    unlike = scored([rng.random() < 0.45 for _ in range(300)])
    assert gate(poor, unlike).verdict is GateVerdict.OPEN
    reasons = " ".join(gate(poor, first_right(270, 300)).reasons)
    assert "120 of 300 right, 40.0 %" in reasons
    assert "only the reference has 150 right and only the student 0" in reasons


def test_the_decision_carries_what_it_was_judged_by() -> None:
    """Target, level and margin are those asked for, in the figures and in the sentences."""
    decision = gate(first_right(120, 300), first_right(121, 300), target=0.8, level=0.9, margin=0.08)
    assert (decision.target, decision.level, decision.margin) == (0.8, 0.9, 0.08)
    assert "below the target of 80 %." in decision.reasons[0]
    assert decision.reasons[2].endswith("; less than 8 points ahead.")


def test_what_cannot_be_told_yet_is_said() -> None:
    answers = first_right(85, 100)
    unknown = gate(answers, [], anytime=True, reference_examples={answer.example for answer in answers})
    assert unknown.reasons[1] == "Reference: nothing is answered yet."
    at_target = gate(answers, target=0.85)
    assert at_target.more_needed is None
    assert at_target.reasons[-1] == "How many more examples would settle it cannot be told at these rates."


def test_an_end_that_has_excluded_its_threshold_stays_beyond_it() -> None:
    """What was certain once is not taken back by values that point the other way later, on either side."""
    for early in (0.0, 1.0):
        sequence = ConfidenceSequence(above=0.7, below=0.3, largest=1, level=0.95)
        sequence.add([(early, 1)] * 40)
        sequence.add([(0.5, 1)] * 60)
        low, high = sequence.interval()
        assert (sequence.above_at is not None, sequence.below_at is not None) == (early == 1, early == 0)
        assert low >= 0.7 if early else high <= 0.3
        assert low < high


def test_nothing_answered_is_open_and_no_error() -> None:
    """Before the first answer there are no figures, only a target."""
    order = [(answer.example, answer.family) for answer in first_right(1, 10)]
    decision = gate([], anytime=True, asking_order=order)
    assert decision.verdict is GateVerdict.OPEN
    assert "nothing that counts is answered yet" in decision.reasons[0]


@given(st.permutations(range(30)))
def test_the_order_of_arrival_changes_nothing(order: list[int]) -> None:
    """Answers count in the order of asking, however they come; a fast wrong one is no evidence before its turn."""
    answers = scored([i % 3 == 0 for i in range(30)], families=15)
    asking_order = [(answer.example, answer.family) for answer in answers]
    at_once, slowly = (SequentialGate(asking_order, target=0.85, level=0.95, margin=0.05) for _ in range(2))
    at_once.update(answers)
    for i in order:
        slowly.update([answers[i]])
    assert slowly.accuracy.interval() == pytest.approx(at_once.accuracy.interval())
    assert slowly.verdict() is at_once.verdict()


@pytest.mark.parametrize("families", [1, 3])
def test_looking_after_each_answer_is_seldom_misled(families: int) -> None:
    """At a true accuracy of just the target, of 200 runs of 300 no more than 5 % settle below, chance aside.

    With families of three that are right or wrong together, too. The bound is the 99.9 % point of the binomial.
    """
    rng = random.Random(7)
    wrong = 0
    for _ in range(200):
        right = [is_right for _ in range(300 // families) for is_right in [rng.random() < 0.85] * families]
        answers = [
            ScoredAnswer(
                f"e{i}",
                "YES",
                "market",
                1,
                f"f{i // families}",
                PredictionOutcome.ANSWERED,
                "YES" if is_right else "NO",
            )
            for i, is_right in enumerate(right)
        ]
        sequential_gate = SequentialGate(
            [(answer.example, answer.family) for answer in answers], target=0.85, level=0.95, margin=0.05
        )
        sequential_gate.update(answers)  # what was certain first stands: hearing all at once is looking at each
        wrong += sequential_gate.reached is False
    assert wrong <= 21


def test_a_clear_case_is_settled_long_before_the_end() -> None:
    """At 42 % against 85 %, a fifth of 300 is plenty."""
    rng = random.Random(5)
    answers = scored([rng.random() < 0.42 for _ in range(300)])
    sequential_gate = SequentialGate(
        [(answer.example, answer.family) for answer in answers], target=0.85, level=0.95, margin=0.05
    )
    sequential_gate.update(answers[:60])
    assert sequential_gate.reached is False


def test_the_ceiling_is_what_people_agree_on() -> None:
    """Unknown without blind reviews; else a rate with its interval."""
    assert ceiling(0, 0).accuracy is None
    limit = ceiling(45, 50)
    assert limit.accuracy == pytest.approx(0.9)
    assert (limit.low, limit.high) == pytest.approx(tuple(binomtest(45, 50).proportion_ci(method="wilson")))


def pairs(b: int, c: int, n: int) -> tuple[list[ScoredAnswer], list[ScoredAnswer]]:
    """Student and reference on `n` examples, `b` of which only the student has right, `c` only the reference."""
    return scored([i < b or i >= b + c for i in range(n)]), scored([i >= b for i in range(n)])


def test_the_lead_asks_mcnemar_as_well() -> None:
    """Five pairs of a hundred, all for the reference: above 0 by the interval, but 1 of 16 by chance."""
    student, reference = pairs(0, 5, 100)
    lead = reference_lead(student, reference, margin=0.05, level=0.95, seed=0)
    assert lead.low > 0
    assert lead.p == pytest.approx(binomtest(0, 5).pvalue)
    assert lead.p == pytest.approx(0.0625)
    assert lead.settled is None
    # At this rate a sixth pair is due at 110 examples, by rounding: 1 of 32 is enough.
    assert lead.more_needed == 10
    lead = reference_lead(*pairs(0, 6, 100), margin=0.05, level=0.95, seed=0)
    assert (lead.settled, lead.more_needed) == (True, 0)
    assert lead.p == pytest.approx(0.03125)


def test_the_lead_asks_the_interval_as_well() -> None:
    """Thirty pairs are plenty for McNemar; of two families that are each right or wrong as a whole, they are few."""
    right = [i % 3 == 0 for i in range(90)]
    student, reference = scored([False] * 90, families=3), scored(right, families=3)
    lead = reference_lead(student, reference, margin=0.05, level=0.95, seed=0)
    assert lead.p is not None
    assert lead.p < 1e-6
    assert lead.low <= 0
    assert lead.settled is None


@pytest.mark.parametrize(("level", "settled"), [(0.9, True), (0.95, None)])
def test_the_lead_is_as_certain_as_the_gate_asks(level: float, settled: bool | None) -> None:
    """McNemar's 0.0625 is enough where one mistake in ten is allowed."""
    assert reference_lead(*pairs(0, 5, 100), margin=0.05, level=level, seed=0).settled is settled
