"""Edit through the pilot: the form, the way out of it, and the person's own editor."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Select, TextArea

from core.review.editing import format_json
from storage import examples, reviews
from storage.schema import Evidence, Example
from tests.conftest import example
from tests.tui.conftest import SIZE, put, shown, told, until
from tui.app import SidequestApp
from tui.screens.edit.screen import EditScreen


async def open_form(pilot: Pilot[int]) -> EditScreen:
    await pilot.press("3")
    await pilot.pause()
    await pilot.press("e")
    await pilot.pause()
    screen = pilot.app.screen
    assert isinstance(screen, EditScreen)
    return screen


def first(db: sqlite3.Connection) -> Example:
    found = examples.get(db, f"01J{0:023d}")
    assert found is not None
    return found


def editor_that(monkeypatch: pytest.MonkeyPatch, *changes: Callable[[str], str]) -> list[str]:
    """Stands in for the person's editor: each time it opens, the next change is made. Returns what it was given."""
    given: list[str] = []

    def edit(_: EditScreen, text: str) -> str:
        given.append(text)
        return changes[len(given) - 1](text)

    monkeypatch.setattr(EditScreen, "_run_editor", edit)
    return given


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
        assert "confidence: 2 is no number from 0 to 1" in shown(pilot)
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


async def test_escape_gives_up_no_change_that_is_not_meant_to_go(app: SidequestApp, db: sqlite3.Connection) -> None:
    async with app.run_test(size=SIZE) as pilot:
        screen = await open_form(pilot)
        screen.query_one("#decision", Select).focus()
        await pilot.press("enter")
        await pilot.pause()
        await pilot.press("escape")  # closes the choice
        await pilot.pause()
        assert pilot.app.screen is screen
        screen.query_one("#hypothesis", TextArea).text = "Another claim."
        await pilot.press("escape")
        await pilot.pause()
        assert "Leave without saving" in shown(pilot)
        await pilot.press("n")
        await pilot.pause()
        assert pilot.app.screen is screen
        await pilot.press("escape")
        await pilot.pause()
        await pilot.press("y")
        await pilot.pause()
        assert pilot.app.screen is not screen
        assert first(db).version == 1


async def test_the_ends_of_a_text_are_a_key_away(app: SidequestApp, db: sqlite3.Connection) -> None:
    put(db, example(id="01A" + "0" * 23, hypothesis="One line.\nAnother"))
    async with app.run_test(size=SIZE) as pilot:
        area = (await open_form(pilot)).query_one("#hypothesis", TextArea)
        await pilot.press("ctrl+home", "A", "ctrl+end", "Z")
        await pilot.pause()
        assert area.text == "AOne line.\nAnotherZ"


async def test_what_nobody_touched_stays_exact(app: SidequestApp, db: sqlite3.Connection) -> None:
    put(db, example(id="01A" + "0" * 23, confidence=0.123456789, hypothesis="bidi \u202e and \x1b stay"))
    async with app.run_test(size=SIZE) as pilot:
        await open_form(pilot)
        await pilot.press("escape")
        await pilot.pause()
        assert not isinstance(pilot.app.screen, EditScreen)
        await pilot.press("e")
        await pilot.pause()
        pilot.app.screen.query_one("#reasoning", TextArea).text = "Another reason."
        await pilot.press("ctrl+s")
        await pilot.pause()
    found = examples.get(db, "01A" + "0" * 23)
    assert found is not None
    assert (found.version, found.reasoning) == (2, "Another reason.")
    assert (found.confidence, found.hypothesis) == (0.123456789, "bidi \u202e and \x1b stay")


