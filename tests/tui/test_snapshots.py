"""A few pictures of the app, light and dark. `pytest --snapshot-update` renews them; look before you commit."""

from __future__ import annotations

import sqlite3
import time
from typing import Any

import pytest
from textual.pilot import Pilot

from core.config.project import Project
from storage import runs
from storage.schema import ReviewAction, RunState
from tests.stored import decide
from tests.tui.benchmark_pilot import RIGHT, WRONG, open_benchmark, write_benchmark
from tests.tui.conftest import put, several
from tests.tui.training_pilot import add_training_run
from tui.app import SidequestApp
from tui.screens import project_screen


@pytest.fixture
def pictured(project: Project, db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> SidequestApp:
    """The app with fixed examples and a clock that stands still."""
    put(db, *several(24))
    for number, action in enumerate([ReviewAction.ACCEPT, ReviewAction.REJECT, ReviewAction.ACCEPT, ReviewAction.FLAG]):
        decide(db, f"01J{number:023d}", action)

    monkeypatch.setattr(project_screen, "clock", lambda: "14:02")
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    return SidequestApp(project.folder)


@pytest.mark.parametrize(
    ("keys", "size", "theme"),
    [
        pytest.param([], (80, 24), "textual-dark", id="home"),
        pytest.param(["3"], (80, 24), "textual-dark", id="review"),
        pytest.param(["3"], (160, 45), "textual-light", id="review-light-wide"),
        pytest.param(["2"], (160, 45), "textual-dark", id="generate-wide"),
        pytest.param(["4"], (80, 24), "textual-light", id="rejections-light"),
        pytest.param(["5"], (160, 45), "textual-dark", id="dataset-wide"),
    ],
)
def test_picture(pictured: SidequestApp, snap_compare: Any, keys: list[str], size: tuple[int, int], theme: str) -> None:
    async def prepare(pilot: Pilot[int]) -> None:
        pilot.app.theme = theme
        await pilot.press(*keys)
        await pilot.pause()

    assert snap_compare(pictured, run_before=prepare, terminal_size=size)


@pytest.mark.parametrize(
    ("size", "theme"),
    [
        pytest.param((80, 24), "textual-dark", id="benchmark"),
        pytest.param((160, 45), "textual-light", id="benchmark-light-wide"),
    ],
)
def test_two_benchmarks(
    pictured: SidequestApp, db: sqlite3.Connection, snap_compare: Any, size: tuple[int, int], theme: str
) -> None:
    for number, (model, answers) in enumerate(
        (("smollm2-135m", [RIGHT, WRONG, "refused", WRONG, RIGHT]), ("bag-of-words", [RIGHT, RIGHT, WRONG]))
    ):
        run = {"id": f"01JBENCHMARK{number:014d}", "state": RunState.STOPPED, "reason": "stopped on request"}
        write_benchmark(db, several(24), model, (answers * 8)[:22], run=run)

    async def prepare(pilot: Pilot[int]) -> None:
        pilot.app.theme = theme
        await open_benchmark(pilot)

    assert snap_compare(pictured, run_before=prepare, terminal_size=size)


@pytest.mark.parametrize(
    ("size", "theme"),
    [
        pytest.param((80, 24), "textual-dark", id="training"),
        pytest.param((160, 45), "textual-light", id="training-light-wide"),
    ],
)
def test_a_training(
    pictured: SidequestApp, db: sqlite3.Connection, snap_compare: Any, size: tuple[int, int], theme: str
) -> None:
    run = add_training_run(db, 24, id="01JTRAINING000000000000001", reason="stopped on request")
    alarms = {"one confidence": "Confidence hardly varies any more: raise the weight of calibration."}
    runs.update(db, run.id, progress=run.progress | {"alarms": alarms})

    async def prepare(pilot: Pilot[int]) -> None:
        pilot.app.theme = theme
        await pilot.press("7")
        await pilot.pause()

    assert snap_compare(pictured, run_before=prepare, terminal_size=size)
