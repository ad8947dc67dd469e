"""Decisions about many examples at once: logged as one act, undone as one, and written without blocking others."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence

from storage import reviews
from storage.database import write_in_chunks
from storage.review_log import needs_overrule, overrule_line
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

    All lines form one batch. Closing the iterator early leaves the rest; `reviews.undo` takes back what was logged.
    """
    if action not in ACTIONS:
        raise ValueError(f"{action} has a function of its own")
    line = Review(example="", action=action, reason=reason, note=note, reviewer=reviewer, batch=new_id())
    values = columns(line, without=frozenset({"id"}))
    names = list(values)
    sql = f"INSERT INTO reviews ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"

    def lines(examples: Sequence[str], line_values: Mapping[str, object]) -> list[list[object]]:
        return [[example_id if name == "example" else line_values[name] for name in names] for example_id in examples]

    def write(chunk: Sequence[int]) -> None:
        marks = ", ".join("?" * len(chunk))
        rows = connection.execute(
            f"SELECT id, refused, status FROM examples WHERE number IN ({marks}) ORDER BY number", list(chunk)
        ).fetchall()
        ids = [row["id"] for row in rows]
        if action is ReviewAction.ACCEPT:
            overruled = [
                row["id"]
                for row in rows
                if row["refused"] and needs_overrule(Status(row["status"]), reviews.log(connection, row["id"]))
            ]
            overrule_values = columns(overrule_line(line), without=frozenset({"id"}))
            connection.executemany(sql, lines(overruled, overrule_values))
        connection.executemany(sql, lines(ids, values))
        reviews.apply_log(connection, ids)

    return write_in_chunks(connection, numbers, write)
