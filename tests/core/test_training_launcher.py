"""Training in two processes on the processor, by `accelerate launch`: to the end, stopped, broken, resumed."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

pytest.importorskip("trl")

from core.config.project import Project
from core.config.recipe import Algorithm, Launcher, Recipe
from core.entry.launch_ranks import keep_python_path
from core.runs import control, launch
from core.runs.session import Ending
from core.training.run import launcher, start
from core.training.run.phase import why_not_trainable
from storage import runs, training
from storage.schema import Run, RunState
from tests.core.test_training_runs import COMMON, RECIPES, losses, trainable, weights

__all__ = ["weights"]
TWO: dict[str, Any] = {
    "launcher": "accelerate",
    "launcher_arguments": ["--multi_gpu", "--num_processes", "2", "--num_machines", "1", "--main_process_port", "0"],
    "batch": 2,
    "steps": 8,
    "max_answer_tokens": 6,
}


async def until(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    deadline = asyncio.get_running_loop().time() + seconds
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)


def current(db: sqlite3.Connection, run: Run) -> Run:
    run_now = runs.get(db, run.id)
    assert run_now is not None
    return run_now


def ranks(db: sqlite3.Connection, run: Run) -> list[psutil.Process]:
    """The processes that train."""
    worker = psutil.Process(current(db, run).pid)
    return [entry for entry in worker.children(recursive=True) if "core.entry.train_rank" in entry.cmdline()[2:4]]


@pytest.mark.slow
@pytest.mark.parametrize("name", [Algorithm.SFT, Algorithm.GRPO, Algorithm.PPO])
async def test_two_processes_train_stop_and_go_on(
    project: Project, db: sqlite3.Connection, weights: Path, name: str
) -> None:
    """Stopped, and in GRPO with one process killed after that: the losses are those of a calm run."""
    project = trainable(project, db, weights, **{name: RECIPES[name] | TWO})

    def ended(run: Run) -> bool:
        return control.visible_state(current(db, run)).ended

    def steps(run: Run) -> int:
        return len(training.steps(db, run.id))

    calm = start.start_training(project, db, name)
    await until(lambda: ended(calm))
    assert (current(db, calm).state, current(db, calm).reason) == (RunState.FINISHED, "")
    assert "2 processes" in "".join(entry.message for entry in runs.events(db, calm.id))
    assert [entry.step for entry in training.evaluations(db, calm.id)] == [0, 2, 4, 6, 8]

    run = start.start_training(project, db, name)
    await until(lambda: steps(run) >= 1)
    control.stop(db, run.id)
    await until(lambda: ended(run))
    assert current(db, run).state is RunState.STOPPED
    done_steps = steps(run)
    assert done_steps < 8
    launch.resume(project, db, run.id)
    if name == Algorithm.GRPO:
        await until(lambda: steps(run) > done_steps)
        processes = ranks(db, run)
        assert len(processes) == 2, "it was over before one could be killed"
        os.kill(processes[1].pid, signal.SIGKILL)
        await until(lambda: ended(run))
        assert current(db, run).state is RunState.FAILED
        assert "ended without a word" in current(db, run).reason
        launch.resume(project, db, run.id)
    await until(lambda: ended(run))
    assert current(db, run).state is RunState.FINISHED
    assert losses(db, run) == pytest.approx(losses(db, calm), rel=1e-4, abs=1e-6)


def test_what_is_started(project: Project) -> None:
    recipe = Recipe(
        algorithm=Algorithm.SFT,
        launcher=Launcher.ACCELERATE,
        launcher_config="fsdp.yaml",
        launcher_arguments=["--num_processes", "4"],
    )
    arguments = launcher.launch_arguments(project, "RUN", "sft", recipe)
    config = str(project.folder / "fsdp.yaml")
    assert arguments == [
        *("--config_file", config, "--num_processes", "4", "--module", "core.entry.train_rank", "RUN", "sft")
    ]
    with pytest.raises(ValueError, match='need launcher = "accelerate"'):
        Recipe(algorithm=Algorithm.SFT, launcher_config="fsdp.yaml")


def test_deepspeed_gets_no_folder_of_the_project_onto_its_path(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from accelerate.commands.launch import launch_command_parser
    from accelerate.utils import launch as accelerate_launch

    monkeypatch.chdir(project.folder)
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    monkeypatch.setattr(accelerate_launch, "env_var_path_add", accelerate_launch.env_var_path_add)
    words = ["--use_deepspeed", "--num_machines", "1", "--num_processes", "2", "--mixed_precision", "no", "--module"]
    told = launch_command_parser().parse_args([*words, "core.entry.train_rank"])
    told.deepspeed_fields_from_accelerate_config = ""
    _, environment = accelerate_launch.prepare_deepspeed_cmd_env(told)
    assert str(project.folder) in environment["PYTHONPATH"], "accelerate does not do it any more"
    keep_python_path()
    _, environment = accelerate_launch.prepare_deepspeed_cmd_env(told)
    assert environment["PYTHONPATH"] == "/somewhere"


def test_what_several_processes_cannot_do() -> None:
    sft, rl = Recipe(algorithm=Algorithm.SFT, batch=8), Recipe(algorithm=Algorithm.GRPO, batch=8)
    spread = {"ACCELERATE_USE_FSDP": "true"}
    assert why_not_trainable(sft, 4, {}) == why_not_trainable(sft, 4, spread) == why_not_trainable(rl, 4, {}) == ""
    assert "a batch of 8 cannot be shared out among 3 processes" in why_not_trainable(rl, 3, {})
    assert "vllm_server" in why_not_trainable(rl, 4, spread)
    assert "vllm_server" in why_not_trainable(rl, 4, {"ACCELERATE_DEEPSPEED_ZERO_STAGE": "3"})
    assert why_not_trainable(rl, 4, {"ACCELERATE_DEEPSPEED_ZERO_STAGE": "2"}) == ""
    assert why_not_trainable(rl.model_copy(update={"vllm_server": "http://x"}), 4, spread) == ""


def test_how_it_ended() -> None:
    finished, failed = Ending(RunState.FINISHED), Ending(RunState.FAILED, "out of memory")
    assert launcher.ending_of([finished], 0) is finished
    assert launcher.ending_of([finished, failed], 1) is failed
    assert "without a word (status -9)" in launcher.ending_of([], -9).reason
    assert "without a word" in launcher.ending_of([finished], 1).reason
    assert COMMON["batch"] % 2 == 0
