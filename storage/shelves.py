"""Cells that are set aside: nothing is generated for them until they are taken back."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from storage.database import transaction
from storage.rows import to_column
from storage.schema import now


@dataclass(frozen=True, slots=True)
class Shelf:
    """A domain at a level that is set aside, for one decision or ('') for all of them."""

    domain: str
    level: int
    decision: str = ""
    reason: str = ""

    def holds(self, domain: str, level: int, decision: str) -> bool:
        """Whether this cell is on the shelf."""
        return (self.domain, self.level) == (domain, level) and self.decision in {"", decision}


def read_all(connection: sqlite3.Connection) -> list[Shelf]:
    """All shelves, in the order they were made."""
    rows = connection.execute("SELECT domain, level, decision, reason FROM shelved ORDER BY created, rowid")
    return [Shelf(**row) for row in rows]


def shelve(connection: sqlite3.Connection, shelf: Shelf) -> bool:
    """Set a cell aside; returns whether it was not set aside before."""
    with transaction(connection):
        cursor = connection.execute(
            "INSERT OR IGNORE INTO shelved (domain, level, decision, reason, created) VALUES (?, ?, ?, ?, ?)",
            (shelf.domain, shelf.level, shelf.decision, shelf.reason, to_column(now())),
        )
        return cursor.rowcount == 1


def unshelve(connection: sqlite3.Connection, domain: str, level: int, decision: str = "") -> bool:
    """Remove the shelf with exactly these names; returns whether there was one."""
    with transaction(connection):
        cursor = connection.execute(
            "DELETE FROM shelved WHERE domain = ? AND level = ? AND decision = ?", (domain, level, decision)
        )
        return cursor.rowcount == 1
