"""Review through the pilot: decisions, undo, filter, edit."""

from __future__ import annotations

import json
import sqlite3

from textual.widgets import Input, Select, TextArea

from core.project import Project
from storage import examples, reviews
from storage.examples import Filter
from storage.schema import Status
from tests.conftest import example
from tests.tui.conftest import SIZE, put, shown, status, told
from tui.app import SidequestApp


async def test_decisions_are_saved_at_once_and_the_next_is_there(app: SidequestApp, db: sqlite3.Connection) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("3")
        await pilot.pause()
        assert "Claim number 0" in shown(pilot)
        await pilot.press("a")
        assert status(db, 0) is Status.ACCEPTED
        await pilot.pause()
        assert "Claim number 1" in shown(pilot)
        await pilot.press("x")
        await pilot.pause()
        assert "1 wrong decision" in shown(pilot)
        await pilot.press("2")
        assert status(db, 1) is Status.REJECTED
        assert reviews.newest(db, 1)[0].reason == "ambiguous"
        await pilot.press("x", "escape")
        assert status(db, 2) is Status.PENDING
        await pilot.press("x", "enter")
        assert status(db, 2) is Status.REJECTED
        await pilot.press("s", "f")
        found = examples.get(db, f"01J{4:023d}")
        assert found is not None
        assert found.flagged
        await pilot.press("exclamation_mark")
        assert examples.count(db, Filter(flagged=True)) == 0
        await pilot.press("k")
        await pilot.pause()
        assert "Claim number 3" in shown(pilot)
        await pilot.press("j", "j")
        await pilot.pause()
        assert "Claim number 5" in shown(pilot)
        assert "9 wait" in shown(pilot)


async def test_undo_shows_what_it_took_back_even_after_a_restart(project: Project, app: SidequestApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("3")
        await pilot.pause()
        await pilot.press("a", "a")
        await pilot.press("u")
        await pilot.pause()
        assert "Claim number 1" in shown(pilot)
    again = SidequestApp(project.folder)
    async with again.run_test(size=SIZE) as pilot:
        await pilot.press("3")
        await pilot.pause()
        await pilot.press("u")
        await pilot.pause()
        assert "Claim number 0" in shown(pilot)
        assert status(again.db, 0) is Status.PENDING
        await pilot.press("u")
        await pilot.pause()
        assert "nothing left to undo" in told(pilot)


async def test_the_end_of_the_queue_says_so(app: SidequestApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("3")
        await pilot.pause()
        await pilot.press(*["a"] * 12)
        await pilot.pause()
        assert "That was the last one" in shown(pilot)
        await pilot.press("a", "x", "f", "e", "y")
        await pilot.pause()
        assert "That was the last one" in shown(pilot)


async def test_the_filter_chooses_and_names_a_mistake(app: SidequestApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("3")
        await pilot.pause()
        await pilot.press("slash")
        pilot.app.screen.query_one("#filter", Input).value = "domain:risk level:2"
        await pilot.press("enter")
        await pilot.pause()
        assert "Claim number 1 " in shown(pilot)
        await pilot.press("slash")
        pilot.app.screen.query_one("#filter", Input).value = "colour:red"
        await pilot.press("enter")
        await pilot.pause()
        assert "no field colour" in told(pilot)
        pilot.app.screen.query_one("#filter", Input).value = "zebra"
        await pilot.press("enter")
        await pilot.pause()
        assert "Nothing matches zebra" in shown(pilot)
        await pilot.press("slash", "escape")
        await pilot.pause()
        assert not pilot.app.screen.query_one("#filter").has_class("open")


async def test_an_example_that_does_not_fit_scrolls(app: SidequestApp, db: sqlite3.Connection) -> None:
    put(db, example(id="01A" + "0" * 23, reasoning="word " * 2000))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("3")
        await pilot.pause()
        scroll = pilot.app.screen.query_one("#example")
        await pilot.press("space")
        assert scroll.scroll_y > 0
        await pilot.press("pageup")
        assert scroll.scroll_y == 0
        await pilot.press("down", "down", "up")
        assert scroll.scroll_y == 1


async def test_copy_gives_ascii_json(app: SidequestApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("3")
        await pilot.pause()
        await pilot.press("y")
        assert json.loads(app.clipboard)["hypothesis"] == "Claim number 0 about paid conversion."
        assert app.clipboard.isascii()


async def test_an_edit_is_checked_field_by_field_and_makes_a_version(app: SidequestApp, db: sqlite3.Connection) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("3")
        await pilot.pause()
        await pilot.press("e")
        await pilot.pause()
        screen = pilot.app.screen
        screen.query_one("#confidence", Input).value = "2"
        screen.query_one("#hypothesis", TextArea).text = "Edited claim."
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert "confidence: input should be less than or equal to 1" in shown(pilot)
        screen.query_one("#confidence", Input).value = "0.97"
        screen.query_one("#domain", Select).value = "risk"
        await pilot.press("ctrl+n")
        await pilot.pause()
        piece = screen.query(".panel").last()
        piece.query_one(".source", Input).value = "Third report"
        piece.query_one(".content", TextArea).text = "Sales rose again."
        await pilot.press("ctrl+s")
        await pilot.pause()
        found = examples.get(db, f"01J{0:023d}")
        assert found is not None
        assert (found.version, found.hypothesis, found.confidence, found.domain) == (2, "Edited claim.", 0.97, "risk")
        assert [one.source for one in found.evidence] == ["Report 0", "Survey 0", "Third report"]
        assert "Edited claim." in shown(pilot)
        await pilot.press("e")
        await pilot.pause()
        pilot.app.screen.query(".source").first().focus()
        await pilot.press("ctrl+d")
        await pilot.pause()
        await pilot.press("ctrl+s")
        await pilot.pause()
        found = examples.get(db, f"01J{0:023d}")
        assert found is not None
        assert len(found.evidence) == 2
        await pilot.press("e")
        await pilot.pause()
        await pilot.press("escape")
        await pilot.press("u", "u")
        found = examples.get(db, f"01J{0:023d}")
        assert found is not None
        assert found.hypothesis == "Claim number 0 about paid conversion."
