"""The gate and the pairs by value: every field of a result, for a few answers worked out by hand."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest
from scipy.stats import norm
from scipy.stats import t as student_t

from core.benchmark.families import MAX_DISTINCT_ROWS, effective_sample_size, family_sums, resample_totals
from core.benchmark.gate import gate
from core.benchmark.gate_progress import sequential_progress
from core.benchmark.paired import bootstrap, compare, mcnemar
from core.benchmark.scored import ScoredAnswer
from core.benchmark.sequential import ConfidenceSequence, Families
from core.benchmark.sequential_gate import SequentialGate
from core.statistics import holm
from storage.schema import PredictionOutcome

pytestmark = pytest.mark.pure


def answer(
    number: int, right: bool | None, *, family: str = "", level: int = 1, domain: str = "market"
) -> ScoredAnswer:
    """An answer that is right, wrong or, with None, not there."""
    return ScoredAnswer(
        f"e{number}",
        "YES",
        domain,
        level,
        f"f{number}",
        PredictionOutcome.REFUSED if right is None else PredictionOutcome.ANSWERED,
        None if right is None else "YES" if right else "NO",
    )


def answers(pattern: str) -> list[ScoredAnswer]:
    """`+` is right, `-` wrong and `0` no answer; the levels are 1 and 2 in turn, the domains three in turn."""
    right = {"+": True, "-": False, "0": None}
    return [
        answer(number, right[sign], level=1 + number % 2, domain="abc"[number % 3])
        for number, sign in enumerate(pattern)
    ]


def test_progress_at_any_time_holds_the_intervals_the_pairs_and_what_is_needed() -> None:
    student, reference = answers("+--+-0-+--" * 4), answers("++++-+-+++" * 4)
    order = [(each.example, each.family) for each in student]
    examples = {each.example for each in reference}
    sequential = SequentialGate(order, target=0.85, level=0.95, margin=0.05, reference_examples=examples)
    sequential.update(student, reference)
    progress, lead = sequential_progress(sequential)
    assert (progress.right, progress.n, progress.accuracy) == (12, 40, 0.3)
    assert (progress.low, progress.high) == sequential.accuracy.interval()
    assert 0.1 < progress.low < 0.3 < progress.high < 0.6
    assert lead is not None
    low, high = sequential.lead.interval()
    assert (lead.low, lead.high) == (2 * low - 1, 2 * high - 1)
    assert -1 <= lead.low < 0.5 < lead.high <= 1
    assert (lead.b, lead.c, lead.n, lead.p) == (0, 20, 40, None)
    assert lead.gap == 0.5
    assert (progress.settled, lead.settled) == (False, True)
    alone = SequentialGate(order, target=0.85, level=0.95, margin=0.05)
    alone.update(student)
    assert sequential_progress(alone) == (progress, None)


def test_what_is_open_says_how_many_more_the_nearer_end_needs() -> None:
    student, reference = answers("+-+++++++-" * 3), answers("+++-++++++" * 3)
    order = [(each.example, each.family) for each in student]
    sequential = SequentialGate(order, target=0.85, level=0.95, margin=0.05, reference_examples={e for e, _ in order})
    sequential.update(student, reference)
    progress, lead = sequential_progress(sequential)
    assert lead is not None
    assert (progress.settled, lead.settled) == (None, None)
    for shown, sequence in ((progress.more_needed, sequential.accuracy), (lead.more_needed, sequential.lead)):
        ends = [more for more in (sequence.more_above(), sequence.more_below()) if more is not None]
        assert shown == (min(ends) if ends else None)


def test_a_gate_at_any_time_counts_the_answers_of_both() -> None:
    student, reference = answers("+--+-0-+--" * 12), answers("++++-+-+++" * 12)
    decision = gate(student, reference, anytime=True)
    assert decision.lead is not None
    assert (decision.lead.b, decision.lead.c, decision.lead.n) == (0, 60, 120)
    assert decision.reference is not None
    assert (decision.reference.right, decision.reference.n) == (96, 120)
    assert decision.verdict.value == "worth training"
    assert decision.anytime
    assert decision.reasons[3] == "Without an answer, which counts as wrong: 12 of 120 of the student."
    assert decision.reasons[-2:] == [
        "Intervals hold with 95 % certainty at all looks together, families in the order of asking.",
        "The reference shows that there is something to learn: train the student.",
    ]


def test_who_answered_alone_is_in_no_pair() -> None:
    decision = gate(answers("+-+-+-"), [*answers("++++")[1:], answer(9, True), answer(10, True)])
    assert "Answered by one alone, so in no pair: 3 by the student, 2 by the reference." in decision.reasons


def test_a_comparison_has_each_count_and_each_slice() -> None:
    first, second = answers("++--+-+--0-+" * 5), [*answers("+-++++-++-+0" * 5), answer(99, True)]
    comparison = compare(first, second)
    pairs = list(zip(first, second, strict=False))
    counts = [
        sum(one.correct and not other.correct for one, other in pairs),
        sum(other.correct and not one.correct for one, other in pairs),
        sum(one.correct and other.correct for one, other in pairs),
        sum(not one.correct and not other.correct for one, other in pairs),
    ]
    assert [comparison.b, comparison.c, comparison.both_right, comparison.both_wrong] == counts
    assert (comparison.n, comparison.families) == (60, 60)
    assert (comparison.only_first_asked, comparison.only_second_asked) == (0, 1)
    assert comparison.gap == (counts[1] - counts[0]) / 60
    assert comparison.p == mcnemar(counts[0], counts[1])
    for slices, key in ((comparison.by_level, "level"), (comparison.by_domain, "domain")):
        assert list(slices) == sorted(slices)
        corrected = holm([part.p for part in slices.values()])
        for (name, part), p in zip(slices.items(), corrected, strict=True):
            own = [pair for pair in pairs if getattr(pair[0], key) == name]
            alone = compare([one for one, _ in own], [other for _, other in own], resamples=2000)
            assert (part.b, part.c, part.n, part.gap) == (alone.b, alone.c, alone.n, alone.gap)
            assert (part.low, part.high, part.p) == (alone.low, alone.high, alone.p)
            assert (part.corrected, part.differs) == (p, p < 0.05)


def test_the_same_seed_gives_the_same_interval_and_another_a_near_one() -> None:
    first, second = answers("+--+-0-+--" * 9), answers("++++-+-+++" * 9)
    assert asdict(compare(first, second)) == asdict(compare(first, second))
    other = compare(first, second, seed=1)
    assert replace(other, low=0, high=0, by_level={}, by_domain={}) == replace(
        compare(first, second), low=0, high=0, by_level={}, by_domain={}
    )
    difference = np.array([1.0, -1.0, 0.0, 1.0, 1.0, 0.0, -1.0, 1.0, 0.0, 1.0])
    draws = [bootstrap(difference, np.arange(10), 50, seed) for seed in (0, 0, 1)]
    assert np.array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])


@pytest.mark.parametrize("families", [7, MAX_DISTINCT_ROWS, 3 * MAX_DISTINCT_ROWS])
def test_resampled_totals_spread_as_the_sum_of_draws_does(families: int) -> None:
    """In mean the total, with the variance of F independent draws; however many distinct rows there are."""
    rng = np.random.default_rng(5)
    sums = rng.random((families, 2))
    totals = resample_totals(sums, 4000, seed=2)
    assert totals.shape == (4000, 2)
    assert totals.mean(0) == pytest.approx(sums.sum(0), rel=0.01 if families > 10 else 0.02)
    spread = sums.std(0) * families**0.5
    assert totals.std(0) == pytest.approx(spread, rel=0.06)


def test_sums_by_family_are_those_of_its_members() -> None:
    values = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    assert family_sums(values, np.array([1, 0, 1])).tolist() == [[3.0, 4.0], [6.0, 8.0]]


@pytest.mark.parametrize(("right", "side"), [(19, "above"), (10, "below")])
def test_so_many_more_families_like_those_seen_settle_it_and_one_fewer_does_not(right: int, side: str) -> None:
    def sequence(families: int) -> ConfidenceSequence:
        """`families` of one answer each, of which `right` in 20 are right, evenly."""
        order = [(f"e{number}", f"f{number}") for number in range(families)]
        seen = Families(order)
        for number, (example, _) in enumerate(order):
            seen.put(example, float(number * right % 20 < right))
        made = ConfidenceSequence(above=0.8, below=0.8, largest=1, level=0.95)
        made.add(seen.take())
        return made

    start = sequence(20)
    more = start.more_above() if side == "above" else start.more_below()
    assert more is not None
    assert 1 < more < 400
    settled = [getattr(sequence(20 + 20 * round((more + extra) / 20)), f"{side}_at") for extra in (-40, 40)]
    assert settled[0] is None
    assert settled[1] is not None
    assert getattr(sequence(20 + more + 40), f"more_{side}")() == 0


def family_answers(*families: str) -> list[ScoredAnswer]:
    """A family for each pattern; `+` is right, `-` wrong."""
    return [
        answer(100 * number + place, sign == "+")._replace(family=f"f{number}")
        for number, pattern in enumerate(families)
        for place, sign in enumerate(pattern)
    ]


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_what_families_are_worth_is_what_the_formula_says(level: float) -> None:
    """Korn and Graubard: the count over the design effect, times the squared ratio of normal and t quantile."""
    families = ["++", "--", "+-", "+++-", "-", "++", "+-+"]
    rights, sizes = [pattern.count("+") for pattern in families], [len(pattern) for pattern in families]
    n, count = sum(sizes), len(families)
    rate = sum(rights) / n
    between = sum((right - rate * size) ** 2 for right, size in zip(rights, sizes, strict=True)) * count / (count - 1)
    few = (norm.ppf(0.5 + level / 2) / student_t.ppf(0.5 + level / 2, count - 1)) ** 2
    expected = min(n, few * n * n * rate * (1 - rate) / between)
    assert effective_sample_size(family_answers(*families), level) == pytest.approx(expected)
    assert effective_sample_size(family_answers(*"+-+"), level) == 3
    assert effective_sample_size(family_answers("+-+"), level) == 0.0
    few_right = (norm.ppf(0.5 + level / 2) / student_t.ppf(0.5 + level / 2, 2)) ** 2
    assert effective_sample_size(family_answers("++", "+++", "+"), level) == pytest.approx(few_right * 36 / 14)
    assert effective_sample_size(family_answers("+-", "+-"), level) == 4


def test_an_open_target_is_said_to_be_open() -> None:
    assert gate(answers("+" * 17 + "-" * 3)).reasons[0].endswith(", which leaves open whether it reaches 85 %.")