async def test_the_editor_is_given_the_form_and_its_mistakes_can_be_mended(
    app: SidequestApp, db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = editor_that(
        monkeypatch,
        lambda text: text,
        lambda _: "{ not JSON",
        lambda _: "[]",
        lambda _: json.dumps({"confidence": 7, "domain": "market"}),
        lambda _: json.dumps({"confidence": 0.5, "domain": "sports"}),
        lambda _: json.dumps({"confidence": 0.5, "domain": "risk", "status": "accepted"}),
        lambda _: json.dumps({"confidence": 0.5, "domain": "risk"}),
    )
    async with app.run_test(size=SIZE) as pilot:
        screen = await open_form(pilot)
        screen.query_one("#hypothesis", TextArea).text = "From the form."
        await pilot.press("ctrl+o")
        await pilot.pause()
        assert json.loads(given[0])["hypothesis"] == "From the form."
        assert isinstance(json.loads(given[0])["confidence"], float)
        for words in (
            "ctrl+o opens it again",
            "an object",
            "confidence: 7 is no number",
            "no domain sports",
            "no field status",
        ):
            await pilot.press("ctrl+o")
            await pilot.pause()
            assert words in shown(pilot)
        assert given[2] == "{ not JSON"
        await pilot.press("ctrl+o")
        await pilot.pause()
        assert pilot.app.screen is not screen
    found = first(db)
    assert (found.version, found.confidence, found.domain, found.status) == (2, 0.5, "risk", "pending")
    assert reviews.newest(db, 1)[0].version == 2


@pytest.mark.parametrize(
    ("editor", "words"), [("vi '", "No closing quotation"), ("true", "no other program"), (" ", "no other program")]
)
async def test_an_editor_that_cannot_be_opened_is_named(
    app: SidequestApp, monkeypatch: pytest.MonkeyPatch, editor: str, words: str
) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", editor)
    async with app.run_test(size=SIZE) as pilot:
        screen = await open_form(pilot)
        await pilot.press("ctrl+o")
        await pilot.pause()
        assert words in shown(pilot)
        assert pilot.app.screen is screen


def test_a_form_with_mistakes_is_still_json() -> None:
    values = {"hypothesis": "h", "confidence": "high", "level": "2", "evidence": [{"relevance": "0.5", "source": "s"}]}
    found = json.loads(format_json(values))
    assert found["confidence"] == "high"
    assert found["level"] == 2
    assert found["evidence"] == [{"relevance": 0.5, "source": "s"}]


async def test_what_is_mended_most_is_a_tab_away_and_the_way_out_in_sight(
    app: SidequestApp, db: sqlite3.Connection
) -> None:
    source = f"Annual report of the office, {'second ' * 20}volume"
    put(db, example(id="01A" + "0" * 23, evidence=[Evidence(source=source, content="Sales rose.", relevance=0.9)]))
    async with app.run_test(size=SIZE) as pilot:
        screen = await open_form(pilot)
        assert "tab: next field · ctrl+s: save · escape: leave" in shown(pilot)
        assert "source Annual report of the office" in shown(pilot)
        await pilot.press("tab", "tab")
        assert screen.focused is screen.query_one("#confidence")
        for _ in range(3):
            await pilot.press("tab")
        await pilot.press("N", "o", " ")  # before what is there, which stays
        await pilot.press("ctrl+s")
        await pilot.pause()
        found = examples.get(db, "01A" + "0" * 23)
        assert found is not None
        assert found.evidence[0].source == f"No {source}"


def piece_sources(screen: EditScreen) -> list[str]:
    return [piece["source"] for piece in screen.values()["evidence"]]


async def test_a_removed_piece_comes_back_as_it_was_edited(app: SidequestApp, db: sqlite3.Connection) -> None:
    async with app.run_test(size=SIZE) as pilot:
        screen = await open_form(pilot)
        initial = screen.values()
        screen.query(".source").first().focus()
        await pilot.press("A", "ctrl+d")
        await pilot.pause()
        assert piece_sources(screen) == ["Survey 0"]
        assert "evidence 1 of 1" in shown(pilot)
        assert "ctrl+z brings it back" in told(pilot)
        await pilot.press("ctrl+d")
        assert piece_sources(screen) == []
        await pilot.press("ctrl+z")
        assert piece_sources(screen) == ["Survey 0"]
        await pilot.press("ctrl+z")
        await pilot.pause()
        assert piece_sources(screen) == ["AReport 0", "Survey 0"]
        assert "evidence 1 of 2" in shown(pilot)
        await pilot.press("ctrl+z")  # what was typed before
        assert screen.values() == initial
        await pilot.press("ctrl+z")
        await until(pilot, lambda: "nothing to undo" in told(pilot), 5)
        await pilot.press("escape")
        await pilot.pause()
        assert pilot.app.screen is not screen
    assert first(db).version == 1


async def test_what_was_typed_after_a_removal_is_undone_before_it(app: SidequestApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        screen = await open_form(pilot)
        initial = screen.values()
        screen.query(".source").last().focus()
        await pilot.press("ctrl+d", "x", "y")
        assert piece_sources(screen) == ["xyReport 0"]
        await pilot.press("ctrl+z")
        assert piece_sources(screen) == ["Report 0"]
        await pilot.press("ctrl+z")
        await pilot.pause()
        assert screen.values() == initial
        # Also from where nothing is typed.
        screen.query(".source").first().focus()
        await pilot.press("ctrl+d")
        screen.query_one("#level", Select).focus()
        await pilot.press("ctrl+z")
        await pilot.pause()
        assert screen.values() == initial
        assert [str(panel.border_title) for panel in screen.query(".panel")] == ["evidence 1 of 2", "evidence 2 of 2"]


@pytest.mark.parametrize("selector", ["#hypothesis", "#confidence", "#reasoning", ".source", ".relevance", ".content"])
@pytest.mark.parametrize(
    "keys", [["end", "backspace"], ["end", "ctrl+u"], ["home", "ctrl+k"], ["home", "delete"], ["end", "ctrl+w"]]
)
async def test_every_deletion_in_a_field_can_be_undone(app: SidequestApp, selector: str, keys: list[str]) -> None:
    async with app.run_test(size=SIZE) as pilot:
        screen = await open_form(pilot)
        initial = screen.values()
        screen.query(selector).first().focus()
        await pilot.press(*keys)
        assert screen.values() != initial
        await pilot.press("ctrl+z")
        assert screen.values() == initial


async def test_ctrl_z_never_suspends_the_app_from_an_editor(app: SidequestApp, monkeypatch: pytest.MonkeyPatch) -> None:
    signals = list[tuple[int, int]]()
    async with app.run_test(size=SIZE) as pilot:
        monkeypatch.setattr(type(app._driver), "can_suspend", property(lambda _: True))
        monkeypatch.setattr("textual.app.os.kill", lambda *call: signals.append(call))
        screen = await open_form(pilot)
        for selector in ("#hypothesis", "#decision", "#confidence", ".source"):
            screen.query(selector).first().focus()
            await pilot.press("ctrl+z")
        screen.set_focus(None)
        await pilot.press("ctrl+z")
        screen.query_one("#confidence", Input).value = "0.5"
        await pilot.press("escape")
        await pilot.pause()
        assert "Leave without saving" in shown(pilot)
        await pilot.press("ctrl+z")
        await pilot.press("y")
        await pilot.pause()
        await pilot.press("slash", "x", "ctrl+z")  # a field of one line elsewhere
        assert signals == []
