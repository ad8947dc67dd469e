"""Examples imported from a file: all of them in one transaction, with the decisions that come along."""

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
        content = json.loads(row["content"])
        pieces = [(piece["source"], piece["content"]) for piece in content["evidence"]]
        yield content["hypothesis"], pieces, content["decision"]


def count(connection: sqlite3.Connection) -> int:
    """How many examples were imported: no attempt made them, and no judge has read them."""
    return int(connection.execute("SELECT count(*) FROM examples WHERE attempt IS NULL").fetchone()[0])


def ids(connection: sqlite3.Connection) -> set[str]:
    """The ids of all examples."""
    return {row["id"] for row in connection.execute("SELECT id FROM examples")}


def splits(connection: sqlite3.Connection) -> dict[str, str]:
    """The split of each family; '' for none."""
    return {row["family"]: row["split"] for row in connection.execute("SELECT DISTINCT family, split FROM examples")}


def add(
    connection: sqlite3.Connection, new_examples: Sequence[Example], *, accept: bool, reviewer: str, note: str
) -> None:
    """Store `new_examples` in one transaction, and log their splits, and with `accept` their acceptance, as one act.

    A family that is in a split already keeps it. The caller has to leave out examples that claim another split for it.
    """
    batch = new_id()
    with transaction(connection):
        family_splits = splits(connection)
        for example in new_examples:
            line = Review(example=example.id, action=ReviewAction.ACCEPT, reviewer=reviewer, note=note, batch=batch)
            examples.add(connection, example.model_copy(update={"status": Status.ACCEPTED}) if accept else example)
            if accept:
                _append(connection, line)
            if example.split and family_splits.get(example.family) is None:
                family_splits[example.family] = example.split
                _append(connection, line.model_copy(update={"action": ReviewAction.SPLIT, "value": example.split}))


def _append(connection: sqlite3.Connection, line: Review) -> None:
    insert(connection, "reviews", columns(line, without=frozenset({"id"})))
