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


def figures(decision: str | None = None, confidence: float | None = None, **change: Any) -> PredictionFigures:
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
    answer = score_samples(question(), [figures("REJECTED", 0.9), figures("VALIDATED", 0.6), figures("VALIDATED", 0.8)])
    assert (answer.decision, answer.confidence, answer.correct) == ("VALIDATED", 0.7, True)
    assert (answer.seconds, answer.input_tokens, answer.cost) == (3.0, 30, None)


def test_of_as_many_the_surer_ones_decide() -> None:
    """One to one: the higher stated confidence; where none is stated, the earlier."""
    assert score_samples(question(), [figures("REJECTED", 0.5), figures("VALIDATED", 0.6)]).decision == "VALIDATED"
    assert score_samples(question(), [figures("REJECTED"), figures("VALIDATED")]).decision == "REJECTED"
    # What states nothing is not surer than what does.
    assert score_samples(question(), [figures("REJECTED"), figures("VALIDATED", 0.6)]).decision == "VALIDATED"


def test_one_answer_is_enough() -> None:
    """What could not be read has no vote."""
    answer = score_samples(question(), [figures(), figures(), figures("REFINED")])
    assert (answer.outcome, answer.decision, answer.confidence) == (PredictionOutcome.ANSWERED, "REFINED", None)


def test_no_answer_is_wrong_and_says_why() -> None:
    """A refusal says more than an answer that cannot be read."""
    answer = score_samples(question(), [figures(), figures(outcome=PredictionOutcome.REFUSED)])
    assert (answer.outcome, answer.decision, answer.correct) == (PredictionOutcome.REFUSED, None, False)


def test_the_newest_round_counts() -> None:
    """A failure that was asked again is replaced by its answer; what was not asked is left out."""
    failed, again = figures(id=1), figures("REJECTED", id=2, number=1)
    for order in ([failed, again], [again, failed]):
        answers = score_all([question(), question("e2")], order)
        assert [(answer.example, answer.decision) for answer in answers] == [("e1", "REJECTED")]


@given(st.lists(st.sampled_from(["VALIDATED", "REJECTED", "REFINED", None]), min_size=1, max_size=9))
def test_the_decision_is_one_that_was_given(decisions: list[str | None]) -> None:
    """No decision comes out of nothing, and none has more votes than the chosen one."""
    answer = score_samples(question(), [figures(decision, sample=sample) for sample, decision in enumerate(decisions)])
    given_ones = [decision for decision in decisions if decision]
    assert (answer.decision is None) == (not given_ones)
    if answer.decision:
        assert all(given_ones.count(answer.decision) >= given_ones.count(other) for other in given_ones)
