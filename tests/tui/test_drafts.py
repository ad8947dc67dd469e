"""Edits while they are typed: checked, kept as drafts and taken up again; and the person's editor in a terminal."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import stat
from pathlib import Path

import pytest
from textual.widgets import Input, TextArea

from core.config.project import Project
from storage import drafts, examples, reviews
from storage.schema import Evidence
from tests.conftest import example
from tests.terminal import SIDEQUEST, Terminal, shows
from tests.tui.conftest import SIZE, put, shown, told, until
from tests.tui.test_edit import first, open_form
from tui.app import SidequestApp
from tui.screens.edit.screen import EditScreen

FIRST = f"01J{0:023d}"


async def test_what_is_wrong_is_said_while_one_types(app: SidequestApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        screen = await open_form(pilot)
        screen.query_one("#confidence", Input).focus()
        await pilot.press("x")
        await pilot.pause()
        assert "confidence: x is no number from 0 to 1" in shown(pilot)
        await pilot.press("backspace", "1")
        await pilot.pause()
        assert "is no number" not in shown(pilot)
        assert "QA would doubt it" in shown(pilot)
        screen.query_one("#hypothesis", TextArea).text = ""
        await pilot.pause()
        assert "hypothesis: is empty" in shown(pilot)


async def test_pieces_are_moved_and_removed_where_the_cursor_is(app: SidequestApp, db: sqlite3.Connection) -> None:
    async with app.run_test(size=SIZE) as pilot:
        screen = await open_form(pilot)
        await pilot.press("ctrl+d")
        await pilot.pause()
        assert "put the cursor into the piece" in told(pilot)
        screen.query(".source").first().focus()
        await pilot.press("alt+down", "ctrl+down", "ctrl+n")
        await pilot.pause()
        await pilot.press(*"New", "tab", "tab", *"Text")
        await pilot.press("ctrl+up", "ctrl+s")
        await pilot.pause()
        assert [piece.source for piece in first(db).evidence] == ["Survey 0", "New", "Report 0"]
        assert [piece.relevance for piece in first(db).evidence] == [0.4, 0.5, 0.9]


async def test_a_draft_is_kept_and_taken_up_and_goes_when_it_is_given_up(app: SidequestApp, project: Project) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("3")
        await pilot.pause()
        await pilot.press("j", "e")
        await pilot.pause()
        app.screen.query_one("#hypothesis", TextArea).text = "Half a thought"
        app.screen.query_one("#confidence", Input).value = "0.9x"
        await until(pilot, lambda: drafts.newest(app.db, "") is not None)
    again = SidequestApp(project.folder)
    async with again.run_test(size=SIZE) as pilot:
        await pilot.press("3")
        await pilot.pause()
        assert "an edit of this example was not saved: e goes on with it" in told(pilot)
        assert "Claim number 1" in shown(pilot)
        await pilot.press("e")
        await pilot.pause()
        assert "goes on with your unsaved edit of" in told(pilot)
        assert "Half a thought" in shown(pilot)
        assert again.screen.query_one("#confidence", Input).value == "0.9x"
        again.screen.query_one("#confidence", Input).value = "0.9"
        await pilot.press("ctrl+s")
        await pilot.pause()
        found = examples.get(again.db, f"01J{1:023d}")
        assert found is not None
        assert (found.hypothesis, found.confidence, found.version) == ("Half a thought", 0.9, 2)
        assert drafts.newest(again.db, "") is None
        await pilot.press("e")
        await pilot.pause()
        again.screen.query_one("#hypothesis", TextArea).text = "Another"
        await until(pilot, lambda: drafts.newest(again.db, "") is not None)
        await pilot.press("escape")
        await pilot.pause()
        await pilot.press("y")
        await pilot.pause()
        assert drafts.newest(again.db, "") is None


async def test_what_is_typed_back_to_what_it_was_leaves_no_draft(app: SidequestApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await open_form(pilot)
        await pilot.press("Z")
        await until(pilot, lambda: drafts.newest(app.db, "") is not None)
        await pilot.press("backspace")
        await until(pilot, lambda: drafts.newest(app.db, "") is None)
        await pilot.press("escape")
        await pilot.pause()
        assert not isinstance(app.screen, EditScreen)


async def test_an_edit_that_cannot_be_saved_stays_a_draft(app: SidequestApp, db: sqlite3.Connection) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await open_form(pilot)
        await pilot.press("Z")
        await until(pilot, lambda: drafts.newest(db, "") is not None)
        reviews.edit(db, first(db).model_copy(update={"hypothesis": "Elsewhere."}))
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert "not saved, but kept as a draft" in told(pilot)
        await pilot.press("e")
        await pilot.pause()
        assert "of version 1: check what changed since" in told(pilot)
        assert "ZClaim number 0" in shown(pilot)


async def test_what_is_too_long_for_a_form_is_for_the_editor(app: SidequestApp, db: sqlite3.Connection) -> None:
    piece = Evidence(source="s", content="word " * 20_000, relevance=0.5)
    put(db, example(id="01A" + "0" * 23, evidence=[piece]))
    async with app.run_test(size=SIZE) as pilot:
        await open_form(pilot)
        assert "too long for a form: ctrl+o opens it in $EDITOR" in shown(pilot)
        await pilot.press("ctrl+n", "ctrl+d", "ctrl+s")
        await pilot.pause()
        assert not isinstance(app.screen, EditScreen)


@pytest.fixture
def shelf(project: Project, db: sqlite3.Connection) -> Project:
    """A project with one example."""
    put(db, example(id=FIRST, hypothesis="Plain claim."))
    return project


def editor(folder: Path, script: str) -> str:
    """A program that edits a file as `script` says."""
    path = folder / "editor"
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_the_persons_own_editor_edits_the_whole_example(
    shelf: Project, db: sqlite3.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", editor(tmp_path, f'cp "$1" {tmp_path}/given.json; sed -i "s/Plain/Edited/" "$1"'))
    with Terminal([SIDEQUEST], shelf.folder) as app:
        app.until(shows("VALIDATED"))
        app.send("3")
        app.until(shows("Plain claim."))
        app.send("e")
        app.until(shows("evidence 1 of 2"))
        app.send("\x0f")
        app.until(shows("Edited claim."))
    found = examples.get(db, FIRST)
    assert found is not None
    assert (found.hypothesis, found.version) == ("Edited claim.", 2)
    given = json.loads((tmp_path / "given.json").read_text(encoding="utf-8"))
    assert given["confidence"] == 0.95
    assert given["evidence"][0]["source"] == "Cohort analysis"


def test_a_draft_survives_kill_9(shelf: Project, db: sqlite3.Connection) -> None:
    with Terminal([SIDEQUEST], shelf.folder) as app:
        app.until(shows("VALIDATED"))
        app.send("3")
        app.until(shows("Plain claim."))
        app.send("e")
        app.until(shows("evidence 1 of 2"))
        app.send("Half a ")
        while drafts.newest(db, "") is None:
            app.drain(0.05)
        os.kill(app.pid, signal.SIGKILL)
    with Terminal([SIDEQUEST], shelf.folder) as app:
        app.until(shows("VALIDATED"))
        app.send("3")
        app.until(shows("Plain claim.", "was not saved"))
        app.send("e")
        app.until(shows("Half a Plain claim."))
