"""The Runs screen: the list, the log as it grows, and what can be asked of a run."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest
from textual.pilot import Pilot

from core.project import Project
from storage import runs
from storage.schema import Run, RunState, now
from tests.conftest import HOSTILE
from tests.tui.conftest import RAW, SIZE, shown, told, until
from tui.app import SidequestApp
from tui.screens.runs import RunsScreen
from tui.widgets.log import Log


@pytest.fixture
def going(db: sqlite3.Connection) -> Iterator[Run]:
    """A run whose process is alive, and hears nothing."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        started = psutil.Process(process.pid).create_time()
        run = Run(
            kind="generate", state=RunState.RUNNING, pid=process.pid, pid_started=started, heartbeat=now(),
            params={"source": "procedural", "hint": "[/be clear"}, progress={"done": 3, "total": 9, "per_minute": 12.0},
        )  # fmt: skip
        runs.add(db, run)
        yield run
        process.kill()


async def opened(pilot: Pilot[int]) -> RunsScreen:
    await pilot.press("8")
    await until(pilot, lambda: isinstance(pilot.app.screen, RunsScreen))
    await pilot.pause()
    screen = pilot.app.screen
    assert isinstance(screen, RunsScreen)
    return screen


def log_of(pilot: Pilot[int]) -> Log:
    return pilot.app.screen.query_one("#log", Log)


async def test_without_a_run_every_key_says_so_or_does_nothing(project: Project) -> None:
    async with SidequestApp(project.folder).run_test(size=SIZE) as pilot:
        await opened(pilot)
        assert "no run yet" in shown(pilot)
        for key in ("p", "r", "x", "K", "n", "N", "w", "y", "j", "k", "enter", "enter", "escape"):
            await pilot.press(key)
        assert "there is no run yet" in told(pilot)
        assert "nothing is looked for" in told(pilot)
        assert "there is no line" in told(pilot)


async def test_a_run_is_killed_after_a_question_that_says_what_it_costs(
    project: Project, db: sqlite3.Connection, going: Run
) -> None:
    async with SidequestApp(project.folder).run_test(size=SIZE) as pilot:
        await opened(pilot)
        assert "3/9" in shown(pilot)
        await pilot.press("K")
        await until(pilot, lambda: "is lost, and paid for again" in " ".join(shown(pilot).split()))
        await pilot.press("n")
        assert psutil.pid_exists(going.pid or 0)
        await pilot.press("K")
        await until(pilot, lambda: "Kill run" in shown(pilot))
        await pilot.press("y")
        await until(pilot, lambda: "was killed" in told(pilot))
        found = runs.get(db, going.id)
        assert found is not None
        assert found.state is RunState.STOPPED
        await pilot.press("K")
        await until(pilot, lambda: "no process to kill" in told(pilot))


async def test_a_lost_run_is_named_and_offers_to_resume(project: Project, db: sqlite3.Connection, going: Run) -> None:
    os.kill(going.pid or 0, 9)
    runs.update(db, going.id, heartbeat=now().replace(year=2020))
    async with SidequestApp(project.folder).run_test(size=(100, 24)) as pilot:
        await opened(pilot)
        await until(pilot, lambda: "1 lost, r resumes" in shown(pilot))
        await pilot.press("p")
        assert "it is lost: r resumes it" in told(pilot)
        for key in ("x", "K"):
            await pilot.press(key)
            await until(pilot, lambda: "Count it as stopped?" in " ".join(shown(pilot).split()))
            await pilot.press("n")
        found = runs.get(db, going.id)
        assert found is not None
        assert found.state is RunState.RUNNING
        await pilot.press("x")
        await until(pilot, lambda: "Count it as stopped?" in " ".join(shown(pilot).split()))
        await pilot.press("y")
        await until(pilot, lambda: "counts as stopped" in told(pilot))
        await until(pilot, lambda: "1 lost" not in shown(pilot))
        await pilot.press("p")
        assert "it is stopped: r resumes it" in told(pilot)


async def test_the_log_is_followed_until_one_scrolls_up(project: Project, db: sqlite3.Connection, going: Run) -> None:
    for number in range(2000):
        runs.log(db, going.id, f"line {number}")
    async with SidequestApp(project.folder).run_test(size=SIZE) as pilot:
        await opened(pilot)
        await until(pilot, lambda: "line 1999" in shown(pilot))
        runs.log(db, going.id, "a new line")
        await until(pilot, lambda: "a new line" in shown(pilot))
        await pilot.press("enter", "up", "up")
        runs.log(db, going.id, "one that waits")
        await until(pilot, lambda: "1 newer lines below" in shown(pilot))
        assert "one that waits" not in shown(pilot)
        await pilot.press("end")
        await until(pilot, lambda: "one that waits" in shown(pilot))
        for _ in range(12):  # older lines come page by page
            await pilot.press("home", "up")
        await until(pilot, lambda: "line 0" in shown(pilot))
        assert len(log_of(pilot).lines) <= 1500
        await pilot.press("end", "down")
        await until(pilot, lambda: "one that waits" in shown(pilot))


async def test_words_are_found_in_the_log(project: Project, db: sqlite3.Connection, going: Run) -> None:
    for number in range(1000):
        runs.log(db, going.id, f"gave up a slot, 100 % of {number}" if number in {5, 700} else f"line {number}")
    async with SidequestApp(project.folder).run_test(size=SIZE) as pilot:
        await opened(pilot)
        await pilot.press("slash", *"UP a", "enter")
        await until(pilot, lambda: (event := log_of(pilot).current) is not None and event.message.endswith("of 700"))
        await pilot.press("n")
        await until(pilot, lambda: (event := log_of(pilot).current) is not None and event.message.endswith("of 5"))
        await pilot.press("n")
        await until(pilot, lambda: "nowhere further" in told(pilot))
        await pilot.press("N")
        await until(pilot, lambda: (event := log_of(pilot).current) is not None and event.message.endswith("of 700"))
        await pilot.press("slash", *(["backspace"] * 4), *"_%x", "enter")
        await until(pilot, lambda: "nowhere in this log" in told(pilot))
        await pilot.press("slash", "escape")
        assert not pilot.app.screen.query_one("#find").display


async def test_warnings_alone_and_a_line_whole(project: Project, db: sqlite3.Connection, going: Run) -> None:
    runs.log(db, going.id, "all is well")
    runs.log(db, going.id, "careful " * 40, severity="warning", slot=7)
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


async def test_hostile_lines_stay_lines(project: Project, db: sqlite3.Connection, going: Run) -> None:
    for text in HOSTILE:
        runs.log(db, going.id, text, severity="error", text=text)
    async with SidequestApp(project.folder).run_test(size=(160, 45)) as pilot:
        await opened(pilot)
        await until(pilot, lambda: "not red" in shown(pilot))
        await pilot.press("slash", *"red", "enter", "enter")
        await pilot.pause()
        assert not RAW.search(shown(pilot))


async def test_many_runs_are_listed_page_by_page(project: Project, db: sqlite3.Connection) -> None:
    for number in range(250):
        runs.add(db, Run(kind="generate", state=RunState.FINISHED, reason=f"run {number}"))
    async with SidequestApp(project.folder).run_test(size=SIZE) as pilot:
        screen = await opened(pilot)
        await until(pilot, lambda: "100 of 250 runs" in shown(pilot))
        await pilot.press("ctrl+end")
        screen._table.move_cursor(row=99)
        await until(pilot, lambda: "200 of 250 runs" in shown(pilot))
        screen._table.move_cursor(row=199)
        await until(pilot, lambda: "250 runs" in shown(pilot))
