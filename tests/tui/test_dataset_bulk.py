"""Dataset through the pilot: what is done to one example or to many, and its undo."""

from __future__ import annotations

import re
import sqlite3

import pytest
from textual.widgets import Static

from core.config.project import Project
from storage import bulk, database, listing, reviews, splits
from storage.database import connect, transaction
from storage.reviews import ReviewError
from storage.schema import ReviewAction, Status
from tests.conftest import example
from tests.stored import decide
from tests.tui.conftest import SIZE, put, shown, status, told, until
from tests.tui.dataset_pilot import apply_filter, count, dataset_screen, open_dataset, wait_until_idle
from tui.app import SidequestApp
from tui.screens.dataset.choice import Choice
from tui.widgets.modals import Confirm


async def test_one_is_decided_at_once_and_undone(app: SidequestApp, db: sqlite3.Connection) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await open_dataset(pilot)
        await pilot.press("a")
        assert status(db, 11) is Status.ACCEPTED
        await pilot.press("x", "2")
        await wait_until_idle(pilot)
        assert status(db, 10) is Status.REJECTED
        assert reviews.newest(db, 1)[0].reason == "ambiguous"
        await pilot.press("x", "escape", "exclamation_mark")
        await wait_until_idle(pilot)
        assert count(db, "flagged") == 1
        await pilot.press("exclamation_mark")
        assert count(db, "flagged") == 0
        await pilot.press("u", "u", "u", "u")
        await wait_until_idle(pilot)
        assert status(db, 11) is Status.PENDING
        assert dataset_screen(pilot).example_list.table.cursor == 0
        await pilot.press("u")
        await pilot.pause()
        assert "nothing of yours left to undo" in told(pilot)


async def test_many_are_marked_confirmed_and_undone_as_one(
    app: SidequestApp, db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "CHUNK_SIZE", 3)
    async with app.run_test(size=SIZE) as pilot:
        await open_dataset(pilot)
        await pilot.press("m", "space", "down", "down", "v")
        await pilot.pause()
        assert "5 marked" in shown(pilot) or "4 marked" in shown(pilot)
        await pilot.press("escape")
        await pilot.pause()
        assert "marked" not in shown(pilot)
        await pilot.press("asterisk", "home", "m")
        await pilot.pause()
        assert "11 marked" in shown(pilot)
        await pilot.press("a")
        await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
        assert "Accept 11 examples?" in shown(pilot)
        await pilot.press("n")
        await wait_until_idle(pilot)
        assert count(db, "status:accepted") == 0
        await pilot.press("a")
        await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
        await pilot.press("y")
        await until(pilot, lambda: "11 accepted" in told(pilot))
        assert count(db, "status:accepted") == 11
        assert status(db, 11) is Status.PENDING
        await wait_until_idle(pilot)
        await pilot.press("u")
        await until(pilot, lambda: "Take all 11 back?" in shown(pilot))
        await pilot.press("n")
        await wait_until_idle(pilot)
        assert count(db, "status:accepted") == 11
        await pilot.press("u", "y")
        await until(pilot, lambda: count(db, "status:accepted") == 0)
        await until(pilot, lambda: "undone: accepted and 10 more of the same act" in told(pilot))


async def test_what_was_done_elsewhere_is_undone_only_after_a_question(
    app: SidequestApp, db: sqlite3.Connection
) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await open_dataset(pilot)
        await pilot.press("a")
        decide(db, f"01J{3:023d}", ReviewAction.REJECT, reason="ambiguous")
        await pilot.press("u")
        await until(pilot, lambda: "one decision" in shown(pilot))
        assert "rejected · ambiguous · “Claim number 3" in shown(pilot)
        await pilot.press("n", "u", "y")
        await until(pilot, lambda: status(db, 3) is Status.PENDING)
        await wait_until_idle(pilot)
        assert status(db, 11) is Status.ACCEPTED
        await pilot.press("u")
        await pilot.pause()
        assert status(db, 11) is Status.PENDING


