"""The solver's rubric by value: each thing that it may notice, with its score and the words for it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from core.config.project import parse_task, template
from core.config.task import Task
from core.curriculum.cell import Cell
from core.qa import solver
from core.qa.evidence_weights import WeighedDecision
from core.qa.judge import CRITERIA
from core.qa.solver import assess
from storage.schema import Candidate, Outcome
from tests.conftest import example

pytestmark = pytest.mark.pure

SOUND = WeighedDecision("VALIDATED", 0.96, 0, (), (), 0, False, False, 0)


@cache
def the_task() -> Task:
    return parse_task(template())


def candidate(**change: object) -> Candidate:
    stored = example(decision="VALIDATED", confidence=0.96, reasoning="It is so.", hypothesis="It rises.")
    values = {name: getattr(stored, name) for name in Candidate.model_fields} | change
    return Candidate.model_validate(values)


def judged(
    monkeypatch: pytest.MonkeyPatch, blind: WeighedDecision, level: int = 1, **change: object
) -> tuple[dict[str, float], str]:
    """The rubric and the critique where the blind decision is `blind`."""
    monkeypatch.setattr(solver, "decide_blind", lambda _: blind)
    judgement = assess(the_task(), candidate(**change), Cell("market", level, "VALIDATED"))
    assert judgement.outcome is Outcome.WRITTEN
    assert (judgement.decision, judgement.confidence) == (blind.decision, blind.confidence)
    return judgement.rubric, judgement.critique


def test_a_sound_candidate_has_nothing_said_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    rubric, critique = judged(monkeypatch, SOUND)
    assert rubric == {
        "decision_follows": 0.98,
        "difficulty_fits": 1.0,
        "evidence_realistic": 1.0,
        "confidence_apt": 1.0,
    }
    assert (list(rubric), critique) == (list(CRITERIA), "")


@pytest.mark.parametrize(
    ("change", "criterion", "score", "critique"),
    [
        (
            {"decision": "REJECTED"},
            "decision_follows",
            0.15,
            "The evidence leads to REJECTED, not to VALIDATED.",
        ),
        (
            {"unsettled": 1},
            "decision_follows",
            0.3,
            "A part of the claim is not settled by any piece: add the evidence that decides it. The evidence leaves a "
            "part of the claim open: it is ambiguous for any level.",
        ),
        (
            {"hedges": 1},
            "difficulty_fits",
            0.15,
            "The level wants no guarded language: state the findings plainly.",
        ),
        (
            {"against": 1},
            "difficulty_fits",
            0.15,
            "Pieces contradict each other, which this level does not allow: make them agree.",
        ),
        (
            {"torn": True},
            "difficulty_fits",
            0.4,
            "Sources of equal weight disagree, so nothing decides between them.",
        ),
        (
            {"joined": True},
            "difficulty_fits",
            0.4,
            "The answer takes several facts put together; the level wants it stated directly.",
        ),
        (
            {"foreign": (0, 2)},
            "evidence_realistic",
            0.15,
            "Piece 1, 3 reports on another case: replace it with evidence of this one.",
        ),
        (
            {"contradictions": (1, 3)},
            "evidence_realistic",
            0.2,
            "Piece 2, 4 contradicts its own figures: make words and figures agree.",
        ),
    ],
)
def test_what_is_noticed_has_its_score_and_its_words(
    monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], criterion: str, score: float, critique: str
) -> None:
    rubric, words = judged(monkeypatch, replace(SOUND, **change))
    assert (rubric[criterion], words) == (score, critique)


def test_reasoning_that_names_another_decision_argues_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    rubric, critique = judged(monkeypatch, SOUND, reasoning="So it is REFINED, if not REJECTED.")
    assert rubric["decision_follows"] == 0.2
    assert critique == "The reasoning argues for REJECTED, REFINED, the decision says VALIDATED."
    both, critique = judged(monkeypatch, SOUND, reasoning="Not REFINED: VALIDATED.")
    assert (both["decision_follows"], critique) == (0.98, "")


def test_a_confidence_is_held_against_its_band_and_against_the_evidence(monkeypatch: pytest.MonkeyPatch) -> None:
    low, high = the_task().level(1).confidence["VALIDATED"]
    assert 0 < low < high
    outside = round(low - 0.05, 3)
    rubric, critique = judged(monkeypatch, SOUND, confidence=outside)
    assert rubric["confidence_apt"] == 0.15
    assert critique == f"Confidence {outside} is outside {low}-{high} for VALIDATED at this level."
    for gap, score, words in (
        (0.1, 0.88, ""),
        (0.5, 0.4, f"Confidence {high} is far from what the evidence supports."),
    ):
        rubric, critique = judged(monkeypatch, replace(SOUND, confidence=high - gap), confidence=high)
        assert rubric["confidence_apt"] == pytest.approx(score, abs=0.001)
        assert critique == words


def test_a_level_of_several_steps_wants_facts_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    level = next(level for level in the_task().levels if level.steps > 1)
    confidence = sum(level.confidence["VALIDATED"]) / 2
    for joined, score in ((True, 1.0), (False, 0.7)):
        rubric, _ = judged(monkeypatch, replace(SOUND, joined=joined), level.level, confidence=confidence)
        assert rubric["difficulty_fits"] == score
