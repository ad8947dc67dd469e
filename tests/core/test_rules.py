"""Rules, near-duplicates and the verdict that follows from a judgement."""

from __future__ import annotations

from typing import Any

import pytest

from core.config.project import parse_task, template
from core.curriculum.cell import Cell
from core.qa import duplicates
from core.qa.judge import CRITERIA, JudgeResult
from core.qa.rules import broken_rules
from core.qa.solver import Solver
from core.qa.verdicts import assess, judge_verdict
from storage.schema import Attempt, Evidence, Outcome, Result
from tests.conftest import candidate

pytestmark = pytest.mark.pure

TASK = parse_task(template())
CELL = Cell("market", 1, "VALIDATED")


def pieces(*relevances: float, content: str = "Sales rose by 12 % in store") -> list[Evidence]:
    return [Evidence(source="Report", content=f"{content} {i}.", relevance=r) for i, r in enumerate(relevances)]


def test_a_good_candidate_breaks_no_rule() -> None:
    assert broken_rules(TASK, CELL, candidate()) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"decision": "PERHAPS"}, "unknown_decision"),
        ({"decision": "REJECTED"}, "wrong_cell"),
        ({"evidence": pieces(0.9, 0.9, 0.9)}, "evidence_count"),
        ({"evidence": pieces(0.9, 0.9, 0.9, 0.9)}, "evidence_count"),
        ({"evidence": [pieces(0.9)[0]] * 2}, "repeated_evidence"),
        ({"evidence": pieces(0.9, 0.5)}, "relevance_band"),
        ({"evidence": pieces(0.9, 0.1)}, "relevance_band"),
        ({"confidence": 0.5}, "confidence_band"),
        ({"evidence": pieces(0.9, 0.9, content="Sales may have risen in store")}, "hedged"),
        ({"evidence": pieces(0.9, 0.9, content="This supports the hypothesis, as in store")}, "not_self_contained"),
    ],
)
def test_a_broken_rule_is_named(change: dict[str, Any], reason: str) -> None:
    assert reason in [problem.reason for problem in broken_rules(TASK, CELL, candidate(**change))]


def test_the_scores_outside_the_band_are_counted() -> None:
    low, high = TASK.level(1).relevance
    for relevances, count in [((0.9, 0.1), 1), ((0.2, 0.1), 2)]:
        [problem] = broken_rules(TASK, CELL, candidate(evidence=pieces(*relevances)))
        assert problem.critique.startswith(f"{count} of the relevance scores are outside {low} to {high}:")


def test_pieces_beside_the_point_are_counted_where_the_level_has_them() -> None:
    cell = Cell("market", 3, "VALIDATED")
    good = candidate(evidence=pieces(0.8, 0.7, 0.2), confidence=0.8)
    none = candidate(evidence=pieces(0.8, 0.7, 0.6), confidence=0.8)
    assert broken_rules(TASK, cell, good) == []
    assert [problem.reason for problem in broken_rules(TASK, cell, none)] == ["irrelevant_count"]
    few = candidate(evidence=pieces(0.8, 0.2), confidence=0.8)
    assert [problem.reason for problem in broken_rules(TASK, cell, few)] == ["evidence_count"]


def test_a_month_is_no_hedge() -> None:
    assert broken_rules(TASK, CELL, candidate(evidence=pieces(0.9, 0.9, content="On May 12 sales rose in store"))) == []


def test_near_duplicates_are_found_in_their_group_only() -> None:
    corpus = duplicates.Corpus(0.85)
    words = duplicates.candidate_words(candidate())
    corpus.add("one", words, ["cell"])
    assert corpus.nearest([*words, "indeed"], ["cell"]) is not None
    assert corpus.nearest(words, ["another cell"]) is None
    assert corpus.nearest(words[: len(words) // 2], ["cell"]) is None


def judged(**change: Any) -> JudgeResult:
    plain: dict[str, Any] = {
        "outcome": Outcome.WRITTEN,
        "decision": "VALIDATED",
        "confidence": 0.9,
        "rubric": dict.fromkeys(CRITERIA, 1.0),
    }
    return JudgeResult(**(plain | change))


@pytest.mark.parametrize(
    ("judgement", "result", "reason"),
    [
        (judged(), Result.PASSED, ""),
        (judged(decision="REJECTED"), Result.REJECTED, "blind_disagreement"),
        (judged(rubric=dict.fromkeys(CRITERIA, 1.0) | {"difficulty_fits": 0.2}), Result.REJECTED, "difficulty_fits"),
        (judged(rubric={}), Result.REJECTED, next(iter(CRITERIA))),
        (judged(outcome=Outcome.INVALID_JSON, rubric={}), Result.FAILED, "invalid_json"),
        (judged(outcome=Outcome.TIMEOUT, decision="REJECTED"), Result.FAILED, "timeout"),
    ],
)
def test_what_follows_from_a_judgement(judgement: JudgeResult, result: Result, reason: str) -> None:
    verdict = judge_verdict(TASK, "a", candidate(), judgement)
    assert (verdict.result, verdict.reason) == (result, reason)


async def test_an_attempt_that_breaks_rules_is_told_all_of_them_and_no_judge_is_asked() -> None:
    broken = candidate().model_copy(update={"confidence": 0.01, "evidence": pieces(0.01, 0.02)})
    attempt = Attempt(
        run="r", domain="market", level=1, decision="VALIDATED", slot=0, number=0, idea=0, outcome=Outcome.WRITTEN,
        candidate=broken, family="f", source="s", seed=0,
    )  # fmt: skip
    problems = broken_rules(TASK, CELL, broken)
    assert len(problems) > 1
    verdict = await assess(TASK, attempt, duplicates.Corpus(0.85), Solver(TASK))
    assert (verdict.attempt, verdict.result, verdict.stage) == (attempt.id, Result.REJECTED, "rules")
    assert verdict.reason == problems[0].reason
    assert verdict.critique == " ".join(problem.critique for problem in problems)
    with pytest.raises(ValueError, match=f"attempt {attempt.id} has no candidate"):
        await assess(TASK, attempt.model_copy(update={"candidate": None}), duplicates.Corpus(0.85), Solver(TASK))
