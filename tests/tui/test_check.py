"""Check, over Dataset, through the pilot; and the questions about leaks."""

from __future__ import annotations

import sqlite3

import pytest
from textual.widgets import Select, Static

from core.config.project import Project
from core.dataset import measure
from storage import runs, splits
from storage.schema import Status
from tests.conftest import HOSTILE, example
from tests.tui.benchmark_pilot import open_benchmark
from tests.tui.conftest import RAW, SIZE, put, several, shown, told, until
from tests.tui.dataset_pilot import apply_filter, count, dataset_screen, open_dataset, wait_until_idle
from tui.app import SidequestApp
from tui.screens.benchmark.form import BenchmarkForm
from tui.screens.dataset import check as check_screen
from tui.screens.dataset.check import CheckScreen
from tui.screens.dataset.choice import Choice
from tui.widgets.modals import Confirm


def put_twins(db: sqlite3.Connection, **change: object) -> None:
    """The same case in train and in test, in two families."""
    for family, split in (("a", "train"), ("b", "test")):
        put(db, example(**{"family": family, "split": split, "status": Status.ACCEPTED, **change}))


async def test_findings_are_a_table_that_leads_to_the_examples(project: Project, db: sqlite3.Connection) -> None:
    put(db, *several(12))
    put_twins(db)
    async with SidequestApp(project.folder).run_test(size=(100, 30)) as pilot:
        await open_dataset(pilot)
        await apply_filter(pilot, "level:1-5")
        await pilot.press("f")
        await until(pilot, lambda: isinstance(pilot.app.screen, CheckScreen))
        await until(pilot, lambda: "WORDS ALONE" in shown(pilot) and "both" in shown(pilot))
        for words in ("14 examples", "stops", "1 case in two splits", "test 1, train 1", "splits put none id"):
            assert words in shown(pilot)
        await pilot.press("down", "up", "end", "home", "pagedown", "pageup", "question_mark")
        await until(pilot, lambda: "examples behind the line" in shown(pilot))
        await pilot.press("escape", "home", "down", "enter")
        await wait_until_idle(pilot)
        assert dataset_screen(pilot).example_list.query_text.startswith("id:")
        assert len(dataset_screen(pilot).example_list.table.numbers) == 2
        assert "escape brings back “level:1-5”" in told(pilot)
        await pilot.press("escape")
        await wait_until_idle(pilot)
        assert dataset_screen(pilot).example_list.query_text == "level:1-5"
        await pilot.press("f", "q")
        await wait_until_idle(pilot)
        assert dataset_screen(pilot).example_list.query_text == "level:1-5"


async def test_without_findings_it_says_so(project: Project, db: sqlite3.Connection) -> None:
    async with SidequestApp(project.folder).run_test(size=SIZE) as pilot:
        await open_dataset(pilot)
        await pilot.press("f", "enter", "end", "j")
        await until(pilot, lambda: "no findings" in shown(pilot))
        await until(pilot, lambda: "0 examples" in shown(pilot))
        assert "reading" not in shown(pilot)


async def test_what_cannot_be_checked_says_why(app: SidequestApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        check_screen, "command", lambda kind, folder, query: measure.command(kind, folder / "none", query)
    )
    async with app.run_test(size=SIZE) as pilot:
        await open_dataset(pilot)
        await pilot.press("f")
        await until(pilot, lambda: "could not be checked" in shown(pilot))


async def test_hostile_text_only_shows(project: Project, db: sqlite3.Connection) -> None:
    for number, text in enumerate(HOSTILE):
        for split in ("train", "test"):
            put(db, example(hypothesis=f"{text} h{number}", family=f"{split} {text}", split=split))
    async with SidequestApp(project.folder).run_test(size=(80, 60)) as pilot:
        await open_dataset(pilot)
        await pilot.press("f")
        await until(pilot, lambda: "both" in shown(pilot))
        assert not RAW.search(shown(pilot))
        await pilot.press("end", "pageup")
        await pilot.pause()
        assert not RAW.search(shown(pilot))


async def test_a_benchmark_over_leaks_starts_only_after_a_question(project: Project, db: sqlite3.Connection) -> None:
    put_twins(db)
    async with SidequestApp(project.folder).run_test(size=(100, 35)) as pilot:
        await open_benchmark(pilot)
        for answer in ("n", "y"):
            await pilot.press("g")
            await until(pilot, lambda: isinstance(pilot.app.screen, BenchmarkForm))
            pilot.app.screen.query_one("#model", Select).value = "majority"
            await until(pilot, lambda: "costs no money" in shown(pilot))
            await pilot.pause(0.5)
            await pilot.press("ctrl+s")
            await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
            question = str(pilot.app.screen.query_one("#box", Static).content)
            assert "1 case in two splits" in question
            assert "Measure all the same?" in question
            await pilot.press(answer)
            await until(pilot, lambda: len(pilot.app.screen_stack) == 1)
            if answer == "n":
                assert runs.newest(db) == []
        await until(pilot, lambda: len(runs.newest(db)) == 1)


async def test_sharing_out_names_leaks_in_its_question(project: Project, db: sqlite3.Connection) -> None:
    put(db, example(family="old", split="test", status=Status.ACCEPTED), example(family="new", status=Status.ACCEPTED))
    splits.freeze(db, "test")
    async with SidequestApp(project.folder).run_test(size=SIZE) as pilot:
        await open_dataset(pilot)
        await pilot.press("p")
        await until(pilot, lambda: isinstance(pilot.app.screen, Choice))
        await pilot.press("5")
        await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
        question = str(pilot.app.screen.query_one("#box", Static).content)
        assert "such as old and new, which have the same" in question
        await pilot.press("n")
        await wait_until_idle(pilot)
        assert count(db, "split:none") == 1
        await pilot.press("p", "5")
        await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
        await pilot.press("y")
        await until(pilot, lambda: count(db, "split:none") == 0)
