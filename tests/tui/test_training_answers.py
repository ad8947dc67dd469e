"""What the student wrote, step by step, over Training."""

from __future__ import annotations

import sqlite3

from core.config.recipe import Algorithm
from storage import training
from tests.tui.conftest import RAW, SIZE, shown, told, until
from tests.tui.training_pilot import add_training_run, open_training, step_answers, step_figures
from tui.app import SidequestApp
from tui.screens.training.screen import TrainingScreen


async def test_answers_step_by_step(app: SidequestApp, db: sqlite3.Connection) -> None:
    run = add_training_run(db)
    async with app.run_test(size=SIZE) as pilot:
        await open_training(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: "Answers · small · step 12 · 12 of 12 steps" in shown(pilot))
        assert "reward +1.10: correct +1.00 · format +1.00" in shown(pilot)
        assert "Claim number 0 about paid conversion." in shown(pilot)
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
        await pilot.press("escape")
        await pilot.press("left", "n", *"a lucky guess", "enter")
        await until(pilot, lambda: "noted at step 11: a lucky guess" in shown(pilot))
        assert [(note.phase, note.step) for note in training.notes(db, run.id)] == [("small", 11)]
        await pilot.press("n", *"no", "escape")
        await pilot.pause()
        assert len(training.notes(db, run.id)) == 1
        await pilot.press("q")
        await until(pilot, lambda: isinstance(app.screen, TrainingScreen))


async def test_answers_follow_the_run_and_outlive_a_resume(app: SidequestApp, db: sqlite3.Connection) -> None:
    run = add_training_run(db)
    async with app.run_test(size=SIZE) as pilot:
        await open_training(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: "12 of 12 steps" in shown(pilot))
        training.add_step(db, run.id, "small", 13, step_figures(13, Algorithm.GRPO), step_answers(13))
        await until(pilot, lambda: "step 13 · 13 of 13" in shown(pilot), 5)
        await pilot.press("left", "left")
        training.add_step(db, run.id, "small", 14, step_figures(14, Algorithm.GRPO), step_answers(14))
        await until(pilot, lambda: "step 11 · 11 of 14" in shown(pilot), 5)  # who reads is not moved on
        training.forget_after(db, run.id, "small", 8)
        await until(pilot, lambda: "step 8 · 8 of 8" in shown(pilot), 5)
        training.forget_after(db, run.id, "small", 0)
        await until(pilot, lambda: "none is kept any more" in shown(pilot), 5)
        await pilot.press("left", "down", "y", "end", "n", *"x", "enter", "home")
        await pilot.pause()
        assert training.notes(db, run.id) == []
