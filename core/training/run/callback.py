"""What a training run tells while it works, and heeds between two steps."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import torch
from transformers import TrainerCallback

from core.config.recipe import Recipe
from core.models.decoding import StoppedError
from core.training import distributed
from core.training.data.sampler import CurriculumSampler
from core.training.run import checkpoints
from core.training.run.alarms import Alarm, alarms, unread
from core.training.run.reporter import Reporter
from core.training.trainers.ppo import PpoTrainer
from core.training.trainers.rollout import Rollout, as_stored, sample_rollouts

# Answers that are kept of each step.
KEPT = 6
# The names that trl gives its figures, and ours.
_NAMES = {
    "loss": "loss",
    "grad_norm": "grad_norm",
    "learning_rate": "learning_rate",
    "kl": "kl",
    "entropy": "entropy",
    "clip_ratio/region_mean": "clipped",
    "value_loss": "value_loss",
    "reward_std": "reward_sd",
}


class NotANumberError(RuntimeError):
    """The loss is no number any more; nothing after it is worth keeping."""


class TrainingCallback(TrainerCallback):
    """Tells the figures of each step, looks at the dev split when it is time, and stops where it is asked to."""

    def __init__(
        self,
        recipe: Recipe,
        telling: Reporter,
        draw: CurriculumSampler,
        look: Callable[[], dict[str, Any]] | None,
        labels: Mapping[str, float],
    ) -> None:
        self.stopped = False
        self.ended_early = ""
        self.trainer: Any = None
        self._recipe, self._telling, self._draw, self._look, self._labels = recipe, telling, draw, look, labels
        self._rollouts: Sequence[Rollout] = ()
        self._heard: dict[str, float] = {}
        self._steps: list[dict[str, float]] = []
        self._raised: set[str] = set()
        self._best, self._since_best = -1.0, 0
        self._began = time.perf_counter()
        self._tokens = 0.0

    def heard(self, step: int, rollouts: Sequence[Rollout], figures: dict[str, float]) -> None:  # noqa: ARG002
        """Take the answers of a step."""
        self._rollouts, self._heard = rollouts, figures

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Look once before the first step, as what came before is half of every comparison. Raises StoppedError.

        A look that a stop has cut short is taken here, too.
        """
        before = distributed.broadcast(self._telling.accuracies())
        for accuracy in before.values():
            self._count(accuracy)
        if self._due(state.global_step) and state.global_step not in before:
            self._take_a_look(state.global_step)
        self._began = time.perf_counter()

    def on_log(self, args: Any, state: Any, control: Any, **rest: Any) -> None:  # noqa: ARG002
        """Tell the figures of a step. Raises NotANumberError."""
        logs: Mapping[str, Any] = rest["logs"]
        if "loss" not in logs or state.global_step == 0:
            return
        now = time.perf_counter()
        figures: dict[str, Any] = {ours: logs[theirs] for theirs, ours in _NAMES.items() if theirs in logs}
        figures |= self._heard
        tokens, seconds = float(logs.get("num_tokens") or 0.0), now - self._began
        figures |= {"seconds": seconds, "tokens_per_s": (tokens - self._tokens) / seconds, "memory_mb": _memory_mb()}
        self._tokens = tokens
        figures |= {f"mix/{level}": share for level, share in self._draw.mix(state.global_step - 1).items()}
        self._began = now
        lost = float(figures["loss"])
        if not math.isfinite(lost) or not math.isfinite(float(figures.get("grad_norm") or 0.0)):
            raise NotANumberError(f"the loss of step {state.global_step} is no number")
        answers = [as_stored(one) for one in sample_rollouts(self._rollouts, KEPT)]
        self._telling.step(state.global_step, figures, answers)
        self._steps.append({name: float(value) for name, value in figures.items() if value is not None})
        self._raise(alarms(self._steps, self._labels))

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Look when it is time; stop where it is asked, with a checkpoint first."""
        if self._due(state.global_step):
            with suppress(StoppedError):
                self._take_a_look(state.global_step)
        self.stopped = self._told_to_stop()
        self.ended_early = distributed.broadcast(self.ended_early)
        if self.stopped or self.ended_early:
            control.should_save = True
            control.should_training_stop = True

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Add to the checkpoint what only this project knows, then call it complete."""
        distributed.barrier()  # each has written its own part of it
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        if not state.is_world_process_zero:
            return
        if isinstance(self.trainer, PpoTrainer):
            self.trainer.save_critic(folder)
        checkpoints.complete_checkpoint(folder, self._draw.state())

    def _raise(self, found: Sequence[Alarm]) -> None:
        """Tell each alarm once."""
        for one in found:
            if one.name not in self._raised:
                self._telling.alarm(one.name, one.sentence)
            self._raised.add(one.name)

    def _told_to_stop(self) -> bool:
        """Wait while the run is paused; whether it is to stop. All processes hear the same, as often."""
        while (asked := distributed.broadcast(self._telling.requested_action())) == "pause":
            time.sleep(0.1)
        return asked == "stop"

    def _due(self, step: int) -> bool:
        """Whether the dev split is looked at after this step."""
        return step % self._recipe.evaluate_every == 0 or step == self._recipe.steps

    def _take_a_look(self, step: int) -> None:
        if self._look is None:
            return
        began = time.perf_counter()
        figures = self._look()
        self._telling.look(step, figures)
        self._raise(unread(step, figures))
        self._began += time.perf_counter() - began
        self._count(figures["accuracy"] or 0.0)
        if self._recipe.patience is not None and self._since_best >= self._recipe.patience:
            self.ended_early = f"no better on the dev split for {self._since_best} looks (best {self._best:.1%})"

    def _count(self, accuracy: float) -> None:
        """Count the looks since the best one."""
        self._since_best = 0 if accuracy > self._best else self._since_best + 1
        self._best = max(self._best, accuracy)


def _memory_mb() -> float:
    """What the process holds now; on a GPU, the most that it has held there."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    return float(psutil.Process().memory_info().rss) / 2**20
