"""Dataset through the pilot: the list, its filter and order, and one example whole."""

from __future__ import annotations

import json
import sqlite3

import pytest
from textual.widgets import Input

from core.config.project import Project
from storage import examples, listing, reviews
from storage.examples import Filter
from storage.schema import ReviewAction
from tests.conftest import HOSTILE, example
from tests.stored import decide
from tests.tui.conftest import RAW, SIZE, put, several, shown, told, until
from tests.tui.dataset_pilot import apply_filter, count, dataset_screen, open_dataset, wait_until_idle
from tui.app import SidequestApp
from tui.screens.dataset.example_screen import ExampleScreen
from tui.screens.dataset.screen import DatasetScreen
from tui.screens.edit.screen import EditScreen
from tui.widgets.modals import Confirm


async def test_the_list_shows_all_and_goes_to_both_ends(project: Project, db: sqlite3.Connection) -> None:
    put(db, *several(250))
    async with SidequestApp(project.folder).run_test(size=SIZE) as pilot:
        await open_dataset(pilot)
        assert "rows 1–20 of 250 · newest first" in shown(pilot)
        assert "▸" in shown(pilot)
        await pilot.press("end")
        await pilot.pause()
        assert "rows 231–250 of 250" in shown(pilot)
        assert "Claim number 0 " in shown(pilot)
        await pilot.press("pageup", "k", "up")
        await pilot.pause()
        assert "rows 211–230 of 250" in shown(pilot)
        assert dataset_screen(pilot).example_list.table.cursor == 227
        await pilot.press("home", "pagedown")
        await pilot.pause()
        assert "rows 21–40 of 250" in shown(pilot)
        await pilot.press("home", "j", "down")
        assert dataset_screen(pilot).example_list.table.cursor == 2


async def test_more_stands_in_a_wide_list_and_the_example_beside_it(app: SidequestApp) -> None:
    async with app.run_test(size=(180, 45)) as pilot:
        await open_dataset(pilot)
        for words in ("split", "confidence", "certainty", "pending", "EVIDENCE", "In period 11 sales rose"):
            assert words in shown(pilot)
        await pilot.press("j")
        await until(pilot, lambda: "In period 10 sales rose" in shown(pilot))


