"""Three steps of a recipe, to measure them.

`python -m core.entry.dry_run RECIPE FOLDER [--allow-project-code]`, in the folder of the project, writes what it
finds to standard output, a JSON object a line, and nothing to the project.
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
from core.config.recipe import Algorithm, Recipe
from core.models.batching import shared_prefix
from core.models.chat import Chat
from core.models.environment import prepare_environment
from core.models.model_files import locate_model
from core.models.prompting import Prompting
from core.models.trained import local_models
from core.models.weights import SAFE_OPTIONS, find_weights
from core.training import distributed
from core.training.data.cases import cases
from core.training.plan import plan_phases
from core.training.run.job import examples, explained
from core.training.run.phase import PhaseSetup, run_phase
from storage import database
from storage.schema import Example, RunState

# The first step warms caches, and is not counted.
STEPS = 3
# So many cases of the dev split are looked at, twice.
LOOKED_AT = 8


class DryRunReporter:
    """Writes down what a phase tells."""

    def __init__(self, out: TextIO, name: str) -> None:
        self._out, self._name = out, name

    def say(self, **told: Any) -> None:
        """Write a line."""
        self._out.write(json.dumps({"phase": self._name} | told) + "\n")
        self._out.flush()

    def log(self, message: str, *, severity: str = "info") -> None:
        """What is of note is kept."""
        if severity != "info":
            self.say(note=message)

    def step(self, number: int, figures: dict[str, Any], answers: Sequence[dict[str, Any]]) -> None:  # noqa: ARG002
        """How long a step took."""
        self.say(step=number, seconds=figures["seconds"])

    def look(self, number: int, figures: dict[str, Any]) -> None:  # noqa: ARG002
        """How long a look took."""
        self.say(look=figures["seconds"] / figures["n"])

    def alarm(self, name: str, sentence: str) -> None:
        """Nothing: three steps say little."""

    def requested_action(self) -> str | None:
        """Nothing is asked of a trial."""
        return None

    def stopping(self) -> bool:
        """A trial is ended with its process."""
        return False

    def accuracies(self) -> dict[int, float]:
        """Nothing came before."""
        return {}


def main(name: str, scratch: Path, folder: Path, out: TextIO, *, allow_project_code: bool) -> int:
    """Measure each phase of the recipe; returns the exit status."""
    distributed.end_with_parent(lambda: shutil.rmtree(scratch, ignore_errors=True))
    prepare_environment()
    project = open_project(folder)
    params = plan_phases(project, name, allow_project_code=allow_project_code)
    with closing(database.connect(project.database)) as connection:
        train, dev = examples(connection, "train"), examples(connection, "dev")
    before: Path | None = None
    for phase_name, recipe in params.phases.items():
        telling = DryRunReporter(out, phase_name)
        try:
            path = locate_model(project.folder, local_models(project.task)[params.student])
            telling.say(**lengths(project, path, recipe, train), watched=min(len(dev), recipe.evaluate_on))
            short = recipe.model_copy(
                update={"steps": STEPS * recipe.passes, "evaluate_every": 10**6, "evaluate_on": LOOKED_AT}
            )
            phase = PhaseSetup(phase_name, short, path, before, scratch / phase_name, train, dev, allow_project_code)
            began = time.perf_counter()
            ending = run_phase(project, phase, telling)
        except Exception as error:
            ending = explained(error, scratch)
            began = time.perf_counter()
        telling.say(
            ended=ending.state.value, reason=ending.reason, took=time.perf_counter() - began, peak=peak_memory()
        )
        if ending.state is not RunState.FINISHED:
            return 1
        before = phase.adapter
    return 0


def lengths(project: Project, path: Path, recipe: Recipe, train: Sequence[Example]) -> dict[str, int]:
    """Tokens of the longest prompt and of the longest answer; how many cases there are, and how many are too long."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(**find_weights(path), **SAFE_OPTIONS)
    chat = Chat(tokenizer, thinks=False)
    asking = Prompting(project.task, recipe.mode, project.folder)
    made, longer = cases(train, asking, chat, recipe.mode, end=0, most=recipe.max_prompt_tokens)
    answers = max((len(one.answer) for one in made), default=0)
    learned = recipe.algorithm is not Algorithm.SFT
    return {
        "cases": len(made),
        "longer": longer,
        "shared": shared_prefix([one.prompt for one in made]) if len(made) > 1 else 0,
        "prompt": max((len(one.prompt) for one in made), default=0),
        "answer": recipe.max_answer_tokens if learned else answers,
    }


def peak_memory() -> int:
    """The most memory that this process has had so far, in bytes: on the GPU, if it uses one."""
    import torch

    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


if __name__ == "__main__":
    # What the libraries print must not get between.
    with os.fdopen(os.dup(1), "w") as own:
        os.dup2(2, 1)
        allowed = sys.argv[3:] == ["--allow-project-code"]
        sys.exit(main(sys.argv[1], Path(sys.argv[2]), Path.cwd(), own, allow_project_code=allowed))
