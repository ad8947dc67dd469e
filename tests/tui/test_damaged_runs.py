"""A run whose row is damaged is one line in the list that says so: no verb and no place of the app ends for it."""

from __future__ import annotations

import json
import sqlite3

import pytest
from click.testing import CliRunner

from core.config.project import Project
from core.overview import overview
from storage import runs
from storage.schema import Run, RunState
from tests.tui.conftest import shown
from tui.app import SidequestApp
from tui.cli import main

# A column of a run, and what stands in it instead of what a worker wrote.
DAMAGE = [
    ("params", "{"),
    ("params", "[]"),
    ("params", "7"),
    ("params", '{"model": 7}'),
    ("params", "{}"),
    ("progress", "not JSON"),
    ("progress", "[1, 2]"),
    ("progress", '{"done": "many", "total": {}}'),
    ("progress", '{"alarms": 3, "outcomes": [], "dev": "?", "kept": "?", "reasons": 0, "files": 1}'),
    ("state", "dreaming"),
    ("kind", "dance"),
    ("heartbeat", "yesterday"),
    ("created", "never"),
]


@pytest.fixture
def damaged(project: Project, db: sqlite3.Connection, request: pytest.FixtureRequest) -> Project:
    """A project with one run of each kind, all damaged in the same way."""
    column, value = request.param
    for kind in ("generate", "benchmark", "train", "export"):
        runs.add(db, Run(id=f"01J{kind.upper():0<23}"[:26], kind=kind, state=RunState.FINISHED))
    db.execute(f"UPDATE runs SET {column} = ?", (value,))
    db.commit()
    return project


@pytest.mark.parametrize("damaged", DAMAGE, indirect=True)
async def test_every_place_opens(damaged: Project) -> None:
    app = SidequestApp(damaged.folder, "ann")
    async with app.run_test(size=(100, 35)) as pilot:
        for key in "12345678":
            await pilot.press(key)
            await pilot.pause(0.2)
        await pilot.press("8", "j", "enter")
        await pilot.pause(0.2)
        assert app.is_running
        assert "cannot be read" in shown(pilot)


@pytest.mark.parametrize("damaged", DAMAGE, indirect=True)
def test_every_verb_that_lists_runs_goes_on(damaged: Project, db: sqlite3.Connection) -> None:
    for words in ("runs list", "bench list", "train list", "models list", "plan"):
        done = CliRunner().invoke(main, ["-C", str(damaged.folder), *words.split(), "--json"])
        assert done.exit_code == 0, (words, done.output, done.exception)
        json.loads(done.stdout)
        done = CliRunner().invoke(main, ["-C", str(damaged.folder), *words.split()])
        assert done.exit_code == 0, (words, done.output, done.exception)
    report = damaged.folder / "state.html"
    done = CliRunner().invoke(main, ["-C", str(damaged.folder), "report", "--output", str(report)])
    assert done.exit_code == 0, done.output
    assert overview(damaged, db).runs is not None


@pytest.mark.parametrize("damaged", DAMAGE, indirect=True)
def test_one_that_is_asked_for_says_what_is_wrong(damaged: Project, db: sqlite3.Connection) -> None:
    for verb in ("runs show", "bench show", "train show", "runs resume"):
        for run in runs.newest(db):
            done = CliRunner().invoke(main, ["-C", str(damaged.folder), *verb.split(), run.id])
            assert done.exit_code in {0, 1, 2}
            assert done.exception is None or isinstance(done.exception, SystemExit), (verb, done.exception)