async def test_a_filter_narrows_and_what_is_wrong_with_one_is_said(app: SidequestApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await open_dataset(pilot)
        await pilot.press("slash")
        await pilot.pause()
        assert "-domain:risk" in shown(pilot)
        assert "certainty:none" in shown(pilot)
        dataset_screen(pilot).query_one("#filter", Input).value = "colour:red"
        await pilot.press("enter")
        await pilot.pause()
        assert "no field colour" in told(pilot)
        dataset_screen(pilot).query_one("#filter", Input).value = "domain:weather"
        await pilot.press("enter")
        await pilot.pause()
        assert "no domain weather" in told(pilot)
        await pilot.press("escape")
        await pilot.pause()
        assert "of 12 " in shown(pilot)
        await apply_filter(pilot, "domain:RISK -level:2")
        assert "of 3 ·" in shown(pilot)
        await apply_filter(pilot, "nothing-like-it")
        assert "Nothing matches nothing-like-it" in shown(pilot)
        await pilot.press("a", "x", "enter", "e", "y", "p", "m", "v", "end", "pagedown")
        assert reviews.newest(app.db, 1) == []
        await apply_filter(pilot, "")
        assert "of 12 " in shown(pilot)


async def test_keys_behind_a_filter_never_act_on_what_was_there(app: SidequestApp, db: sqlite3.Connection) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await open_dataset(pilot)
        await pilot.press("slash", *"nothing", "enter", "a", "x", "exclamation_mark")
        await until(pilot, lambda: dataset_screen(pilot).example_list.complete)
        assert reviews.newest(db, 1) == []


async def test_what_is_found_is_marked_in_the_hypothesis_or_the_evidence(app: SidequestApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await open_dataset(pilot)
        await apply_filter(pilot, "survey would")
        assert "ev " in shown(pilot)
        assert "Survey" in shown(pilot)
        styles = {
            segment.text: segment.style
            for strip in pilot.app.screen._compositor.render_strips()
            for segment in strip
            if segment.text == "Survey"
        }
        assert styles
        assert all(style is not None and style.reverse for style in styles.values())


async def test_each_order_can_be_chosen(app: SidequestApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await open_dataset(pilot)
        for key, words in (("2", "oldest first"), ("3", "least confident first"), ("7", "by cell"), ("1", "newest")):
            await pilot.press("o", key)
            await wait_until_idle(pilot)
            assert words in shown(pilot)
        await pilot.press("o", "escape")
        await wait_until_idle(pilot)
        assert "newest first" in shown(pilot)


async def test_one_example_whole(app: SidequestApp, db: sqlite3.Connection) -> None:
    stored = examples.get(db, f"01J{11:023d}")
    assert stored is not None
    reviews.edit(db, stored.model_copy(update={"hypothesis": "Claim number 11 about unpaid conversion."}))
    decide(db, stored.id, ReviewAction.REJECT, reason="ambiguous", note="[/ look", reviewer="ann")
    async with app.run_test(size=(100, 80)) as pilot:
        await open_dataset(pilot)
        await apply_filter(pilot, "unpaid")
        await pilot.press("enter")
        await until(pilot, lambda: "NEAREST in its domain" in shown(pilot))
        for words in ("{+unpaid+}", "version 2", "ambiguous", "[/ look", "FAMILY", "ORIGIN", "split none"):
            assert words in shown(pilot)
        await pilot.press("y", "j", "k", "pagedown", "pageup", "space")
        assert json.loads(pilot.app.clipboard)["id"] == stored.id
        await pilot.press("escape")
        await wait_until_idle(pilot)


async def test_edit_saves_a_version_and_undo_takes_it_back(app: SidequestApp, db: sqlite3.Connection) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await open_dataset(pilot)
        await pilot.press("e")
        await until(pilot, lambda: isinstance(pilot.app.screen, EditScreen))
        await pilot.pause()
        await pilot.press(*"Now ", "ctrl+s")
        await wait_until_idle(pilot)
        edited = examples.get(db, f"01J{11:023d}")
        assert edited is not None
        assert edited.version == 2
        await until(pilot, lambda: edited.hypothesis[:20] in shown(pilot))
        await pilot.press("e")
        await until(pilot, lambda: isinstance(pilot.app.screen, EditScreen))
        await pilot.pause()
        await pilot.press("escape")
        await wait_until_idle(pilot)
        await pilot.press("u")
        await pilot.pause()
        assert count(db, "is:edited") == 0


async def test_copies_go_to_the_clipboard_as_json(app: SidequestApp, db: sqlite3.Connection) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await open_dataset(pilot)
        await pilot.press("y")
        assert json.loads(pilot.app.clipboard)["id"] == f"01J{11:023d}"
        await pilot.press("m", "m", "y")
        assert [document["id"][-2:] for document in json.loads(pilot.app.clipboard)] == ["11", "10"]
        put(db, *(example(hypothesis="long " * 2000) for _ in range(10)))
        await until(pilot, lambda: "of 22" in shown(pilot))
        await pilot.press("asterisk", "y")
        await pilot.pause()
        assert "too much for a clipboard" in told(pilot)


async def test_what_others_change_appears_and_the_cursor_stays(app: SidequestApp, db: sqlite3.Connection) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await open_dataset(pilot)
        await pilot.press("j", "j", "j")
        chosen = dataset_screen(pilot).example_list.table.cursor_number
        put(db, *(example(hypothesis=f"Brand new {number}.") for number in range(3)))
        await until(pilot, lambda: "of 15" in shown(pilot))
        assert dataset_screen(pilot).example_list.table.cursor_number == chosen
        await pilot.press("home")
        await pilot.pause()
        assert "Brand new 2" in shown(pilot)
        await apply_filter(pilot, "status:pending")
        decide(db, f"01J{11:023d}", ReviewAction.ACCEPT)
        await until(pilot, lambda: "of 14" in shown(pilot))


async def test_an_empty_project_says_what_to_do(project: Project) -> None:
    async with SidequestApp(project.folder).run_test(size=SIZE) as pilot:
        await open_dataset(pilot)
        assert "No example yet. Key 2" in shown(pilot)
        await pilot.press("a", "x", "p", "exclamation_mark", "enter", "e", "y", "m", "v", "asterisk", "end", "u")
        await pilot.pause()
        assert isinstance(pilot.app.screen, DatasetScreen)


async def test_a_list_that_cannot_be_read_says_why(app: SidequestApp, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise sqlite3.OperationalError("database disk image is malformed")

    async with app.run_test(size=SIZE) as pilot:
        await open_dataset(pilot)
        monkeypatch.setattr(listing, "numbers", broken)
        await apply_filter(pilot, "domain:risk")
        assert "malformed" in shown(pilot)
        monkeypatch.undo()
        await until(pilot, lambda: "of 4" in shown(pilot))


@pytest.mark.parametrize("size", [(80, 24), (160, 45)])
async def test_hostile_and_very_long_text_only_shows(
    project: Project, db: sqlite3.Connection, size: tuple[int, int]
) -> None:
    for text in HOSTILE:
        stored = example(hypothesis=f"quorvane {text}", reasoning=text, model=text, source=text, family=text)
        put(db, stored)
        decide(db, stored.id, ReviewAction.REJECT, reason=text, note=text, reviewer="ann")
    put(db, example(hypothesis="long " * 200_000 + "quorvane", reasoning="x" * 500_000))
    async with SidequestApp(project.folder).run_test(size=size) as pilot:
        await open_dataset(pilot)
        assert not RAW.search(shown(pilot))
        await apply_filter(pilot, "quorvane")
        assert f"of {len(HOSTILE) + 1}" in shown(pilot)
        for _ in range(len(HOSTILE) + 1 if size == SIZE else 2):
            await pilot.press("enter")
            await until(pilot, lambda: isinstance(pilot.app.screen, ExampleScreen))
            await pilot.press("end", "pagedown")
            await pilot.pause()
            assert not RAW.search(shown(pilot))
            await pilot.press("escape", "j")
            await wait_until_idle(pilot)
            assert not RAW.search(shown(pilot))
        await pilot.press("p", "escape", "asterisk", "a")
        await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
        await pilot.press("n")
        assert not RAW.search(shown(pilot))


async def test_the_mouse_chooses_and_opens(app: SidequestApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await open_dataset(pilot)
        await pilot.click("#list", offset=(20, 4))
        assert dataset_screen(pilot).example_list.table.cursor == 4
        await pilot.click("#list", offset=(20, 4), times=2)
        await until(pilot, lambda: isinstance(pilot.app.screen, ExampleScreen))


async def test_leaving_while_the_list_is_read_ends_the_thread(app: SidequestApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("5")
        await pilot.press("1", "5", "1")
    assert examples.count(app.db, Filter()) == 12


async def test_help_names_the_keys_that_act_and_the_marks(app: SidequestApp) -> None:
    async with app.run_test(size=(80, 60)) as pilot:
        await open_dataset(pilot)
        assert "split" in shown(pilot)
        await pilot.press("question_mark")
        await until(pilot, lambda: "Keys · Dataset" in shown(pilot))
        assert "  *  Mark all that match" in shown(pilot)
        assert "· ✓ ✗  waits for review · accepted · rejected" in shown(pilot)
        await pilot.press("escape", "enter", "question_mark")
        await until(pilot, lambda: "Keys · Example" in shown(pilot))
        assert "Edit the example; the old version stays" in shown(pilot)
        assert "Everywhere" not in shown(pilot)


async def test_an_example_that_is_read_whole_can_be_edited(app: SidequestApp, db: sqlite3.Connection) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await open_dataset(pilot)
        await pilot.press("down", "enter", "e")
        await until(pilot, lambda: isinstance(pilot.app.screen, EditScreen))
        await pilot.press("X", "ctrl+s")
        await until(pilot, lambda: "saved as version 2, which no judge has read" in told(pilot))
        edited = examples.get(db, f"01J{10:023d}")
        assert edited is not None
        assert (edited.version, edited.hypothesis[:6]) == (2, "XClaim")
        await pilot.press("u")
        await pilot.pause()
        assert "undone: edited, which made version 2" in told(pilot)
