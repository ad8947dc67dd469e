"""When reasoning and confidence are stale: after any edits and undos, and in projects of the version before."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from storage import examples, reviews
from storage.database import connect, transaction
from storage.examples import Filter
from storage.schema import JUSTIFYING, Example, Holds, StaleField, Step
from storage.search import parse_query
from storage.staleness import describe_stale, is_stale, name_stale, stale_fields
from tests.conftest import example

VALIDATED = example(reasoning="Both hold: VALIDATED.", confidence=0.95)
BOTH = [StaleField(field=name, written_for="VALIDATED") for name in ("reasoning", "confidence")]


def changed(before: Example, *confirmed: str, **change: object) -> Example:
    """The example after an edit, with its stale fields."""
    after = before.model_copy(update=change)
    return after.model_copy(update={"stale": stale_fields(before, after, confirmed)})


def test_a_changed_decision_makes_both_fields_stale() -> None:
    relabelled = changed(VALIDATED, decision="REJECTED")
    assert relabelled.stale == BOTH
    assert describe_stale(relabelled) == [
        "reasoning: written for VALIDATED, stale",
        "confidence: written for VALIDATED, stale",
    ]
    assert name_stale(relabelled) == "reasoning and confidence"
    assert is_stale(relabelled, "confidence")
    assert not is_stale(VALIDATED, "confidence")


def test_each_field_is_fresh_once_it_was_written_anew() -> None:
    relabelled = changed(VALIDATED, decision="REJECTED")
    assert changed(relabelled, reasoning="Neither holds.").stale == BOTH[1:]
    assert changed(relabelled, confidence=0.6).stale == BOTH[:1]
    assert changed(relabelled, reasoning="Neither holds.", confidence=0.6).stale == []
    assert changed(VALIDATED, decision="REJECTED", reasoning="Neither holds.").stale == BOTH[1:]


def test_a_person_can_say_that_a_field_is_still_right() -> None:
    relabelled = changed(VALIDATED, decision="REJECTED")
    assert changed(relabelled, "confidence").stale == BOTH[:1]
    assert changed(VALIDATED, *JUSTIFYING, decision="REJECTED").stale == []


def test_other_changes_and_the_way_back_leave_nothing_stale() -> None:
    assert changed(VALIDATED, hypothesis="Another.").stale == []
    relabelled = changed(VALIDATED, decision="REJECTED")
    assert changed(relabelled, hypothesis="Another.").stale == BOTH
    assert changed(relabelled, decision="VALIDATED").stale == []
    # The reasoning was written for REJECTED meanwhile: back at VALIDATED it is the one that is stale.
    rewritten = changed(relabelled, reasoning="Neither holds.")
    assert changed(rewritten, decision="VALIDATED").stale == [StaleField(field="reasoning", written_for="REJECTED")]
    third = changed(rewritten, decision="REFINED")
    assert [(stale.field, stale.written_for) for stale in third.stale] == [
        ("reasoning", "REJECTED"),
        ("confidence", "VALIDATED"),
    ]


def test_steps_are_stale_where_there_are_some() -> None:
    before = VALIDATED.model_copy(update={"steps": [STEP]})
    relabelled = changed(before, decision="REJECTED")
    assert [stale.field for stale in relabelled.stale] == ["reasoning", "confidence", "steps"]
    assert name_stale(relabelled) == "reasoning, confidence and steps"
    assert changed(relabelled, steps=[]).stale == BOTH
    assert changed(relabelled, reasoning="Neither.", confidence=0.5).stale == relabelled.stale[2:]


def test_only_fields_that_argue_for_a_decision_can_be_stale() -> None:
    with pytest.raises(ValidationError, match=r"\^\(reasoning\|confidence\|steps\)\$"):
        StaleField(field="hypothesis", written_for="VALIDATED")


STEP = Step(part="paid", findings=[], against=[], why="", found="up", claimed="up", holds=Holds.YES)
EDITS = st.lists(
    st.one_of(
        st.just("undo"),
        st.fixed_dictionaries(
            {},
            optional={
                "decision": st.sampled_from(["VALIDATED", "REJECTED", "REFINED"]),
                "reasoning": st.sampled_from(["First.", "Second.", "Third."]),
                "confidence": st.sampled_from([0.1, 0.5, 0.9]),
                "steps": st.sampled_from([[], [STEP]]),
                "hypothesis": st.sampled_from(["This.", "That."]),
                "confirmed": st.sets(st.sampled_from(JUSTIFYING)),
            },
        ),
    ),
    max_size=8,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=EDITS)
def test_after_any_edits_a_field_is_stale_iff_it_was_written_for_another_decision(
    db: sqlite3.Connection, edits: list[str | dict[str, object]]
) -> None:
    start = example()
    with transaction(db):
        examples.add(db, start)
    # For each version in effect: its decision, and the decision that each field was written for.
    history = [("VALIDATED", dict.fromkeys(JUSTIFYING, "VALIDATED"), start)]
    for edit in edits:
        current = examples.get(db, start.id)
        assert current is not None
        if isinstance(edit, str):
            if len(history) > 1:
                reviews.undo(db)
                history.pop()
        else:
            confirmed = edit.get("confirmed", set())
            assert isinstance(confirmed, set)
            content = {name: value for name, value in edit.items() if name != "confirmed"}
            edited = reviews.edit(db, current.model_copy(update=content), confirmed=confirmed)
            written_for = {
                name: edited.decision
                if name in confirmed or getattr(edited, name) != getattr(current, name)
                else decision
                for name, decision in history[-1][1].items()
            }
            history.append((edited.decision, written_for, edited))
        decision, written_for, _ = history[-1]
        stored = examples.get(db, start.id)
        assert stored is not None
        expected = {name: by for name, by in written_for.items() if by != decision and getattr(stored, name) != []}
        assert {stale.field: stale.written_for for stale in stored.stale} == expected
        assert examples.count(db, Filter(ids=(start.id,), stale=True)) == bool(expected)
        assert stored.stale == history[-1][2].stale


def test_undoing_the_relabel_makes_the_fields_fresh(db: sqlite3.Connection) -> None:
    with transaction(db):
        examples.add(db, VALIDATED)
    relabelled = reviews.edit(db, VALIDATED.model_copy(update={"decision": "REJECTED"}))
    assert relabelled.stale == BOTH
    assert [version.stale for version, _ in examples.versions(db, relabelled)] == [[], BOTH]
    undone = reviews.undo(db)
    assert undone is not None
    assert undone.example == VALIDATED


def test_the_query_language_finds_them_by_an_index(db: sqlite3.Connection) -> None:
    others = [example(hypothesis=f"It is {number}.") for number in range(5)]
    with transaction(db):
        for one in others:
            examples.add(db, one)
    reviews.edit(db, others[2].model_copy(update={"decision": "REJECTED"}))
    for query, count in (("is:stale", 1), ("-is:stale", 4), ("is:stale decision:REFINED", 0), ("is:stale 2", 1)):
        assert examples.count(db, parse_query(query)) == count
    source, conditions, values = examples.select_parts(parse_query("is:stale"))
    plan = db.execute(
        f"EXPLAIN QUERY PLAN SELECT count(*) FROM {source} WHERE {' AND '.join(conditions)}", values
    ).fetchall()
    assert "examples_stale" in plan[0]["detail"]


def test_versions_that_an_earlier_program_made_are_marked(tmp_path: Path) -> None:
    path = tmp_path / "sidequest.db"
    connection = connect(path)
    relabelled, rewritten, undone = (example(hypothesis=f"It is {number}.") for number in range(3))
    with transaction(connection):
        for one in (relabelled, rewritten, undone):
            examples.add(connection, one)
    reviews.edit(connection, undone.model_copy(update={"decision": "REFINED"}))
    reviews.undo(connection)
    reviews.edit(connection, undone.model_copy(update={"hypothesis": "After the undo."}))
    reviews.edit(connection, relabelled.model_copy(update={"decision": "REJECTED"}))
    second = reviews.edit(connection, rewritten.model_copy(update={"decision": "REJECTED"}))
    reviews.edit(connection, second.model_copy(update={"reasoning": "Neither holds."}))
    expected = _stale(connection)
    # As version 5 left it.
    for statement in (
        "DROP INDEX examples_stale",
        "ALTER TABLE examples DROP COLUMN stale",
        "ALTER TABLE versions DROP COLUMN stale",
        "DROP TABLE repairs",
        "DELETE FROM _sqlite_migrations WHERE name = 'staleness'",
        "PRAGMA user_version = 5",
    ):
        connection.execute(statement)
    connection.close()
    assert _stale(connect(path)) == expected
    assert sorted(map(len, expected.values())) == [0, 0, 0, 0, 0, 1, 1, 2, 2, 2, 2]


def _stale(connection: sqlite3.Connection) -> dict[str, list[object]]:
    rows = connection.execute(
        "SELECT id || '/current' AS place, stale FROM examples UNION ALL "
        "SELECT example || '/' || version, stale FROM versions"
    )
    return {row["place"]: json.loads(row["stale"]) for row in rows}
