"""The states of a filling run, and projects of the version before there were any."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from storage import examples, fills, reviews, runs
from storage.database import VERSION, connect, schema_version, transaction
from storage.fills import Fill
from storage.schema import Evidence, Finding, Holds, Outcome, Review, ReviewAction, Run, Step, Usage
from tests.conftest import example

STEP = Step(
    against=[],
    why="",
    part="it", findings=[Finding(piece=1, quote="It is", source="note", says="so")], found="so", claimed="so",
    holds=Holds.YES,
)  # fmt: skip


def test_a_state_is_replaced_and_read_back_whole(db: sqlite3.Connection) -> None:
    run, case = Run(kind="fill"), example()
    runs.add(db, run)
    state = Fill(
        run=run.id, example=case.id, version=1, tries=2, outcome=Outcome.WRITTEN, steps=[STEP], reason="step_quote",
        detail="It is not there.", judged=Outcome.REFUSED, model="m", prompt_version="steps-1-a",
        usage=Usage(input_tokens=3, output_tokens=4, cost=0.5, seconds=1.5),
    )  # fmt: skip
    with transaction(db):
        examples.add(db, case)
        fills.put(db, state)
    assert fills.of_run(db, run.id) == [state]
    assert not state.refused
    stored = state.model_copy(update={"done": True, "stored": 2, "reason": "", "steps": None})
    with transaction(db):
        fills.put(db, stored)
    assert fills.of_run(db, run.id) == [stored]
    assert not stored.refused
    assert state.model_copy(update={"done": True}).refused
    assert fills.of_run(db, "another") == []


def test_adding_steps_keeps_what_the_judge_said_and_changing_them_does_not(db: sqlite3.Connection) -> None:
    case = example(certainty=0.8)
    with transaction(db):
        examples.add(db, case)
    filled = reviews.edit(db, case.model_copy(update={"steps": [STEP]}))
    assert (filled.version, filled.certainty) == (2, 0.8)
    changed = reviews.edit(db, filled.model_copy(update={"steps": [STEP.model_copy(update={"part": "that"})]}))
    assert changed.certainty is None
    reviews.undo(db)
    reviews.undo(db)
    both = {"steps": [STEP], "evidence": [Evidence(source="note", content="It is so.", relevance=0.9)]}
    assert reviews.edit(db, case.model_copy(update=both)).certainty is None


def test_a_project_of_version_7_opens_with_all_that_it_had(tmp_path: Path) -> None:
    path = tmp_path / "sidequest.db"
    connection = connect(path)
    accepted, edited, run = example(), example(hypothesis="It is so.", steps=[STEP]), Run(kind="generate")
    runs.add(connection, run)
    with transaction(connection):
        for case in (accepted, edited):
            examples.add(connection, case)
    reviews.record(connection, accepted, [Review(example=accepted.id, action=ReviewAction.ACCEPT)])
    reviews.edit(connection, edited.model_copy(update={"steps": []}))
    before = [examples.get(connection, case.id) for case in (accepted, edited)]
    # As version 7 left it.
    for statement in ("DROP TABLE fills", "DELETE FROM _sqlite_migrations WHERE name = 'fills'"):
        connection.execute(statement)
    connection.execute("PRAGMA user_version = 7")
    connection.close()
    reopened = connect(path)
    assert schema_version(reopened) == VERSION
    assert [examples.get(reopened, case.id) for case in (accepted, edited)] == before
    assert [stored.id for stored in runs.newest(reopened)] == [run.id]
    assert (tmp_path / "sidequest.db.v7.bak").exists()
    state = Fill(run=run.id, example=edited.id, version=2)
    with transaction(reopened):
        fills.put(reopened, state)
    assert fills.of_run(reopened, run.id) == [state]
    assert reviews.undo(reopened) is not None
    assert examples.get(reopened, edited.id) == edited
