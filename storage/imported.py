"""Examples imported from a file: all of them in one transaction, with the decisions that come along."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from storage import examples
from storage.database import transaction
from storage.rows import columns, insert
from storage.schema import Example, Review, ReviewAction, Status, new_id


@dataclass(frozen=True, slots=True)
class StoredContent:
    """What a version of a stored example says. `current`: it is the newest, and nobody has rejected the example."""

    id: str
    hypothesis: str
    pieces: list[tuple[str, str]]
    decision: str
    current: bool


@dataclass(frozen=True, slots=True)
class NewExample:
    """An example to be stored. A `doubt` says why it is not accepted with the others, and flagged."""

    example: Example
    doubt: str = ""


def contents(connection: sqlite3.Connection) -> Iterator[StoredContent]:
    """What every version of every example says; the pieces as (source, content)."""
    for row in connection.execute(
        "SELECT e.id, v.content, v.version = e.version AND e.status <> ? AS current "
        "FROM versions AS v JOIN examples AS e ON e.id = v.example",
        (Status.REJECTED.value,),
    ):
        content = json.loads(row["content"])
        pieces = [(piece["source"], piece["content"]) for piece in content["evidence"]]
        yield StoredContent(row["id"], content["hypothesis"], pieces, content["decision"], bool(row["current"]))


def count(connection: sqlite3.Connection) -> int:
    """How many examples were imported: no attempt made them, and no judge has read them."""
    return int(connection.execute("SELECT count(*) FROM examples WHERE attempt IS NULL").fetchone()[0])


def ids(connection: sqlite3.Connection) -> Iterator[str]:
    """The ids of all examples."""
    return (row["id"] for row in connection.execute("SELECT id FROM examples"))


def splits(connection: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    """Each family with its split; '' for none."""
    rows = connection.execute("SELECT family, max(split) AS split FROM examples GROUP BY family")
    return ((row["family"], row["split"]) for row in rows)


def add(
    connection: sqlite3.Connection, new_examples: Iterable[NewExample], *, accept: bool, reviewer: str, note: str
) -> int:
    """Store `new_examples` in one transaction, and return how many there were.

    Logs their splits, with `accept` their acceptance, and the flags of those in doubt, all as one act. A family that is
    in a split already keeps it. The caller has to leave out examples that claim another split for it.
    """
    batch = new_id()
    added = 0
    with transaction(connection):
        family_splits = dict(splits(connection))
        for new in new_examples:
            example, accepted = new.example, accept and not new.doubt
            status = Status.ACCEPTED if accepted else example.status
            line = Review(example=example.id, action=ReviewAction.ACCEPT, reviewer=reviewer, note=note, batch=batch)
            examples.add(connection, example.model_copy(update={"status": status, "flagged": bool(new.doubt)}))
            added += 1
            if accepted:
                _append(connection, line)
            if new.doubt:
                _append(connection, line.model_copy(update={"action": ReviewAction.FLAG, "note": new.doubt}))
            if example.split and family_splits.get(example.family) is None:
                family_splits[example.family] = example.split
                _append(connection, line.model_copy(update={"action": ReviewAction.SPLIT, "value": example.split}))
    return added


def _append(connection: sqlite3.Connection, line: Review) -> None:
    insert(connection, "reviews", columns(line, without=frozenset({"id"})))
