"""What a recipe takes, by three real steps of a tiny model; one that is cancelled leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import tempfile
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

pytest.importorskip("trl")

from core.config.project import Project
from core.machine import Machine, Memory
from core.runs.control import RunError
from core.training.estimate import recipe_estimate
from core.training.estimate.recipe_estimate import RecipeEstimate
from core.training.run import start
from storage import runs
from tests.core.test_training_runs import RECIPES, in_this_process, trainable, weights
from tui.cli import main

__all__ = ["in_this_process", "weights"]


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where trials put their files."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def small(available: int) -> Machine:
    return Machine(Memory(available, available), bf16=False)


@pytest.mark.slow
async def test_both_phases_are_tried(project: Project, db: sqlite3.Connection, weights: Path, scratch: Path) -> None:
    project = trainable(project, db, weights, sft=RECIPES["sft"], grpo=RECIPES["grpo"] | {"first": "sft"})
    files_before = sorted(entry.name for entry in project.folder.iterdir())
    messages: list[str] = []
    estimate = await recipe_estimate.estimate_recipe(project, "grpo", on_progress=messages.append)
    assert estimate.fits
    assert estimate.advice == []
    assert [entry.name for entry in estimate.phases] == ["sft", "grpo"]
    for phase in estimate.phases:
        assert len(phase.step_seconds) == 3
        assert phase.look_seconds is not None
        assert phase.measured_mb is not None
        # A tiny model is nearly all program, whose size the formulas have as a constant.
        assert 0.5 < phase.peak_mb / phase.measured_mb < 2
    assert estimate.seconds == pytest.approx(sum(entry.seconds or 0 for entry in estimate.phases))
    assert {"program", "weights", "adapter", "rollouts", "activations"} <= estimate.phases[1].memory_mb.keys()
    assert any("step 3 took" in entry for entry in messages)
    assert list(scratch.iterdir()) == []
    assert sorted(entry.name for entry in project.folder.iterdir()) == files_before
    assert runs.newest(db) == []


async def test_what_cannot_fit_is_not_tried(
    project: Project, db: sqlite3.Connection, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = trainable(project, db, weights, sft=RECIPES["sft"] | {"batch": 4096, "micro_batch": 4096})
    monkeypatch.setattr(recipe_estimate, "detect_machine", lambda: small(1_500_000_000))
    estimate = await recipe_estimate.estimate_recipe(project, "sft", on_progress=lambda _: None)
    assert (estimate.fits, estimate.seconds, estimate.measured_mb) == (False, None, None)
    assert estimate.advice[0].startswith("micro_batch = ")
    with pytest.raises(RunError, match=r"sft needs about .* MB at once, and 1,500 MB are there .* micro_batch = "):
        start.start_training(project, db, "sft")
    assert runs.newest(db) == []
    monkeypatch.setattr(recipe_estimate, "detect_machine", lambda: small(100_000_000))
    estimate = await recipe_estimate.estimate_recipe(project, "sft", on_progress=lambda _: None)
    assert estimate.advice == ["a smaller student, or a machine with more memory: no setting is low enough"]


def test_the_verb(project: Project, db: sqlite3.Connection, weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = trainable(project, db, weights, sft=RECIPES["sft"] | {"batch": 4096, "micro_batch": 4096})
    monkeypatch.setattr(recipe_estimate, "detect_machine", lambda: small(1_500_000_000))
    completed = CliRunner().invoke(main, ["-C", str(project.folder), "train", "estimate", "sft"])
    assert completed.exit_code == 1
    assert "It does not fit." in completed.stdout
    assert "lower: micro_batch = " in completed.stdout
    completed = CliRunner().invoke(main, ["-C", str(project.folder), "train", "estimate", "sft", "--json"])
    assert json.loads(completed.stdout)["fits"] is False


async def test_cancelled(project: Project, db: sqlite3.Connection, weights: Path, scratch: Path) -> None:
    project = trainable(project, db, weights, sft=RECIPES["sft"])
    work = asyncio.ensure_future(recipe_estimate.estimate_recipe(project, "sft", on_progress=lambda _: None))
    own_process = psutil.Process()
    trials: list[psutil.Process] = []
    while not trials:
        await asyncio.sleep(0.02)
        trials = [entry for entry in own_process.children() if "core.entry.dry_run" in entry.cmdline()]
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert not any(entry.is_running() and entry.status() != psutil.STATUS_ZOMBIE for entry in trials)
    assert list(scratch.iterdir()) == []


@pytest.mark.slow
async def test_a_trial_that_fails_says_why(
    project: Project, db: sqlite3.Connection, weights: Path, scratch: Path
) -> None:
    wild = RECIPES["sft"] | {"learning_rate": 1e30, "max_grad_norm": 1e30}
    project = trainable(project, db, weights, wild=wild)
    with pytest.raises(RunError, match=r"three steps were tried, and failed: the loss of step \d is no number"):
        await recipe_estimate.estimate_recipe(project, "wild", on_progress=lambda _: None)
    assert list(scratch.iterdir()) == []


async def test_what_cannot_be_tried(project: Project, db: sqlite3.Connection, weights: Path) -> None:
    with pytest.raises(RunError, match="no recipe 'other'"):
        await recipe_estimate.estimate_recipe(project, "other", on_progress=lambda _: None)
    project = trainable(project, db, weights, sft=RECIPES["sft"])
    (weights / "config.json").rename(weights / "config.away")
    try:
        with pytest.raises(RunError, match=r"config\.json is missing"):
            await recipe_estimate.estimate_recipe(project, "sft", on_progress=lambda _: None)
    finally:
        (weights / "config.away").rename(weights / "config.json")
    db.execute("UPDATE examples SET status = 'pending'")
    with pytest.raises(RunError, match="no accepted example"):
        await recipe_estimate.estimate_recipe(project, "sft", on_progress=lambda _: None)


def test_the_document_is_whole() -> None:
    assert {"fits", "memory_mb", "available_mb", "seconds", "advice"} <= RecipeEstimate.__dataclass_fields__.keys()
