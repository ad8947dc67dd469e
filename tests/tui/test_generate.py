"""Generate and Runs through the pilot: a real worker, a form that is wrong."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time

import psutil
from textual.widgets import DataTable, Input, Select

from core.config.project import FILE, Project
from core.config.task import EndpointSettings
from core.generation.start import plan_generation
from core.runs import control
from core.runs.params import GenerateParams
from storage import examples, runs, shelves
from storage.schema import Run, RunState
from storage.shelves import Shelf
from tests.tui.conftest import SIZE, shown, told, until
from tui.app import SidequestApp
from tui.screens.generate.figures import start_question


async def test_a_run_is_started_watched_paused_stopped_and_resumed(project: Project, db: sqlite3.Connection) -> None:
    app = SidequestApp(project.folder)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("2")
        await pilot.pause()
        screen = pilot.app.screen
        screen.query_one("#attempts_per_minute", Input).value = "600"
        screen.query_one("#n", Input).value = "60"
        await pilot.press("g")
        await until(pilot, lambda: "Generate 60 examples in 60 cells?" in shown(pilot))
        assert "costs nothing." in shown(pilot)
        await pilot.press("y")
        await until(pilot, lambda: "running" in shown(pilot) and "passed QA" in shown(pilot))
        run = runs.newest(db)[0]
        await pilot.press("p")
        await until(pilot, lambda: "paused" in shown(pilot))
        await pilot.press("p")
        await until(pilot, lambda: " running" in shown(pilot))
        await pilot.press("x")
        await pilot.pause()
        assert "Stop run" in shown(pilot)
        await pilot.press("n")
        await pilot.press("x", "y")
        await until(pilot, lambda: " stopped" in shown(pilot))
        await pilot.press("8")
        await until(pilot, lambda: "stopped on request" in shown(pilot))
        await pilot.press("r")
        await until(pilot, lambda: "goes on from where it was" in told(pilot))
        await pilot.press("q")
    # The app has gone; the run has not.
    deadline = time.monotonic() + 30
    while not control.run_status(found := runs.get(db, run.id) or run).state.ended:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    assert found.state is RunState.FINISHED
    assert examples.count(db) == 60


async def test_the_form_names_what_is_wrong_and_starts_nothing(project: Project, db: sqlite3.Connection) -> None:
    app = SidequestApp(project.folder)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("2")
        await pilot.pause()
        screen = pilot.app.screen
        for field, text, message in (
            ("n", "many", "how many: many is no number"),
            ("cells", "domain:sports", "no domain sports"),
            ("cells", "words", "words is no cell"),
            ("flaws", "7", "flaws"),
        ):
            before = screen.query_one(f"#{field}", Input).value
            screen.query_one(f"#{field}", Input).value = text
            screen.query_one("#grid").focus()
            await pilot.press("g")
            await pilot.pause()
            assert message in told(pilot)
            screen.query_one(f"#{field}", Input).value = before
            pilot.app.clear_notifications()
        await pilot.press("p", "x")
        await pilot.pause()
        assert runs.newest(db) == []


async def test_the_cell_under_the_cursor_can_be_chosen(app: SidequestApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("2")
        await pilot.pause()
        screen = pilot.app.screen
        screen.query_one("#grid", DataTable).move_cursor(row=3, column=2)
        await pilot.press("c")
        assert screen.query_one("#cells", Input).value == "domain:risk level:2"
        await pilot.press("enter")
        assert screen.query_one("#cells", Input).value == ""
        screen.query_one("#n", Input).focus()
        await pilot.press("escape")
        assert screen.query_one("#grid").has_focus


async def test_enter_goes_through_the_form_and_asks_before_it_starts(project: Project, db: sqlite3.Connection) -> None:
    async with SidequestApp(project.folder).run_test(size=SIZE) as pilot:
        await pilot.press("2")
        await pilot.pause()
        screen = pilot.app.screen
        screen.query_one("#cells", Input).focus()
        await pilot.pause()
        assert "⏎ Next field" in shown(pilot)
        await pilot.press(*"domain:risk", "enter", "3", "question_mark")
        await until(pilot, lambda: "On to the next field" in shown(pilot))
        assert "Pause the run" not in shown(pilot)
        await pilot.press("escape")
        assert (screen.query_one("#cells", Input).value, screen.query_one("#n", Input).value) == ("domain:risk", "3")
        await pilot.press(*["enter"] * 5)
        await until(pilot, lambda: "Generate 3 examples in 3 cells? procedural writes" in shown(pilot))
        await pilot.press("enter", "n")
        await pilot.pause()
        assert runs.newest(db) == []


async def test_a_cost_is_that_of_the_last_run_of_the_kind(project: Project, db: sqlite3.Connection) -> None:
    task = project.task.model_copy(update={"models": {"writer": EndpointSettings(base_url="http://x/v1", model="m")}})
    asked = GenerateParams(source="writer", judge="solver", n=4)
    assert "not known beforehand" in start_question(plan_generation(task, db, asked))
    figures = {"cost_per_accepted": 0.25}
    params = {"source": "writer", "judge": "solver"}
    runs.add(db, Run(kind="generate", state=RunState.FINISHED, params=params, progress=figures))
    assert "costs about 1.00" in start_question(plan_generation(task, db, asked))
    assert "costs nothing" in start_question(plan_generation(task, db, GenerateParams.of(task)))


async def test_shelved_cells_are_marked_and_a_small_screen_shows_all_levels(
    project: Project, db: sqlite3.Connection
) -> None:
    shelves.shelve(db, Shelf("risk", 5))
    async with SidequestApp(project.folder).run_test(size=(60, 20)) as pilot:
        await pilot.press("2")
        await pilot.pause()
        grid = pilot.app.screen.query_one("#grid", DataTable)
        assert grid.max_scroll_x == 0
        assert grid.region.right <= 60
        assert "L5" in shown(pilot)
        assert "0/0~" in shown(pilot)
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert grid.ordered_columns[0].width == 14
        assert "~ shelved" in shown(pilot)


async def test_the_form_offers_the_models_of_a_file_that_was_read_again(app: SidequestApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("2")
        await pilot.pause()
        path = app.project.folder / FILE
        text = path.read_text(encoding="utf-8")
        model = '\n[models.writer]\nbase_url = "http://127.0.0.1:9/v1"\nmodel = "m"\n'
        path.write_text(text + model, encoding="utf-8")
        await pilot.press("ctrl+r")
        source = pilot.app.screen.query_one("#source", Select)
        await until(pilot, lambda: "writer" in [value for _, value in source._options])
        assert source.value == "procedural"
        source.value = "writer"
        path.write_text(text, encoding="utf-8")
        await pilot.press("ctrl+r")
        await until(pilot, lambda: source.value == "procedural")


async def test_a_question_to_stop_never_becomes_a_kill(project: Project, db: sqlite3.Connection) -> None:
    # The worker of this run is the test itself: a kill would end it.
    mine = Run(kind="generate", state=RunState.RUNNING, pid=os.getpid(), pid_started=psutil.Process().create_time())
    runs.add(db, mine.model_copy(update={"heartbeat": mine.created}))
    app = SidequestApp(project.folder)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("8")
        await pilot.pause()
        await pilot.press("x")
        await pilot.pause()
        assert "Stop run" in shown(pilot)
        control.stop(db, mine.id)  # somebody else was faster
        await pilot.press("enter")  # a habit, not an answer
        await pilot.press("y")
        await pilot.pause()
        assert "it is stopping already" in told(pilot)
        found = runs.get(db, mine.id)
        assert found is not None
        assert found.state is RunState.STOPPING


async def test_a_held_or_readonly_database_starts_nothing_and_says_so(
    app: SidequestApp, db: sqlite3.Connection
) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("2")
        await pilot.pause()
        app.db.execute("PRAGMA busy_timeout = 0")
        db.execute("BEGIN IMMEDIATE")
        await pilot.press("g", "y")
        await until(pilot, lambda: "another process holds the database" in told(pilot))
        db.execute("ROLLBACK")
        app.db.execute("PRAGMA query_only = 1")
        await pilot.press("g", "y")
        await until(pilot, lambda: "readonly database" in told(pilot))
        assert runs.newest(db) == []


async def test_a_domain_that_was_renamed_is_a_row_after_the_file_is_read_again(app: SidequestApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("4")
        await pilot.pause()
        await pilot.press("2")
        await pilot.pause()
        path = app.project.folder / FILE
        path.write_text(path.read_text(encoding="utf-8").replace('name = "risk"', 'name = "danger"'), encoding="utf-8")
        await pilot.press("ctrl+r")
        await until(pilot, lambda: "danger" in shown(pilot))
        assert "│ risk" not in shown(pilot)
        await pilot.press("4")
        await until(pilot, lambda: "danger" in shown(pilot))
