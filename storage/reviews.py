"""The append-only log of human decisions, and the state of examples that derives from it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from storage import examples, splits
from storage.database import transaction, write_in_chunks
from storage.rows import columns, fields, insert
from storage.schema import Example, Review, ReviewAction, Status, new_id


class ReviewError(Exception):
    """The decision cannot be made; `str()` of it says why."""


@dataclass(frozen=True, slots=True)
class ReviewState:
    """What the log says of one example. `version` is the newest that was not taken back."""

    status: Status = Status.PENDING
    flagged: bool = False
    version: int = 1


def review_state(log: Iterable[Review]) -> list[Review]:
    """The lines of a log that were not taken back, in its order, without those that take back."""
    entries = list(log)
    undone = {entry.undoes for entry in entries if entry.action is ReviewAction.UNDO}
    return [entry for entry in entries if entry.action is not ReviewAction.UNDO and entry.id not in undone]


def derive_state(log: Iterable[Review], *, refused: bool = False) -> ReviewState:
    """The standing of one example from its reviews, in the order of the log. What was undone does not count.

    One that QA had `refused` is rejected until a person says otherwise.
    """
    status, flagged, version = Status.REJECTED if refused else Status.PENDING, False, 1
    for entry in review_state(log):
        match entry.action:
            case ReviewAction.ACCEPT:
                status = Status.ACCEPTED
            case ReviewAction.REJECT:
                status = Status.REJECTED
            case ReviewAction.FLAG:
                flagged = True
            case ReviewAction.UNFLAG:
                flagged = False
            case ReviewAction.EDIT:
                version = entry.version or version
            case ReviewAction.OVERRULE:
                status = Status.PENDING
            case ReviewAction.LABEL | ReviewAction.SPLIT | ReviewAction.UNDO:
                pass
    return ReviewState(status, flagged, version)


def decide(
    connection: sqlite3.Connection,
    example: str,
    action: ReviewAction,
    *,
    reason: str = "",
    note: str = "",
    reviewer: str = "",
    value: str = "",
    version: int | None = None,
) -> Example:
    """Log `action` (not EDIT or UNDO) on the example and return it as it then stands; raises ReviewError.

    `value` is what was decided without seeing the label, of the `version` that was seen; it must be the current one.
    """
    if action in {ReviewAction.EDIT, ReviewAction.UNDO}:
        raise ValueError(f"{action} has a function of its own")
    line = Review(
        example=example, action=action, reason=reason, note=note, reviewer=reviewer, value=value, version=version
    )
    with transaction(connection):
        _check(line, _require(connection, example))
        _append(connection, line)
        return _project(connection, example)


def record(connection: sqlite3.Connection, example: Example, lines: Sequence[Review]) -> Example:
    """Log `lines` about `example` as one act, and return it as it then stands; raises ReviewError.

    What QA rejected may not be stored yet: then it is, and stands as rejected unless a line says otherwise.
    """
    batch = new_id() if len(lines) > 1 else None
    with transaction(connection):
        known = connection.execute(
            "SELECT id FROM examples WHERE id = ? OR attempt = ?", (example.id, example.attempt)
        ).fetchone()
        if known is None:
            examples.add(connection, example)
        stored = _require(connection, known["id"] if known else example.id)
        for line in lines:
            _check(line, stored)
            _append(connection, line.model_copy(update={"example": stored.id, "batch": batch}))
        return _project(connection, stored.id)


def _check(line: Review, example: Example) -> None:
    """Raise ReviewError if a blind decision is not about `example` as it now is."""
    if not line.value or line.action is ReviewAction.SPLIT:
        return
    if line.version != example.version:
        raise ReviewError(f"{example.id} was edited meanwhile (version {example.version}): look at it again")
    if line.action is ReviewAction.ACCEPT and line.value != example.decision:
        raise ReviewError(f"{example.id} is labelled {example.decision}, not {line.value}: label it, or edit it")


def edit(connection: sqlite3.Connection, edited: Example, *, note: str = "", reviewer: str = "") -> Example:
    """Keep the content of `edited` as a new version of the example with its id, and return it; raises ReviewError.

    The earlier versions stay. The version that `edited` was read at must still be the current one.
    """
    with transaction(connection):
        current = _require(connection, edited.id)
        if current.version != edited.version:
            raise ReviewError(f"{edited.id} was edited elsewhere meanwhile (version {current.version}): open it again")
        newest = connection.execute("SELECT max(version) FROM versions WHERE example = ?", (edited.id,)).fetchone()[0]
        # No judge has read what was just written.
        made = edited.model_copy(update={"version": newest + 1, "certainty": None})
        examples.replace_content(connection, made)
        review = Review(example=edited.id, action=ReviewAction.EDIT, note=note, reviewer=reviewer, version=newest + 1)
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
        _append(connection, Review(example=key, action=ReviewAction.OVERRULE, note=note, reviewer=reviewer))
        return _project(connection, key)


@dataclass(frozen=True, slots=True)
class ReviewAct:
    """What a person did at once: its newest line, the ids of all, newest first, and the number of examples."""

    newest: Review
    lines: list[int]
    examples: int


@dataclass(frozen=True, slots=True)
class UndoResult:
    """What an undo took back: the newest line of the act, its example as it then stands, and how many lines it had."""

    review: Review
    example: Example
    lines: int


def undo(connection: sqlite3.Connection, *, reviewer: str | None = None) -> UndoResult | None:
    """Take back the newest act (of `reviewer`, if given) that is not taken back yet: a line, or all of its batch.

    None if there is nothing left to undo. Raises ReviewError if a benchmark holds what would change.
    """
    while (act := newest_act(connection, reviewer)) is not None:
        *_, taken = undo_act(connection, act)
        # Somebody else may have been faster: then it is the turn of the act before.
        if taken:
            return UndoResult(act.newest, _require(connection, act.newest.example), taken)
    return None


def undo_act(connection: sqlite3.Connection, act: ReviewAct) -> Iterator[int]:
    """Take back the lines of `act`, in pieces, the newest first; yields how many are taken back. Raises ReviewError.

    Whoever stops asking for more leaves the rest, which is the newest act again.
    """
    if act.newest.action is ReviewAction.SPLIT:
        try:
            splits.check_undo(connection, act.lines)
        except splits.SplitError as error:
            raise ReviewError(str(error)) from None
    taken = 0

    def write(piece: Sequence[int]) -> None:
        nonlocal taken
        taken += _take_back(connection, piece)

    for _ in write_in_chunks(connection, act.lines, write):
        yield taken


def newest_act(connection: sqlite3.Connection, reviewer: str | None = None) -> ReviewAct | None:
    """What `undo` would take back; None if nothing is left."""
    row = connection.execute(
        f"SELECT * FROM reviews AS r WHERE {_STANDS} AND (? IS NULL OR reviewer = ?) ORDER BY id DESC LIMIT 1",
        (reviewer, reviewer),
    ).fetchone()
    if row is None:
        return None
    line = Review.model_validate(fields(row))
    if line.batch is None:
        return ReviewAct(line, [line.id], 1)
    batch = f"SELECT id, example FROM reviews AS r WHERE {_STANDS} AND batch = ? ORDER BY id DESC"
    found = connection.execute(batch, (line.batch,)).fetchall()
    return ReviewAct(line, [one["id"] for one in found], len({one["example"] for one in found}))


def _take_back(connection: sqlite3.Connection, lines: Sequence[int]) -> int:
    """Undo those of `lines` that nobody has undone meanwhile; returns how many."""
    marks = ", ".join("?" * len(lines))
    rows = connection.execute(f"SELECT * FROM reviews AS r WHERE id IN ({marks}) AND {_STANDS} ORDER BY id DESC", lines)
    found = [Review.model_validate(fields(row)) for row in rows]
    for line in found:
        _append(
            connection, Review(example=line.example, action=ReviewAction.UNDO, undoes=line.id, reviewer=line.reviewer)
        )
    apply_log(connection, list(dict.fromkeys(line.example for line in found)))
    splits.project(connection, [line.example for line in found if line.action is ReviewAction.SPLIT])
    return len(found)


_STANDS = "r.action <> 'undo' AND NOT EXISTS (SELECT 1 FROM reviews WHERE undoes = r.id)"


def log(connection: sqlite3.Connection, example: str) -> list[Review]:
    """The reviews of an example, oldest first."""
    rows = connection.execute("SELECT * FROM reviews WHERE example = ? ORDER BY id", (example,))
    return [Review.model_validate(fields(row)) for row in rows]


def count_still_refused(connection: sqlite3.Connection) -> int:
    """How many of the stored examples QA had rejected and nobody brought in, or somebody did and took it back."""
    row = connection.execute(
        "SELECT count(*) FROM examples AS e WHERE e.refused = 1 AND e.status = 'rejected' AND NOT EXISTS "
        f"(SELECT 1 FROM reviews AS r WHERE r.example = e.id AND r.action IN ('accept', 'overrule') AND {_STANDS})"
    ).fetchone()
    return int(row[0])


def untouched(connection: sqlite3.Connection) -> set[int]:
    """The numbers of stored examples that QA rejected and no line of the log stands about: they are QA's as before."""
    rows = connection.execute(
        "SELECT number FROM examples AS e WHERE refused = 1 AND status = 'rejected' "
        f"AND NOT EXISTS (SELECT 1 FROM reviews AS r WHERE r.example = e.id AND {_STANDS})"
    )
    return {row["number"] for row in rows}


