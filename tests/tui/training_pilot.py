"""Training runs in a database, as a worker leaves them."""

from __future__ import annotations

import sqlite3
from typing import Any

from textual.pilot import Pilot

from core.config.recipe import Algorithm, Recipe
from core.runs.params import TrainParams
from core.statistics import wilson
from core.training.plan import KIND
from storage import runs, training
from storage.database import transaction
from storage.schema import Run, RunState
from tests.tui.conftest import until
from tui.screens.training.screen import TrainingScreen

HOSTILE = "\x1b]52;c;aGFjaw==\x07 it rose [/bold] \u202ebackwards"


def add_training_run(
    db: sqlite3.Connection,
    steps: int = 12,
    *,
    algorithm: Algorithm = Algorithm.GRPO,
    answers: bool = True,
    warmup_steps: int = 0,
    **fields: Any,
) -> Run:
    """Write a training run with `steps` of 400 done, with their answers, and a look at the dev split each fourth step.

    With `warmup_steps` the run has a phase of SFT before, with so many steps. `fields` are those of the Run.
    """
    recipe = Recipe(algorithm=algorithm, steps=400)
    warmup = {"warm": Recipe(algorithm=Algorithm.SFT, steps=60)} if warmup_steps else {}
    params = TrainParams(name="small", phases={**warmup, "small": recipe}, student="smollm2-135m")
    defaults: dict[str, Any] = {
        "kind": KIND,
        "state": RunState.STOPPED,
        "params": params.model_dump(mode="json"),
        "progress": {"phase": "small", "done": steps, "total": 400, "eta_s": 3120.0},
    }
    run = Run(**(defaults | fields))
    with transaction(db):
        runs.write(db, run)
    for step in range(1, warmup_steps + 1):
        training.add_step(db, run.id, "warm", step, step_figures(step, Algorithm.SFT))
    for step in range(1, steps + 1):
        training.add_step(
            db, run.id, "small", step, step_figures(step, algorithm), step_answers(step) if answers else ()
        )
        if step % 4 == 0:
            training.add_evaluation(db, run.id, "small", step, dev_figures(step))
    return run


def step_figures(step: int, algorithm: Algorithm) -> dict[str, Any]:
    """The figures of a step."""
    figures: dict[str, Any] = {"loss": 2.0 / step, "grad_norm": 0.5, "seconds": 3.1, "tokens_per_s": 245.0}
    figures |= {"memory_mb": 1830.0, "mix/1": 0.4, "mix/2": 0.35, "mix/3": 0.25, "learning_rate": 3e-4}
    if algorithm is Algorithm.SFT:
        return figures
    rl = {"reward": 0.3 + 0.02 * step, "right": 0.4, "kl": 0.02, "entropy": 0.48, "clipped": 0.01, "no_signal": 0.25}
    parts = {"reward/correct": 0.4, "reward/calibration": 0.2, "reward/format": 0.9, "length": 74.0, "cut": 0.0}
    shares = {
        "level/1": 0.5,
        "level/2": 0.5,
        "decided/VALIDATED": 0.41,
        "decided/REJECTED": 0.35,
        "decided/REFINED": 0.24,
    }
    return figures | rl | parts | shares | {"confidence_sd": 0.12, "unread": 0.1}


def dev_figures(step: int) -> dict[str, Any]:
    """The figures of the dev split after a step."""
    right = min(60, 30 + step)
    low, high = wilson(right, 60)
    return {"n": 60, "right": right, "accuracy": right / 60, "low": low, "high": high,
            "ece": max(0.0, 0.3 - 0.01 * step), "unread": 0.05}  # fmt: skip


def step_answers(step: int) -> list[dict[str, Any]]:
    """Three answers of a step: a right one, a wrong one with hostile text, and one without a decision."""
    common = {
        "example": f"01J{0:023d}",
        "level": 2,
        "label": "REFINED",
        "whole": True,
        "parts": {"correct": 1.0, "format": 1.0},
    }
    return [
        common | {"text": f"Reasoning: step {step} says so.\nDecision: REFINED", "decision": "REFINED",
                 "confidence": 0.7, "reward": 1.1},
        common | {"text": HOSTILE, "decision": "REJECTED", "confidence": 0.9, "reward": -0.2},
        common | {"text": "word " * 500, "decision": None, "confidence": None, "reward": 0.0, "whole": False},
    ]  # fmt: skip


async def open_training(pilot: Pilot[int]) -> None:
    """Go to Training."""
    await pilot.press("7")
    await until(pilot, lambda: isinstance(pilot.app.screen, TrainingScreen))
    await pilot.pause()
