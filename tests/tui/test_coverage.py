"""Coverage through the pilot."""

from __future__ import annotations

import sqlite3

import pytest

from core.config.project import Project
from core.dataset import measure
from storage.schema import Evidence
from storage.shelves import Shelf, shelve
from tests.conftest import HOSTILE, example
from tests.tui.conftest import RAW, SIZE, put, several, shown, told, until
from tests.tui.dataset_pilot import apply_filter, dataset_screen, open_dataset, wait_until_idle
from tui.app import SidequestApp
from tui.screens.dataset import coverage
from tui.screens.dataset.coverage import CoverageScreen
from tui.widgets.coverage_figures import histogram


async def test_the_grid_is_there_at_once_and_figures_follow(project: Project, db: sqlite3.Connection) -> None:
    put(db, *several(60), example(hypothesis="Twice."), example(hypothesis="Twice.", family="f2"))
    shelve(db, Shelf("market", 2))
    async with SidequestApp(project.folder).run_test(size=(100, 90)) as pilot:
        await open_dataset(pilot)
        await pilot.press("c")
        await until(pilot, lambda: isinstance(pilot.app.screen, CoverageScreen))
        assert "CELLS" in shown(pilot)
        assert "~ shelved" in shown(pilot)
        await until(pilot, lambda: "HYPOTHESIS ALONE" in shown(pilot))
        for words in ("62 examples", "NEAR-DUPLICATES", "WORDS", "LEVELS", "2 alike"):
            assert words in shown(pilot)
        rows = len(project.task.domains) * len(project.task.levels)
        await pilot.press(*["j"] * rows, "enter")
        await wait_until_idle(pilot)
        assert dataset_screen(pilot).example_list.query_text.startswith("id:")


async def test_a_cell_leads_to_its_examples(app: SidequestApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await open_dataset(pilot)
        await apply_filter(pilot, "level:1-5")
        await pilot.press("c")
        await until(pilot, lambda: isinstance(pilot.app.screen, CoverageScreen))
        await pilot.press("down", "up", "down", "pagedown", "pageup", "end", "home", "enter")
        await wait_until_idle(pilot)
        assert dataset_screen(pilot).example_list.query_text == "domain:market level:2 -status:rejected"
        assert "escape brings back “level:1-5”" in told(pilot)
        await pilot.press("c", "question_mark")
        await until(pilot, lambda: "Let the list show the cell" in shown(pilot))
        await pilot.press("escape", "escape")
        await wait_until_idle(pilot)
        assert dataset_screen(pilot).example_list.query_text == "domain:market level:2 -status:rejected"
        await pilot.press("escape")
        await wait_until_idle(pilot)
        assert dataset_screen(pilot).example_list.query_text == "level:1-5"
        await pilot.press("escape")
        assert dataset_screen(pilot).example_list.query_text == "level:1-5"


async def test_an_empty_project_has_a_grid_and_no_figures(project: Project) -> None:
    async with SidequestApp(project.folder).run_test(size=SIZE) as pilot:
        await open_dataset(pilot)
        await pilot.press("c")
        await until(pilot, lambda: "0 examples" in shown(pilot))
        await pilot.press("end", *["j"] * 36, "enter")
        await wait_until_idle(pilot)


async def test_what_cannot_be_measured_says_why(app: SidequestApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        coverage, "command", lambda kind, folder, query: measure.command(kind, folder / "not there", query)
    )
    async with app.run_test(size=SIZE) as pilot:
        await open_dataset(pilot)
        await pilot.press("c")
        await until(pilot, lambda: "could not be measured" in shown(pilot))


async def test_hostile_and_long_text_only_shows(project: Project, db: sqlite3.Connection) -> None:
    piece = Evidence(source="s", content="word " * 50_000, relevance=0.5)
    put(db, *(example(hypothesis=text) for text in HOSTILE), example(domain="[/ \x1b[2J", evidence=[piece]))
    async with SidequestApp(project.folder).run_test(size=(80, 60)) as pilot:
        await open_dataset(pilot)
        await pilot.press("c")
        await until(pilot, lambda: "HYPOTHESIS ALONE" in shown(pilot))
        assert not RAW.search(shown(pilot))
        await pilot.press("pagedown", "pagedown")
        await pilot.pause()
        assert not RAW.search(shown(pilot))


def test_a_histogram_is_blank_only_where_nothing_is() -> None:
    assert histogram([0, 1, 100, 50]) == " ▁█▄"
    assert histogram([]) == ""
    assert histogram([0]) == " "
