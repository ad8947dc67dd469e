"""Reports a training run while it works, and acts on requests between two steps."""

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
from core.training.run.alarms import Alarm, alarms, field_alarms, unreadable_alarms
from core.training.run.reporter import Reporter
from core.training.trainers.ppo import PpoTrainer
from core.training.trainers.rollout import Rollout, sample_rollouts, to_record

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
    """The loss is not a number any more; nothing after it is worth keeping."""


class TrainingCallback(TrainerCallback):
    """Reports the figures of each step, evaluates on the dev split when it is due, and stops on request."""

    def __init__(
        self,
        recipe: Recipe,
        reporter: Reporter,
        sampler: CurriculumSampler,
        evaluate: Callable[[], dict[str, Any]] | None,
        labels: Mapping[str, float],
    ) -> None:
        self.stopped = False
        self.ended_early = ""
        self.trainer: Any = None
        self._recipe, self._reporter, self._sampler, self._evaluate, self._labels = (
            recipe,
            reporter,
            sampler,
            evaluate,
            labels,
        )
        self._rollouts: Sequence[Rollout] = ()
        self._rollout_figures: dict[str, float] = {}
        self._steps: list[dict[str, float]] = []
        self._looks: list[dict[str, Any]] = []
        self._raised: set[str] = set()
        self._best, self._since_best = -1.0, 0
        self._began = time.perf_counter()
        self._tokens = 0.0

    def record_rollouts(self, step: int, rollouts: Sequence[Rollout], figures: dict[str, float]) -> None:  # noqa: ARG002
        """Record the answers of a step."""
        self._rollouts, self._rollout_figures = rollouts, figures

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Evaluate once before the first step, since every comparison needs a baseline. Raises StoppedError.

        An evaluation that a stop has interrupted is repeated here, too.
        """
        earlier_accuracies = distributed.broadcast(self._reporter.dev_accuracies())
        for accuracy in earlier_accuracies.values():
            self._update_best(accuracy)
        if self._is_evaluation_due(state.global_step) and state.global_step not in earlier_accuracies:
            self._evaluate_and_report(state.global_step)
        self._began = time.perf_counter()

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Seed what a step drops out by its number alone: a resumed run cannot know what was drawn before."""
        torch.manual_seed(self._recipe.seed + 1_000_003 * (state.global_step + 1) + 7 * distributed.rank())

    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """Report the figures of a step. Raises NotANumberError."""
        logs: Mapping[str, Any] = kwargs["logs"]
        if "loss" not in logs or state.global_step == 0:
            return
        now = time.perf_counter()
        figures: dict[str, Any] = {
            figure_name: logs[trl_name] for trl_name, figure_name in _NAMES.items() if trl_name in logs
        }
        figures |= self._rollout_figures
        tokens, seconds = float(logs.get("num_tokens") or 0.0), now - self._began
        figures |= {"seconds": seconds, "tokens_per_s": (tokens - self._tokens) / seconds, "memory_mb": _memory_mb()}
        self._tokens = tokens
        figures |= {f"mix/{level}": share for level, share in self._sampler.mix(state.global_step - 1).items()}
        self._began = now
        loss = float(figures["loss"])
        if not math.isfinite(loss) or not math.isfinite(float(figures.get("grad_norm") or 0.0)):
            raise NotANumberError(f"the loss of step {state.global_step} is no number")
        answers = [to_record(rollout) for rollout in sample_rollouts(self._rollouts, KEPT)]
        self._reporter.step(state.global_step, figures, answers)
        self._steps.append({name: float(value) for name, value in figures.items() if value is not None})
        self._report_alarms(alarms(self._steps, self._labels))

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Evaluate if it is due; stop if requested, after a checkpoint."""
        if self._is_evaluation_due(state.global_step):
            with suppress(StoppedError):
                self._evaluate_and_report(state.global_step)
        self.stopped = self._wait_and_check_stop()
        self.ended_early = distributed.broadcast(self.ended_early)
        if self.stopped or self.ended_early:
            control.should_save = True
            control.should_training_stop = True

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Add the state of this project to the checkpoint, then mark it as complete."""
        distributed.barrier()  # each process has written its own part
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        if not state.is_world_process_zero:
            return
        if isinstance(self.trainer, PpoTrainer):
            self.trainer.save_critic(folder)
        checkpoints.complete_checkpoint(folder, self._sampler.state())

    def _report_alarms(self, found_alarms: Sequence[Alarm]) -> None:
        """Report each alarm once."""
        for alarm in found_alarms:
            if alarm.name not in self._raised:
                self._reporter.alarm(alarm.name, alarm.sentence)
            self._raised.add(alarm.name)

    def _wait_and_check_stop(self) -> bool:
        """Wait while the run is paused; returns whether to stop. All processes agree."""
        while (action := distributed.broadcast(self._reporter.requested_action())) == "pause":
            time.sleep(0.1)
        return action == "stop"

    def _is_evaluation_due(self, step: int) -> bool:
        """Whether to evaluate on the dev split after this step."""
        return step % self._recipe.evaluate_every == 0 or step == self._recipe.steps

    def _evaluate_and_report(self, step: int) -> None:
        if self._evaluate is None:
            return
        began = time.perf_counter()
        figures = self._evaluate()
        self._reporter.evaluation(step, figures)
        self._looks.append(figures)
        self._report_alarms([*unreadable_alarms(step, figures), *field_alarms(self._looks, self._labels)])
        accuracies = {int(level): right / n for level, (right, n) in figures.get("levels", {}).items()}
        if (joins := self._sampler.climb(accuracies)) is not None:
            self._reporter.log(f"level {joins} joins after step {step}")
        self._began += time.perf_counter() - began
        self._update_best(figures["accuracy"] or 0.0)
        if self._recipe.patience is not None and self._since_best >= self._recipe.patience:
            self.ended_early = f"no better on the dev split for {self._since_best} looks (best {self._best:.1%})"

    def _update_best(self, accuracy: float) -> None:
        """Update the best accuracy, and the number of evaluations since."""
        self._since_best = 0 if accuracy > self._best else self._since_best + 1
        self._best = max(self._best, accuracy)


def _memory_mb() -> float:
    """The memory of the process now; on a GPU, its peak there."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    return float(psutil.Process().memory_info().rss) / 2**20
