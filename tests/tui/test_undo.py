"""Undo in Review: what was decided here at once, what was not only once the person has read what it is."""

from __future__ import annotations

import sqlite3

import pytest

from core.config.project import Project
from core.overview import overview
from core.qa.verdicts import example_of_attempt
from storage import bulk, examples, listing, reviews, splits
from storage.database import transaction
from storage.examples import Filter
from storage.schema import Result, ReviewAction, Status
from tests.conftest import HOSTILE, example
from tests.stored import decide
from tests.tui.conftest import SIZE, put, several, shown, told, until
from tests.tui.test_review_blind import begin
from tests.tui.test_review_queues import attempt
from tui.app import SidequestApp

ASKED = "Take back what you did before, or on another screen?"


def accepted(db: sqlite3.Connection) -> int:
    return examples.count(db, Filter(status=(Status.ACCEPTED.value,)))


async def test_what_was_decided_here_is_undone_at_once_and_in_words(app: SidequestApp, db: sqlite3.Connection) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await begin(pilot, "v", "x", "1", "exclamation_mark", "u")
        assert "undone: flagged · u takes back 2 more" in shown(pilot)
        await pilot.press("u")
        await pilot.pause()
        assert "undone: rejected · wrong decision · u takes back 1 more" in shown(pilot)
        await pilot.press("u")
        await pilot.pause()
        assert "undone: accepted, blind as VALIDATED · “Claim number 0" in shown(pilot)
        assert examples.count(db, Filter(status=("pending",))) == 12
        await pilot.press("j")
        await pilot.pause()
        assert "undone" not in shown(pilot)
        await pilot.press("u")
        await pilot.pause()
        assert "there is nothing of yours left to undo" in shown(pilot)


async def test_an_act_of_many_is_undone_only_if_it_is_meant(app: SidequestApp, db: sqlite3.Connection) -> None:
    list(bulk.record(db, listing.read_numbers(db), ReviewAction.ACCEPT))
    async with app.run_test(size=SIZE) as pilot:
        await begin(pilot, "u")
        assert "Take all 12 back?" in shown(pilot)
        assert "12 decisions of one act, the newest" in shown(pilot)
        for key in ("n", "escape"):
            await pilot.press("u", key)
            await pilot.pause()
            assert "Take all" not in shown(pilot)
        assert accepted(db) == 12
        await pilot.press("u", "y")
        await until(pilot, lambda: accepted(db) == 0)
        await until(pilot, lambda: "undone: accepted and 11 more of the same act" in shown(pilot))
        assert "Claim number 11" in shown(pilot)


async def test_a_large_act_is_undone_in_pieces_that_escape_stops(
    app: SidequestApp, db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    list(bulk.record(db, listing.read_numbers(db), ReviewAction.ACCEPT))
    monkeypatch.setattr("storage.database.CHUNK_SIZE", 2)
    async with app.run_test(size=SIZE) as pilot:
        await begin(pilot, "u")
        db.execute("BEGIN IMMEDIATE")  # the first piece waits
        await pilot.press("y")
        await until(pilot, lambda: "0 of 12 taken back · escape stops" in shown(pilot))
        await pilot.press("a", "y", "escape")
        db.execute("COMMIT")
        await until(pilot, lambda: "undone: accepted and 1 more of the same act" in shown(pilot))
        assert accepted(db) == 10
        await pilot.press("u")
        await pilot.pause()
        assert "10 decisions of one act" in shown(pilot)


async def test_what_cannot_be_undone_says_why(app: SidequestApp, db: sqlite3.Connection) -> None:
    async with app.run_test(size=SIZE) as pilot:
        list(splits.assign(db, {"f1": "test"}))
        await begin(pilot, "u")
        assert "put into split test" in shown(pilot)
        splits.freeze(db, "test")
        await pilot.press("y")
        await until(pilot, lambda: "split test is frozen" in told(pilot))
        assert "undone:" not in shown(pilot)


async def test_who_is_slower_undoes_nothing_twice(app: SidequestApp, db: sqlite3.Connection) -> None:
    decide(db, f"01J{3:023d}", ReviewAction.ACCEPT)
    async with app.run_test(size=SIZE) as pilot:
        await begin(pilot, "u")
        assert ASKED in shown(pilot)
        reviews.undo(db)
        await pilot.press("y")
        await until(pilot, lambda: "somebody else has undone it already" in told(pilot))
    assert [one.action for one in reviews.newest(db, 9)] == [ReviewAction.UNDO, ReviewAction.ACCEPT]


async def test_hostile_text_is_asked_about_as_text(project: Project, db: sqlite3.Connection) -> None:
    text = " ".join(HOSTILE)
    put(db, one := example(hypothesis=text))
    decide(db, one.id, ReviewAction.REJECT, reason=text, note=text)
    app = SidequestApp(project.folder)
    async with app.run_test(size=SIZE) as pilot:
        await begin(pilot, "u")
        assert ASKED in shown(pilot)
        assert "[red]not red[/red]" in " ".join(shown(pilot).split())
        assert "\x1b" not in shown(pilot)
        await pilot.press("y")
        await until(pilot, lambda: examples.count(db, Filter(status=("pending",))) == 1)
        await until(pilot, lambda: "undone: rejected" in shown(pilot))


async def test_an_overrule_that_is_taken_back_counts_for_nothing(project: Project, db: sqlite3.Connection) -> None:
    made = attempt(db, 0, result=Result.REJECTED)
    other = attempt(db, 1, result=Result.REJECTED)
    before = overview(project, db)
    app = SidequestApp(project.folder)
    async with app.run_test(size=SIZE) as pilot:
        await begin(pilot, "o", "6", "a")
        assert (overview(project, db).passed, overview(project, db).reviewed) == (1, 1)
        await pilot.press("u")
        await pilot.pause()
        assert "undone: accepted" in shown(pilot)
        assert "1 of 2 · 2 left" in shown(pilot)
        assert overview(project, db) == before
        await pilot.press("x", "1")  # as QA said
        await pilot.pause()
        assert overview(project, db).passed == 0
    verdicts = [example_of_attempt(one, None).model_copy(update={"refused": True}) for one in (made, other)]
    reviews.overrule(db, verdicts[0])
    assert overview(project, db).passed == 1


async def test_an_undo_of_an_edit_brings_the_judges_certainty_back(project: Project, db: sqlite3.Connection) -> None:
    attempt(db, 0, result=Result.PASSED)
    with transaction(db):
        for table in ("examples", "versions"):
            db.execute(f"UPDATE {table} SET certainty = 0.62")
    put(db, *several(2))
    app = SidequestApp(project.folder)
    async with app.run_test(size=SIZE) as pilot:
        await begin(pilot, "b")
        assert "certainty 0.62" in shown(pilot)
        assert "passed by the judge" in shown(pilot)
        await pilot.press("e")
        await pilot.pause()
        await pilot.press("X", "ctrl+s")
        await pilot.pause()
        assert "saved as version 2, which no judge has read" in shown(pilot)
        assert "version 2, not judged" in shown(pilot)
        assert "certainty unknown" in shown(pilot)
        await pilot.press("pagedown", "pagedown")
        await pilot.pause()
        said = " ".join(shown(pilot).split())
        assert "judged as version 1, before the edit: no judge has read version 2" in said
        await pilot.press("u")
        await pilot.pause()
        assert "undone: edited, which made version 2" in shown(pilot)
        assert "certainty 0.62" in shown(pilot)
