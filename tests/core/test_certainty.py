"""How sure a judge was of an example, by value."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.qa.verdicts import certainty, example_of_attempt
from storage.schema import Attempt, Outcome, Result, Verdict
from tests.conftest import candidate

pytestmark = pytest.mark.pure

shares = st.floats(0, 1)


def verdict(decision: str | None, confidence: float | None, **rubric: float) -> Verdict:
    """What a judge said."""
    return Verdict(
        attempt="a", result=Result.PASSED, stage="judge", blind_decision=decision, blind_confidence=confidence,
        rubric=rubric,
    )  # fmt: skip


@given(shares, st.lists(shares, max_size=3))
def test_certainty_is_the_weakest_of_confidence_and_rubric(confidence: float, scores: list[float]) -> None:
    """Sure of the same decision, the judge speaks for it; sure of another one, as much against it."""
    rubric = {f"criterion {i}": score for i, score in enumerate(scores)}
    agreeing = certainty("VALIDATED", verdict("VALIDATED", confidence, **rubric))
    opposed = certainty("VALIDATED", verdict("REJECTED", confidence, **rubric))
    assert agreeing == pytest.approx(min([confidence, *scores]))
    assert opposed == pytest.approx(min([1 - confidence, *scores]))


@pytest.mark.parametrize("silent", [None, verdict(None, None), verdict(None, None, decision_follows=0.9)])
def test_who_did_not_judge_is_not_sure(silent: Verdict | None) -> None:
    assert certainty("VALIDATED", silent) is None


@pytest.mark.parametrize(
    ("decision", "confidence", "expected"), [("VALIDATED", 0.9, 0.8), ("VALIDATED", 0.6, 0.6), ("REJECTED", 0.9, 0.1)]
)
def test_an_example_keeps_how_sure_the_judge_was(decision: str, confidence: float, expected: float) -> None:
    attempt = Attempt(
        run="r", domain="market", level=1, decision="VALIDATED", slot=0, number=0, idea=0, outcome=Outcome.WRITTEN,
        candidate=candidate(), family="f", source="s", seed=0,
    )  # fmt: skip
    made = example_of_attempt(attempt, verdict(decision, confidence, decision_follows=0.8))
    assert made.certainty == pytest.approx(expected)
