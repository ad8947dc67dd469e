"""The figures of a benchmark, held against scikit-learn and scipy."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, fisher_exact
from sklearn.metrics import balanced_accuracy_score, brier_score_loss, confusion_matrix, f1_score

from core.benchmark.calibration import calibration, reliability
from core.benchmark.metrics import RunningFigures, figures
from core.benchmark.scored import ScoredAnswer
from core.statistics import wilson
from storage.schema import PredictionOutcome

pytestmark = pytest.mark.pure

LABELS = ["VALIDATED", "REJECTED", "REFINED"]


def answer(label: str, decision: str | None, index: int = 0, confidence: float | None = None) -> ScoredAnswer:
    """One answer; without a decision it could not be read."""
    outcome = PredictionOutcome.ANSWERED if decision else PredictionOutcome.UNPARSEABLE
    domain, level = ("market", "risk")[index % 2], 1 + index % 3
    return ScoredAnswer(
        f"e{index}", label, domain, level, f"f{index}", outcome, decision, confidence, seconds=index + 1.0
    )


answers = st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from([*LABELS, None])), min_size=1, max_size=60).map(
    lambda pairs: [answer(label, decision, index) for index, (label, decision) in enumerate(pairs)]
)


@given(answers)
@pytest.mark.filterwarnings("ignore")
def test_accuracy_recall_and_f1_are_those_of_scikit_learn(scored: Sequence[ScoredAnswer]) -> None:
    """What has no answer is a decision of its own, which is never right."""
    labels, decisions = [answer_.label for answer_ in scored], [answer_.decision or "none" for answer_ in scored]
    computed = figures(scored, LABELS)
    occurring = [name for name in LABELS if name in labels or name in decisions]
    right = sum(answer_.correct for answer_ in scored)
    wilson = binomtest(right, len(scored)).proportion_ci(method="wilson")
    assert (computed.low, computed.high) == pytest.approx((wilson.low, wilson.high))
    assert computed.balanced_accuracy == pytest.approx(balanced_accuracy_score(labels, decisions))
    assert computed.macro_f1 == pytest.approx(
        f1_score(labels, decisions, labels=occurring, average="macro", zero_division=0)
    )
    names = [*LABELS, "none"]
    counted = [[computed.confusion[label]["" if name == "none" else name] for name in names] for label in LABELS]
    assert counted == confusion_matrix(labels, decisions, labels=names)[:3].tolist()
    assert computed.answered.n == len(scored) - decisions.count("none")


@given(answers, st.data())
def test_counting_on_gives_what_a_recount_gives(scored: Sequence[ScoredAnswer], data: st.DataObject) -> None:
    """Also where an answer was taken back."""
    tally = RunningFigures(LABELS)
    for answer_ in scored:
        tally.add(answer_)
    removed = data.draw(st.sampled_from(scored))
    tally.remove(removed)
    remaining = [answer_ for answer_ in scored if answer_ is not removed]
    assert tally.counts() == RunningFigures(LABELS, remaining).counts()


def test_slices_are_held_against_the_rest_with_holm() -> None:
    """Level 1 fails in 17 of 20, the others in 3 of 40: it differs, and so does their being better."""
    scored = [answer("VALIDATED", "VALIDATED" if wrong >= 17 else None, 3 * wrong) for wrong in range(20)]
    scored += [answer("VALIDATED", None if wrong < 3 else "VALIDATED", 3 * wrong + 1) for wrong in range(20)]
    scored += [answer("VALIDATED", "VALIDATED", 3 * wrong + 2) for wrong in range(20)]
    by_level = figures(scored, LABELS).by_level
    raw = {}
    for level in (1, 2, 3):
        inside = [answer_.correct for answer_ in scored if answer_.level == level]
        outside = [answer_.correct for answer_ in scored if answer_.level != level]
        table = [[sum(inside), 20 - sum(inside)], [sum(outside), 40 - sum(outside)]]
        tails = [fisher_exact(table, alternative=side).pvalue for side in ("less", "greater")]
        raw[level] = min(1.0, 2 * min(tails))
    ordered = sorted(raw, key=lambda level: raw[level])
    so_far = 0.0
    for rank, level in enumerate(ordered):
        so_far = max(so_far, min(1.0, (3 - rank) * raw[level]))
        assert by_level[level].p == pytest.approx(so_far)
    assert by_level[1].differs


def test_latency_and_costs_that_are_not_known_are_none() -> None:
    """Half of 1 to 20 seconds is 10.5; a cost that nobody told is no zero."""
    computed = figures([answer("VALIDATED", "VALIDATED", index) for index in range(20)], LABELS)
    assert computed.latency.p50 == pytest.approx(10.5)
    assert computed.latency.p95 == pytest.approx(19.05)
    assert computed.seconds.per_thousand == pytest.approx(10_500)
    assert (computed.cost.known, computed.cost.total, computed.cost.per_thousand) == (0, None, None)
    nothing = figures([], LABELS)
    assert (nothing.accuracy, nothing.low, nothing.high, nothing.latency.p50) == (None, 0.0, 1.0, None)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=2, max_size=80))
def test_brier_and_ece_are_those_of_a_plain_loop(pairs: list[tuple[float, bool]]) -> None:
    """Brier's score is scikit-learn's; the ECE is the weighted distance of the bins that are shown."""
    stated, right = [one for one, _ in pairs], [one for _, one in pairs]
    computed = reliability(stated, right, [str(i) for i in range(len(pairs))])
    assert computed.brier == pytest.approx(brier_score_loss([int(is_right) for is_right in right], stated))
    assert computed.n == len(pairs) == sum(bin_.n for bin_ in computed.bins)
    off = sum(bin_.n * abs(bin_.confidence - bin_.right / bin_.n) for bin_ in computed.bins) / computed.n
    assert computed.ece == pytest.approx(off)


def test_confidence_is_that_of_answers() -> None:
    """What decides nothing states no confidence; what states none is counted."""
    scored = [answer("VALIDATED", "VALIDATED", 0, 1.0), answer("VALIDATED", "REJECTED", 1, 0.5)]
    scored += [answer("VALIDATED", "VALIDATED", 2), answer("VALIDATED", None, 3, 0.9)]
    stated = calibration(scored).stated
    assert (stated.n, stated.missing) == (2, 1)
    assert stated.brier == pytest.approx(0.125)
    assert calibration([]).stated.ece is None


def test_reliability_has_each_of_its_fields() -> None:
    """Four confidences, one without; in one bin, and in two, whose ends, means and intervals are those by hand."""
    confidences = [0.9, 0.6, None, 0.6, 0.7]
    right = [True, False, True, True, True]
    families = ["a", "b", "c", "d", "e"]
    whole = reliability(confidences, right, families)
    assert (whole.n, whole.missing, whole.distinct, len(whole.bins)) == (4, 1, 3, 1)
    assert whole.mean_confidence == pytest.approx(0.7)
    assert whole.accuracy == 0.75
    assert whole.brier == pytest.approx((0.01 + 0.36 + 0.16 + 0.09) / 4)
    assert whole.ece == pytest.approx(0.05)
    assert whole.auroc == pytest.approx(2.5 / 3)
    assert whole.low is not None
    assert whole.high is not None
    assert 0 <= whole.low <= 0.05 <= whole.high <= 1
    brier = (whole.brier_low, whole.brier, whole.brier_high)
    assert all(end is not None for end in brier)
    assert [0.01, *brier, 0.36] == sorted([0.01, *(end or 0.0 for end in brier), 0.36])
    halves = reliability(confidences, right, families, bins=2)
    assert [(bin_.least, bin_.most, bin_.n, bin_.right) for bin_ in halves.bins] == [(0.6, 0.6, 2, 1), (0.7, 0.9, 2, 2)]
    assert [bin_.confidence for bin_ in halves.bins] == pytest.approx([0.6, 0.8])
    assert [(bin_.accuracy, bin_.low, bin_.high) for bin_ in halves.bins] == [
        (0.5, *wilson(1, 2)),
        (1.0, *wilson(2, 2)),
    ]
    assert halves.ece == pytest.approx(0.5 * 0.1 + 0.5 * 0.2)
    nothing = reliability([None, None], [True, False], ["a", "b"])
    assert (nothing.n, nothing.missing, nothing.distinct, nothing.bins) == (0, 2, 0, [])


def test_tens_of_answers_have_ten_bins_of_one_size() -> None:
    stated = [number / 250 for number in range(250)]
    computed = reliability(stated, [True] * 250, [str(number) for number in range(250)])
    assert [bin_.n for bin_ in computed.bins] == [25] * 10
    assert len(reliability(stated[:40], [True] * 40, ["f"] * 40).bins) == 4


def test_probabilities_of_all_decisions_are_scored_together() -> None:
    """Brier's score over the decisions: squared distances, a decision that is not named counting as 0."""
    scored = [
        answer("VALIDATED", "VALIDATED", 0)._replace(probabilities={"VALIDATED": 0.7, "REJECTED": 0.3}),
        answer("REFINED", "REJECTED", 1)._replace(probabilities={"VALIDATED": 0.4, "REJECTED": 0.6}),
        answer("REFINED", None, 2)._replace(probabilities={"REFINED": 1.0}),
    ]
    computed = calibration(scored)
    assert computed.multiclass_n == 3
    assert computed.multiclass_brier == pytest.approx((0.09 + 0.09 + 0.16 + 0.36 + 1.0 + 0.0) / 3)
    assert computed.probability.n == 2
    assert computed.probability.mean_confidence == pytest.approx(0.65)
