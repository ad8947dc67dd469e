"""Starting a benchmark: what it asks is chosen and kept here, so that nothing later changes what it measures."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

from ulid import ULID

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
    """Start a benchmark in a process of its own. Raises RunError with what to do instead, FileError."""
    if problem := resolve.check_mode(project, connection, params.model, params.mode):
        raise RunError(problem)
    params = params.model_copy(update={"model": resolve.resolve_name(project, connection, params.model)})
    if params.budget is not None and params.model in project.task.models:
        priced = project.task.models[params.model].model
        if priced not in project.task.prices:
            raise RunError(f"a budget needs a price: add [prices.{priced!r}] to the file")
    if params.reference and params.student:
        raise RunError("this run is the student's or the reference's: name the other one alone")
    others = {role: getattr(params, role) for role in ("reference", "student")}
    params = params.model_copy(
        update={role: require_benchmark(connection, prefix).id for role, prefix in others.items() if prefix}
    )
    if params.like:
        params = _like(require_benchmark(connection, params.like), params)
    chosen = [] if params.like else chosen_examples(project, connection, params)
    run = Run(kind=KIND, params=params.model_dump(mode="json"))
    with transaction(connection):
        runs.write(connection, run)
        if params.like:
            predictions.copy_questions(connection, run.id, params.like)
        else:
            predictions.add_questions(
                connection, [(_question(run, place, one), one) for place, one in enumerate(chosen)]
            )
        if params.split:
            splits.freeze(connection, params.split, run.id)
    spawn(project, connection, run.id)
    return run


def _like(first: Run, params: BenchmarkParams) -> BenchmarkParams:
    """The params with what `first` asks."""
    told = params_of(first, BenchmarkParams)
    same = ("split", "where", "file", "mapping", "limit", "sniff", "samples", "seed")
    return params.model_copy(update={"like": first.id, **{name: getattr(told, name) for name in same}})


def chosen_examples(project: Project, connection: sqlite3.Connection, params: BenchmarkParams) -> list[Example]:
    """What is to be asked, in the order of asking; raises RunError if there is nothing, FileError."""
    found = _of_file(project, params) if params.file else _of_project(project, connection, params)
    chosen = smoke_test_sample(found, params.seed) if params.sniff else sampling_order(found, params.seed)
    chosen = chosen[: params.limit]
    if not chosen:
        raise RunError(_nothing(params))
    return chosen


def require_benchmark(connection: sqlite3.Connection, prefix: str) -> Run:
    """The one benchmark whose id starts or ends with `prefix`; raises RunError."""
    run = require_run(connection, prefix)
    if run.kind != KIND:
        raise RunError(f"run {prefix} is no benchmark: it is a {run.kind} run")
    return run


def retry_failures(project: Project, connection: sqlite3.Connection, run: Run) -> int:
    """Ask again what a benchmark has no answer to; returns how many. Raises RunError if it is at work, or has all."""
    state = run_status(run).state
    if not state.ended:
        raise RunError(f"run {run.id[-6:]} is {state}: wait for its end, or stop it first")
    failures = predictions.count_failed(connection, run.id)
    if not failures:
        raise RunError(f"run {run.id[-6:]} has an answer to all that it asked: there is nothing to ask again")
    params = params_of(run, BenchmarkParams)
    again = params.model_copy(update={"number": params.number + 1}).model_dump(mode="json")
    cleared: dict[str, Any] = {"request": None, "reason": "", "ended": None, "pid": None, "heartbeat": now()}
    said = f"asks {failures} failures again"
    if not runs.move(connection, run.id, {run.state}, RunState.QUEUED, message=said, params=again, **cleared):
        raise RunError(f"run {run.id[-6:]} was started again by someone else meanwhile")
    spawn(project, connection, run.id)
    return failures


def _of_project(project: Project, connection: sqlite3.Connection, params: BenchmarkParams) -> list[Example]:
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
    found = listing.read_examples(connection, listing.read_numbers(connection, where))
    foreign = sorted({one.decision for one in found} - set(project.task.labels))
    if foreign:
        raise RunError(f"the task has no decision {', '.join(foreign)} any more: leave those out, or edit them first")
    return found


def _of_file(project: Project, params: BenchmarkParams) -> list[Example]:
    """The examples of a file; the same content has the same id in every run."""
    mapping = load_mapping(project, params.mapping) if params.mapping else None
    found: dict[str, Example] = {}
    for place, _, made in read_examples(project.task, Path(params.file), mapping):
        if isinstance(made, RejectedError):
            raise FileError(f"{params.file}, {place}: {made}; `sidequest import` lists all such records")
        pieces = [(piece.source, piece.content) for piece in made.evidence]
        key = str(ULID.from_bytes(fingerprint(made.hypothesis, pieces, made.decision)))
        found[key] = made.model_copy(update={"id": key})
    return list(found.values())


def _nothing(params: BenchmarkParams) -> str:
    if params.split:
        return (
            f"no accepted example is in the split {params.split}: accept some, then share them out in "
            "Dataset, or with `sidequest splits assign --yes`; or choose others with --where"
        )
    if params.file:
        return f"no example in {params.file}"
    return f"no accepted example matches {params.where!r}: name another status to ask about others (status:pending)"


def _question(run: Run, place: int, one: Example) -> Question:
    return Question(
        run=run.id,
        position=place,
        example=one.id,
        version=one.version,
        label=one.decision,
        domain=one.domain,
        level=one.level,
        family=one.family,
    )


def benchmark_title(params: BenchmarkParams) -> str:
    """What a benchmark measures, for a person: 'o1 · schema · split test'."""
    over = f"split {params.split}" if params.split else Path(params.file).name if params.file else params.where
    parts = [params.model, params.mode.value, over or "all examples"]
    if params.sniff:
        parts.append(f"smoke test of {SMOKE_TEST_SIZE}")
    if params.samples > 1:
        parts.append(f"{params.samples} samples each")
    return " · ".join(parts)
