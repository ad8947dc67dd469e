"""Examples that come from a file: all of them in one transaction, with what was said about them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence

from storage import examples
from storage.database import transaction
from storage.rows import columns, insert
from storage.schema import Example, Review, ReviewAction, Status, new_id


def contents(connection: sqlite3.Connection) -> Iterator[tuple[str, list[tuple[str, str]], str]]:
    """(hypothesis, [(source, content) of each piece], decision) of every version of every example."""
    for row in connection.execute("SELECT content FROM versions"):
        kept = json.loads(row["content"])
        pieces = [(piece["source"], piece["content"]) for piece in kept["evidence"]]
        yield kept["hypothesis"], pieces, kept["decision"]


def count(connection: sqlite3.Connection) -> int:
    """How many examples came from a file: no attempt made them, and no judge has read them."""
    return int(connection.execute("SELECT count(*) FROM examples WHERE attempt IS NULL").fetchone()[0])


def ids(connection: sqlite3.Connection) -> set[str]:
    """The ids of all examples."""
    return {row["id"] for row in connection.execute("SELECT id FROM examples")}


def splits(connection: sqlite3.Connection) -> dict[str, str]:
    """Each family with the split it is in; '' for none."""
    return {row["family"]: row["split"] for row in connection.execute("SELECT DISTINCT family, split FROM examples")}


def add(
    connection: sqlite3.Connection, new_examples: Sequence[Example], *, accept: bool, reviewer: str, note: str
) -> None:
    """Store what `arrived`, in one transaction; to `accept` it all, and to place its families, is one act of the log.

    A family that is in a split already keeps it; what arrives with another one has to be kept away by the caller.
    """
    batch = new_id()
    with transaction(connection):
        placed = splits(connection)
        for one in new_examples:
            line = Review(example=one.id, action=ReviewAction.ACCEPT, reviewer=reviewer, note=note, batch=batch)
            examples.add(connection, one.model_copy(update={"status": Status.ACCEPTED}) if accept else one)
            if accept:
                _append(connection, line)
            if one.split and placed.get(one.family) is None:
                placed[one.family] = one.split
                _append(connection, line.model_copy(update={"action": ReviewAction.SPLIT, "value": one.split}))


def _append(connection: sqlite3.Connection, line: Review) -> None:
    insert(connection, "reviews", columns(line, without=frozenset({"id"})))
