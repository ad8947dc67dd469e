"""Three steps of a recipe, to measure them.

`python -m core.entry.dry_run RECIPE FOLDER [--allow-project-code]`, in the folder of the project, writes its
measurements to standard output, one JSON object per line, and nothing to the project.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TextIO

from core.config.project import Project, open_project
from core.config.recipe import Recipe
from core.models.batching import shared_prefix
from core.models.case_encoder import CaseEncoder
from core.models.chat import Chat
from core.models.environment import prepare_environment
from core.models.model_files import locate_model
from core.models.student_format import choose_format
from core.models.trained import local_models
from core.models.weights import SAFE_OPTIONS, find_weights
from core.training import distributed
from core.training.data.cases import classifier_cases, training_cases
from core.training.data.stale import learned_fields
from core.training.plan import plan_phases
from core.training.run.job import accepted_examples, examples_to_learn, failure_ending
from core.training.run.phase import run_phase
from core.training.run.setup import PhaseSetup
from storage import database
from storage.schema import Example, RunState

# The first step fills caches, and is not counted.
STEPS = 3
# Cases of the dev split that are evaluated, twice.
EVALUATED = 8


class DryRunReporter:
    """Writes what a phase reports as lines of JSON."""

    def __init__(self, out: TextIO, name: str) -> None:
        self._out, self._name = out, name

    def write(self, **record: Any) -> None:
        """Write a line."""
        self._out.write(json.dumps({"phase": self._name} | record) + "\n")
        self._out.flush()

    def log(self, message: str, *, severity: str = "info") -> None:
        """Write warnings and errors only."""
        if severity != "info":
            self.write(note=message)

    def step(self, number: int, figures: dict[str, Any], answers: Sequence[dict[str, Any]]) -> None:  # noqa: ARG002
        """Write how long a step took."""
        self.write(step=number, seconds=figures["seconds"])

    def evaluation(self, number: int, figures: dict[str, Any]) -> None:  # noqa: ARG002
        """Write how long the evaluation of one dev case took."""
        self.write(look=figures["seconds"] / figures["n"])

    def alarm(self, name: str, sentence: str) -> None:
        """Ignored: three steps say little."""

    def requested_action(self) -> str | None:
        """Nobody requests anything of a dry run."""
        return None

    def stopping(self) -> bool:
        """Never: a dry run ends with its process."""
        return False

    def dev_accuracies(self) -> dict[int, float]:
        """None: nothing was trained before."""
        return {}


def main(name: str, scratch: Path, folder: Path, out: TextIO, *, allow_project_code: bool) -> int:
    """Measure each phase of the recipe; returns the exit status."""
    distributed.end_with_parent(lambda: shutil.rmtree(scratch, ignore_errors=True))
    prepare_environment()
    project = open_project(folder)
    params = plan_phases(project, name, allow_project_code=allow_project_code)
    with closing(database.connect(project.database)) as connection:
        dev = accepted_examples(connection, "dev")
        examples = {
            name: examples_to_learn(project.task, connection, recipe.model_copy(update={"steps": STEPS + 5}))
            for name, recipe in params.phases.items()
        }
    previous_adapter: Path | None = None
    for phase_name, recipe in params.phases.items():
        reporter, train = DryRunReporter(out, phase_name), examples[phase_name]
        try:
            path = locate_model(project.folder, local_models(project.task)[params.student])
            reporter.write(**lengths(project, path, recipe, train), watched=min(len(dev), recipe.evaluate_on))
            short = recipe.model_copy(
                update={"steps": STEPS * recipe.passes, "evaluate_every": 10**6, "evaluate_on": EVALUATED}
            )
            phase = PhaseSetup(
                phase_name,
                short,
                path,
                previous_adapter,
                scratch / phase_name,
                train,
                dev,
                allow_project_code=allow_project_code,
            )
            started = time.perf_counter()
            ending = run_phase(project, phase, reporter)
        except Exception as error:
            ending = failure_ending(error, scratch)
            started = time.perf_counter()
        reporter.write(
            ended=ending.state.value, reason=ending.reason, took=time.perf_counter() - started, peak=peak_memory()
        )
        if ending.state is not RunState.FINISHED:
            return 1
        previous_adapter = phase.adapter
    return 0


def lengths(project: Project, path: Path, recipe: Recipe, train: Sequence[Example]) -> dict[str, int]:
    """Tokens of the longest prompt and of the longest answer; how many cases there are, and how many are left out."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(**find_weights(path), **SAFE_OPTIONS)
    answer_format = choose_format(recipe, project.task, project.folder, train)
    prompting = answer_format.prompting(project.task, project.folder)
    if answer_format.kind == "classifier":
        limit = min(recipe.max_prompt_tokens, tokenizer.model_max_length)
        read, _ = classifier_cases(train, CaseEncoder(tokenizer, prompting.messages, prompting.version, limit))
        longest = max((len(case.prompt) for case in read), default=0)
        return {"cases": len(read), "longer": 0, "without_steps": 0, "shared": 0, "prompt": longest, "answer": 0}
    chat = Chat(tokenizer, thinks=False)
    made_cases, left_out = training_cases(
        train,
        prompting,
        chat,
        answer_format,
        end=0,
        max_tokens=recipe.max_prompt_tokens,
        learned=learned_fields(recipe, answer_format),
    )
    answers = max((len(case.answer) for case in made_cases), default=0)
    learned = recipe.algorithm.by_rewards
    return {
        "cases": len(made_cases),
        "longer": left_out.too_long,
        "without_steps": left_out.without_steps,
        "stale": left_out.stale,
        "shared": shared_prefix([case.prompt for case in made_cases]) if len(made_cases) > 1 else 0,
        "prompt": max((len(case.prompt) for case in made_cases), default=0),
        "answer": recipe.max_answer_tokens if learned else answers,
    }


def peak_memory() -> int:
    """The peak memory of this process so far, in bytes: on the GPU, if it uses one."""
    import torch

    if sys.platform == "win32":
        import psutil
    elif sys.platform == "darwin":
        import resource
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset)
    if sys.platform == "darwin":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # What getrusage says on Linux includes what the process was started from.
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


if __name__ == "__main__":
    # Keep what the libraries print out of the measurements.
    with os.fdopen(os.dup(1), "w") as stdout:
        os.dup2(2, 1)
        allowed = sys.argv[3:] == ["--allow-project-code"]
        sys.exit(main(sys.argv[1], Path(sys.argv[2]), Path.cwd(), stdout, allow_project_code=allowed))
