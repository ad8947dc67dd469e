"""Setting a cell aside, and taking it back: what moves, and what may not be."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from dataclasses import dataclass

from core.curriculum.plan import wanted
from core.task import Task
from storage import shelves
from storage.shelves import Shelf


class ShelvingError(Exception):
    """The cell cannot be shelved or taken back; `str()` of it says why."""


@dataclass(frozen=True, slots=True)
class Moved:
    """How many wanted examples leave the shelf's cells, and how many other cells take them."""

    examples: int
    cells: int


def moved(task: Task, there: Collection[Shelf], shelf: Shelf) -> Moved:
    """What shelving does to a task whose shelves are `there`; raises ShelvingError if it may not be."""
    decisions = [shelf.decision] if shelf.decision else task.labels
    problems = task.unknown([shelf.domain], [shelf.level], decisions)
    if problems:
        raise ShelvingError("; ".join(problems))
    before, after = wanted(task, there), wanted(task, [*there, shelf])
    if all(any(one.holds(shelf.domain, shelf.level, decision) for one in there) for decision in decisions):
        raise ShelvingError(f"{name(shelf)} is shelved already")
    for decision in decisions:
        cells = [key for key in after if key[2] == decision]
        if all(any(one.holds(*key) for one in [*there, shelf]) for key in cells):
            raise ShelvingError(f"no other cell of {decision} is left to take its examples: take one back first")
    return Moved(
        examples=sum(before[key] - after[key] for key in before if shelf.holds(*key)),
        cells=sum(after[key] > before[key] for key in after),
    )


def shelve(task: Task, connection: sqlite3.Connection, shelf: Shelf) -> Moved:
    """Set a cell aside; raises ShelvingError."""
    found = moved(task, shelves.every(connection), shelf)
    shelves.shelve(connection, shelf)
    return found


def take_back(connection: sqlite3.Connection, shelf: Shelf) -> None:
    """Take a cell back from its shelf; raises ShelvingError if it is not there."""
    if not shelves.take_back(connection, shelf.domain, shelf.level, shelf.decision):
        raise ShelvingError(f"{name(shelf)} is not shelved")


def name(shelf: Shelf) -> str:
    """The shelf's cell in words."""
    return f"{shelf.domain} at level {shelf.level}" + (f", {shelf.decision}" if shelf.decision else "")
