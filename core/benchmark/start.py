"""Starts benchmarks: chooses and stores what is asked, so that no later change alters what is measured."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

from ulid import ULID

from core.benchmark.leak_check import refuse_leaks
from core.benchmark.sampling_order import SMOKE_TEST_SIZE, sampling_order, smoke_test_sample
from core.config.case import fingerprint
from core.config.project import Project
from core.dataset.query import read_query
from core.exchange.files import FileError
from core.exchange.importing import load_mapping, read_examples
from core.exchange.record_reader import RejectedError
from core.models import resolve
from core.runs.control import RunError, require_run, run_status
from core.runs.launch import spawn
from core.runs.params import BenchmarkParams, params_of
from storage import listing, predictions, runs, splits
from storage.database import transaction
from storage.examples import Filter
from storage.schema import Example, Question, Run, RunState, Status, now
from storage.search import QueryError

KIND = "benchmark"


def start_benchmark(project: Project, connection: sqlite3.Connection, params: BenchmarkParams) -> Run:
    """Start a benchmark in a process of its own.

    Raises RunError, which says what to do instead, FileError, and, unless the params allow it, LeakError. A run like
    another, and one over a file, is not checked for leaks: the first repeats what was, the second is in no split.
    """
    if problem := resolve.check_mode(project, connection, params.model, params.mode):
        raise RunError(problem)
    params = params.model_copy(update={"model": resolve.resolve_name(project, connection, params.model)})
    if params.budget is not None and params.model in project.task.models:
        priced = project.task.models[params.model].model
        if priced not in project.task.prices:
            raise RunError(f"a budget needs a price: add [prices.{priced!r}] to the file")
    if params.reference and params.student:
        raise RunError("this run is the student's or the reference's: name the other one alone")
    paired_runs = {role: getattr(params, role) for role in ("reference", "student")}
    params = params.model_copy(
        update={role: require_benchmark(connection, prefix).id for role, prefix in paired_runs.items() if prefix}
    )
    if params.like:
        params = _with_questions_of(require_benchmark(connection, params.like), params)
    examples = [] if params.like else chosen_examples(project, connection, params)
    if not (params.like or params.file or params.allow_leaks):
        refuse_leaks(project.task, connection, examples)
    run = Run(kind=KIND, params=params.model_dump(mode="json"))
    with transaction(connection):
        runs.write(connection, run)
        if params.like:
            predictions.copy_questions(connection, run.id, params.like)
        else:
            questions = [_question(run, position, example) for position, example in enumerate(examples)]
            predictions.add_questions(connection, zip(questions, examples, strict=True))
        if params.split:
            splits.freeze(connection, params.split, run.id)
    spawn(project, connection, run.id)
    return run


def _with_questions_of(first: Run, params: BenchmarkParams) -> BenchmarkParams:
    """`params` with the questions that the run `first` asks."""
    first_params = params_of(first, BenchmarkParams)
    fields = ("split", "where", "file", "mapping", "limit", "sniff", "samples", "seed")
    return params.model_copy(update={"like": first.id, **{name: getattr(first_params, name) for name in fields}})


def chosen_examples(project: Project, connection: sqlite3.Connection, params: BenchmarkParams) -> list[Example]:
    """The examples to ask about, in the order of asking. Raises RunError if there are none, FileError."""
    candidates = _file_examples(project, params) if params.file else _project_examples(project, connection, params)
    chosen = smoke_test_sample(candidates, params.seed) if params.sniff else sampling_order(candidates, params.seed)
    chosen = chosen[: params.limit]
    if not chosen:
        raise RunError(_nothing_to_ask(params))
    return chosen


def require_benchmark(connection: sqlite3.Connection, prefix: str) -> Run:
    """The one benchmark whose id starts or ends with `prefix`; raises RunError."""
    run = require_run(connection, prefix)
    if run.kind != KIND:
        raise RunError(f"run {prefix} is no benchmark: it is a {run.kind} run")
    return run


def retry_failures(project: Project, connection: sqlite3.Connection, run: Run) -> int:
    """Ask all questions without an answer again; returns how many. Raises RunError if it still runs, or has none."""
    state = run_status(run).state
    if not state.ended:
        raise RunError(f"run {run.id[-6:]} is {state}: wait for its end, or stop it first")
    failures = predictions.count_failed(connection, run.id)
    if not failures:
        raise RunError(f"run {run.id[-6:]} has an answer to all that it asked: there is nothing to ask again")
    params = params_of(run, BenchmarkParams)
    next_params = params.model_copy(update={"number": params.number + 1}).model_dump(mode="json")
    cleared: dict[str, Any] = {"request": None, "reason": "", "ended": None, "pid": None, "heartbeat": now()}
    message = f"asks {failures} failures again"
    if not runs.move(connection, run.id, {run.state}, RunState.QUEUED, message=message, params=next_params, **cleared):
        raise RunError(f"run {run.id[-6:]} was started again by someone else meanwhile")
    spawn(project, connection, run.id)
    return failures


def _project_examples(project: Project, connection: sqlite3.Connection, params: BenchmarkParams) -> list[Example]:
    if params.split:
        if params.split not in splits.SPLITS:
            raise RunError(f"no split {params.split}: there are {', '.join(splits.SPLITS)}")
        where = Filter(status=(Status.ACCEPTED.value,), split=(params.split,))
    else:
        try:
            where = read_query(project.task, connection, params.where)
        except QueryError as error:
            raise RunError(str(error)) from None
        if not where.status:
            where = replace(where, status=(Status.ACCEPTED.value,))
    examples = listing.read_examples(connection, listing.read_numbers(connection, where))
    foreign = sorted({example.decision for example in examples} - set(project.task.labels))
    if foreign:
        raise RunError(f"the task has no decision {', '.join(foreign)} any more: leave those out, or edit them first")
    return examples


def _file_examples(project: Project, params: BenchmarkParams) -> list[Example]:
    """The examples of a file; the same content has the same id in every run."""
    mapping = load_mapping(project, params.mapping) if params.mapping else None
    examples: dict[str, Example] = {}
    for place, _, example in read_examples(project.task, Path(params.file), mapping):
        if isinstance(example, RejectedError):
            raise FileError(f"{params.file}, {place}: {example}; `sidequest import` lists all such records")
        evidence = [(piece.source, piece.content) for piece in example.evidence]
        key = str(ULID.from_bytes(fingerprint(example.hypothesis, evidence, example.decision)))
        examples[key] = example.model_copy(update={"id": key})
    return list(examples.values())


def _nothing_to_ask(params: BenchmarkParams) -> str:
    if params.split:
        return (
            f"no accepted example is in the split {params.split}: accept some, then share them out in "
            "Dataset, or with `sidequest splits assign --yes`; or choose others with --where"
        )
    if params.file:
        return f"no example in {params.file}"
    return f"no accepted example matches {params.where!r}: name another status to ask about others (status:pending)"


def _question(run: Run, position: int, example: Example) -> Question:
    return Question(
        run=run.id,
        position=position,
        example=example.id,
        version=example.version,
        label=example.decision,
        domain=example.domain,
        level=example.level,
        family=example.family,
    )


def benchmark_title(params: BenchmarkParams) -> str:
    """The title of a benchmark: what it measures, such as 'o1 · schema · split test'."""
    examples = f"split {params.split}" if params.split else Path(params.file).name if params.file else params.where
    parts = [params.model, params.mode.value, examples or "all examples"]
    if params.sniff:
        parts.append(f"smoke test of {SMOKE_TEST_SIZE}")
    if params.samples > 1:
        parts.append(f"{params.samples} samples each")
    if params.allow_leaks:
        parts.append("leaks allowed")
    return " · ".join(parts)
