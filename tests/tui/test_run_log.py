"""The log on the Runs screen: followed, read back, searched; by keys and by mouse."""

from __future__ import annotations

import sqlite3

import pytest
from textual.events import MouseEvent, MouseScrollDown, MouseScrollUp
from textual.pilot import Pilot

from core.config.project import Project
from storage import runs
from storage.database import transaction
from storage.schema import Event, Run, RunState
from tests.conftest import HOSTILE
from tests.tui.conftest import RAW, SIZE, shown, told, until
from tests.tui.runs_pilot import log_of, opened
from tui.app import SidequestApp
from tui.screens import project_screen


@pytest.fixture(autouse=True)
def polls_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(project_screen, "POLL_S", 0.1)


@pytest.fixture
def run(db: sqlite3.Connection) -> Run:
    one = Run(kind="generate", state=RunState.FINISHED)
    runs.add(db, one)
    return one


def fill(db: sqlite3.Connection, run: Run, count: int, first: int = 0) -> None:
    with transaction(db):
        for number in range(first, first + count):
            runs.write_event(db, Event(run=run.id, message=f"line {number}."))


def at(pilot: Pilot[int]) -> str:
    """The message under the cursor of the log."""
    event = log_of(pilot).current
    return event.message if event else ""


async def wheel(pilot: Pilot[int], event: type[MouseEvent], turns: int) -> None:
    for _ in range(turns):
        await pilot._post_mouse_events([event], log_of(pilot), (5, 5), button=0)
    await pilot.pause()


async def test_the_log_is_followed_until_one_goes_up(project: Project, db: sqlite3.Connection, run: Run) -> None:
    fill(db, run, 2000)
    async with SidequestApp(project.folder).run_test(size=SIZE) as pilot:
        await opened(pilot)
        await until(pilot, lambda: "line 1999." in shown(pilot))
        runs.log(db, run.id, "a new line")
        await until(pilot, lambda: "a new line" in shown(pilot))
        fill(db, run, 700, 3000)  # more than a page at once
        await until(pilot, lambda: at(pilot) == "line 3699.")
        await pilot.press("enter", "up", "up")
        runs.log(db, run.id, "one that waits")
        await until(pilot, lambda: "1 newer lines below" in shown(pilot))
        assert "one that waits" not in shown(pilot)
        await pilot.press("end")
        await until(pilot, lambda: "one that waits" in shown(pilot))
        assert "newer lines below" not in shown(pilot)


async def test_home_and_end_are_those_of_the_whole_log(project: Project, db: sqlite3.Connection, run: Run) -> None:
    fill(db, run, 2500)
    async with SidequestApp(project.folder).run_test(size=SIZE) as pilot:
        await opened(pilot)
        await pilot.press("enter", "home")
        await until(pilot, lambda: at(pilot) == "line 0.")
        assert "line 0." in shown(pilot)
        for number in range(299, 2499, 300):  # from page to page, with none left out
            log_of(pilot).move_cursor(len(log_of(pilot).lines) - 1)
            assert at(pilot) == f"line {number}."
            await pilot.press("down")
            await until(pilot, lambda: at(pilot) == f"line {number + 1}.")  # noqa: B023  awaited here
        assert len(log_of(pilot).lines) <= 1500
        await pilot.press("end")
        await until(pilot, lambda: at(pilot) == "line 2499.")
        for number in range(2200, 0, -300):
            log_of(pilot).move_cursor(0)
            assert at(pilot) == f"line {number}."
            await pilot.press("up")
            await until(pilot, lambda: at(pilot) == f"line {number - 1}.")  # noqa: B023  awaited here


async def test_the_wheel_scrolls_up_and_the_log_waits(project: Project, db: sqlite3.Connection, run: Run) -> None:
    fill(db, run, 700)
    async with SidequestApp(project.folder).run_test(size=SIZE) as pilot:
        await opened(pilot)
        await until(pilot, lambda: "line 699." in shown(pilot))
        await wheel(pilot, MouseScrollUp, 3)
        assert "line 699." not in shown(pilot)
        runs.log(db, run.id, "one that waits")
        await until(pilot, lambda: "1 newer lines below" in shown(pilot))
        assert "one that waits" not in shown(pilot)
        await wheel(pilot, MouseScrollDown, 5)
        await until(pilot, lambda: "one that waits" in shown(pilot))
        runs.log(db, run.id, "followed again")
        await until(pilot, lambda: "followed again" in shown(pilot))
        log_of(pilot).scroll_to(y=3, animate=False)
        await wheel(pilot, MouseScrollUp, 4)  # to the top of the window, and beyond
        await until(pilot, lambda: log_of(pilot).lines[0].message == "line 100.")
        await pilot.pause()
        assert "line 395." in shown(pilot)


async def test_a_click_is_on_the_line_under_the_mouse(project: Project, db: sqlite3.Connection, run: Run) -> None:
    fill(db, run, 100)
    async with SidequestApp(project.folder).run_test(size=SIZE) as pilot:
        await opened(pilot)
        row = next(y for y, text in enumerate(shown(pilot).split("\n")) if "line 91." in text)
        await pilot.click(offset=(20, row))
        await until(pilot, lambda: at(pilot) == "line 91.")
        assert log_of(pilot).has_focus


