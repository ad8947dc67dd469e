"""Blind review through the pilot: what is hidden, what a letter writes, and what is shown then."""

from __future__ import annotations

import sqlite3

import pytest
from textual.pilot import Pilot

from core.config.project import FILE, Project
from storage import examples, reviews
from storage.schema import Evidence, Example, ReviewAction, Status
from tests.conftest import example
from tests.stored import decide
from tests.tui.conftest import SIZE, put, shown, status, told
from tui.app import SidequestApp

TELLING = ("LABEL  VALIDATED", "confidence", "REASONING", "VERDICT", "Both sources show")


async def begin(pilot: Pilot[int], *keys: str) -> None:
    await pilot.press("3")
    await pilot.pause()
    await pilot.press(*keys)
    await pilot.pause()


def lines(db: sqlite3.Connection) -> list[tuple[str, str, int | None]]:
    """The log, oldest first: action, value, version."""
    return [(one.action.value, one.value, one.version) for one in reversed(reviews.newest(db, 50))]


async def test_the_label_and_all_that_tells_it_are_hidden(app: SidequestApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await begin(pilot)
        assert "hidden until you decide (b: not blind)" in shown(pilot)
        assert "Decide:  v VALIDATED  r REJECTED  f REFINED" in shown(pilot)
        assert not [words for words in TELLING if words in shown(pilot)]
        await pilot.press("b")
        await pilot.pause()
        assert all(words in shown(pilot) for words in TELLING if words != "VERDICT")
        assert "labels are shown" in shown(pilot)
        await pilot.press("v")
        await pilot.pause()
        assert "v decides while the label is hidden (b hides labels)" in told(pilot)
        await pilot.press("b")
        await pilot.pause()
        assert "not blind: you have seen it" in shown(pilot)
        await pilot.press("j")
        await pilot.pause()
        assert "hidden until you decide" in shown(pilot)


async def test_who_agrees_accepts_with_evidence_and_sees_the_next(app: SidequestApp, db: sqlite3.Connection) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await begin(pilot, "v", "r", "f")
        assert "Claim number 3" in shown(pilot)
        assert "you decided REFINED, as the label says: accepted · u undoes" in shown(pilot)
        assert not told(pilot)
        await pilot.press("k")
        await pilot.pause()
        assert "LABEL  REFINED" in shown(pilot)
        assert "not blind: you have decided this one" in shown(pilot)
    assert lines(db) == [("accept", value, 1) for value in ("VALIDATED", "REJECTED", "REFINED")]


async def test_who_disagrees_is_shown_the_label_and_chooses(app: SidequestApp, db: sqlite3.Connection) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await begin(pilot, "f")
        for words in ("You decided REFINED, the label is VALIDATED", "a accept as VALIDATED", "s leave it"):
            assert words in shown(pilot)
        assert "REASONING" in shown(pilot)
        assert status(db, 0) is Status.PENDING
        await pilot.press("f", "a")  # the second f decides nothing: the label is in sight
        await pilot.pause()
        assert status(db, 0) is Status.ACCEPTED
        await pilot.press("v", "x", "1", "v", "s")
        await pilot.pause()
        assert (status(db, 1), status(db, 2)) == (Status.REJECTED, Status.PENDING)
        assert "hidden until you decide" in shown(pilot)
        await pilot.press("u", "u")
        await pilot.pause()
        assert "undone: rejected · wrong decision" in shown(pilot)
        assert "Claim number 1" in shown(pilot)
        assert "not blind" in shown(pilot)
    said = [("label", "REFINED", 1), ("accept", "", None), ("label", "VALIDATED", 1), ("reject", "", None)]
    assert lines(db)[:4] == said


async def test_edit_begins_with_the_decision_that_the_person_came_to(app: SidequestApp, db: sqlite3.Connection) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await begin(pilot, "f", "e")
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert "LABEL  REFINED" in shown(pilot)
        found = examples.get(db, f"01J{0:023d}")
        assert found is not None
        assert (found.decision, found.version) == ("REFINED", 2)
        assert "You decided" not in shown(pilot)


async def test_accepting_unseen_works_and_says_once_what_it_is_not(app: SidequestApp, db: sqlite3.Connection) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await begin(pilot, "a", "a")
        assert told(pilot).count("count towards agreement") == 1
    assert lines(db) == [("accept", "", None)] * 2


async def test_a_second_reviewer_decides_without_the_first_ones_word(project: Project, db: sqlite3.Connection) -> None:
    put(db, example(id=f"01J{0:023d}"), example(id=f"01J{1:023d}"))
    for number in range(2):
        decide(db, f"01J{number:023d}", ReviewAction.ACCEPT, value="VALIDATED", version=1, reviewer="ann")
    app = SidequestApp(project.folder, "ben")
    async with app.run_test(size=(160, 45)) as pilot:
        await begin(pilot, "o", "8")
        assert "second opinion" in shown(pilot)
        assert "1 of 2 · 2 left" in shown(pilot)
        assert "accepted" not in shown(pilot).partition("ACCEPTED")[0]
        await pilot.press("v", "f")
        await pilot.pause()
        assert "you decided REFINED, the label is VALIDATED: it stays accepted" in shown(pilot)
        assert "That was the last one" in shown(pilot)
        assert [status(db, number) for number in range(2)] == [Status.ACCEPTED] * 2
        await pilot.press("o", "9")
        await pilot.pause()
        assert "ann VALIDATED · ben REFINED" in shown(pilot)
        assert "who settles a disagreement must see it" in shown(pilot)
        await pilot.press("a")
        await pilot.pause()
        assert "That was the last one" in shown(pilot)
        await pilot.press("u", "u")
        await pilot.pause()
        assert "undone: ben: decided REFINED blind" in shown(pilot)
        await pilot.press("u", "u")
        await pilot.pause()
        assert "nothing of yours left to undo" in shown(pilot)
    assert lines(db)[:2] == [("accept", "VALIDATED", 1)] * 2
    assert status(db, 0) is Status.ACCEPTED


async def test_letters_are_those_of_the_project(project: Project, db: sqlite3.Connection) -> None:
    path = project.folder / FILE
    text = path.read_text(encoding="utf-8")
    for old, new in (("VALIDATED", "YES"), ("REJECTED", "NO"), ("REFINED", "MAYBE")):
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    put(db, example(decision="YES"))
    app = SidequestApp(project.folder)
    async with app.run_test(size=SIZE) as pilot:
        await begin(pilot)
        assert "Y YES  N NO  m MAYBE" in shown(pilot)
        await pilot.press("Y")
        await pilot.pause()
        assert lines(db) == [("accept", "YES", 1)]


async def test_a_decision_about_what_was_edited_meanwhile_is_not_saved(
    app: SidequestApp, db: sqlite3.Connection
) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await begin(pilot)
        found = examples.get(db, f"01J{0:023d}")
        assert found is not None
        reviews.edit(db, found.model_copy(update={"hypothesis": "Edited elsewhere."}))
        await pilot.press("v")
        await pilot.pause()
        assert "not saved" in told(pilot)
        assert "edited meanwhile" in told(pilot)


@pytest.mark.parametrize("size", [SIZE, (200, 50)])
async def test_what_is_very_long_is_cut_and_says_so(
    project: Project, db: sqlite3.Connection, size: tuple[int, int]
) -> None:
    piece = Evidence(source="s" * 2000, content="word " * 100_000, relevance=0.5)
    put(
        db,
        long := Example.model_validate(example().model_dump() | {"evidence": [piece] * 8, "reasoning": "r" * 90_000}),
    )
    app = SidequestApp(project.folder)
    async with app.run_test(size=size) as pilot:
        await begin(pilot, "b", "space")
        assert pilot.app.screen.query_one("#example").scroll_y > 0
        assert "LABEL  VALIDATED" in shown(pilot)
        body = pilot.app.screen.query_one("#body").render()
        assert "cut here: 500,000 characters in all" in str(body)
        await pilot.press("a")
        assert examples.get(db, long.id).status is Status.ACCEPTED  # type: ignore[union-attr]
