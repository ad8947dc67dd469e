"""Agreement: what counts as evidence, the coefficients against known figures, and what is not defined."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.review import agreement
from core.review.agreement import (
    FAIR,
    JUDGE,
    LABEL,
    MIN_FAMILIES,
    RELIABLE,
    UNNAMED,
    Agreement,
    agreement_report,
    conclusion,
)
from storage import blind_reviews, examples, reviews
from storage.blind_reviews import BlindReview
from storage.database import transaction
from storage.schema import ReviewAction
from tests.conftest import example
from tests.stored import decide


def blind_review(
    number: int, value: str, label: str = "A", judge: str | None = None, reviewer: str = "ann"
) -> BlindReview:
    return BlindReview(f"e{number}", f"f{number}", reviewer, 1, value, label, judge)


@pytest.fixture(autouse=True)
def _fewer_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agreement, "RESAMPLES", 60)


def only_pair(agreements: list[Agreement], first: str, second: str) -> Agreement:
    return next(pair for pair in agreements if (pair.who, pair.whom) == (first, second))


def test_the_coefficients_are_those_of_a_worked_example() -> None:
    """Cohen's two by two table 20, 5, 10, 15: observed 0.7, by chance 0.5, kappa 0.4."""
    cells = [("A", "A", 20), ("A", "B", 5), ("B", "A", 10), ("B", "B", 15)]
    pairs = [(first, two) for first, two, count in cells for _ in range(count)]
    report = agreement_report(blind_review(number, first, two) for number, (first, two) in enumerate(pairs))
    pair = only_pair(report.pairs, "ann", LABEL)
    assert (pair.examples, pair.families, pair.agreed) == (50, 50, 35)
    assert pair.kappa.value == pytest.approx(0.4)
    # Both raters pooled use A 55 times in 100: 1 - 0.3 / (2 * 55 * 45 / (100 * 99)).
    assert pair.alpha.value == pytest.approx(1 - 0.3 / (2 * 55 * 45 / (100 * 99)))
    assert pair.confusion == {"A": {"A": 20, "B": 5}, "B": {"A": 10, "B": 15}}
    for found_one in (pair.kappa, pair.alpha):
        assert found_one.low is not None
        assert found_one.high is not None
        assert found_one.low < 0.4 < found_one.high
    assert pair.low < 0.7 < pair.high


def test_what_is_not_defined_says_why() -> None:
    single = agreement_report([blind_review(0, "A")]).pairs[0]
    assert (single.kappa.value, single.alpha.undefined) == (None, "not defined: fewer than two examples")
    unanimous = agreement_report([blind_review(0, "A"), blind_review(1, "A")]).pairs[0]
    assert "all decided the same way" in unanimous.kappa.undefined
    assert (unanimous.agreed, unanimous.kappa.value, unanimous.alpha.value) == (2, None, None)
    kin = [BlindReview(f"e{n}", "f", "ann", 1, value, "A", None) for n, value in enumerate("AB")]
    assert agreement_report(kin).pairs[0].kappa.undefined == "no interval: all examples are of one family"
    assert agreement_report([]).pairs == []


