"""From predictions to one answer an example."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.benchmark.results import score_all, score_samples
from storage.predictions import PredictionFigures, Target
from storage.schema import PredictionOutcome

pytestmark = pytest.mark.pure


def question(example: str = "e1", label: str = "VALIDATED") -> Target:
    """What one question is about."""
    return Target(example, label, "market", 1, "f")


def told(decision: str | None = None, confidence: float | None = None, **change: Any) -> PredictionFigures:
    """An answer to `e1`; without a decision it could not be read."""
    plain: dict[str, Any] = {
        "id": 1,
        "example": "e1",
        "sample": 0,
        "number": 0,
        "outcome": PredictionOutcome.ANSWERED if decision else PredictionOutcome.UNPARSEABLE,
        "decision": decision,
        "confidence": confidence,
        "probabilities": None,
        "seconds": 1.0,
        "input_tokens": 10,
        "output_tokens": 2,
        "cost": None,
    }
    return PredictionFigures(**(plain | change))


def test_most_samples_decide() -> None:
    """Two of three; confidence is theirs, what all took is summed, a cost that is unknown stays unknown."""
    found = score_samples(question(), [told("REJECTED", 0.9), told("VALIDATED", 0.6), told("VALIDATED", 0.8)])
    assert (found.decision, found.confidence, found.correct) == ("VALIDATED", 0.7, True)
    assert (found.seconds, found.input_tokens, found.cost) == (3.0, 30, None)


def test_of_as_many_the_surer_ones_decide() -> None:
    """One to one: the higher stated confidence; where none is stated, the earlier."""
    assert score_samples(question(), [told("REJECTED", 0.5), told("VALIDATED", 0.6)]).decision == "VALIDATED"
    assert score_samples(question(), [told("REJECTED"), told("VALIDATED")]).decision == "REJECTED"


def test_one_answer_is_enough() -> None:
    """What could not be read has no vote."""
    found = score_samples(question(), [told(), told(), told("REFINED")])
    assert (found.outcome, found.decision, found.confidence) == (PredictionOutcome.ANSWERED, "REFINED", None)


def test_no_answer_is_wrong_and_says_why() -> None:
    """A refusal says more than an answer that cannot be read."""
    found = score_samples(question(), [told(), told(outcome=PredictionOutcome.REFUSED)])
    assert (found.outcome, found.decision, found.correct) == (PredictionOutcome.REFUSED, None, False)


def test_the_newest_round_counts() -> None:
    """A failure that was asked again is replaced by its answer; what was not asked is left out."""
    failed, again = told(id=1), told("REJECTED", id=2, number=1)
    for order in ([failed, again], [again, failed]):
        found = score_all([question(), question("e2")], order)
        assert [(one.example, one.decision) for one in found] == [("e1", "REJECTED")]


@given(st.lists(st.sampled_from(["VALIDATED", "REJECTED", "REFINED", None]), min_size=1, max_size=9))
def test_the_decision_is_one_that_was_given(decisions: list[str | None]) -> None:
    """No decision comes out of nothing, and none has more votes than the chosen one."""
    found = score_samples(question(), [told(decision, sample=at) for at, decision in enumerate(decisions)])
    given_ones = [decision for decision in decisions if decision]
    assert (found.decision is None) == (not given_ones)
    if found.decision:
        assert all(given_ones.count(found.decision) >= given_ones.count(other) for other in given_ones)
