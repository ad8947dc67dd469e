"""Lists in any order, against a plain model."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from itertools import product

import pytest

from storage import examples, listing, reviews
from storage.database import transaction
from storage.listing import SortOrder
from storage.schema import Example, ReviewAction
from storage.search import parse_query
from tests.conftest import example
from tests.stored import decide


@pytest.fixture
def stored(db: sqlite3.Connection) -> list[Example]:
    """Sixty examples, of unequal confidence, certainty, place, split and words."""
    made = [
        example(
            id=f"01J{i:017d}Z{i:05d}",
            hypothesis=f"Claim {i} about {'paid conversion' if i % 3 else 'churn'}.",
            confidence=(i * 37 % 100) / 100,
            certainty=None if i % 4 == 0 else (i * 53 % 100) / 100,
            domain=("market", "risk")[i % 2],
            level=1 + i % 5,
            decision=("VALIDATED", "REJECTED", "REFINED")[i % 3],
            split=("train", "dev", "")[i % 3],
            flagged=i % 7 == 0,
            refused=i % 11 == 0,
            family=f"f{i // 2}",
            source="openai" if i % 2 else "import",
        )
        for i in range(60)
    ]
    with transaction(db):
        for one in made:
            examples.add(db, one)
    decide(db, made[3].id, ReviewAction.ACCEPT, reviewer="ann")
    decide(db, made[4].id, ReviewAction.REJECT, reviewer="ann")
    decide(db, made[5].id, ReviewAction.ACCEPT, reviewer="ben")
    reviews.undo(db, reviewer="ben")
    found = [examples.get(db, one.id) for one in made]
    return [one for one in found if one is not None]


MEANINGS: dict[str, Callable[[Example], bool]] = {
    "": lambda _: True,
    "domain:risk level:1-2": lambda one: one.domain == "risk" and one.level in {1, 2},
    "split:none -level:1": lambda one: one.split == "" and one.level != 1,
    "certainty:<0.5": lambda one: one.certainty is not None and one.certainty < 0.5,
    "-certainty:<0.5": lambda one: one.certainty is None or one.certainty >= 0.5,
    "certainty:none flagged": lambda one: one.certainty is None and one.flagged,
    "confidence:0.3-0.6": lambda one: 0.3 <= one.confidence <= 0.6,
    "paid": lambda one: "conversion" in one.hypothesis,
    "churn -domain:risk": lambda one: "churn" in one.hypothesis and one.domain != "risk",
    "-churn": lambda one: "churn" not in one.hypothesis,
    "refused": lambda one: one.refused,
    "source:openai unflagged": lambda one: one.source == "openai" and not one.flagged,
    "family:f7": lambda one: one.family == "f7",
    "id:Z00009,Z00010": lambda one: one.id.endswith(("Z00009", "Z00010")),
    "reviewer:ann": lambda one: one.id.endswith(("Z00003", "Z00004")),
    "reviewer:ben": lambda _: False,
    "-reviewer:ann status:accepted": lambda _: False,
    "is:edited": lambda _: False,
}
KEYS: dict[SortOrder, Callable[[Example], tuple[object, ...]]] = {
    SortOrder.NEWEST: lambda one: (-int(one.id[-5:]),),
    SortOrder.OLDEST: lambda one: (one.id,),
    SortOrder.LEAST_CONFIDENT: lambda one: (one.confidence, one.id),
    SortOrder.MOST_CONFIDENT: lambda one: (-one.confidence, -int(one.id[-5:])),
    SortOrder.LEAST_CERTAIN: lambda one: (one.certainty is None, one.certainty or 0, one.id),
    SortOrder.MOST_CERTAIN: lambda one: (one.certainty is None, -(one.certainty or 0), -int(one.id[-5:])),
    SortOrder.CELL: lambda one: (one.domain, one.level, one.decision, one.status.value, one.id),
}


@pytest.mark.parametrize(("query", "order"), list(product(MEANINGS, SortOrder)))
def test_a_list_is_what_matches_in_its_order(
    db: sqlite3.Connection, stored: list[Example], query: str, order: SortOrder
) -> None:
    where = parse_query(query)
    expected = sorted((one for one in stored if MEANINGS[query](one)), key=KEYS[order])
    numbers = listing.read_numbers(db, where, order)
    assert [one.id for one in listing.read_examples(db, numbers)] == [one.id for one in expected]
    assert [row.id for row in listing.read_rows(db, numbers)] == [one.id for one in expected]
    assert examples.count(db, where) == len(expected)
    assert sum(row.examples for row in examples.cell_counts(db, where)) == len(expected)


def test_the_first_piece_is_small_and_the_pieces_are_all(db: sqlite3.Connection) -> None:
    with transaction(db):
        for number in range(250):
            examples.add(db, example(family=f"f{number}"))
    sizes = [len(piece) for piece in listing.numbers(db)]
    assert sizes == [100, 150]
    assert list(listing.read_numbers(db)) == list(range(250, 0, -1))


def test_every_list_is_read_from_an_index_alone(db: sqlite3.Connection) -> None:
    """No list looks into the wide rows of the table, and none without a filter is sorted."""
    seen: list[str] = []
    db.set_trace_callback(lambda sql: seen.append(sql))
    for query, order in product(MEANINGS, SortOrder):
        listing.read_numbers(db, parse_query(query), order)
    db.set_trace_callback(None)
    for sql in (one for one in seen if one.startswith("SELECT examples.number")):
        steps = [row["detail"] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}")]
        if "WHERE" not in sql:
            assert len(steps) == 1, (sql, steps)
            assert "COVERING INDEX" in steps[0], (sql, steps)
        if not any(word in sql for word in ("family", "substr", "reviews")):
            wide = [step for step in steps if "INDEX" in step and "COVERING" not in step and "VIRTUAL" not in step]
            assert not wide, (sql, steps)
        assert not any(step in {"SCAN examples", "SCAN e"} for step in steps), (sql, steps)


def test_what_has_gone_is_left_out_and_changes_are_seen(db: sqlite3.Connection) -> None:
    before = listing.change_stamp(db)
    one = example()
    with transaction(db):
        examples.add(db, one)
    added = listing.change_stamp(db)
    decide(db, one.id, ReviewAction.FLAG)
    assert len({before, added, listing.change_stamp(db)}) == 3
    assert listing.read_rows(db, [1, 99]) == listing.read_rows(db, [1])
    assert listing.number_of(db, one.id) == 1
    assert listing.number_of(db, "none") is None
