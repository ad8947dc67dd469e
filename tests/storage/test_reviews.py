"""The log of human decisions, and what derives from it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.config.project import Project
from core.qa.verdicts import example_of_attempt
from storage import attempts, examples, reviews, runs
from storage.database import connect, transaction
from storage.review_log import ReviewState, derive_state
from storage.reviews import ReviewError
from storage.schema import Attempt, Example, Outcome, Result, ReviewAction, Run, Status, Verdict
from tests.conftest import candidate, example
from tests.stored import decide


def store(db: sqlite3.Connection) -> Example:
    new_example = example()
    with transaction(db):
        examples.add(db, new_example)
    return new_example


def test_undo_goes_back_through_everything_after_a_restart(project: Project, db: sqlite3.Connection) -> None:
    stored = store(db)
    decide(db, stored.id, ReviewAction.ACCEPT)
    edited = reviews.edit(db, stored.model_copy(update={"hypothesis": "Another claim.", "level": 2}))
    decide(db, stored.id, ReviewAction.REJECT, reason="ambiguous")
    assert (edited.version, edited.level) == (2, 2)
    db.close()
    again = connect(project.database)
    undone = [reviews.undo(again) for _ in range(4)]
    assert [u.review.action for u in undone if u] == [ReviewAction.REJECT, ReviewAction.EDIT, ReviewAction.ACCEPT]
    assert undone[3] is None
    loaded = examples.get(again, stored.id)
    assert loaded == stored
    assert len(reviews.log(again, stored.id)) == 6


def test_an_edit_after_an_undone_edit_keeps_all_versions(db: sqlite3.Connection) -> None:
    stored = store(db)
    reviews.edit(db, stored.model_copy(update={"hypothesis": "Second."}))
    reviews.undo(db)
    third = reviews.edit(db, stored.model_copy(update={"hypothesis": "Third."}))
    assert (third.version, third.hypothesis) == (3, "Third.")
    versions = db.execute("SELECT version FROM versions WHERE example = ? ORDER BY version", (stored.id,)).fetchall()
    assert [row["version"] for row in versions] == [1, 2, 3]
    assert examples.count(db, examples.Filter(text="third")) == 1
    assert examples.count(db, examples.Filter(text="second")) == 0


def test_an_edit_of_an_old_version_is_refused(db: sqlite3.Connection) -> None:
    stored = store(db)
    reviews.edit(db, stored.model_copy(update={"hypothesis": "Second."}))
    with pytest.raises(ReviewError, match="edited elsewhere"):
        reviews.edit(db, stored.model_copy(update={"hypothesis": "Lost update."}))


def test_the_log_cannot_be_changed(db: sqlite3.Connection) -> None:
    stored = store(db)
    decide(db, stored.id, ReviewAction.ACCEPT)
    for sql in ("UPDATE reviews SET action = 'reject'", "DELETE FROM reviews"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            db.execute(sql)


def test_what_is_not_there_cannot_be_decided(db: sqlite3.Connection) -> None:
    with pytest.raises(ReviewError, match="no example"):
        reviews.edit(db, example())
    assert reviews.undo(db) is None


def test_undo_of_one_person_leaves_the_others_alone(db: sqlite3.Connection) -> None:
    first, second = store(db), store(db)
    decide(db, first.id, ReviewAction.ACCEPT, reviewer="ann")
    decide(db, second.id, ReviewAction.ACCEPT, reviewer="ben")
    undone = reviews.undo(db, reviewer="ann")
    assert undone is not None
    assert undone.example.id == first.id
    loaded = examples.get(db, second.id)
    assert loaded is not None
    assert loaded.status is Status.ACCEPTED


def test_overruled_waits_for_review_and_undone_is_rejected_again(db: sqlite3.Connection) -> None:
    run = Run(kind="generate")
    runs.add(db, run)
    attempt = Attempt(
        run=run.id, domain="market", level=1, decision="VALIDATED", slot=0, number=0, idea=0, family="f1", seed=0,
        outcome=Outcome.WRITTEN, candidate=candidate(), source="openai",
    )  # fmt: skip
    attempts.add_attempt(db, attempt, None)
    verdict = Verdict(attempt=attempt.id, result=Result.REJECTED, stage="judge", reason="ambiguous")
    attempts.add_verdict(db, verdict, None)
    overruled = reviews.overrule(db, example_of_attempt(attempt, verdict), reviewer="ann")
    assert (overruled.status, overruled.refused) == (Status.PENDING, True)
    with pytest.raises(ReviewError, match="already, and pending"):
        reviews.overrule(db, example_of_attempt(attempt, verdict))
    undone = reviews.undo(db)
    assert undone is not None
    assert (undone.review.action, undone.example.status) == (ReviewAction.OVERRULE, Status.REJECTED)
    again = reviews.overrule(db, example_of_attempt(attempt, verdict))
    assert (again.id, again.status) == (overruled.id, Status.PENDING)


_ACTIONS = st.lists(st.sampled_from(["accept", "reject", "flag", "unflag", "edit", "undo"]), max_size=25)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_ACTIONS)
def test_the_row_always_stands_as_the_log_says(tmp_path: Path, actions: list[str]) -> None:
    """Against a plain model: a stack of states, undo pops it."""
    db = connect(tmp_path / "one.db")
    stored = store(db)
    stack = [ReviewState()]
    newest = 1
    for action in actions:
        top = stack[-1]
        match action:
            case "undo":
                reviews_left = reviews.undo(db) if len(stack) > 1 else None
                if reviews_left is not None:
                    stack.pop()
                continue
            case "edit":
                current = examples.get(db, stored.id)
                assert current is not None
                newest += 1
                reviews.edit(db, current.model_copy(update={"hypothesis": f"Claim {newest}."}))
                top = ReviewState(top.status, top.flagged, newest)
            case _:
                decide(db, stored.id, ReviewAction(action))
                top = ReviewState(
                    {"accept": Status.ACCEPTED, "reject": Status.REJECTED}.get(action, top.status),
                    {"flag": True, "unflag": False}.get(action, top.flagged),
                    top.version,
                )
        stack.append(top)
    loaded = examples.get(db, stored.id)
    assert loaded is not None
    assert (
        ReviewState(loaded.status, loaded.flagged, loaded.version)
        == stack[-1]
        == derive_state(reviews.log(db, stored.id))
    )
    assert loaded.hypothesis == (stored.hypothesis if loaded.version == 1 else f"Claim {loaded.version}.")
    while reviews.undo(db):
        pass
    db.close()


def test_an_edit_is_not_judged_and_its_undo_is_again(db: sqlite3.Connection) -> None:
    judged_example = example(certainty=0.3)
    with transaction(db):
        examples.add(db, judged_example)
    second = reviews.edit(db, judged_example.model_copy(update={"hypothesis": "Second."}))
    assert second.certainty is None
    assert reviews.edit(db, second.model_copy(update={"level": 2})).certainty is None
    assert [(version.version, version.certainty) for version, _ in examples.versions(db, second)] == [
        (1, 0.3), (2, None), (3, None),
    ]  # fmt: skip
    for certainty in (None, 0.3):
        undone = reviews.undo(db)
        assert undone is not None
        assert undone.example.certainty == certainty


def test_two_who_undo_at_once_undo_two_acts(project: Project, db: sqlite3.Connection) -> None:
    """One has looked for the newest act, and before it is taken back somebody else has done so."""
    stored, two = store(db), store(db)
    decide(db, stored.id, ReviewAction.ACCEPT)
    decide(db, two.id, ReviewAction.REJECT)
    act = reviews.newest_act(db)
    assert act is not None
    second_connection = connect(project.database)
    assert reviews.undo(second_connection) is not None
    assert list(reviews.undo_act(db, act)) == [0, 0]
    undone = reviews.undo(db)
    assert undone is not None
    assert (undone.review.action, undone.lines) == (ReviewAction.ACCEPT, 1)
    assert [line.action for line in reviews.newest(db, 9)].count(ReviewAction.UNDO) == 2
    second_connection.close()
