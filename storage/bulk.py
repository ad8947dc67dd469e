"""Decisions about many examples at once: one act, one undo, and nobody else waits for it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence

from storage import reviews
from storage.database import in_pieces
from storage.rows import columns
from storage.schema import Action, Review, new_id

ACTIONS = frozenset({Action.ACCEPT, Action.REJECT, Action.FLAG, Action.UNFLAG})


def act(
    connection: sqlite3.Connection,
    numbers: Sequence[int],
    action: Action,
    *,
    reason: str = "",
    note: str = "",
    reviewer: str = "",
) -> Iterator[int]:
    """Log `action` (one of `ACTIONS`) about each example with one of `numbers`; yields how many are done.

    All lines are one batch. Whoever stops asking for more leaves the rest; `reviews.undo` takes back what was done.
    """
    if action not in ACTIONS:
        raise ValueError(f"{action} has a function of its own")
    line = Review(example="", action=action, reason=reason, note=note, reviewer=reviewer, batch=new_id())
    values = columns(line, without=frozenset({"id"}))
    names = list(values)
    sql = f"INSERT INTO reviews ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"

    def write(piece: Sequence[int]) -> None:
        marks = ", ".join("?" * len(piece))
        found = connection.execute(f"SELECT id FROM examples WHERE number IN ({marks}) ORDER BY number", list(piece))
        ids = [row["id"] for row in found]
        connection.executemany(sql, [[one if name == "example" else values[name] for name in names] for one in ids])
        reviews.project(connection, ids)

    return in_pieces(connection, numbers, write)
