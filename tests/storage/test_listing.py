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
    examples_made = [
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
        for new_example in examples_made:
            examples.add(db, new_example)
    decide(db, examples_made[3].id, ReviewAction.ACCEPT, reviewer="ann")
    decide(db, examples_made[4].id, ReviewAction.REJECT, reviewer="ann")
    decide(db, examples_made[5].id, ReviewAction.ACCEPT, reviewer="ben")
    reviews.undo(db, reviewer="ben")
    loaded = [examples.get(db, new_example.id) for new_example in examples_made]
    return [new_example for new_example in loaded if new_example is not None]


MEANINGS: dict[str, Callable[[Example], bool]] = {
    "": lambda _: True,
    "domain:risk level:1-2": lambda entry: entry.domain == "risk" and entry.level in {1, 2},
    "split:none -level:1": lambda entry: entry.split == "" and entry.level != 1,
    "certainty:<0.5": lambda entry: entry.certainty is not None and entry.certainty < 0.5,
    "-certainty:<0.5": lambda entry: entry.certainty is None or entry.certainty >= 0.5,
    "certainty:none flagged": lambda entry: entry.certainty is None and entry.flagged,
    "confidence:0.3-0.6": lambda entry: 0.3 <= entry.confidence <= 0.6,
    "paid": lambda entry: "conversion" in entry.hypothesis,
    "churn -domain:risk": lambda entry: "churn" in entry.hypothesis and entry.domain != "risk",
    "-churn": lambda entry: "churn" not in entry.hypothesis,
    "refused": lambda entry: entry.refused,
    "source:openai unflagged": lambda entry: entry.source == "openai" and not entry.flagged,
    "family:f7": lambda entry: entry.family == "f7",
    "id:Z00009,Z00010": lambda entry: entry.id.endswith(("Z00009", "Z00010")),
    "reviewer:ann": lambda entry: entry.id.endswith(("Z00003", "Z00004")),
    "reviewer:ben": lambda _: False,
    "-reviewer:ann status:accepted": lambda _: False,
    "is:edited": lambda _: False,
}
KEYS: dict[SortOrder, Callable[[Example], tuple[object, ...]]] = {
    SortOrder.NEWEST: lambda entry: (-int(entry.id[-5:]),),
    SortOrder.OLDEST: lambda entry: (entry.id,),
    SortOrder.LEAST_CONFIDENT: lambda entry: (entry.confidence, entry.id),
    SortOrder.MOST_CONFIDENT: lambda entry: (-entry.confidence, -int(entry.id[-5:])),
    SortOrder.LEAST_CERTAIN: lambda entry: (entry.certainty is None, entry.certainty or 0, entry.id),
    SortOrder.MOST_CERTAIN: lambda entry: (entry.certainty is None, -(entry.certainty or 0), -int(entry.id[-5:])),
    SortOrder.CELL: lambda entry: (entry.domain, entry.level, entry.decision, entry.status.value, entry.id),
}


@pytest.mark.parametrize(("query", "order"), list(product(MEANINGS, SortOrder)))
def test_a_list_is_what_matches_in_its_order(
    db: sqlite3.Connection, stored: list[Example], query: str, order: SortOrder
) -> None:
    where = parse_query(query)
    expected = sorted((entry for entry in stored if MEANINGS[query](entry)), key=KEYS[order])
    numbers = listing.read_numbers(db, where, order)
    assert [entry.id for entry in listing.read_examples(db, numbers)] == [entry.id for entry in expected]
    assert [row.id for row in listing.read_rows(db, numbers)] == [entry.id for entry in expected]
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
    statements: list[str] = []
    db.set_trace_callback(lambda sql: statements.append(sql))
    for query, order in product(MEANINGS, SortOrder):
        listing.read_numbers(db, parse_query(query), order)
    db.set_trace_callback(None)
    for sql in (statement for statement in statements if statement.startswith("SELECT examples.number")):
        steps = [row["detail"] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}")]
        if "WHERE" not in sql:
            assert len(steps) == 1, (sql, steps)
            assert "COVERING INDEX" in steps[0], (sql, steps)
        if not any(word in sql for word in ("family", "substr", "reviews")):
            wide = [step for step in steps if "INDEX" in step and "COVERING" not in step and "VIRTUAL" not in step]
            assert not wide, (sql, steps)
        assert not any(step in {"SCAN examples", "SCAN e"} for step in steps), (sql, steps)


def test_what_has_gone_is_left_out_and_changes_are_seen(db: sqlite3.Connection) -> None:
    stamp_before = listing.change_stamp(db)
    new_example = example()
    with transaction(db):
        examples.add(db, new_example)
    added = listing.change_stamp(db)
    decide(db, new_example.id, ReviewAction.FLAG)
    assert len({stamp_before, added, listing.change_stamp(db)}) == 3
    assert listing.read_rows(db, [1, 99]) == listing.read_rows(db, [1])
    assert listing.number_of(db, new_example.id) == 1
    assert listing.number_of(db, "none") is None
