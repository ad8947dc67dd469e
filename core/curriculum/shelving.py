"""Setting a cell aside, and taking it back: what changes, and what is not allowed."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from core.config.task import Task
from core.curriculum.plan import plan
from storage import examples, shelves
from storage.errors import UserError
from storage.examples import CellCount
from storage.shelves import Shelf


class ShelvingError(UserError):
    """The cell cannot be shelved or taken back; `str()` of it says why."""


@dataclass(frozen=True, slots=True)
class ShelvingChange:
    """What shelving changes, in examples.

    `examples` are missing in the shelf's cells now, and `kept` are there. `cells` others will miss `elsewhere` more.
    """

    examples: int
    kept: int
    elsewhere: int
    cells: int


def shelving_change(
    task: Task, counts: Sequence[CellCount], existing_shelves: Collection[Shelf], shelf: Shelf
) -> ShelvingChange:
    """The effect of shelving on a task with these `counts` and existing shelves; raises ShelvingError."""
    decisions = [shelf.decision] if shelf.decision else task.labels
    problems = task.find_unknown_names([shelf.domain], [shelf.level], decisions)
    if problems:
        raise ShelvingError("; ".join(problems))
    if all(
        any(existing.holds(shelf.domain, shelf.level, decision) for existing in existing_shelves)
        for decision in decisions
    ):
        raise ShelvingError(f"{describe_shelf(shelf)} is shelved already")
    for decision in decisions:
        cells = [(domain.name, level.level, decision) for domain in task.domains for level in task.levels]
        if all(any(existing.holds(*key) for existing in [*existing_shelves, shelf]) for key in cells):
            raise ShelvingError(f"no other cell of {decision} is left to take its examples: take one back first")
    plan_before, plan_after = (
        plan(task, counts, existing_shelves).cells,
        plan(task, counts, [*existing_shelves, shelf]).cells,
    )
    shelved_cells = [cell for cell in plan_before if shelf.holds(cell.domain, cell.level, cell.decision)]
    additional = [
        after.missing - before.missing
        for before, after in zip(plan_before, plan_after, strict=True)
        if after.missing > before.missing
    ]
    return ShelvingChange(
        sum(cell.missing for cell in shelved_cells),
        sum(cell.have for cell in shelved_cells),
        sum(additional),
        len(additional),
    )


def shelve(task: Task, connection: sqlite3.Connection, shelf: Shelf) -> ShelvingChange:
    """Set a cell aside; raises ShelvingError."""
    change = shelving_change(task, examples.cell_counts(connection), shelves.read_all(connection), shelf)
    shelves.shelve(connection, shelf)
    return change


def unshelve(connection: sqlite3.Connection, shelf: Shelf) -> None:
    """Take a cell back from its shelf; raises ShelvingError if it is not shelved."""
    if not shelves.unshelve(connection, shelf.domain, shelf.level, shelf.decision):
        raise ShelvingError(f"{describe_shelf(shelf)} is not shelved")


def describe_shelf(shelf: Shelf) -> str:
    """The shelf's cell in words."""
    return f"{shelf.domain} at level {shelf.level}" + (f", {shelf.decision}" if shelf.decision else "")
