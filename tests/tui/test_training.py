"""Training: the run while it goes and after, its answers, notes, comparisons, and what starts and stops it."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

import psutil
import pytest
from textual.pilot import Pilot

from core.project import FILE, Project
from core.training.recipe import Algorithm
from storage import runs, training
from storage.schema import RunState
from tests.core.judged import fill
from tests.tui.conftest import RAW, SIZE, shown, told, until
from tests.tui.in_training import trained
from tui.app import SidequestApp
from tui.screens.training import TrainingScreen

RECIPES = """
[train.small]
algorithm = "grpo"
first = "warm"
steps = 400

[train.warm]
algorithm = "sft"
steps = 60
"""


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """No process is started."""
    monkeypatch.setattr("core.runs.launch.spawn", lambda *_: None)


async def opened(pilot: Pilot[int]) -> None:
    await pilot.press("7")
    await until(pilot, lambda: isinstance(pilot.app.screen, TrainingScreen))
    await pilot.pause()


async def test_without_a_run_it_says_what_to_do(app: SidequestApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await opened(pilot)
        assert "Nothing was trained yet" in shown(pilot)
        assert "[train.NAME] in sidequest.toml is a recipe" in shown(pilot)
        for key in ("p", "x", "n", "c", "v", "t", "o", "enter", "l"):
            app.clear_notifications()
            await pilot.press(key)
            await pilot.pause()
            assert "nothing was trained yet" in told(pilot), key
        await pilot.press("g")
        await until(pilot, lambda: "there is no recipe" in told(pilot))


@pytest.mark.parametrize("size", [(80, 24), (160, 45), (60, 15)])
async def test_the_figures_of_a_run(app: SidequestApp, db: sqlite3.Connection, size: tuple[int, int]) -> None:
    run = trained(db)
    alarms = {"one confidence": "Confidence hardly varies any more: raise the weight of calibration."}
    runs.update(db, run.id, progress=run.progress | {"alarms": alarms})
    async with app.run_test(size=size) as pilot:
        await opened(pilot)
        text = shown(pilot)
        assert "small · GRPO · step 12/400" in text
        assert "dev accuracy 57 → 70 % (50–80), 42/60" in text
        assert "! Confidence hardly varies" in text
        if size == (60, 15):
            return
        assert "3.1 s a step · 245 tokens/s · 1,830 MB" in text
        assert "ece 0.26 → 0.18" in text
        assert "decisions VALIDATED 41 REJECTED 35 REFINED 24" in text
        assert "levels 1:40 2:35 3:25" in text
        assert ("(drawn 1:50 2:50)" in text) is (size[0] > 80)
        assert "reward       " in text
        assert "✓ REFINED 0.70" in text
        assert not RAW.search(text)


async def test_a_run_of_sft_shows_its_loss_and_no_answers(app: SidequestApp, db: sqlite3.Connection) -> None:
    trained(db, algorithm=Algorithm.SFT, answers=False)
    async with app.run_test(size=SIZE) as pilot:
        await opened(pilot)
        assert "loss          █" in shown(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: "no answer was kept" in told(pilot))


async def test_a_run_before_its_first_step(app: SidequestApp, db: sqlite3.Connection) -> None:
    trained(db, 0)
    async with app.run_test(size=SIZE) as pilot:
        await opened(pilot)
        assert "no step yet" in shown(pilot)
        assert "no look yet" in shown(pilot)
        await pilot.press("c")
        await pilot.pause()


async def test_a_very_long_run_is_thinned(app: SidequestApp, db: sqlite3.Connection) -> None:
    run = trained(db, 3, answers=False)
    rows = [(run.id, "small", step, '{"loss": 1.0, "reward": 0.5}', "2026-01-01") for step in range(4, 10_001)]
    with db:
        db.executemany("INSERT INTO training_steps VALUES (?, ?, ?, ?, ?)", rows)
    assert len(training.thinned(db, run.id, "small", 400)) <= 401
    async with app.run_test(size=SIZE) as pilot:
        await opened(pilot)
        assert "step 10,000/400" in shown(pilot)


async def test_answers_step_by_step(app: SidequestApp, db: sqlite3.Connection) -> None:
    trained(db)
    async with app.run_test(size=SIZE) as pilot:
        await opened(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: "Answers · small · step 12 · 12 of 12 steps" in shown(pilot))
        assert "reward +1.10: correct +1.00 · format +1.00" in shown(pilot)
        await pilot.press("left")
        await until(pilot, lambda: "step 11 says so" in shown(pilot))
        await pilot.press("down")
        await until(pilot, lambda: "decided REJECTED, 0.90 sure" in shown(pilot))
        assert not RAW.search(shown(pilot))
        await pilot.press("j")
        await until(pilot, lambda: "cut off before its end" in shown(pilot))
        await pilot.press("space", "b", "home")
        await until(pilot, lambda: "step 1 · 1 of 12" in shown(pilot))
        await pilot.press("left", "up", "up", "up", "end", "right", "y")
        await until(pilot, lambda: "copied as JSON" in told(pilot))
        assert "says so" in pilot.app.clipboard
        await pilot.press("question_mark")
        await until(pilot, lambda: "Keys · Answers" in shown(pilot))
        await pilot.press("escape", "q")
        await until(pilot, lambda: isinstance(app.screen, TrainingScreen))


async def test_a_note_is_pinned_to_its_step(app: SidequestApp, db: sqlite3.Connection) -> None:
    run = trained(db)
    async with app.run_test(size=SIZE) as pilot:
        await opened(pilot)
        await pilot.press("n", *"raised kl", "enter")
        await until(pilot, lambda: "noted at small step 12: raised kl" in shown(pilot))
        assert [(one.step, one.note) for one in training.notes(db, run.id)] == [(12, "raised kl")]
        await pilot.press("n", "x", "escape")
        await pilot.pause()
        assert len(training.notes(db, run.id)) == 1
        await pilot.press("c")
        await until(pilot, lambda: "dev accuracy" in shown(pilot) and "reward" in shown(pilot))
        await pilot.press("escape")
        await until(pilot, lambda: "what it wrote" in shown(pilot))


async def test_two_runs_side_by_side(app: SidequestApp, db: sqlite3.Connection) -> None:
    first = trained(db, id="01JTRAINING00000000000001A")
    async with app.run_test(size=SIZE) as pilot:
        await opened(pilot)
        await pilot.press("v")
        await until(pilot, lambda: "no other training run" in told(pilot))
        trained(db, 8, id="01JTRAINING00000000000002B")
        await pilot.press("v")
        await until(pilot, lambda: "Which run beside this one?" in shown(pilot))
        await pilot.press("1")
        await until(pilot, lambda: "dev ece" in shown(pilot))
        assert "small · GRPO · 00001A" in shown(pilot)
        assert "small · GRPO · 00002B" in shown(pilot)
        await pilot.press("v")
        await until(pilot, lambda: "what it wrote" in shown(pilot))
        await pilot.press("o", "2")
        await until(pilot, lambda: f"run {first.id[-6:]}" in shown(pilot))


async def test_the_table_says_what_is_missing(app: SidequestApp, db: sqlite3.Connection) -> None:
    trained(db)
    async with app.run_test(size=SIZE) as pilot:
        await opened(pilot)
        await pilot.press("t")
        await until(pilot, lambda: "has finished no phase" in shown(pilot) or "nothing was trained" in shown(pilot))
        await pilot.press("t")
        await until(pilot, lambda: "what it wrote" in shown(pilot))


async def test_start_from_the_form(project: Project, db: sqlite3.Connection, app: SidequestApp) -> None:
    path = Path(project.folder / FILE)
    path.write_text(path.read_text() + RECIPES)
    async with app.run_test(size=SIZE) as pilot:
        await opened(pilot)
        await pilot.press("g")
        await until(pilot, lambda: "no accepted example is in the split train" in shown(pilot))
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert runs.of_kind(db, "train") == []
        await pilot.press("escape")
        fill(db, 12, split="train")
        await pilot.press("g")
        await until(pilot, lambda: "on 12 cases" in shown(pilot))
        assert "warm: SFT, 60 steps of 8 cases" in shown(pilot)
        assert "small: GRPO, 400 steps of 8 cases, 8 answers to each, 64 a step" in shown(pilot)
        assert "accuracy cannot be watched" in shown(pilot)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "starts; it goes on if you leave" in told(pilot))
        assert [run.params["name"] for run in runs.of_kind(db, "train")] == ["small"]


async def test_pause_stop_and_log(app: SidequestApp, db: sqlite3.Connection) -> None:
    alive: Any = {"state": RunState.RUNNING, "pid": os.getpid(), "pid_started": psutil.Process().create_time()}
    run = trained(db, **alive)
    async with app.run_test(size=SIZE) as pilot:
        await opened(pilot)
        assert "eta 52 m" in shown(pilot)
        await pilot.press("p")
        await until(pilot, lambda: "pauses" in told(pilot))
        await pilot.press("x")
        await until(pilot, lambda: "It can be resumed" in shown(pilot))
        await pilot.press("n")
        await until(pilot, lambda: "what it wrote" in shown(pilot))
        await pilot.press("l")
        await until(pilot, lambda: f"Log of train {run.id[-6:]}" in shown(pilot))


async def test_a_run_that_ended_is_resumed(app: SidequestApp, db: sqlite3.Connection) -> None:
    run = trained(db)
    async with app.run_test(size=SIZE) as pilot:
        await opened(pilot)
        await pilot.press("x")
        await until(pilot, lambda: "it is stopped: p resumes it" in told(pilot))
        await pilot.press("p")
        await until(pilot, lambda: "goes on" in told(pilot))
        found = runs.get(db, run.id)
        assert found is not None
        assert found.state is RunState.QUEUED