def test_without_an_interval_the_value_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Alike in all draws; or undefined in most of them, where a draw has one of two examples twice."""
    alike = agreement_report([blind_review(0, "A", "B"), blind_review(1, "A", "B")]).pairs[0]
    monkeypatch.setattr(agreement, "RESAMPLES", 7)
    undefined = agreement_report([blind_review(0, "A", "A"), blind_review(1, "B", "B")]).pairs[0]
    for pair, kappa in ((alike, 0.0), (undefined, 1.0)):
        assert (pair.kappa.value, pair.kappa.low, pair.kappa.high) == (kappa, None, None)
        assert pair.kappa.undefined == "no interval: too few examples differ"


def test_judge_people_and_all_together() -> None:
    report = agreement_report(
        [
            *(blind_review(number, "AB"[number % 2], judge="A" if number < 4 else None) for number in range(6)),
            *(blind_review(number, "AB"[number % 2], reviewer="ben") for number in range(4)),
            *(blind_review(number, "A", reviewer="") for number in range(3)),
        ]
    )
    assert only_pair(report.pairs, "ann", JUDGE).examples == 4
    assert only_pair(report.pairs, "ann", "ben").kappa.value == pytest.approx(1.0)
    assert only_pair(report.pairs, UNNAMED, "ann").examples == 3
    assert report.together is not None
    assert (report.together.people, report.together.examples) == (3, 4)
    assert report.decisions == 13


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ([("A", "A", 5), ("B", "B", 5)], "Too few to conclude"),
        ([("A", "A", 30)], "Nearly all was decided one way"),
        ([("A", "A", 30), ("B", "B", 30)], "far beyond chance"),
        ([("A", "A", 80), ("B", "B", 80), ("A", "B", 20)], "well beyond chance"),
        ([("A", "A", 20), ("A", "B", 5), ("B", "A", 10), ("B", "B", 15)], "more than chance would, but not reliably"),
        ([("A", "A", 10), ("A", "B", 10), ("B", "A", 10), ("B", "B", 10)], "no better than chance"),
    ],
)
def test_the_conclusion_claims_no_more_than_the_intervals(cells: list[tuple[str, str, int]], words: str) -> None:
    pairs = [(first, two) for first, two, count in cells for _ in range(count)]
    [pair] = agreement_report(blind_review(number, first, two) for number, (first, two) in enumerate(pairs)).pairs
    assert words in conclusion(pair)


RELIABLY = 0.85


@pytest.mark.parametrize(
    ("families", "low", "high", "sentence"),
    [
        (
            MIN_FAMILIES - 1,
            RELIABLY,
            1.0,
            f"Too few to conclude anything yet: {MIN_FAMILIES} examples that stem from different hypotheses are a "
            "start.",
        ),
        (
            MIN_FAMILIES,
            None,
            None,
            "Nearly all was decided one way, so chance would agree as well: other examples will tell more.",
        ),
        (MIN_FAMILIES, RELIABLE, 1.0, "They agree far beyond chance: what one decides, the other would too."),
        (MIN_FAMILIES, FAIR, 0.9, "They agree well beyond chance, with some differences."),
        (
            MIN_FAMILIES,
            0.01,
            RELIABLE,
            "They agree more than chance would; how well, more examples will tell.",
        ),
        (MIN_FAMILIES, 0.01, 0.5, "They agree more than chance would, but not reliably."),
        (
            MIN_FAMILIES,
            -0.2,
            FAIR - 0.01,
            "This is no better than chance could give: look at what they decided differently.",
        ),
        (MIN_FAMILIES, 0.0, FAIR, "This may be chance: more examples will tell."),
    ],
)
def test_each_interval_has_its_sentence(families: int, low: float | None, high: float | None, sentence: str) -> None:
    [pair] = agreement_report(blind_review(number, "A", "B") for number in range(2)).pairs
    kappa = replace(pair.kappa, low=low, high=high)
    assert conclusion(replace(pair, families=families, kappa=kappa)) == sentence


_VALUES = st.lists(st.tuples(st.sampled_from("ABC"), st.sampled_from("ABC"), st.integers(0, 3)), min_size=1, max_size=8)


@settings(max_examples=25, deadline=None)
@given(_VALUES)
def test_any_decisions_give_figures_or_a_reason(values: list[tuple[str, str, int]]) -> None:
    given_ones = [
        BlindReview(f"e{n}", f"f{kin}", "ann", 1, first, two, None) for n, (first, two, kin) in enumerate(values)
    ]
    pair = agreement_report(given_ones).pairs[0]
    assert sum(sum(row.values()) for row in pair.confusion.values()) == pair.examples == len(values)
    for coefficient in (pair.kappa, pair.alpha):
        assert (coefficient.value is None or coefficient.low is None) == bool(coefficient.undefined)
        assert all(
            figure is None or -1.0001 <= figure <= 1.0001
            for figure in (coefficient.value, coefficient.low, coefficient.high)
        )


def test_only_what_stands_and_was_decided_blind_counts_against_the_version_that_was_seen(
    db: sqlite3.Connection,
) -> None:
    first, two = example(id=f"01J{0:023d}"), example(id=f"01J{1:023d}")
    with transaction(db):
        examples.add(db, first)
        examples.add(db, two)
    decide(db, first.id, ReviewAction.ACCEPT, reviewer="ann")
    assert blind_reviews.read_current(db) == []
    decide(db, first.id, ReviewAction.LABEL, value="REFINED", version=1, reviewer="ann")
    decide(db, two.id, ReviewAction.LABEL, value="REJECTED", version=1, reviewer="ann")
    reviews.undo(db)
    reviews.edit(db, first.model_copy(update={"decision": "REFINED"}))
    assert blind_reviews.read_current(db) == [BlindReview(first.id, "f1", "ann", 1, "REFINED", "VALIDATED", None)]
    decide(db, first.id, ReviewAction.LABEL, value="REFINED", version=2, reviewer="ann")
    assert [review.label for review in blind_reviews.read_current(db)] == ["REFINED"]
