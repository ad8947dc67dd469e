"""The append-only log of human decisions, and the state of examples that derives from it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from storage import examples
from storage.database import transaction
from storage.rows import columns, fields, insert
from storage.schema import Action, Example, Review, Status


class ReviewError(Exception):
    """The decision cannot be made; `str()` of it says why."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the log says of one example. `version` is the newest that was not taken back."""

    status: Status = Status.PENDING
    flagged: bool = False
    version: int = 1


def derive(log: Iterable[Review], *, refused: bool = False) -> Standing:
    """The standing of one example from its reviews, in the order of the log. What was undone does not count.

    One that QA had `refused` is rejected until a person says otherwise.
    """
    entries = list(log)
    undone = {entry.undoes for entry in entries if entry.action is Action.UNDO}
    status, flagged, version = Status.REJECTED if refused else Status.PENDING, False, 1
    for entry in entries:
        if entry.id in undone:
            continue
        match entry.action:
            case Action.ACCEPT:
                status = Status.ACCEPTED
            case Action.REJECT:
                status = Status.REJECTED
            case Action.FLAG:
                flagged = True
            case Action.UNFLAG:
                flagged = False
            case Action.EDIT:
                version = entry.version or version
            case Action.OVERRULE:
                status = Status.PENDING
            case Action.LABEL | Action.SPLIT | Action.UNDO:
                pass
    return Standing(status, flagged, version)


def decide(
    connection: sqlite3.Connection,
    example: str,
    action: Action,
    *,
    reason: str = "",
    note: str = "",
    reviewer: str = "",
) -> Example:
    """Log `action` (not EDIT or UNDO) on the example and return it as it then stands; raises ReviewError."""
    if action in {Action.EDIT, Action.UNDO}:
        raise ValueError(f"{action} has a function of its own")
    with transaction(connection):
        _require(connection, example)
        _append(connection, Review(example=example, action=action, reason=reason, note=note, reviewer=reviewer))
        return _project(connection, example)


def edit(connection: sqlite3.Connection, edited: Example, *, note: str = "", reviewer: str = "") -> Example:
    """Keep the content of `edited` as a new version of the example with its id, and return it; raises ReviewError.

    The earlier versions stay. The version that `edited` was read at must still be the current one.
    """
    with transaction(connection):
        current = _require(connection, edited.id)
        if current.version != edited.version:
            raise ReviewError(f"{edited.id} was edited elsewhere meanwhile (version {current.version}): open it again")
        newest = connection.execute("SELECT max(version) FROM versions WHERE example = ?", (edited.id,)).fetchone()[0]
        examples.replace_content(connection, edited.model_copy(update={"version": newest + 1}))
        review = Review(example=edited.id, action=Action.EDIT, note=note, reviewer=reviewer, version=newest + 1)
        _append(connection, review)
        return _project(connection, edited.id)


def overrule(connection: sqlite3.Connection, example: Example, *, note: str = "", reviewer: str = "") -> Example:
    """Bring `example`, made of an attempt that QA rejected, in for review; returns it as it then stands.

    Undone, it stands rejected again. Raises ReviewError if the attempt is an example that waits or is accepted.
    """
    with transaction(connection):
        row = connection.execute("SELECT id, status FROM examples WHERE attempt = ?", (example.attempt,)).fetchone()
        if row is None:
            examples.add(connection, example)
        elif row["status"] != Status.REJECTED.value:
            raise ReviewError(f"this attempt is example {row['id']} already, and {row['status']}")
        key = row["id"] if row else example.id
        _append(connection, Review(example=key, action=Action.OVERRULE, note=note, reviewer=reviewer))
        return _project(connection, key)


@dataclass(frozen=True, slots=True)
class Undone:
    """What an undo took back: the newest line of the act, its example as it then stands, and how many lines it had."""

    review: Review
    example: Example
    lines: int


def undo(connection: sqlite3.Connection, *, reviewer: str | None = None) -> Undone | None:
    """Take back the newest act (of `reviewer`, if given) that is not taken back yet: a line, or all of its batch.

    None if there is nothing left to undo.
    """
    with transaction(connection):
        row = connection.execute(
            f"SELECT * FROM reviews AS r WHERE {_STANDS} AND (? IS NULL OR reviewer = ?) ORDER BY id DESC LIMIT 1",
            (reviewer, reviewer),
        ).fetchone()
        if row is None:
            return None
        newest_line = Review.model_validate(fields(row))
        lines = [newest_line]
        if newest_line.batch is not None:
            rows = connection.execute(
                f"SELECT * FROM reviews AS r WHERE {_STANDS} AND batch = ? ORDER BY id DESC", (newest_line.batch,)
            )
            lines = [Review.model_validate(fields(one)) for one in rows]
        for line in lines:
            taken_back = Review(example=line.example, action=Action.UNDO, undoes=line.id, reviewer=line.reviewer)
            _append(connection, taken_back)
        standing = {example: _project(connection, example) for example in {line.example for line in lines}}
        return Undone(newest_line, standing[newest_line.example], len(lines))


_STANDS = "action <> 'undo' AND NOT EXISTS (SELECT 1 FROM reviews WHERE undoes = r.id)"


def log(connection: sqlite3.Connection, example: str) -> list[Review]:
    """The reviews of an example, oldest first."""
    rows = connection.execute("SELECT * FROM reviews WHERE example = ? ORDER BY id", (example,))
    return [Review.model_validate(fields(row)) for row in rows]


def newest(connection: sqlite3.Connection, limit: int) -> list[Review]:
    """The newest reviews of the project, newest first."""
    rows = connection.execute("SELECT * FROM reviews ORDER BY id DESC LIMIT ?", (limit,))
    return [Review.model_validate(fields(row)) for row in rows]


def _require(connection: sqlite3.Connection, example: str) -> Example:
    found = examples.get(connection, example)
    if found is None:
        raise ReviewError(f"no example {example}: `sidequest examples list` shows those there are")
    return found


def _append(connection: sqlite3.Connection, review: Review) -> None:
    insert(connection, "reviews", columns(review, without=frozenset({"id"})))


def _project(connection: sqlite3.Connection, example: str) -> Example:
    """Write the standing that the log gives into the example's row, and return the example."""
    standing = derive(log(connection, example), refused=_require(connection, example).refused)
    connection.execute(
        "UPDATE examples SET status = ?, flagged = ? WHERE id = ?",
        (standing.status.value, int(standing.flagged), example),
    )
    current = _require(connection, example)
    if current.version != standing.version:
        row = connection.execute(
            "SELECT content FROM versions WHERE example = ? AND version = ?", (example, standing.version)
        ).fetchone()
        content = json.loads(row["content"])
        restored = Example.model_validate(current.model_dump() | content | {"version": standing.version})
        examples.replace_content(connection, restored)
        current = _require(connection, example)
    return current