def undecided(connection: sqlite3.Connection, wanted: Sequence[str]) -> list[str]:
    """Those of these examples that no person has accepted or rejected, or only such as took it back."""
    return [
        one
        for one in wanted
        if not {line.action for line in review_state(log(connection, one))} & {ReviewAction.ACCEPT, ReviewAction.REJECT}
    ]


def newest(connection: sqlite3.Connection, limit: int) -> list[Review]:
    """The newest reviews of the project, newest first."""
    rows = connection.execute("SELECT * FROM reviews ORDER BY id DESC LIMIT ?", (limit,))
    return [Review.model_validate(fields(row)) for row in rows]


def recent(connection: sqlite3.Connection, limit: int) -> list[tuple[Review, str]]:
    """The newest reviews of the project, newest first, each with the hypothesis that it is about."""
    rows = connection.execute(
        "SELECT r.*, e.hypothesis FROM reviews AS r JOIN examples AS e ON e.id = r.example ORDER BY r.id DESC LIMIT ?",
        (limit,),
    )
    found = [fields(row) for row in rows]
    hypotheses = [one.pop("hypothesis") for one in found]
    return [(Review.model_validate(one), hypothesis) for one, hypothesis in zip(found, hypotheses, strict=True)]


def _require(connection: sqlite3.Connection, example: str) -> Example:
    found = examples.get(connection, example)
    if found is None:
        raise ReviewError(f"no example {example}: `sidequest examples list` shows those there are")
    return found


