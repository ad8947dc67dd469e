"""Weighing by value: everything that a decision notices on the way, for evidence written by hand."""

from __future__ import annotations

from dataclasses import astuple

import pytest

from core.qa.evidence_weights import WEIGHTS, EvidenceText, count_hedges, decide

pytestmark = pytest.mark.pure

CLAIM = "The night bus raises the ticket revenue among students but leaves it unchanged among commuters."
SIZED = "The night bus raises the ticket revenue by 8 to 12 %."
TRIAL, STAFF, FORUM = "Randomised trial, May 2024", "Operations report", "Online forum thread"
STUDENTS = "Among students, the ticket revenue went from 41.0 to 48.2 thousand euros with the night bus."
COMMUTERS = "Among commuters, the ticket revenue went from 60.1 to 60.2 thousand euros with the night bus."
FELL = "Among students, the ticket revenue fell after the night bus came."
STRONG = 0.88 + 0.1 * WEIGHTS["strong"]


def pieces(*sources_and_contents: tuple[str, str]) -> list[EvidenceText]:
    return [EvidenceText(source, content) for source, content in sources_and_contents]


def test_clear_evidence_is_as_certain_as_its_best_piece() -> None:
    decision = decide(CLAIM, pieces((TRIAL, STUDENTS), (TRIAL, COMMUTERS)))
    assert astuple(decision) == ("VALIDATED", round(STRONG, 4), 0, (), (), 0, False, False, 0)
    fair = decide(CLAIM, pieces((STAFF, STUDENTS), (STAFF, COMMUTERS)))
    assert astuple(fair) == ("VALIDATED", round(0.88 + 0.1 * WEIGHTS["fair"], 4), 0, (), (), 0, False, False, 0)


def test_an_unreadable_claim_has_all_fields_of_nothing() -> None:
    decision = decide("Purple is nicer than green.", pieces((TRIAL, "It may perhaps be.")))
    assert astuple(decision) == ("REJECTED", 0.34, 1, (), (), 0, False, False, count_hedges("It may perhaps be."))
    assert decision.hedges == 2


def test_hearsay_against_a_trial_costs_its_share_of_the_votes() -> None:
    decision = decide(CLAIM, pieces((TRIAL, STUDENTS), (TRIAL, COMMUTERS), (FORUM, FELL)))
    share = WEIGHTS["strong"] / (WEIGHTS["strong"] + WEIGHTS["weak"])
    assert decision.confidence == pytest.approx(share * STRONG, abs=1e-4)
    assert (decision.decision, decision.against, decision.torn, decision.unsettled) == ("VALIDATED", 1, False, 0)


def test_equal_reports_both_ways_are_torn() -> None:
    decision = decide(CLAIM, pieces((TRIAL, STUDENTS), (TRIAL, COMMUTERS), (TRIAL, FELL)))
    assert (decision.torn, decision.against) == (True, 1)
    assert decision.confidence == pytest.approx(0.5 * STRONG, abs=1e-4)


def test_a_part_without_evidence_is_unsettled_and_costs_certainty() -> None:
    decision = decide(CLAIM, pieces((TRIAL, STUDENTS)))
    assert (decision.unsettled, decision.against, decision.torn) == (1, 0, False)
    assert decision.confidence == pytest.approx(0.45 * STRONG, abs=1e-4)


def test_guarded_words_lower_the_confidence_down_to_a_floor() -> None:
    for words, factor in (("It may be.", 0.97), ("It may, might, could and perhaps would seem so, maybe.", 0.85)):
        decision = decide(CLAIM, pieces((TRIAL, f"{STUDENTS} {words}"), (TRIAL, COMMUTERS)))
        assert decision.hedges == count_hedges(words)
        assert decision.confidence == pytest.approx(max(factor, 0.85) * STRONG, abs=1e-4)


def test_pieces_of_another_case_and_those_against_themselves_are_named_by_place() -> None:
    foreign = (TRIAL, "The school garden drew 40 people a day.")
    turned = (TRIAL, "Among students, the ticket revenue rose from 48.2 to 41.0 points with the night bus.")
    decision = decide(CLAIM, pieces((TRIAL, STUDENTS), foreign, (TRIAL, COMMUTERS), turned))
    assert (decision.foreign, decision.contradictions) == ((1,), (3,))


@pytest.mark.parametrize(
    ("after", "decision"), [("21.5", "REFINED"), ("21.6", "VALIDATED"), ("22.4", "VALIDATED"), ("22.6", "REFINED")]
)
def test_a_size_is_within_its_range_give_or_take_half_a_point(after: str, decision: str) -> None:
    weighed = decide(SIZED, pieces((TRIAL, f"The ticket revenue went from 20.0 to {after} points with the night bus.")))
    assert (weighed.decision, weighed.unsettled) == (decision, 0)


def test_arms_apart_are_put_together_at_the_trust_of_the_weaker() -> None:
    claim = "The night bus lowers the noise level among residents and raises it among visitors."
    arms = (
        (TRIAL, "Among residents, the noise level came to 50.0 points with the night bus."),
        (STAFF, "Without the night bus, the noise level among residents averaged 61.0 points."),
    )
    chain = (
        (TRIAL, "Among visitors, foot traffic rose by 20% once the night bus was in place."),
        (TRIAL, "Among visitors, the noise level has moved in step with foot traffic for six quarters."),
    )
    decision = decide(claim, pieces(*arms, *chain))
    assert (decision.decision, decision.joined, decision.unsettled) == ("VALIDATED", True, 0)
    assert decision.confidence == pytest.approx(0.94 * STRONG, abs=1e-4)
    # A driver that moved in a sentence about what is claimed is none of its own.
    circular = (TRIAL, "Among visitors, foot traffic and the noise level rose once the night bus was in place.")
    assert decide(claim, pieces(*arms, circular, chain[1])).joined
    # Hearsay about one arm leaves the other as weak.
    weak = decide(claim, pieces(arms[0], (FORUM, arms[1][1]), *chain))
    assert weak.unsettled == 1