async def test_a_line_that_is_cut_says_so(project: Project, db: sqlite3.Connection, run: Run) -> None:
    fill(db, run, 100)
    runs.log(db, run.id, "careful " * 40)
    async with SidequestApp(project.folder).run_test(size=SIZE) as pilot:
        await opened(pilot)
        await until(pilot, lambda: "careful" in shown(pilot))
        assert "…" in next(text for text in shown(pilot).split("\n") if "careful" in text)


async def test_words_are_found_up_from_the_newest_line(project: Project, db: sqlite3.Connection, run: Run) -> None:
    fill(db, run, 5)
    runs.log(db, run.id, "gave up a slot, 100 % of 5")
    fill(db, run, 700, 6)
    runs.log(db, run.id, "gave up a slot, 100 % of 700")
    fill(db, run, 300, 701)
    async with SidequestApp(project.folder).run_test(size=SIZE) as pilot:
        await opened(pilot)
        await pilot.press("slash", *"UP a", "enter")
        await until(pilot, lambda: at(pilot).endswith("of 700"))
        assert "n older, N newer" in shown(pilot)
        await pilot.press("n")
        await until(pilot, lambda: at(pilot).endswith("of 5"))
        await pilot.press("n")
        await until(pilot, lambda: "nowhere further up" in told(pilot))
        await pilot.press("N")
        await until(pilot, lambda: at(pilot).endswith("of 700"))
        await pilot.press("down")
        await until(pilot, lambda: at(pilot) == "line 701.")
        await pilot.press("slash", *(["backspace"] * 4), *"_%x", "enter")
        await until(pilot, lambda: "nowhere in this log" in told(pilot))
        await pilot.press("slash", "escape")
        assert not pilot.app.screen.query_one("#find").display
        await until(pilot, lambda: "finding" not in shown(pilot))
        await pilot.press("n")
        assert "nothing is looked for" in told(pilot)


async def test_words_are_found_down_from_a_line_in_the_middle(
    project: Project, db: sqlite3.Connection, run: Run
) -> None:
    fill(db, run, 2000)
    async with SidequestApp(project.folder).run_test(size=SIZE) as pilot:
        await opened(pilot)
        await pilot.press("enter", "home")
        await pilot.press("slash", *"777.", "enter")
        await until(pilot, lambda: at(pilot) == "line 777.")
        assert "n newer, N older" in shown(pilot)
        await pilot.press("n")
        await until(pilot, lambda: at(pilot) == "line 1777.")
        await pilot.press("n")
        await until(pilot, lambda: "nowhere further down" in told(pilot))
        await pilot.press("N")
        await until(pilot, lambda: at(pilot) == "line 777.")
        await pilot.press("down")
        await until(pilot, lambda: at(pilot) == "line 778.")
        await pilot.press("slash", *(["backspace"] * 4), *"line 12.", "enter")  # only further up
        await until(pilot, lambda: at(pilot) == "line 12.")
        assert "n older, N newer" in shown(pilot)
        await pilot.press("escape")
        await until(pilot, lambda: "finding" not in shown(pilot))
        assert pilot.app.screen.query_one("#runs").has_focus


async def test_the_field_is_left_for_what_is_laid_over_the_screen(
    project: Project, db: sqlite3.Connection, run: Run
) -> None:
    runs.log(db, run.id, "all is well")
    async with SidequestApp(project.folder).run_test(size=SIZE) as pilot:
        screen = await opened(pilot)
        await pilot.press("slash", "a", "ctrl+p")
        await until(pilot, lambda: pilot.app.screen is not screen)
        assert not screen.query_one("#find").display
        await pilot.press(*"warnings")
        await until(pilot, lambda: "Only warnings and errors" in shown(pilot))
        await pilot.press("enter", "enter")
        await until(pilot, lambda: "· warnings and errors" in shown(pilot))
        assert "all is well" not in shown(pilot)


async def test_warnings_alone_and_a_line_whole(project: Project, db: sqlite3.Connection, run: Run) -> None:
    runs.log(db, run.id, "all is well")
    runs.log(db, run.id, "careful " * 40, severity="warning", slot=7)
    async with SidequestApp(project.folder).run_test(size=SIZE) as pilot:
        await opened(pilot)
        await pilot.press("w")
        await until(pilot, lambda: "all is well" not in shown(pilot))
        assert "! careful" in shown(pilot)
        await pilot.press("enter", "enter")
        await until(pilot, lambda: '"slot": 7' in shown(pilot))
        await pilot.press("escape", "y")
        assert '"slot": 7' in pilot.app.clipboard
        await pilot.press("w")
        await until(pilot, lambda: "all is well" in shown(pilot))
        await pilot.press("escape", "j", "k")


async def test_hostile_lines_stay_lines(project: Project, db: sqlite3.Connection, run: Run) -> None:
    for text in HOSTILE:
        runs.log(db, run.id, text, severity="error", text=text)
    async with SidequestApp(project.folder).run_test(size=(160, 45)) as pilot:
        await opened(pilot)
        await until(pilot, lambda: "not red" in shown(pilot))
        await pilot.press("slash", *"red", "enter", "enter")
        await pilot.pause()
        assert not RAW.search(shown(pilot))