def _append(connection: sqlite3.Connection, review: Review) -> None:
    insert(connection, "reviews", columns(review, without=frozenset({"id"})))


def apply_log(connection: sqlite3.Connection, example_ids: Sequence[str]) -> None:
    """Write the standing that the log gives into the rows of these examples. Call it inside a transaction."""
    marks = ", ".join("?" * len(example_ids))
    logs: dict[str, list[Review]] = {example: [] for example in example_ids}
    for row in connection.execute(f"SELECT * FROM reviews WHERE example IN ({marks}) ORDER BY id", list(example_ids)):
        logs[row["example"]].append(Review.model_validate(fields(row)))
    rows = connection.execute(f"SELECT id, version, refused FROM examples WHERE id IN ({marks})", list(example_ids))
    found = [(row, derive_state(logs[row["id"]], refused=bool(row["refused"]))) for row in rows]
    connection.executemany(
        "UPDATE examples SET status = ?, flagged = ? WHERE id = ? AND (status <> ? OR flagged <> ?)",
        [(one.status.value, int(one.flagged), row["id"], one.status.value, int(one.flagged)) for row, one in found],
    )
    for row, one in found:
        if row["version"] != one.version:
            _restore(connection, row["id"], one.version)


def _restore(connection: sqlite3.Connection, example: str, version: int) -> None:
    """Give the example the content that it had as `version`, and what the judge made of that."""
    row = connection.execute(
        "SELECT content, certainty FROM versions WHERE example = ? AND version = ?", (example, version)
    ).fetchone()
    content = json.loads(row["content"]) | {"version": version, "certainty": row["certainty"]}
    examples.replace_content(connection, Example.model_validate(_require(connection, example).model_dump() | content))


def _project(connection: sqlite3.Connection, example: str) -> Example:
    """Write the standing that the log gives into the example's row, and return the example."""
    apply_log(connection, [example])
    return _require(connection, example)
