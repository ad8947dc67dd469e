"""Decisions about many examples at once: one act, one undo, and nobody else waits for it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence

from storage import reviews
from storage.database import write_in_chunks
from storage.rows import columns
from storage.schema import Review, ReviewAction, Status, new_id

ACTIONS = frozenset({ReviewAction.ACCEPT, ReviewAction.REJECT, ReviewAction.FLAG, ReviewAction.UNFLAG})


def record(
    connection: sqlite3.Connection,
    numbers: Sequence[int],
    action: ReviewAction,
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

    def lines(examples: Sequence[str], given: Mapping[str, object]) -> list[list[object]]:
        return [[one if name == "example" else given[name] for name in names] for one in examples]

    def write(piece: Sequence[int]) -> None:
        marks = ", ".join("?" * len(piece))
        found = connection.execute(
            f"SELECT id, refused, status FROM examples WHERE number IN ({marks}) ORDER BY number", list(piece)
        ).fetchall()
        ids = [row["id"] for row in found]
        if action is ReviewAction.ACCEPT:
            # Who accepts what QA rejected also brings it in, as the log then says.
            out = [row["id"] for row in found if row["refused"] and row["status"] == Status.REJECTED.value]
            brought = values | {"action": ReviewAction.OVERRULE.value, "reason": "", "note": ""}
            connection.executemany(sql, lines(reviews.undecided(connection, out), brought))
        connection.executemany(sql, lines(ids, values))
        reviews.apply_log(connection, ids)

    return write_in_chunks(connection, numbers, write)
