"""The solver: reads text only, weighs it, and objects to what is wrong with a candidate."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.config.project import parse_task, template
from core.config.task import Task
from core.curriculum.cell import Cell
from core.generation.procedural.source import write_example
from core.generation.source import Request
from core.qa.evidence_weights import EvidenceText, decide
from core.qa.judge import CRITERIA
from core.qa.solver import Solver, assess, decide_blind
from storage.schema import Candidate, Evidence, Flaw
from tests.bench.solver import agreement, cell_of


@cache
def the_task() -> Task:
    return parse_task(template())


def sound(number: int, level: int) -> tuple[Cell, Candidate]:
    cell = cell_of(the_task(), number, level)
    candidate = write_example(the_task(), Request(cell, number % 3, 0, 0, number)).candidate
    assert candidate is not None
    return cell, candidate


@pytest.mark.parametrize("level", [1, 2])
def test_agrees_with_every_label_where_evidence_is_clear(level: int) -> None:
    assert agreement(the_task(), 600, level) == (600, 600)


@pytest.mark.slow
@pytest.mark.parametrize("level", [1, 2, 3, 4, 5])
def test_agrees_with_every_label_on_ten_thousand_seeds(level: int) -> None:
    assert agreement(the_task(), 10_000, level)[0] == 10_000


@pytest.mark.parametrize("level", [3, 4, 5])
def test_agrees_with_every_label_where_evidence_has_to_be_weighed(level: int) -> None:
    assert agreement(the_task(), 400, level) == (400, 400)


def test_loads_nothing_of_the_source_that_it_judges() -> None:
    code = "import sys, core.qa.solver; print([m for m in sys.modules if m.startswith('core.generation.procedural')])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([1, 2, 3, 4, 5]), st.randoms(use_true_random=False))
def test_looks_at_text_only_and_at_no_order(number: int, level: int, rng: object) -> None:
    _, candidate = sound(number, level)
    pieces = [piece.model_copy(update={"relevance": 0.5}) for piece in reversed(candidate.evidence)]
    variant = candidate.model_copy(
        update={"evidence": pieces, "decision": "MAYBE", "reasoning": "None.", "confidence": 0.01}
    )
    first, two = decide_blind(candidate), decide_blind(variant)
    assert (first.decision, first.confidence) == (two.decision, two.confidence)


CLAIM = "The night bus raises the ticket revenue among students but leaves it unchanged among commuters."
RANGE = "The night bus raises the ticket revenue by 8 to 12 %."
MONEY = "The night bus saves more than it costs among students but breaks even among commuters."


def pieces(*contents: str, source: str = "Randomised trial, May 2024") -> list[EvidenceText]:
    return [EvidenceText(source, content) for content in contents]


@pytest.mark.parametrize(
    ("students", "commuters", "decision"),
    [
        ("41.0 to 48.2", "60.1 to 60.2", "VALIDATED"),
        ("41.0 to 48.2", "60.1 to 75.0", "REFINED"),
        ("41.0 to 35.2", "60.1 to 75.0", "REJECTED"),
        ("41.0 to 41.1", "60.1 to 49.0", "REJECTED"),
    ],
)
def test_decides_on_prose_written_by_hand(students: str, commuters: str, decision: str) -> None:
    weighed_decision = decide(
        CLAIM,
        pieces(
            f"Among students, the ticket revenue went from {students} thousand euros once the night bus ran.",
            f"Among commuters, the ticket revenue moved from {commuters} thousand euros with the night bus.",
        ),
    )
    assert weighed_decision.decision == decision
    assert weighed_decision.confidence > 0.9
    assert weighed_decision.unsettled == 0


ONE = "The night bus raises the ticket revenue, but only among students."
TWO = "The night bus raises the ticket revenue among students and among commuters alike."
BRIEF = "The night bus raises the ticket revenue in the first month but no longer after six months."
LASTING = "The night bus raises the ticket revenue in the first month and still after six months."
LITTLE = "The night bus slightly raises the ticket revenue."
MUCH = "The night bus raises the ticket revenue by a wide margin."
CAUSED = "The night bus raises the ticket revenue, mainly through evening trips rather than ticket prices."
GRADED = "The night bus raises the ticket revenue, to where it counts as green."
ROSE = "The ticket revenue rose once the night bus was in place."
FELL = "The ticket revenue fell once the night bus was in place."


@pytest.mark.parametrize(
    ("claim", "other", "finding"),
    [
        (ONE, TWO, "The change in the ticket revenue showed only among students; among commuters, there was none."),
        (TWO, ONE, "The change in the ticket revenue showed among students and among commuters alike."),
        (BRIEF, LASTING, "After six months, nothing was left of the change in the ticket revenue."),
        (LASTING, BRIEF, "After six months, the change in the ticket revenue was still there."),
        (LITTLE, MUCH, "The change in the ticket revenue was slight."),
        (MUCH, LITTLE, "The effect on the ticket revenue was marked."),
    ],
)
def test_a_direction_carries_the_claim_and_what_qualifies_it_refines_it(claim: str, other: str, finding: str) -> None:
    for direction, validated, refined in ((ROSE, "VALIDATED", "REFINED"), (FELL, "REJECTED", "REJECTED")):
        assert decide(claim, pieces(direction, finding)).decision == validated
        assert decide(other, pieces(direction, finding)).decision == refined
    assert decide(claim, pieces(ROSE)).unsettled == 1
    assert decide(claim, pieces(finding)).unsettled == 1


def test_a_cause_is_what_the_effect_needs() -> None:
    held = "With evening trips held constant, the ticket revenue did not move under the night bus."
    free = "Where ticket prices could not change, the ticket revenue still rose with the night bus."
    turned = CAUSED.replace("evening trips rather than ticket prices", "ticket prices rather than evening trips")
    assert decide(CAUSED, pieces(ROSE, held, free)).decision == "VALIDATED"
    assert decide(turned, pieces(ROSE, held, free)).decision == "REFINED"
    assert decide(CAUSED, pieces(FELL, held, free)).decision == "REJECTED"


def test_a_grade_is_what_a_standard_calls_the_figure() -> None:
    standard = "On the scale in use for the ticket revenue, green is from 45.0 to 50.0 and amber is from 40.0 to 45.0."
    figures = "The ticket revenue went from 41.0 to 48.2 thousand euros once the night bus ran."
    assert decide(GRADED, pieces(figures, standard)).decision == "VALIDATED"
    # A figure with the bus alone is what the standard classes.
    arms = (
        "Without the night bus, the ticket revenue came to 38.0.",
        "With the night bus, the ticket revenue came to 42.0.",
    )
    assert decide(GRADED, pieces(*arms, standard)).decision == "REFINED"
    assert decide(GRADED.replace("green", "amber"), pieces(*arms, standard)).decision == "VALIDATED"


@pytest.mark.parametrize(("month", "decision"), [("March", "REJECTED"), ("September", "VALIDATED")])
def test_what_moved_before_the_start_is_no_effect(month: str, decision: str) -> None:
    claim = "The night bus raises the ticket revenue and lowers the noise level."
    dated = pieces(
        "The night bus started in June.",
        f"The ticket revenue rose in {month}, and was level before and after.",
        f"The noise level fell in {month}, and was level before and after.",
    )
    assert decide(claim, dated).decision == decision


def test_shares_are_compared_and_not_counts() -> None:
    claim = "The night bus raises the late share among students but lowers it among commuters."
    counted = pieces(
        "Among students, 30 of 200 riders without the night bus counted towards the late share.",
        "Among students, 25 of 100 riders with the night bus counted towards the late share.",
        "Among commuters, 20 of 100 riders without the night bus counted towards the late share.",
        "Among commuters, 48 of 400 riders with the night bus counted towards the late share.",
    )
    assert decide(claim, counted).decision == "VALIDATED"


@pytest.mark.parametrize(
    "aside",
    [
        "In another country, the ticket revenue among students fell with the night bus.",
        "Under an earlier version of the night bus, the ticket revenue among students fell.",
        "The count is limited to volunteers. Among students, the ticket revenue fell with the night bus.",
        "It is the impression that, among students, the ticket revenue fell with the night bus.",
    ],
)
def test_what_is_about_something_else_does_not_count_however_imposing(aside: str) -> None:
    sound = (
        "Among students, the ticket revenue went from 41.0 to 48.2 thousand euros with the night bus.",
        "Among commuters, the ticket revenue went from 60.1 to 60.2 thousand euros with the night bus.",
    )
    weighed_decision = decide(CLAIM, pieces(*sound, aside))
    assert weighed_decision.decision == "VALIDATED"
    assert not weighed_decision.torn
    assert decide(CLAIM, pieces(aside, sound[1])).unsettled == 1


def test_trusts_a_trial_over_hearsay_and_says_so_in_its_confidence() -> None:
    trial = pieces(
        "Among students, the ticket revenue went from 41.0 to 48.2 thousand euros with the night bus.",
        "Among commuters, the ticket revenue went from 60.1 to 60.2 thousand euros with the night bus.",
    )
    gossip = [EvidenceText("Online forum thread", "Among students, the ticket revenue fell after the night bus came.")]
    calm, torn = decide(CLAIM, trial), decide(CLAIM, trial + gossip)
    assert calm.decision == torn.decision == "VALIDATED"
    assert torn.confidence < calm.confidence
    assert torn.against == 1
    equal = pieces("Among students, the ticket revenue went from 41.0 to 33.2 thousand euros with the night bus.")
    assert decide(CLAIM, trial + equal).torn


def test_puts_two_facts_together() -> None:
    claim = "The night bus lowers the noise level among residents and raises it among visitors."
    split = pieces(
        "Among residents, the noise level came to 50.0 points with the night bus.",
        "Without the night bus, the noise level among residents averaged 61.0 points.",
        "Among visitors, foot traffic rose by 20% once the night bus was in place.",
        "Among visitors, the noise level has moved in step with foot traffic for six quarters.",
    )
    assert decide(claim, split).decision == "VALIDATED"
    assert decide(claim, split[:3]).unsettled == 1
    assert decide(claim, [split[0], split[2]]).unsettled == 2


def test_hearsay_alone_settles_nothing() -> None:
    weighed_decision = decide(
        CLAIM,
        [EvidenceText("Hallway survey", "Among students, the ticket revenue rose after the night bus came.")],
    )
    assert weighed_decision.unsettled == 2
    assert weighed_decision.confidence < 0.5


def test_a_claim_that_it_cannot_read_gets_no_confidence() -> None:
    weighed_decision = decide("Purple is nicer than green.", pieces("Green was seen twice."))
    assert weighed_decision.confidence < 0.4
    assert weighed_decision.unsettled


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=300), st.lists(st.text(max_size=300), max_size=4))
def test_no_text_breaks_it(hypothesis: str, contents: list[str]) -> None:
    weighed_decision = decide(hypothesis, [EvidenceText(content, content) for content in contents])
    assert weighed_decision.decision in {"VALIDATED", "REJECTED", "REFINED"}
    assert 0 <= weighed_decision.confidence <= 1


def test_long_text_costs_no_long_time() -> None:
    decide("the " * 200_000 + "raises the x", pieces("x " * 400_000))
    decide(CLAIM, pieces("the night bus " * 100_000, "leaves " * 100_000, "and ⟨m0⟩ have " * 50_000))


@pytest.mark.parametrize(
    ("flaw", "criteria"),
    [
        (Flaw.WRONG_DECISION, {"decision_follows"}),
        (Flaw.MISSING_EVIDENCE, {"decision_follows", "difficulty_fits"}),
        (Flaw.FOREIGN_EVIDENCE, {"evidence_realistic"}),
        (Flaw.CONFIDENCE_OUT_OF_BAND, {"confidence_apt"}),
        (Flaw.AMBIGUOUS, {"difficulty_fits"}),
    ],
)
def test_each_planted_flaw_lowers_its_criterion(flaw: Flaw, criteria: set[str]) -> None:
    flawed = 0
    for number in range(400):
        cell = cell_of(the_task(), number, 1 + number % 5)
        written = write_example(the_task(), Request(cell, 1 + number % 3, 0, 0, number), 0.8)
        if written.flaw != flaw or written.candidate is None:
            continue
        flawed += 1
        judgement = assess(the_task(), written.candidate, cell)
        low = {name for name, score in judgement.rubric.items() if score < the_task().limits.rubric_pass}
        assert low & criteria or judgement.decision != written.candidate.decision, written.candidate
        assert judgement.critique
    assert flawed >= 5


@pytest.mark.parametrize(
    ("hypothesis", "content", "sound_words"),
    [
        (CLAIM, "Among students, the ticket revenue rose from 48.2 to 41.0 points with the night bus.", False),
        (RANGE, "The ticket revenue rose by 10 %: 20.0 points without the night bus, 22.0 points with it.", True),
        (RANGE, "The ticket revenue rose by 30 %: 20.0 points without the night bus, 22.0 points with it.", False),
        (
            MONEY,
            "Among students, the night bus saved more than it cost: savings of €90 stood against costs of €60.",
            True,
        ),
        (
            MONEY,
            "Among students, the night bus saved more than it cost: savings of €60 stood against costs of €90.",
            False,
        ),
    ],
)
def test_words_against_figures_are_noticed(hypothesis: str, content: str, sound_words: bool) -> None:
    cell, candidate = sound(0, 1)
    piece = Evidence(source="Randomised trial", content=content, relevance=0.9)
    claim = candidate.model_copy(update={"hypothesis": hypothesis, "evidence": [piece]})
    assert (assess(the_task(), claim, cell).rubric["evidence_realistic"] >= 0.5) is sound_words


def test_judging_gives_all_criteria_and_costs_nothing() -> None:
    cell, candidate = sound(3, 1)
    judge = Solver(the_task())
    judgement = asyncio.run(judge.judge(candidate, cell))
    asyncio.run(judge.close())
    assert list(judgement.rubric) == list(CRITERIA)
    assert min(judgement.rubric.values()) >= 0.5
    assert judgement.critique == ""
    assert judgement.usage.cost == 0.0


def test_reasoning_for_another_decision_does_not_follow() -> None:
    cell, candidate = sound(0, 1)
    variant = next(label for label in the_task().labels if label != candidate.decision)
    swapped = candidate.model_copy(update={"reasoning": f"All of it points one way: {variant}."})
    assert assess(the_task(), swapped, cell).rubric["decision_follows"] < 0.5
