"""Review through the pilot: decisions, undo, filter."""

from __future__ import annotations

import json
import sqlite3

import pytest
from rich.cells import cell_len
from textual._xterm_parser import XTermParser
from textual.events import Event
from textual.widgets import Input

from core.config.project import Project
from core.curriculum.plan import Quota
from storage import examples, reviews
from storage.examples import Filter
from storage.schema import ReviewAction, Status
from tests.conftest import example
from tests.stored import decide
from tests.tui.conftest import SIZE, put, shown, status, told, until
from tui.app import SidequestApp
from tui.screens.review.wording import LONGEST_POSITION, header


def burst(app: SidequestApp, keys: str) -> None:
    """All of `keys` in one read of the terminal."""
    driver = app._driver
    assert driver is not None
    for event in XTermParser().feed(keys):
        assert isinstance(event, Event)
        driver.process_message(event)


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
        await pilot.press("s", "exclamation_mark")
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
        assert "6 of 12 · 9 left" in shown(pilot)


async def test_undo_shows_what_it_took_back_even_after_a_restart(project: Project, app: SidequestApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("3")
        await pilot.pause()
        await pilot.press("a", "a")
        await pilot.pause()
        assert "accepted · u undoes · “Claim number 1 about paid conversion.”" in shown(pilot)
        await pilot.press("u")
        await pilot.pause()
        assert "undone: accepted · u takes back 1 more · “Claim number 1 about paid" in shown(pilot)
    again = SidequestApp(project.folder)
    async with again.run_test(size=SIZE) as pilot:
        await pilot.press("3")
        await pilot.pause()
        await pilot.press("u")
        await pilot.pause()
        assert "Take back what you did before, or on another screen?" in shown(pilot)
        assert "accepted · “Claim number 0" in shown(pilot)
        await pilot.press("n", "u", "y")
        await until(pilot, lambda: status(again.db, 0) is Status.PENDING)
        await until(pilot, lambda: "undone: accepted · “Claim number 0" in shown(pilot))
        await pilot.press("u")
        await pilot.pause()
        assert "nothing of yours left to undo" in shown(pilot)


async def test_the_end_of_the_queue_says_so(app: SidequestApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("3")
        await pilot.pause()
        await pilot.press(*["a"] * 12)
        await pilot.pause()
        assert "That was the last one" in shown(pilot)
        await pilot.press("a", "x", "exclamation_mark", "e", "y", "d", "v")
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
        pilot.app.screen.query_one("#filter", Input).value = "domain:sports"
        await pilot.press("enter")
        await pilot.pause()
        assert "no domain sports" in told(pilot)
        pilot.app.screen.query_one("#filter", Input).value = "zebra"
        await pilot.press("enter")
        await pilot.pause()
        assert "Nothing here matches zebra" in shown(pilot)
        assert "least certain first · zebra" in shown(pilot)
        await pilot.press("slash", "escape")
        await pilot.pause()
        assert not pilot.app.screen.query_one("#filter").display


async def test_an_example_that_does_not_fit_scrolls(app: SidequestApp, db: sqlite3.Connection) -> None:
    put(db, example(id="01A" + "0" * 23, hypothesis="word " * 2000))
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


async def test_undo_at_the_end_of_the_queue_repeats_no_example(app: SidequestApp, db: sqlite3.Connection) -> None:
    decide(db, f"01J{0:023d}", ReviewAction.ACCEPT)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("3")
        await pilot.pause()
        await pilot.press(*["s"] * 11)
        await pilot.pause()
        assert "That was the last one" in shown(pilot)
        await pilot.press("u")
        await pilot.pause()
        assert "Claim number 0" in shown(pilot)
        await pilot.press("j", "u")
        await pilot.pause()
        assert "That was the last one" in shown(pilot)


async def test_reasons_are_whole_beside_what_was_done_last(app: SidequestApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("3")
        await pilot.pause()
        await pilot.press("a", "u", "x")
        await pilot.pause()
        for reason in ("4 wrong level", "5 wrong domain", "6 near-duplicate", "enter no reason", "escape back"):
            assert reason in shown(pilot)
        assert "undone" in shown(pilot)


async def test_a_wide_terminal_shows_more_beside(app: SidequestApp) -> None:
    async with app.run_test(size=(160, 45)) as pilot:
        await pilot.press("3")
        await pilot.pause()
        await pilot.press("a", "x", "2")
        await pilot.pause()
        for words in (
            "1 of 150–200",
            "THIS EXAMPLE",
            f"01J{2:023d}",
            "accepted  Claim number 0",
            "rejected · ambiguous  Cl",
        ):
            assert words in shown(pilot)
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert "THIS EXAMPLE" not in shown(pilot)


@pytest.mark.parametrize(
    ("keys", "decided"),
    [
        ("ax2aa", ["accept", "reject ambiguous", "accept", "accept"]),
        ("x\x1ba", []),  # escape and a letter at once are alt and that letter
        ("xaqa", ["accept"]),
        ("x91", ["reject wrong decision"]),
        ("!saux\r", ["flag", "accept", "undo", "reject"]),
        ("vva", ["accept", "label", "accept"]),
        ("na\rx1", []),  # what comes behind a text before it is taken is text
        ("xna2", []),
        ("/ax1", []),
        ("eax1", []),
        ("?ax1", []),
        ("2a", []),
    ],
)
async def test_keys_that_come_at_once_act_in_their_order(
    app: SidequestApp, db: sqlite3.Connection, keys: str, decided: list[str]
) -> None:
    """As over a slow line: what is typed is what is decided, and a letter for a field decides nothing."""
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("3")
        await pilot.pause()
        burst(app, keys)
        await pilot.press("f12")  # means nothing, and returns when all screens have taken what was sent to them
        await until(pilot, lambda: app.screen.is_mounted)
        await pilot.press("f12")
        log = reversed(reviews.newest(db, 20))
        assert [f"{review.action} {review.reason}".strip() for review in log] == decided
        if keys == "na\rx1":
            await pilot.press("escape", "x", "1")
            assert reviews.newest(db, 1)[0].note == "ax1"
        if keys == "/ax1":
            assert "ax1" in app.screen.query_one("#filter", Input).value


async def test_a_note_goes_with_the_next_decision(app: SidequestApp, db: sqlite3.Connection) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("3")
        await pilot.pause()
        await pilot.press("n", *"odd", "enter")
        await pilot.pause()
        assert "note: odd" in shown(pilot)
        await pilot.press("a")
        assert reviews.newest(db, 1)[0].note == "odd"
        await pilot.press("n", *"lost", "enter", "s")
        assert "the note was dropped" in told(pilot)
        await pilot.press("n", "x", "escape", "x", "n", *"why", "enter")
        await pilot.pause()
        assert "1 wrong decision" in shown(pilot)
        await pilot.press("1")
        newest = reviews.newest(db, 1)[0]
        assert (newest.reason, newest.note) == ("wrong decision", "why")
        await pilot.press("k")
        await pilot.press("b")
        await pilot.pause()
        assert "rejected · wrong decision · why" in shown(pilot)


def test_the_header_keeps_its_form_while_figures_grow() -> None:
    keys = {"VALIDATED": "v", "REJECTED": "r", "REFINED": "f"}
    for width in (60, 80, 100, 160, 200):
        forms = set()
        for have, at in ((0, "1 of 9 · 9 left"), (97, "37 of 114 · 78 left · 6.2/min"), (150, LONGEST_POSITION)):
            held = {name: Quota(150, 200, 175, have) for name in keys}
            drawn = header("least certain first", "", at, held, keys, width).plain
            assert cell_len(drawn) < width
            forms.add(tuple(mark in drawn for mark in (" VALIDATED ", " v ", "accepted")))
        assert len(forms) == 1, (width, forms)
