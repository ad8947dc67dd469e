"""Examples on a real file: round trips, counts, search."""

from __future__ import annotations

import sqlite3
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage import examples, reviews
from storage.database import transaction
from storage.examples import Filter, match_expression
from storage.schema import Evidence, Example, ReviewAction
from tests.conftest import HOSTILE, example
from tests.stored import decide


def store(db: sqlite3.Connection, *several: Example) -> None:
    with transaction(db):
        for new_example in several:
            examples.add(db, new_example)


def test_an_example_comes_back_as_it_was(db: sqlite3.Connection) -> None:
    original = example(seed=7, model="m", flagged=True)
    store(db, original)
    assert examples.get(db, original.id) == original


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_kept_and_found(db: sqlite3.Connection, text: str) -> None:
    piece = Evidence(source=text, content=text, relevance=0.9)
    original = example(hypothesis=text, reasoning=text, model=text, evidence=[piece])
    store(db, original)
    loaded = examples.get(db, original.id)
    assert loaded == original
    assert loaded is not None
    assert loaded.hypothesis == "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in text)
    assert isinstance(examples.count(db, Filter(text=text)), int)


def test_a_megabyte_is_kept(db: sqlite3.Connection) -> None:
    original = example(hypothesis="word " * 200_000)
    store(db, original)
    assert examples.get(db, original.id) == original


def test_search_needs_every_word_and_completes_the_last(db: sqlite3.Connection) -> None:
    store(db, example(hypothesis="Café prices rise"), example(hypothesis="Tea prices fall"))
    assert examples.count(db, Filter(text="cafe pri")) == 1
    assert examples.count(db, Filter(text="prices")) == 2
    assert examples.count(db, Filter(text="cohort conversion")) == 2  # source and content of the evidence
    assert examples.count(db, Filter(text="relevance")) == 0  # a key of the JSON is not a word of the text
    assert examples.count(db, Filter(text='" OR *')) == 0


def test_counts_follow_every_change(db: sqlite3.Connection) -> None:
    several = [example(level=level, decision=label) for level in (1, 2) for label in ("VALIDATED", "REJECTED")]
    store(db, *several)
    decide(db, several[0].id, ReviewAction.ACCEPT)
    decide(db, several[1].id, ReviewAction.FLAG)
    reviews.edit(db, several[2].model_copy(update={"level": 5}))
    rows = db.execute("SELECT domain, level, decision, status, flagged FROM examples").fetchall()
    stored_counts = {
        (c.domain, c.level, c.decision, c.status, int(c.flagged)): c.examples for c in examples.cell_counts(db)
    }
    assert stored_counts == Counter(tuple(row) for row in rows)
    assert examples.count(db, Filter(flagged=True)) == 1
    assert examples.count(db, Filter(status=["accepted"])) == 1


def test_every_query_of_the_app_uses_an_index(db: sqlite3.Connection) -> None:
    for sql in (
        "SELECT * FROM examples WHERE status = 'pending' AND id > 'x' ORDER BY id LIMIT 200",
        "SELECT * FROM examples WHERE id > 'x' ORDER BY id LIMIT 200",
        "SELECT * FROM examples WHERE family = 'f' ORDER BY id",
        "SELECT hypothesis FROM examples WHERE domain = 'a' AND level = 1 AND decision = 'b' AND status <> 'x'",
        "SELECT * FROM attempts WHERE run = 'r' ORDER BY domain, level, decision, slot, number",
        "SELECT * FROM verdicts WHERE attempt = 'a'",
        "SELECT * FROM events WHERE run = 'r' AND id > 5 ORDER BY id LIMIT 5",
        "SELECT * FROM reviews WHERE example = 'e' ORDER BY id",
    ):
        steps = [row["detail"] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}")]
        assert all("SCAN" not in step and "TEMP B-TREE FOR ORDER BY" not in step for step in steps), (sql, steps)


@given(st.text())
def test_no_text_makes_an_invalid_search(text: str) -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE VIRTUAL TABLE t USING fts5 (a)")
    query = match_expression(text)
    if query and "\ud800" not in query:
        connection.execute("SELECT * FROM t WHERE t MATCH ?", (query,)).fetchall()
    connection.close()
