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
from tests.core.test_training_runs import RECIPES, here, trainable, weights
from tui.cli import main

__all__ = ["here", "weights"]


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where trials put their files."""
    place = tmp_path / "scratch"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


def small(available: int) -> Machine:
    return Machine(Memory(available, available), bf16=False)


@pytest.mark.slow
async def test_both_phases_are_tried(project: Project, db: sqlite3.Connection, weights: Path, scratch: Path) -> None:
    project = trainable(project, db, weights, sft=RECIPES["sft"], grpo=RECIPES["grpo"] | {"first": "sft"})
    before = sorted(one.name for one in project.folder.iterdir())
    said: list[str] = []
    found = await recipe_estimate.estimate_recipe(project, "grpo", heard=said.append)
    assert found.fits
    assert found.advice == []
    assert [one.name for one in found.phases] == ["sft", "grpo"]
    for phase in found.phases:
        assert len(phase.step_seconds) == 3
        assert phase.look_seconds is not None
        assert phase.measured_mb is not None
        # A tiny model is nearly all program, whose size the formulas have as a constant.
        assert 0.5 < phase.peak_mb / phase.measured_mb < 2
    assert found.seconds == pytest.approx(sum(one.seconds or 0 for one in found.phases))
    assert {"program", "weights", "adapter", "rollouts", "activations"} <= found.phases[1].memory_mb.keys()
    assert any("step 3 took" in one for one in said)
    assert list(scratch.iterdir()) == []
    assert sorted(one.name for one in project.folder.iterdir()) == before
    assert runs.newest(db) == []


async def test_what_cannot_fit_is_not_tried(
    project: Project, db: sqlite3.Connection, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = trainable(project, db, weights, sft=RECIPES["sft"] | {"batch": 4096, "micro_batch": 4096})
    monkeypatch.setattr(recipe_estimate, "detect_machine", lambda: small(1_500_000_000))
    found = await recipe_estimate.estimate_recipe(project, "sft", heard=lambda _: None)
    assert (found.fits, found.seconds, found.measured_mb) == (False, None, None)
    assert found.advice[0].startswith("micro_batch = ")
    with pytest.raises(RunError, match=r"sft needs about .* MB at once, and 1,500 MB are there .* micro_batch = "):
        start.start_training(project, db, "sft")
    assert runs.newest(db) == []
    monkeypatch.setattr(recipe_estimate, "detect_machine", lambda: small(100_000_000))
    found = await recipe_estimate.estimate_recipe(project, "sft", heard=lambda _: None)
    assert found.advice == ["a smaller student, or a machine with more memory: no setting is low enough"]


def test_the_verb(project: Project, db: sqlite3.Connection, weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = trainable(project, db, weights, sft=RECIPES["sft"] | {"batch": 4096, "micro_batch": 4096})
    monkeypatch.setattr(recipe_estimate, "detect_machine", lambda: small(1_500_000_000))
    done = CliRunner().invoke(main, ["-C", str(project.folder), "train", "estimate", "sft"])
    assert done.exit_code == 1
    assert "It does not fit." in done.stdout
    assert "lower: micro_batch = " in done.stdout
    done = CliRunner().invoke(main, ["-C", str(project.folder), "train", "estimate", "sft", "--json"])
    assert json.loads(done.stdout)["fits"] is False


async def test_cancelled(project: Project, db: sqlite3.Connection, weights: Path, scratch: Path) -> None:
    project = trainable(project, db, weights, sft=RECIPES["sft"])
    work = asyncio.ensure_future(recipe_estimate.estimate_recipe(project, "sft", heard=lambda _: None))
    mine = psutil.Process()
    trials: list[psutil.Process] = []
    while not trials:
        await asyncio.sleep(0.02)
        trials = [one for one in mine.children() if "core.entry.dry_run" in one.cmdline()]
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in trials)
    assert list(scratch.iterdir()) == []


@pytest.mark.slow
async def test_a_trial_that_fails_says_why(
    project: Project, db: sqlite3.Connection, weights: Path, scratch: Path
) -> None:
    wild = RECIPES["sft"] | {"learning_rate": 1e30, "max_grad_norm": 1e30}
    project = trainable(project, db, weights, wild=wild)
    with pytest.raises(RunError, match=r"three steps were tried, and failed: the loss of step \d is no number"):
        await recipe_estimate.estimate_recipe(project, "wild", heard=lambda _: None)
    assert list(scratch.iterdir()) == []


async def test_what_cannot_be_tried(project: Project, db: sqlite3.Connection, weights: Path) -> None:
    with pytest.raises(RunError, match="no recipe 'other'"):
        await recipe_estimate.estimate_recipe(project, "other", heard=lambda _: None)
    project = trainable(project, db, weights, sft=RECIPES["sft"])
    (weights / "config.json").rename(weights / "config.away")
    try:
        with pytest.raises(RunError, match=r"config\.json is missing"):
            await recipe_estimate.estimate_recipe(project, "sft", heard=lambda _: None)
    finally:
        (weights / "config.away").rename(weights / "config.json")
    db.execute("UPDATE examples SET status = 'pending'")
    with pytest.raises(RunError, match="no accepted example"):
        await recipe_estimate.estimate_recipe(project, "sft", heard=lambda _: None)


def test_the_document_is_whole() -> None:
    assert {"fits", "memory_mb", "available_mb", "seconds", "advice"} <= RecipeEstimate.__dataclass_fields__.keys()
