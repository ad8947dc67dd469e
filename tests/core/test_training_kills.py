"""Training killed at any moment and resumed: the losses are those of a run that nobody disturbed."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import random
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("trl")

from core.config.project import Project
from core.config.recipe import Algorithm
from core.entry import worker
from core.runs import control, launch
from core.training.plan import adapter_folder
from core.training.run import checkpoints, start
from storage import runs, training
from storage.schema import Run, RunState
from tests.core.test_training_runs import RECIPES, losses, trainable, weights

__all__ = ["weights"]
KILLS = 10
# Workers are forked off a process that has loaded the libraries, and has computed nothing yet.
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["core.entry.train_rank", "core.training.run.callback", "core.training.trainers.ppo"])


def at_work(run: str, folder: Path) -> None:
    """What a worker is, without the seconds that it takes to load."""
    os.chdir(folder)
    worker.main(run, folder)


@pytest.fixture(autouse=True)
def forked(monkeypatch: pytest.MonkeyPatch) -> list[multiprocessing.process.BaseProcess]:
    started: list[multiprocessing.process.BaseProcess] = []

    def opened(project: Project, run: str) -> None:
        process = SERVER.Process(target=at_work, args=(run, project.folder))
        process.start()
        started.append(process)

    monkeypatch.setattr(launch, "_open", opened)
    monkeypatch.setattr(control, "STALE_S", 0.0)
    return started


async def until(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    deadline = asyncio.get_running_loop().time() + seconds
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, "it did not happen in time"
        await asyncio.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize("name", [Algorithm.SFT, Algorithm.GRPO, Algorithm.PPO])
async def test_killed_at_random_moments(
    project: Project,
    db: sqlite3.Connection,
    weights: Path,
    forked: list[multiprocessing.process.BaseProcess],
    name: str,
) -> None:
    rng = random.Random(name)
    project = trainable(project, db, weights, **{name: RECIPES[name] | {"steps": 16}})

    def state(run: Run) -> RunState:
        current = runs.get(db, run.id)
        assert current is not None
        return control.visible_state(current)

    async def once(run: Run, condition: Callable[[RunState], bool]) -> RunState:
        await until(lambda: condition(state(run)))
        return state(run)

    calm = start.start_training(project, db, name)
    began = asyncio.get_running_loop().time()
    assert await once(calm, lambda run_state: run_state.ended) is RunState.FINISHED
    took = asyncio.get_running_loop().time() - began
    run = start.start_training(project, db, name)
    folder = project.run_folder(run.id) / name
    kept_step = killed = 0
    while killed < KILLS:
        await once(run, lambda run_state: run_state is not RunState.QUEUED)
        await asyncio.sleep(rng.uniform(0, 0.5 * took))
        if state(run) is RunState.FINISHED:  # a kill would have come too late: another one
            assert losses(db, run) == pytest.approx(losses(db, calm), rel=1e-4, abs=1e-6)
            run = start.start_training(project, db, name)
            folder, kept_step = project.run_folder(run.id) / name, 0
            continue
        os.kill(forked[-1].pid or 0, signal.SIGKILL)
        forked[-1].join()
        killed += 1
        assert await once(run, lambda run_state: run_state.ended) is RunState.LOST
        complete = [checkpoints.step_of(process.parent) for process in folder.glob("checkpoint-*/complete.json")]
        assert max(complete, default=0) >= kept_step, "a finished checkpoint was lost"
        kept_step = max(complete, default=0)
        stored_steps = [process.step for process in training.steps(db, run.id)]
        assert stored_steps[:kept_step] == list(range(1, kept_step + 1)), "the figures of a finished step were lost"
        launch.resume(project, db, run.id)
    assert await once(run, lambda run_state: run_state.ended) is RunState.FINISHED
    assert losses(db, run) == pytest.approx(losses(db, calm), rel=1e-4, abs=1e-6)
    accuracies = [
        [process.figures["right"] for process in training.evaluations(db, process.id)] for process in (run, calm)
    ]
    assert accuracies[0] == accuracies[1]
    assert (adapter_folder(project, run) / "adapter_model.safetensors").is_file()
