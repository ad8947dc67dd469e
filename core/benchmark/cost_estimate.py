"""Estimates what a benchmark would ask, and what that may cost, before it is started."""

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

# So many prompts, spread evenly over all, are measured.
_SAMPLE_SIZE = 50


@dataclass(frozen=True, slots=True)
class BenchmarkEstimate:
    """Counts of examples, questions (one for each sample of an example) and tokens, and the cost.

    `output_tokens` follows from earlier benchmarks of the model. Without one it is the most that the model may write,
    and `at_most` says so. `cost` is None, unknown, where the model has no price. `free`: nothing is paid.
    """

    examples: int
    questions: int
    input_tokens: int
    output_tokens: int
    at_most: bool
    cost: float | None
    free: bool


def estimate_benchmark(project: Project, connection: sqlite3.Connection, params: BenchmarkParams) -> BenchmarkEstimate:
    """Estimate a benchmark of `params`. Raises RunError if it cannot be started, FileError, PromptError."""
    if problem := resolve.check_mode(project, connection, params.model, params.mode):
        raise RunError(problem)
    examples = chosen_examples(project, connection, params)
    questions = len(examples) * params.samples
    model = project.task.models.get(params.model)
    if model is None:
        return BenchmarkEstimate(len(examples), questions, 0, 0, at_most=False, cost=None, free=True)
    input_tokens = _prompt_tokens(project, params, examples) * questions
    mean_output = predictions.mean_output_tokens(connection, params.model)
    output_tokens = round((model.max_output_tokens if mean_output is None else mean_output) * questions)
    price = project.task.prices.get(model.model)
    return BenchmarkEstimate(
        examples=len(examples),
        questions=questions,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        at_most=mean_output is None,
        cost=cost(price, input_tokens, output_tokens),
        free=False,
    )


def _prompt_tokens(project: Project, params: BenchmarkParams, examples: list[Example]) -> int:
    """About how many tokens a prompt has: the mean of a sample that is spread evenly."""
    prompting = Prompting(project.task, params.mode, project.folder)
    sample = examples[:: max(1, len(examples) // _SAMPLE_SIZE)]
    prompts = [prompting.messages(example.hypothesis, example.evidence) for example in sample]
    lengths = [sum(len(str(message["content"])) for message in messages) for messages in prompts]
    return estimate_tokens(round(sum(lengths) / len(lengths)))
