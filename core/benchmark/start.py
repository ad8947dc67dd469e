"""Starting a benchmark: what it asks is chosen, frozen and kept here, before a model is asked anything."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from core.benchmark.order import ordered, sniff
from core.dataset.query import read_query
from core.models.choose import check_name
from core.models.model import Mode
from core.project import Project
from core.runs.control import RunError, look
from core.runs.launch import resume, spawn
from core.task import Task
from storage import examples, listing, predictions, runs, splits
from storage.database import transaction
from storage.examples import Filter
from storage.listing import Order
from storage.schema import Example, Question, Run, RunState, Status
from storage.search import QueryError

KIND = "benchmark"
# Those that a model must not have been trained on: their families stay where they are from now on.
HELD_OUT = ("dev", "test")
_PIECE = 1000


class BenchmarkParams(BaseModel):
    """What a benchmark is to do: which model is asked how, about which examples.

    `split` or `query` says which, of what was accepted; neither: the test split. `sniff` takes five of them. `round`
    counts how often failures were asked again.
    """

    model_config = ConfigDict(extra="forbid")

    model: str
    mode: Mode | None = None
    samples: int = Field(default=1, ge=1, le=64)
    split: str = ""
    query: str = ""
    file: str = ""
    sniff: bool = False
    seed: int = Field(default=0, ge=0, lt=2**53)
    budget: Decimal | None = Field(default=None, ge=0)
    stop_when_settled: bool = False
    reference: str = Field(default="", description="The run that a settled gate is held against, if any.")
    target: float = Field(default=0.85, gt=0, lt=1)
    round: int = Field(default=0, ge=0)


def start(
    project: Project, connection: sqlite3.Connection, params: BenchmarkParams, given: Sequence[Example] = ()
) -> Run:
    """Start a benchmark in a process of its own, on the examples that `params` means or on those `given`.

    Raises RunError with what to do instead, ModelError if there is no such model.
    """
    check_name(project.task, params.model)
    chosen = ordered(given, params.seed) if given else _chosen(project.task, connection, params)
    if params.sniff:
        chosen = sniff(chosen, params.seed)
    strange = sorted({one.decision for one in chosen} - set(project.task.labels))
    if strange:
        raise RunError(f"the task has no decision {', '.join(strange)}: leave such examples out, or edit them")
    run = Run(kind=KIND, params=params.model_dump(mode="json"))
    runs.add(connection, run)
    with transaction(connection):
        predictions.ask(connection, ((_question(run, place, one), one) for place, one in enumerate(chosen)))
    if not params.sniff:
        for split in sorted({one.split for one in chosen} & set(HELD_OUT)):
            splits.freeze(connection, split, run.id)
    spawn(project, run.id)
    return run


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


def _chosen(task: Task, connection: sqlite3.Connection, params: BenchmarkParams) -> list[Example]:
    """The examples that `params` means, in the order of asking; raises RunError if there are none."""
    where = _where(task, connection, params)
    numbers = listing.every(connection, where, Order.OLDEST)
    if not numbers:
        raise RunError(_nothing(connection, params, where))
    pieces = (listing.whole(connection, numbers[at : at + _PIECE]) for at in range(0, len(numbers), _PIECE))
    return ordered([one for piece in pieces for one in piece], params.seed)


def _where(task: Task, connection: sqlite3.Connection, params: BenchmarkParams) -> Filter:
    try:
        where = read_query(task, connection, params.query)
    except QueryError as error:
        raise RunError(str(error)) from None
    split = params.split or ("" if params.query else "test")
    if split and split not in splits.SPLITS:
        raise RunError(f"no split {split}: there are {', '.join(splits.SPLITS)}")
    if split:
        where = replace(where, split=(split,))
    return where if where.status else replace(where, status=(Status.ACCEPTED.value,))


def _nothing(connection: sqlite3.Connection, params: BenchmarkParams, where: Filter) -> str:
    """Why there is nothing to ask, and what to do."""
    if where.status == (Status.ACCEPTED.value,):
        waiting = sum(row.examples for row in examples.cell_counts(connection, replace(where, status=("pending",))))
        if waiting:
            return (
                f"no accepted example matches, {waiting:,} wait for review: review them (key 3), accept them all with "
                "`sidequest examples accept`, or ask about them as they are with `--query status:pending`"
            )
    if where.split and not params.query:
        return (
            f"no accepted example is in split {where.split[0]}: `sidequest splits assign` shares them out, "
            "or name others with --query"
        )
    return "no accepted example matches: accept some first, or name others with --query"


def retry(project: Project, connection: sqlite3.Connection, run: Run) -> str:
    """Ask again what a benchmark has no answer to; what failed is kept until the new answer is there.

    Returns what happens, in words; raises RunError.
    """
    state = look(run).state
    if not state.ended:
        raise RunError(f"run {run.id[-6:]} is {state}: stop it first, or let it end")
    params = BenchmarkParams.model_validate(run.params)
    failed = predictions.failed(connection, run.id)
    if not failed:
        raise RunError(f"run {run.id[-6:]} has no failure to ask again")
    again = params.model_copy(update={"round": params.round + 1})
    moved = runs.move(
        connection, run.id, {run.state}, RunState.STOPPED, params=again.model_dump(mode="json"), request=None
    )
    if not moved:
        raise RunError(f"run {run.id[-6:]} was resumed by someone else meanwhile")
    resume(project, connection, run.id)
    return f"{failed} without an answer are asked again"


def summary(params: dict[str, Any]) -> str:
    """Which examples a benchmark is about, in words."""
    parts = [f"split {params['split']}" if params.get("split") else "", params.get("query", ""), params.get("file", "")]
    said = " ".join(part for part in parts if part) or "split test"
    return f"{said}, smoke test of five" if params.get("sniff") else said
