"""The Runs screen: the list, and what can be asked of a run."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import timedelta

import psutil
import pytest

from core.config.project import Project
from storage import runs
from storage.schema import Run, RunState, now
from tests.tui.conftest import SIZE, shown, told, until
from tests.tui.runs_pilot import opened
from tui.app import SidequestApp
from tui.screens.runs.run_list import RunList

# What a generating run is asked for, at the least.
PARAMS = {"source": "procedural", "judge": "solver"}


@pytest.fixture
def going(db: sqlite3.Connection) -> Iterator[Run]:
    """A run whose process is alive, and hears nothing."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        started = psutil.Process(process.pid).create_time()
        run = Run(
            kind="generate", state=RunState.RUNNING, pid=process.pid, pid_started=started, heartbeat=now(),
            params=PARAMS | {"hint": "[/be clear"}, progress={"done": 3, "total": 9, "per_minute": 12.0},
        )  # fmt: skip
        runs.add(db, run)
        yield run
        process.kill()


async def test_without_a_run_every_key_says_so_or_does_nothing(project: Project) -> None:
    async with SidequestApp(project.folder).run_test(size=SIZE) as pilot:
        await opened(pilot)
        assert "no run yet" in shown(pilot)
        nothing, no_search, no_line = "there is no run yet", "nothing is looked for", "there is no line in this log"
        asked = {**dict.fromkeys("prxK", nothing), **dict.fromkeys("nN", no_search), "y": f"{no_line} to copy"}
        for key, said in asked.items():
            pilot.app.clear_notifications()
            await pilot.press(key)
            await until(pilot, lambda: said in told(pilot))  # noqa: B023  awaited here
        pilot.app.clear_notifications()
        await pilot.press("enter", "enter")
        await until(pilot, lambda: no_line in told(pilot))
        await pilot.press("w", "j", "k", "escape")


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
        await until(pilot, lambda: "killed on request " in shown(pilot))
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


async def test_all_runs_are_listed_and_the_cursor_stays_on_its_run(project: Project, db: sqlite3.Connection) -> None:
    for number in range(250):
        runs.add(db, Run(kind="generate", state=RunState.FINISHED, params=PARAMS, reason=f"run {number}"))
    async with SidequestApp(project.folder).run_test(size=SIZE) as pilot:
        screen = await opened(pilot)
        await until(pilot, lambda: "250 runs" in shown(pilot))
        assert "▸" in next(row for row in shown(pilot).split("\n") if "run 249" in row)
        await pilot.press("end", "up")
        await until(pilot, lambda: "run 0 " in shown(pilot))
        at = screen._list.cursor - screen._list.scroll_offset.y
        for number in range(3):
            runs.add(db, Run(kind="generate", state=RunState.FINISHED, params=PARAMS, reason=f"newer {number}"))
        await until(pilot, lambda: "253 runs" in shown(pilot))
        assert "▸" in next(row for row in shown(pilot).split("\n") if "run 1 " in row)
        assert screen._list.cursor - screen._list.scroll_offset.y == at
        await pilot.press("home")
        await until(pilot, lambda: "newer 2" in shown(pilot))


async def test_only_rows_in_sight_are_read_and_only_those_that_changed_are_drawn(
    project: Project, db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = [
        Run(kind="generate", state=RunState.FINISHED, params=PARAMS, reason=f"run {number}") for number in range(300)
    ]
    for run in listed:
        runs.add(db, run)
    async with SidequestApp(project.folder).run_test(size=SIZE) as pilot:
        screen = await opened(pilot)
        await pilot.press("end")
        await until(pilot, lambda: "run 0 " in shown(pilot))
        read_counts, drawn = list[int](), list[int]()
        real = runs.by_number

        def counting(connection: sqlite3.Connection, numbers: Sequence[int]) -> dict[int, Run]:
            read_counts.append(len(numbers))
            return real(connection, numbers)

        monkeypatch.setattr(runs, "by_number", counting)
        monkeypatch.setattr(screen._list, "refresh_line", drawn.append)
        screen.redraw()
        assert 0 < max(read_counts) <= 10
        assert drawn == []
        runs.update(db, listed[2].id, reason="changed")
        screen.redraw()
        assert drawn == [297]


async def test_the_list_of_runs_fits_and_follows_the_size(project: Project, db: sqlite3.Connection) -> None:
    reason = "the endpoint refused the key " * 4
    for _ in range(3):
        runs.add(db, Run(kind="generate", state=RunState.FAILED, params=PARAMS, reason=reason))
    app = SidequestApp(project.folder)
    async with app.run_test(size=SIZE) as pilot:
        await opened(pilot)
        table = pilot.app.screen.query_one("#runs", RunList)
        assert table.max_scroll_x == 0
        assert "the endpoint refused…" in shown(pilot)
        await pilot.press("j")
        assert table.cursor == 1
        await pilot.resize_terminal(160, 45)
        await pilot.pause()
        assert reason[:50] in shown(pilot)
        assert table.max_scroll_x == 0
        assert table.cursor == 1
        await pilot.press("k")
        assert table.cursor == 0
        await pilot.resize_terminal(60, 15)
        await until(pilot, lambda: "the endpoint re…" in shown(pilot))


async def test_how_long_ago_fits_its_column(project: Project, db: sqlite3.Connection) -> None:
    for hours in (24, 31):
        ago = now() - timedelta(hours=hours, seconds=-50)
        runs.add(db, Run(kind="generate", state=RunState.FINISHED, heartbeat=ago))
    async with SidequestApp(project.folder).run_test(size=SIZE) as pilot:
        await opened(pilot)
        assert "23 h 59 m ago" in shown(pilot)
        assert "1 d 7 h ago" in shown(pilot)


async def test_an_ended_run_is_not_asked_to_stop(project: Project, db: sqlite3.Connection) -> None:
    app = SidequestApp(project.folder)
    async with app.run_test(size=SIZE) as pilot:
        await opened(pilot)
        runs.add(db, Run(kind="generate", state=RunState.STOPPED))
        await until(pilot, lambda: "stopped" in shown(pilot), 5)
        await pilot.press("x")
        await pilot.pause()
        assert "it is stopped: r resumes it" in told(pilot)
