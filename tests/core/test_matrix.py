"""The matrix of rejections, the scorecard, and their statistics."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from core.qa.matrix import rejection_matrix
from core.qa.scorecard import people_record, scorecard
from core.statistics import fisher_greater, holm, wilson
from storage.attempts import FlawRecord, ReasonCount, ReviewedCount
from storage.schema import Flaw, Result, Status

pytestmark = pytest.mark.pure


def counts(domain: str, level: int, attempts: int, rejected: int) -> list[ReasonCount]:
    return [
        ReasonCount(domain, level, "VALIDATED", Result.PASSED, "", attempts - rejected),
        ReasonCount(domain, level, "VALIDATED", Result.REJECTED, "ambiguous", rejected),
    ]


def test_the_risk_domain_of_the_story_is_flagged() -> None:
    rows = [row for domain in ("market", "technical") for level in (1, 2) for row in counts(domain, level, 15, 1)]
    matrix = rejection_matrix([*rows, *counts("risk", 1, 20, 17)])
    assert [(cell.domain, cell.level) for cell in matrix.flagged] == [("risk", 1)]
    assert "17/20 (64%-95%)" in matrix.flagged[0].sentence


def test_even_rejections_flag_nothing() -> None:
    rows = [row for domain in "abcdefgh" for level in (1, 2, 3) for row in counts(domain, level, 20, 4)]
    assert rejection_matrix(rows).flagged == []


def test_the_worst_is_the_one_flagged_else_the_one_that_surely_fails_most() -> None:
    assert rejection_matrix([]).worst is None
    assert rejection_matrix(counts("a", 1, 9, 0)).worst is None
    even = rejection_matrix([*counts("a", 1, 1, 1), *counts("b", 1, 20, 12), *counts("c", 1, 20, 11)])
    assert even.worst is not None
    assert even.worst.domain == "b"
    rows = [row for domain in ("market", "technical") for level in (1, 2) for row in counts(domain, level, 15, 1)]
    assert (
        rejection_matrix([*rows, *counts("risk", 1, 20, 17)]).worst
        == rejection_matrix([*rows, *counts("risk", 1, 20, 17)]).flagged[0]
    )


def test_one_decision_alone() -> None:
    rows = [ReasonCount("a", 1, "X", Result.REJECTED, "r", 3), ReasonCount("a", 1, "Y", Result.PASSED, "", 7)]
    assert [(cell.attempts, cell.rejected) for cell in rejection_matrix(rows, decision="X").cells] == [(3, 3)]
    assert [(cell.attempts, cell.rejected) for cell in rejection_matrix(rows).cells] == [(10, 3)]


def test_wilson_against_published_figures() -> None:
    # Newcombe (1998), Statistics in Medicine 17, 857-872, table I, method 3.
    for successes, trials, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611)):
        assert wilson(successes, trials) == pytest.approx((low, high), abs=5e-5)
    assert wilson(0, 0) == (0.0, 1.0)


_GROUPS = st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(0, 9000), st.integers(0, 9000))


@given(_GROUPS)
def test_closed_forms_agree_with_scipy(groups: tuple[int, int, int, int]) -> None:
    successes, failures, rest, other_failures = groups
    trials, other_trials = successes + failures, rest + other_failures
    table = [[successes, failures], [rest, other_failures]]
    expected = stats.fisher_exact(table, alternative="greater").pvalue
    assert fisher_greater(successes, trials, rest, other_trials) == pytest.approx(expected, rel=1e-9, abs=1e-12)
    if trials:
        interval = stats.binomtest(successes, trials).proportion_ci(0.95, method="wilson")
        assert wilson(successes, trials) == pytest.approx((interval.low, interval.high), abs=1e-12)


def test_holm_against_a_worked_example() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@given(st.lists(st.floats(0, 1), max_size=20))
def test_holm_never_lowers_a_p_value_and_keeps_the_order(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert all(p <= a <= 1 for p, a in zip(p_values, adjusted, strict=True))
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    assert [adjusted[i] for i in order] == sorted(adjusted)


def test_the_scorecard_counts_what_was_caught_and_what_was_refused() -> None:
    card = scorecard(
        [
            FlawRecord(Flaw.AMBIGUOUS, Result.REJECTED, "hedged", 3),
            FlawRecord(Flaw.AMBIGUOUS, Result.PASSED, "", 1),
            FlawRecord(None, Result.PASSED, "", 90),
            FlawRecord(None, Result.REJECTED, "near_duplicate", 10),
        ]
    )
    assert (card.planted, card.caught, card.missed, card.good, card.refused) == (4, 3, 1, 100, 10)
    assert card.by_flaw[0].reasons == {"hedged": 3}


def test_people_agree_with_qa_where_they_accept_what_passed_and_reject_what_did_not() -> None:
    counts = [
        ReviewedCount(refused, status, number)
        for refused, status, number in (
            (False, Status.ACCEPTED, 8),
            (False, Status.REJECTED, 2),
            (False, Status.PENDING, 30),
            (True, Status.ACCEPTED, 1),
            (True, Status.REJECTED, 4),
        )
    ]
    record = people_record(counts)
    assert (record.passed.decided, record.passed.agreed, record.passed.low) == (10, 8, wilson(8, 10)[0])
    assert (record.rejected.decided, record.rejected.agreed, record.rejected.high) == (5, 4, wilson(4, 5)[1])