async def test_accepting_what_qa_rejected_is_logged_as_overruling(project: Project, db: sqlite3.Connection) -> None:
    refused = example(status=Status.REJECTED, refused=True)
    put(db, refused)
    async with SidequestApp(project.folder, "ann").run_test(size=SIZE) as pilot:
        await open_dataset(pilot)
        assert "No example yet" in shown(pilot)
        await apply_filter(pilot, "refused")
        await pilot.press("a")
        assert [review.action for review in reviews.log(db, refused.id)] == [ReviewAction.OVERRULE, ReviewAction.ACCEPT]
        await apply_filter(pilot, "")
        await until(pilot, lambda: "rows 1–1 of 1" in shown(pilot))
        await pilot.press("u")
        await until(pilot, lambda: "No example yet" in shown(pilot))


async def test_what_matches_the_filter_is_rejected_for_a_reason(app: SidequestApp, db: sqlite3.Connection) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await open_dataset(pilot)
        await apply_filter(pilot, "domain:risk")
        await pilot.press("asterisk", "x")
        await until(pilot, lambda: isinstance(pilot.app.screen, Choice))
        assert "Reject 4 examples: why?" in shown(pilot)
        await pilot.press("1")
        await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
        assert "“wrong decision”" in shown(pilot)
        await pilot.press("y")
        await until(pilot, lambda: count(db, "status:rejected domain:risk") == 4)
        assert {review.reason for review in reviews.newest(db, 4)} == {"wrong decision"}
        await wait_until_idle(pilot)
        await pilot.press("asterisk", "exclamation_mark")
        await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
        await pilot.press("y")
        await until(pilot, lambda: count(db, "flagged") == 4)


async def test_an_act_of_many_can_be_stopped_and_its_failure_is_said(
    app: SidequestApp, db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> list[int]:
        raise ReviewError("the disk is full")

    monkeypatch.setattr(database, "CHUNK_SIZE", 1)
    async with app.run_test(size=SIZE) as pilot:
        await open_dataset(pilot)
        held = connect(app.project.database)
        held.execute("BEGIN IMMEDIATE")
        await pilot.press("asterisk", "a", "y")
        await until(pilot, lambda: "0 of 12 · escape stops" in shown(pilot))
        await pilot.press("a", "p", "u")
        await pilot.pause()
        assert "wait: accepted 0 of 12" in told(pilot)
        await pilot.press("escape")
        held.execute("ROLLBACK")
        held.close()
        await until(pilot, lambda: "of 12 accepted" in told(pilot))
        assert count(db, "status:accepted") < 12
        await wait_until_idle(pilot)
        monkeypatch.setattr(bulk, "record", fails)
        await pilot.press("asterisk", "a", "y")
        await until(pilot, lambda: "the disk is full" in told(pilot))


async def test_families_are_split_and_shared_out(app: SidequestApp, db: sqlite3.Connection) -> None:
    with transaction(db):
        for number in range(12):
            db.execute("UPDATE examples SET family = ? WHERE number = ?", (f"f{number // 2}", number + 1))
    async with app.run_test(size=SIZE) as pilot:
        await open_dataset(pilot)
        await pilot.press("p")
        await until(pilot, lambda: isinstance(pilot.app.screen, Choice))
        await pilot.press("3")
        await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
        await pilot.press("y")
        await until(pilot, lambda: count(db, "split:test") == 2)
        await wait_until_idle(pilot)
        splits.freeze(db, "test")
        await pilot.press("p", "1")
        await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
        await pilot.press("y")
        await until(pilot, lambda: "test is frozen" in told(pilot))
        assert count(db, "split:test") == 2
        await wait_until_idle(pilot)
        await pilot.press("p", "3")
        await until(pilot, lambda: "there already" in told(pilot))
        list(bulk.record(db, listing.read_numbers(db), ReviewAction.ACCEPT))
        await wait_until_idle(pilot)
        await pilot.press("p", "5")
        await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
        question = str(pilot.app.screen.query_one("#box", Static).content)
        assert "Put 5 families into splits?" in question
        counts = re.search(r"Accepted examples are then: (train \d+, dev \d+, test 2, none 0)\.", question)
        assert counts
        await pilot.press("y")
        await until(pilot, lambda: f"families put into splits; accepted examples: {counts[1]};" in told(pilot))
        assert count(db, "split:none") == 0
        assert count(db, "split:test") == 2
        await wait_until_idle(pilot)
        await pilot.press("u", "y")
        await until(pilot, lambda: count(db, "split:none") == 10)
