"""Training: the run while it goes and after, its answers, notes, comparisons, and what starts and stops it."""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from core.config.project import FILE, Project
from core.config.recipe import Algorithm
from core.runs.control import RunError
from core.training.estimate.recipe_estimate import RecipeEstimate
from storage import runs, training
from storage.schema import RunState
from tests import recipes
from tests.core.judged_runs import fill
from tests.core.test_training_memory import SHAPE
from tests.tui.conftest import RAW, SIZE, shown, told, until
from tests.tui.training_pilot import add_training_run, dev_figures, open_training, step_figures
from tui.app import SidequestApp
from tui.screens.training.form import TrainingForm
from tui.screens.training.screen import TrainingScreen

RECIPES = """
[train.small]
algorithm = "grpo"
first = "warm"
steps = 400

[train.warm]
algorithm = "sft"
steps = 60
"""

ALIVE: Any = {"state": RunState.RUNNING, "pid": os.getpid(), "pid_started": psutil.Process().create_time()}


@pytest.fixture(autouse=True)
def no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """No process is started."""
    monkeypatch.setattr("core.runs.launch.spawn", lambda *_: None)


def write_recipes(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write recipes into the project file, and give the student a known size, so that no model has to be there."""
    recipes.write_recipes(project.folder / FILE, RECIPES)
    monkeypatch.setattr("core.training.estimate.recipe_estimate.locate_model", lambda *_: Path("there"))
    monkeypatch.setattr("core.training.estimate.recipe_estimate.model_size", lambda _: SHAPE)


async def test_without_a_run_or_a_recipe_it_says_what_to_do(project: Project, app: SidequestApp) -> None:
    recipes.write_recipes(project.folder / FILE, "")
    async with app.run_test(size=SIZE) as pilot:
        await open_training(pilot)
        assert "Nothing was trained yet" in shown(pilot)
        assert '[train.sft] and below it algorithm = "sft"' in " ".join(shown(pilot).split())
        for key in ("p", "x", "n", "c", "v", "t", "o", "enter", "l"):
            app.clear_notifications()
            await pilot.press(key)
            await pilot.pause()
            assert "nothing was trained yet" in told(pilot), key
        await pilot.press("g")
        await until(pilot, lambda: "there is no recipe" in told(pilot))


@pytest.mark.parametrize("size", [(80, 24), (160, 45), (200, 50), (60, 15)])
async def test_the_figures_of_a_run(app: SidequestApp, db: sqlite3.Connection, size: tuple[int, int]) -> None:
    run = add_training_run(db)
    alarms = {"one confidence": "Confidence hardly varies any more: raise the weight of calibration."}
    runs.update(db, run.id, progress=run.progress | {"alarms": alarms})
    async with app.run_test(size=size) as pilot:
        await open_training(pilot)
        text = shown(pilot)
        assert "small · GRPO · step 12/400" in text
        assert "dev accuracy 57 → 70 % (57–80), 42/60" in text
        assert "! Confidence hardly varies" in text
        if size == (60, 15):
            assert "… and" in text  # figures that do not fit are named
            return
        assert "ece 0.26 → 0.18 · unread 5 %" in text
        assert "level mix 1:40 2:35 3:25 · drawn 1:50 2:50" in text
        for name, figure in (
            ("reward", "0.540"), (" calibration", "0.200"), ("VALIDATED", "41 %"), ("REFINED", "24 %"),
            ("right", "40 %"),
            ("kl", "0.020"), ("entropy", "0.480"), ("confidence sd", "0.120"), ("no signal", "25 %"), ("loss", "0.167"),
            ("length", "74 tokens"), ("cut off", "0 %"), ("unread", "10 %"), ("clipped", "1 %"), ("gradient", "0.500"),
        ):  # fmt: skip
            assert re.search(rf"{name} +[▁-█]+ +{figure}", text), name
        assert "✓ REFINED 0.70" in text
        assert not RAW.search(text)


async def test_a_run_at_work_tells_its_pace_and_time(app: SidequestApp, db: sqlite3.Connection) -> None:
    add_training_run(db, **ALIVE)
    async with app.run_test(size=SIZE) as pilot:
        await open_training(pilot)
        assert "eta 52 m" in shown(pilot)
        assert "smollm2-135m · 3.1 s a step · 245 tokens/s · 1,830 MB" in shown(pilot)


async def test_it_follows_a_run_that_goes_on_and_is_made_again(app: SidequestApp, db: sqlite3.Connection) -> None:
    run = add_training_run(db, **ALIVE)
    async with app.run_test(size=SIZE) as pilot:
        await open_training(pilot)
        training.add_step(db, run.id, "small", 13, step_figures(13, Algorithm.GRPO) | {"reward": 0.911})
        runs.update(db, run.id, progress=run.progress | {"done": 13})
        await until(pilot, lambda: "step 13/400" in shown(pilot) and "0.911" in shown(pilot), 5)
        # Resumed from the checkpoint of step 8: what came after is made again, with other figures.
        training.forget_after(db, run.id, "small", 8)
        for step in range(9, 14):
            training.add_step(db, run.id, "small", step, step_figures(step, Algorithm.GRPO) | {"reward": 0.122})
        await until(pilot, lambda: "0.122" in shown(pilot) and "0.911" not in shown(pilot), 5)
        assert "dev accuracy 57 → 63 %" in shown(pilot)  # the look at step 12 is gone
        training.forget_after(db, run.id, "small", 0)
        runs.update(db, run.id, progress={"phase": "small", "done": 0, "total": 400})
        await until(pilot, lambda: "no step yet" in shown(pilot), 5)


async def test_a_run_of_sft_shows_its_loss_and_no_answers(app: SidequestApp, db: sqlite3.Connection) -> None:
    add_training_run(db, algorithm=Algorithm.SFT, answers=False)
    async with app.run_test(size=SIZE) as pilot:
        await open_training(pilot)
        assert "loss          █" in shown(pilot)
        await pilot.press("f")
        await until(pilot, lambda: "this run has one phase, small" in told(pilot))
        await pilot.press("enter")
        await until(pilot, lambda: "no answer was kept" in told(pilot))


async def test_the_phases_of_a_run(app: SidequestApp, db: sqlite3.Connection) -> None:
    add_training_run(db, warmup_steps=60)
    async with app.run_test(size=SIZE) as pilot:
        await open_training(pilot)
        assert "small · GRPO · phase 2 of 2: small · step 12/400" in shown(pilot)
        await pilot.press("f")
        await pilot.pause()
        assert "small · SFT · phase 1 of 2: warm · step 60/60" in shown(pilot)
        assert "what it wrote" not in shown(pilot)
        await pilot.press("n", *"rate too high", "enter")
        await until(pilot, lambda: "noted at step 60: rate too high" in shown(pilot))
        await pilot.press("f")
        await pilot.pause()
        assert "rate too high" not in shown(pilot)


async def test_a_run_before_its_first_step(app: SidequestApp, db: sqlite3.Connection) -> None:
    add_training_run(db, 0)
    async with app.run_test(size=SIZE) as pilot:
        await open_training(pilot)
        assert "no step yet" in shown(pilot)
        assert "no look yet" in shown(pilot)
        await pilot.press("c")
        await pilot.pause()
        assert "dev ece: not known yet" in shown(pilot)


@pytest.mark.parametrize("size", [(80, 24), (160, 45)])
@pytest.mark.parametrize("steps", [0, 1])
async def test_a_run_whose_only_look_was_before_its_first_step(
    app: SidequestApp, db: sqlite3.Connection, size: tuple[int, int], steps: int
) -> None:
    run = add_training_run(db, steps)
    training.add_evaluation(db, run.id, "small", 0, dev_figures(0))
    async with app.run_test(size=size) as pilot:
        await open_training(pilot)
        assert "50 %" in shown(pilot)
        await pilot.press("c")
        await pilot.pause()
        assert "dev accuracy" in shown(pilot)


async def test_a_run_that_failed_says_why_and_the_way_on(app: SidequestApp, db: sqlite3.Connection) -> None:
    add_training_run(
        db, state=RunState.FAILED, reason="out of memory: lower batch; resume goes on from the last checkpoint"
    )
    async with app.run_test(size=SIZE) as pilot:
        await open_training(pilot)
        assert "out of memory: lower batch" in shown(pilot)
        assert "p resumes it" in shown(pilot)


async def test_many_alarms_are_cut_and_the_log_has_them_all(app: SidequestApp, db: sqlite3.Connection) -> None:
    run = add_training_run(db)
    sentences = {str(number): f"[/] Sign {number} \x1b[31m {'of what goes wrong ' * 6}" for number in range(7)}
    runs.update(db, run.id, progress=run.progress | {"alarms": sentences})
    async with app.run_test(size=SIZE) as pilot:
        await open_training(pilot)
        assert "! [/] Sign 0 ␛[31m" in shown(pilot)
        assert "! and 6 more: l shows them in the log" in shown(pilot)
        assert "+1.10" in shown(pilot)
        assert not RAW.search(shown(pilot))


async def test_a_run_of_another_version_is_said_to_be_unreadable(app: SidequestApp, db: sqlite3.Connection) -> None:
    run = add_training_run(db)
    runs.update(db, run.id, params=run.params | {"phases": {"small": {"algorithm": "dpo"}}})
    async with app.run_test(size=SIZE) as pilot:
        await open_training(pilot)
        assert "cannot be read" in shown(pilot)
        assert "o chooses another run" in " ".join(shown(pilot).split())
        for key in ("n", "c", "f", "enter", "escape", "v"):
            await pilot.press(key)
            await pilot.pause()
        assert isinstance(app.screen, TrainingScreen)


async def test_a_very_long_run_is_read_beside_the_app_and_averaged(app: SidequestApp, db: sqlite3.Connection) -> None:
    run = add_training_run(db, 3, answers=False)
    rows = [(run.id, "small", step, f'{{"loss": 1.0, "reward": {step}}}', "2026-01-01") for step in range(4, 10_001)]
    with db:
        db.executemany("INSERT INTO training_steps VALUES (?, ?, ?, ?, ?)", rows)
    runs.update(db, run.id, progress=run.progress | {"done": 10_000})
    async with app.run_test(size=(160, 45)) as pilot:
        await open_training(pilot)
        assert "step 10,000/400" in shown(pilot)
        await until(pilot, lambda: "reading the steps" not in shown(pilot))
        assert "a point is the mean of 32 steps" in shown(pilot)
        assert "reward, means of 32 steps" in shown(pilot)
        assert "10,000.0" in shown(pilot)


async def test_a_note_is_pinned_to_its_step(app: SidequestApp, db: sqlite3.Connection) -> None:
    run = add_training_run(db)
    async with app.run_test(size=SIZE) as pilot:
        await open_training(pilot)
        await pilot.press("n", *"raised kl", "enter")
        await until(pilot, lambda: "noted at step 12: raised kl" in shown(pilot))
        assert [(note.step, note.note) for note in training.notes(db, run.id)] == [(12, "raised kl")]
        await pilot.press("n", "x", "escape")
        await pilot.pause()
        assert len(training.notes(db, run.id)) == 1
        await pilot.press("c")
        await until(pilot, lambda: "dev accuracy" in shown(pilot) and "reward" in shown(pilot))
        await pilot.press("escape")
        await until(pilot, lambda: "what it wrote" in shown(pilot))


async def test_two_runs_side_by_side(app: SidequestApp, db: sqlite3.Connection) -> None:
    first = add_training_run(db, id="01JTRAINING00000000000001A")
    async with app.run_test(size=SIZE) as pilot:
        await open_training(pilot)
        await pilot.press("v")
        await until(pilot, lambda: "no other training run" in told(pilot))
        add_training_run(db, 8, id="01JTRAINING00000000000002B")
        await pilot.press("v")
        await until(pilot, lambda: "Which run beside this one?" in shown(pilot))
        await pilot.press("enter")
        await until(pilot, lambda: "dev ece" in shown(pilot))
        assert re.search(r"dev accuracy +57 % → 70 % +[▁-█ ]+57 % → 63 %", shown(pilot))
        assert re.search(r"reward +0.320 → 0.540 +▁[▁-█]+█ +0.320 → 0.460 +▁[▁-▅]+ *\n", shown(pilot))  # the same scale
        assert "small · GRPO · 00001A" in shown(pilot)
        assert "small · GRPO · 00002B" in shown(pilot)
        await pilot.press("v")
        await until(pilot, lambda: "what it wrote" in shown(pilot))
        await pilot.press("o", "down", "enter")
        await until(pilot, lambda: f"run {first.id[-6:]}" in shown(pilot))


async def test_the_table_says_what_is_missing(app: SidequestApp, db: sqlite3.Connection) -> None:
    add_training_run(db)
    async with app.run_test(size=SIZE) as pilot:
        await open_training(pilot)
        await pilot.press("t")
        await until(pilot, lambda: "has finished no phase" in shown(pilot) or "nothing was trained" in shown(pilot))
        await pilot.press("t")
        await until(pilot, lambda: "what it wrote" in shown(pilot))


async def test_what_keeps_it_from_starting_is_said(project: Project, db: sqlite3.Connection, app: SidequestApp) -> None:
    recipes.write_recipes(project.folder / FILE, RECIPES)
    async with app.run_test(size=SIZE) as pilot:
        await open_training(pilot)
        assert "Not yet: no accepted example is in the split train" in shown(pilot)
        await pilot.press("g")
        await until(pilot, lambda: "no accepted example is in the split train" in shown(pilot))
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert isinstance(app.screen, TrainingForm)
        await pilot.press("escape")
        fill(db, 12, split="train")
        await until(pilot, lambda: "g chooses a recipe" in shown(pilot), 5)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("core.training.plan.find_spec", lambda _: None)
            await pilot.press("g")
            await until(pilot, lambda: "pip install 'sidequest[train]'" in shown(pilot))
        assert runs.of_kind(db, "train") == []


async def test_the_form_refuses_code_of_the_project_and_names_the_command(
    project: Project, db: sqlite3.Connection, app: SidequestApp
) -> None:
    recipes.write_recipes(project.folder / FILE, '[train.own]\nalgorithm = "grpo"\nrewards = { "own:paid" = 1.0 }\n')
    (project.folder / "own.py").write_text("raise RuntimeError('it was imported')\n")
    fill(db, 12, split="train")
    async with app.run_test(size=SIZE) as pilot:
        await open_training(pilot)
        await pilot.press("g")
        await until(pilot, lambda: "--allow-project-code" in shown(pilot))
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert isinstance(app.screen, TrainingForm)
        assert runs.of_kind(db, "train") == []


async def test_start_from_the_form(
    project: Project, db: sqlite3.Connection, app: SidequestApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_recipes(project, monkeypatch)
    fill(db, 12, split="train")
    async with app.run_test(size=SIZE) as pilot:
        await open_training(pilot)
        await pilot.press("g")
        await until(pilot, lambda: "on 12 cases" in shown(pilot))
        assert "warm: SFT, 60 steps of 8 cases" in shown(pilot)
        assert "small: GRPO, 400 steps of 8 cases, 8 answers to each, 64 a step" in shown(pilot)
        assert "accuracy cannot be watched" in shown(pilot)
        assert "by formula, small needs about" in " ".join(shown(pilot).split())
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "starts; it goes on if you leave" in told(pilot))
        assert [run.params["name"] for run in runs.of_kind(db, "train")] == ["small"]


async def test_an_estimate_is_made_given_up_and_shown(
    project: Project, db: sqlite3.Connection, app: SidequestApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_recipes(project, monkeypatch)
    fill(db, 12, split="train")
    ended: list[str] = []

    async def estimate(project: Project, name: str, *, on_progress: Callable[[str], None]) -> RecipeEstimate:
        on_progress(f"{name}: step 1 took 2.0 s")
        try:
            await asyncio.sleep(0 if ended else 60)
        finally:
            ended.append(name)
        if len(ended) > 2:
            raise RunError("three steps were tried, and failed: [/] no room")
        parts = {"weights": 538.0, "logits": 900.0}
        return RecipeEstimate(
            name, False, parts, 1500.0, 1600.0, 1200.0, "cpu", 720.0, "steps of 2.0 s", ["batch = 4"], []
        )

    monkeypatch.setattr("core.training.estimate.recipe_estimate.estimate_recipe", estimate)
    async with app.run_test(size=SIZE) as pilot:
        await open_training(pilot)
        await pilot.press("g")
        await until(pilot, lambda: "on 12 cases" in shown(pilot))
        await pilot.press("ctrl+e")
        await until(pilot, lambda: "small: step 1 took 2.0 s" in shown(pilot))
        await pilot.press("ctrl+e", "ctrl+s")
        await pilot.pause()
        assert "it is being estimated" in told(pilot)
        await pilot.press("escape")
        await until(pilot, lambda: "the estimate was given up" in shown(pilot))
        assert ended == ["small"]
        await pilot.press("ctrl+e")
        await until(pilot, lambda: "it does not fit" in shown(pilot))
        for words in (
            "1,600 MB at once, and 1,200 MB are there",
            "logits 900 · weights 538",
            "time: 12 m",
            "batch = 4",
        ):
            assert words in shown(pilot), words
        await pilot.press("ctrl+e")
        await until(pilot, lambda: "no estimate: three steps were tried, and failed: [/] no room" in shown(pilot))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, TrainingScreen))
    assert runs.of_kind(db, "train") == []


async def test_pause_stop_and_log(app: SidequestApp, db: sqlite3.Connection) -> None:
    run = add_training_run(db, **ALIVE)
    async with app.run_test(size=SIZE) as pilot:
        await open_training(pilot)
        assert "eta 52 m" in shown(pilot)
        await pilot.press("p")
        await until(pilot, lambda: "pauses" in told(pilot))
        await pilot.press("x")
        await until(pilot, lambda: "after the step in hand, with a checkpoint?" in shown(pilot))
        await pilot.press("n")
        await until(pilot, lambda: "what it wrote" in shown(pilot))
        await pilot.press("l")
        await until(pilot, lambda: f"Log of train {run.id[-6:]}" in shown(pilot))


async def test_a_run_that_ended_is_resumed(app: SidequestApp, db: sqlite3.Connection) -> None:
    run = add_training_run(db)
    async with app.run_test(size=SIZE) as pilot:
        await open_training(pilot)
        await pilot.press("x")
        await until(pilot, lambda: "it is stopped: p resumes it" in told(pilot))
        await pilot.press("p")
        await until(pilot, lambda: "goes on" in told(pilot))
        resumed = runs.get(db, run.id)
        assert resumed is not None
        assert resumed.state is RunState.QUEUED
