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


def put(db: sqlite3.Connection) -> Example:
    one = example()
    with transaction(db):
        examples.add(db, one)
    return one


def test_undo_goes_back_through_everything_after_a_restart(project: Project, db: sqlite3.Connection) -> None:
    one = put(db)
    decide(db, one.id, ReviewAction.ACCEPT)
    edited = reviews.edit(db, one.model_copy(update={"hypothesis": "Another claim.", "level": 2}))
    decide(db, one.id, ReviewAction.REJECT, reason="ambiguous")
    assert (edited.version, edited.level) == (2, 2)
    db.close()
    again = connect(project.database)
    undone = [reviews.undo(again) for _ in range(4)]
    assert [u.review.action for u in undone if u] == [ReviewAction.REJECT, ReviewAction.EDIT, ReviewAction.ACCEPT]
    assert undone[3] is None
    found = examples.get(again, one.id)
    assert found == one
    assert len(reviews.log(again, one.id)) == 6


def test_an_edit_after_an_undone_edit_keeps_all_versions(db: sqlite3.Connection) -> None:
    one = put(db)
    reviews.edit(db, one.model_copy(update={"hypothesis": "Second."}))
    reviews.undo(db)
    third = reviews.edit(db, one.model_copy(update={"hypothesis": "Third."}))
    assert (third.version, third.hypothesis) == (3, "Third.")
    kept = db.execute("SELECT version FROM versions WHERE example = ? ORDER BY version", (one.id,)).fetchall()
    assert [row["version"] for row in kept] == [1, 2, 3]
    assert examples.count(db, examples.Filter(text="third")) == 1
    assert examples.count(db, examples.Filter(text="second")) == 0


def test_an_edit_of_an_old_version_is_refused(db: sqlite3.Connection) -> None:
    one = put(db)
    reviews.edit(db, one.model_copy(update={"hypothesis": "Second."}))
    with pytest.raises(ReviewError, match="edited elsewhere"):
        reviews.edit(db, one.model_copy(update={"hypothesis": "Lost update."}))


def test_the_log_cannot_be_changed(db: sqlite3.Connection) -> None:
    one = put(db)
    decide(db, one.id, ReviewAction.ACCEPT)
    for sql in ("UPDATE reviews SET action = 'reject'", "DELETE FROM reviews"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            db.execute(sql)


def test_what_is_not_there_cannot_be_decided(db: sqlite3.Connection) -> None:
    with pytest.raises(ReviewError, match="no example"):
        reviews.edit(db, example())
    assert reviews.undo(db) is None


def test_undo_of_one_person_leaves_the_others_alone(db: sqlite3.Connection) -> None:
    first, second = put(db), put(db)
    decide(db, first.id, ReviewAction.ACCEPT, reviewer="ann")
    decide(db, second.id, ReviewAction.ACCEPT, reviewer="ben")
    done = reviews.undo(db, reviewer="ann")
    assert done is not None
    assert done.example.id == first.id
    found = examples.get(db, second.id)
    assert found is not None
    assert found.status is Status.ACCEPTED


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
    one = reviews.overrule(db, example_of_attempt(attempt, verdict), reviewer="ann")
    assert (one.status, one.refused) == (Status.PENDING, True)
    with pytest.raises(ReviewError, match="already, and pending"):
        reviews.overrule(db, example_of_attempt(attempt, verdict))
    undone = reviews.undo(db)
    assert undone is not None
    assert (undone.review.action, undone.example.status) == (ReviewAction.OVERRULE, Status.REJECTED)
    again = reviews.overrule(db, example_of_attempt(attempt, verdict))
    assert (again.id, again.status) == (one.id, Status.PENDING)


_ACTIONS = st.lists(st.sampled_from(["accept", "reject", "flag", "unflag", "edit", "undo"]), max_size=25)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_ACTIONS)
def test_the_row_always_stands_as_the_log_says(tmp_path: Path, actions: list[str]) -> None:
    """Against a plain model: a stack of states, undo pops it."""
    db = connect(tmp_path / "one.db")
    one = put(db)
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
                current = examples.get(db, one.id)
                assert current is not None
                newest += 1
                reviews.edit(db, current.model_copy(update={"hypothesis": f"Claim {newest}."}))
                top = ReviewState(top.status, top.flagged, newest)
            case _:
                decide(db, one.id, ReviewAction(action))
                top = ReviewState(
                    {"accept": Status.ACCEPTED, "reject": Status.REJECTED}.get(action, top.status),
                    {"flag": True, "unflag": False}.get(action, top.flagged),
                    top.version,
                )
        stack.append(top)
    found = examples.get(db, one.id)
    assert found is not None
    assert ReviewState(found.status, found.flagged, found.version) == stack[-1] == derive_state(reviews.log(db, one.id))
    assert found.hypothesis == (one.hypothesis if found.version == 1 else f"Claim {found.version}.")
    while reviews.undo(db):
        pass
    db.close()


def test_an_edit_is_not_judged_and_its_undo_is_again(db: sqlite3.Connection) -> None:
    one = example(certainty=0.3)
    with transaction(db):
        examples.add(db, one)
    second = reviews.edit(db, one.model_copy(update={"hypothesis": "Second."}))
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
    one, two = put(db), put(db)
    decide(db, one.id, ReviewAction.ACCEPT)
    decide(db, two.id, ReviewAction.REJECT)
    act = reviews.newest_act(db)
    assert act is not None
    other = connect(project.database)
    assert reviews.undo(other) is not None
    assert list(reviews.undo_act(db, act)) == [0, 0]
    undone = reviews.undo(db)
    assert undone is not None
    assert (undone.review.action, undone.lines) == (ReviewAction.ACCEPT, 1)
    assert [line.action for line in reviews.newest(db, 9)].count(ReviewAction.UNDO) == 2
    other.close()
