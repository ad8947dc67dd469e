"""What a benchmark would ask, and what that may cost, before it is started."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from core.benchmark.start import chosen_examples
from core.config.project import Project
from core.llm.prices import cost, estimate_tokens
from core.models import resolve
from core.models.prompting import Prompting
from core.runs.control import RunError
from core.runs.params import BenchmarkParams
from storage import predictions
from storage.schema import Example

# Of so many prompts, spread over all, the lengths are measured.
_MEASURED = 50


@dataclass(frozen=True, slots=True)
class BenchmarkEstimate:
    """How many examples and questions (each example so often as there are samples), and the tokens to be read.

    `output_tokens` follows from the model's benchmarks before; without one it is the most that the model may write,
    and `at_most` says so. `cost` is None where the model has no price: then it is not known. `free`: nothing is paid.
    """

    examples: int
    questions: int
    input_tokens: int
    output_tokens: int
    at_most: bool
    cost: float | None
    free: bool


def estimate_benchmark(project: Project, connection: sqlite3.Connection, params: BenchmarkParams) -> BenchmarkEstimate:
    """What a benchmark of `params` would ask; raises RunError if it cannot be started, FileError, PromptError."""
    if problem := resolve.check_mode(project, connection, params.model, params.mode):
        raise RunError(problem)
    chosen = chosen_examples(project, connection, params)
    questions = len(chosen) * params.samples
    model = project.task.models.get(params.model)
    if model is None:
        return BenchmarkEstimate(len(chosen), questions, 0, 0, at_most=False, cost=None, free=True)
    reading = _prompt_tokens(project, params, chosen) * questions
    before = predictions.mean_output_tokens(connection, params.model)
    writing = round((model.max_output_tokens if before is None else before) * questions)
    price = project.task.prices.get(model.model)
    return BenchmarkEstimate(
        examples=len(chosen),
        questions=questions,
        input_tokens=reading,
        output_tokens=writing,
        at_most=before is None,
        cost=cost(price, reading, writing),
        free=False,
    )


def _prompt_tokens(project: Project, params: BenchmarkParams, chosen: list[Example]) -> int:
    """About how many tokens a prompt has, in mean over some that are spread evenly."""
    asking = Prompting(project.task, params.mode, project.folder)
    some = chosen[:: max(1, len(chosen) // _MEASURED)]
    lengths = [
        sum(len(str(message["content"])) for message in asking.messages(one.hypothesis, one.evidence)) for one in some
    ]
    return estimate_tokens(round(sum(lengths) / len(lengths)))
