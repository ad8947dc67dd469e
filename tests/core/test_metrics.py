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
from storage.schema import PredictionOutcome

pytestmark = pytest.mark.pure

LABELS = ["VALIDATED", "REJECTED", "REFINED"]


def answer(label: str, decision: str | None, at: int = 0, confidence: float | None = None) -> ScoredAnswer:
    """One answer; without a decision it could not be read."""
    outcome = PredictionOutcome.ANSWERED if decision else PredictionOutcome.UNPARSEABLE
    domain, level = ("market", "risk")[at % 2], 1 + at % 3
    return ScoredAnswer(f"e{at}", label, domain, level, f"f{at}", outcome, decision, confidence, seconds=at + 1.0)


answers = st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from([*LABELS, None])), min_size=1, max_size=60).map(
    lambda pairs: [answer(label, decision, at) for at, (label, decision) in enumerate(pairs)]
)


@given(answers)
@pytest.mark.filterwarnings("ignore")
def test_accuracy_recall_and_f1_are_those_of_scikit_learn(found: Sequence[ScoredAnswer]) -> None:
    """What has no answer is a decision of its own, which is never right."""
    is_so, said = [one.label for one in found], [one.decision or "none" for one in found]
    here = figures(found, LABELS)
    occurring = [name for name in LABELS if name in is_so or name in said]
    right = sum(one.correct for one in found)
    wilson = binomtest(right, len(found)).proportion_ci(method="wilson")
    assert (here.low, here.high) == pytest.approx((wilson.low, wilson.high))
    assert here.balanced_accuracy == pytest.approx(balanced_accuracy_score(is_so, said))
    assert here.macro_f1 == pytest.approx(f1_score(is_so, said, labels=occurring, average="macro", zero_division=0))
    names = [*LABELS, "none"]
    counted = [[here.confusion[label]["" if name == "none" else name] for name in names] for label in LABELS]
    assert counted == confusion_matrix(is_so, said, labels=names)[:3].tolist()
    assert here.answered.n == len(found) - said.count("none")


@given(answers, st.data())
def test_counting_on_gives_what_a_recount_gives(found: Sequence[ScoredAnswer], data: st.DataObject) -> None:
    """Also where an answer was taken back."""
    tally = RunningFigures(LABELS)
    for one in found:
        tally.add(one)
    gone = data.draw(st.sampled_from(found))
    tally.remove(gone)
    rest = [one for one in found if one is not gone]
    assert tally.counts() == RunningFigures(LABELS, rest).counts()


def test_slices_are_held_against_the_rest_with_holm() -> None:
    """Level 1 fails in 17 of 20, the others in 3 of 40: it differs, and so does their being better."""
    found = [answer("VALIDATED", "VALIDATED" if wrong >= 17 else None, 3 * wrong) for wrong in range(20)]
    found += [answer("VALIDATED", None if wrong < 3 else "VALIDATED", 3 * wrong + 1) for wrong in range(20)]
    found += [answer("VALIDATED", "VALIDATED", 3 * wrong + 2) for wrong in range(20)]
    here = figures(found, LABELS).by_level
    raw = {}
    for level in (1, 2, 3):
        inside = [one.correct for one in found if one.level == level]
        outside = [one.correct for one in found if one.level != level]
        table = [[sum(inside), 20 - sum(inside)], [sum(outside), 40 - sum(outside)]]
        tails = [fisher_exact(table, alternative=side).pvalue for side in ("less", "greater")]
        raw[level] = min(1.0, 2 * min(tails))
    ordered = sorted(raw, key=lambda level: raw[level])
    so_far = 0.0
    for rank, level in enumerate(ordered):
        so_far = max(so_far, min(1.0, (3 - rank) * raw[level]))
        assert here[level].p == pytest.approx(so_far)
    assert here[1].differs


def test_latency_and_costs_that_are_not_known_are_none() -> None:
    """Half of 1 to 20 seconds is 10.5; a cost that nobody told is no zero."""
    here = figures([answer("VALIDATED", "VALIDATED", at) for at in range(20)], LABELS)
    assert here.latency.p50 == pytest.approx(10.5)
    assert here.latency.p95 == pytest.approx(19.05)
    assert here.seconds.per_thousand == pytest.approx(10_500)
    assert (here.cost.known, here.cost.total, here.cost.per_thousand) == (0, None, None)
    nothing = figures([], LABELS)
    assert (nothing.accuracy, nothing.low, nothing.high, nothing.latency.p50) == (None, 0.0, 1.0, None)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=2, max_size=80))
def test_brier_and_ece_are_those_of_a_plain_loop(pairs: list[tuple[float, bool]]) -> None:
    """Brier's score is scikit-learn's; the ECE is the weighted distance of the bins that are shown."""
    stated, right = [one for one, _ in pairs], [one for _, one in pairs]
    here = reliability(stated, right, [str(at) for at in range(len(pairs))])
    assert here.brier == pytest.approx(brier_score_loss([int(one) for one in right], stated))
    assert here.n == len(pairs) == sum(one.n for one in here.bins)
    off = sum(one.n * abs(one.confidence - one.right / one.n) for one in here.bins) / here.n
    assert here.ece == pytest.approx(off)


def test_confidence_is_that_of_answers() -> None:
    """What decides nothing states no confidence; what states none is counted."""
    found = [answer("VALIDATED", "VALIDATED", 0, 1.0), answer("VALIDATED", "REJECTED", 1, 0.5)]
    found += [answer("VALIDATED", "VALIDATED", 2), answer("VALIDATED", None, 3, 0.9)]
    here = calibration(found).stated
    assert (here.n, here.missing) == (2, 1)
    assert here.brier == pytest.approx(0.125)
    assert calibration([]).stated.ece is None
