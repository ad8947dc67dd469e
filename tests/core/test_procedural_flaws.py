"""The flaws that the procedural source plants."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.curriculum.cell import Cell
from core.generation.procedural.source import write_example
from core.generation.procedural.worlds import DECISIONS, VALIDATED
from core.generation.source import Request, SourceResult
from core.qa.duplicates import candidate_words
from core.qa.rules import broken_rules
from storage.schema import Flaw
from tests.bench.near_duplicates import duplicated, lettered
from tests.core.procedural_examples import candidate_of, check_steps, example, the_task


def planted(flaw: Flaw, level: int) -> list[tuple[Request, SourceResult]]:
    flawed = []
    for seed in range(60):
        for slot in (1, 2, 3):
            request = Request(Cell("technical", level, DECISIONS[seed % 3]), slot, 0, 0, seed)
            written = write_example(the_task(), request, 0.6)
            if written.flaw == flaw:
                flawed.append((request, written))
    assert len(flawed) >= 5
    return flawed


def test_flaws_come_at_their_rate_and_only_in_first_attempts() -> None:
    flawed = [example(Cell("market", 1, VALIDATED), 2, seed, flaw_rate=0.3).flaw for seed in range(1500)]
    assert abs(sum(flaw is not None for flaw in flawed) / 1500 - 0.3) < 0.04
    assert {flaw for flaw in flawed if flaw} == set(Flaw)
    assert example(Cell("market", 1, VALIDATED), 0, flaw_rate=0.0).flaw is None
    for request, written in planted(Flaw.WRONG_DECISION, 1):
        mended = write_example(
            the_task(),
            Request(request.cell, request.slot, 0, 1, request.seed, draft=written.candidate, critique="no"),
            1.0,
        )
        assert mended.flaw is None


@pytest.mark.parametrize("level", [1, 2, 3, 5])
def test_a_wrong_step_does_not_bear_checking(level: int) -> None:
    for request, written in planted(Flaw.WRONG_STEP, level):
        written_candidate, sound = candidate_of(written), candidate_of(write_example(the_task(), request, 0.0))
        assert (written_candidate.hypothesis, written_candidate.decision) == (sound.hypothesis, sound.decision)
        assert written_candidate.steps != sound.steps
        with pytest.raises(AssertionError):
            check_steps(written_candidate)
            assert len(written_candidate.steps) == len(sound.steps)
        reasons = {problem.reason for problem in broken_rules(the_task(), request.cell, written_candidate)}
        assert reasons
        assert reasons <= {"step_quote", "step_holds", "step_missing", "step_decision"}


@pytest.mark.parametrize("flaw", [Flaw.MISSING_EVIDENCE, Flaw.FOREIGN_EVIDENCE, Flaw.AMBIGUOUS, Flaw.WRONG_DECISION])
def test_a_flaw_changes_the_case_but_not_what_counts_can_show(flaw: Flaw) -> None:
    for request, written in planted(flaw, 1):
        written_candidate, sound = candidate_of(written), candidate_of(write_example(the_task(), request, 0.0))
        assert (written_candidate.hypothesis, written_candidate.evidence) != (sound.hypothesis, sound.evidence)
        problems = {problem.reason for problem in broken_rules(the_task(), request.cell, written_candidate)}
        assert problems <= ({"hedged"} if flaw == Flaw.AMBIGUOUS else set())


@pytest.mark.parametrize(
    ("flaw", "reason"),
    [(Flaw.RELEVANCE_OUT_OF_BAND, "relevance_band"), (Flaw.CONFIDENCE_OUT_OF_BAND, "confidence_band")],
)
@pytest.mark.parametrize("level", [1, 2, 3, 4, 5])
def test_a_band_that_is_left_breaks_its_rule(flaw: Flaw, reason: str, level: int) -> None:
    for request, written in planted(flaw, level):
        problems = [problem.reason for problem in broken_rules(the_task(), request.cell, candidate_of(written))]
        assert problems == [reason]


def test_a_planted_near_duplicate_is_one() -> None:
    for request, written in planted(Flaw.NEAR_DUPLICATE, 2):
        copies = []
        for slot in range(request.slot):
            earlier = write_example(the_task(), Request(request.cell, slot, 0, 0, request.seed), 0.6)
            pair = lettered([candidate_words(candidate_of(written)), candidate_words(candidate_of(earlier))])
            copies.append(duplicated(pair, the_task().limits.near_duplicate)[0] > 0)
        assert any(copies)


def test_an_example_that_the_cell_does_not_have_is_not_repeated() -> None:
    for request, written in planted(Flaw.NEAR_DUPLICATE, 2):
        with_sibling = replace(request, siblings=(candidate_of(written).hypothesis,))
        assert write_example(the_task(), with_sibling, 0.6).flaw == Flaw.NEAR_DUPLICATE
        with_stranger = replace(request, siblings=("Something that another run wrote.",))
        assert write_example(the_task(), with_stranger, 0.6).flaw not in (None, Flaw.NEAR_DUPLICATE)


def test_a_rewrite_mends_the_flaw_in_other_words_and_keeps_the_family() -> None:
    for request, written in planted(Flaw.MISSING_EVIDENCE, 3):
        again = Request(request.cell, request.slot, 0, 1, request.seed, draft=written.candidate, critique="mend it")
        mended, sound = write_example(the_task(), again, 0.6), write_example(the_task(), request, 0.0)
        assert mended.family == written.family
        assert candidate_of(mended) not in (candidate_of(written), candidate_of(sound))
        assert broken_rules(the_task(), request.cell, candidate_of(mended)) == []
