"""The append-only log of human decisions: writing lines, undoing them, and updating the examples from them."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from storage import examples, splits
from storage.database import transaction, write_in_chunks
from storage.errors import UserError
from storage.review_log import IN_EFFECT, derive_state
from storage.rows import columns, fields, insert
from storage.schema import Example, Review, ReviewAction, Status, new_id
from storage.staleness import stale_fields


class ReviewError(UserError):
    """The decision cannot be made; `str()` of it says why."""


def record(connection: sqlite3.Connection, example: Example, lines: Sequence[Review]) -> Example:
    """Log `lines` about `example` as one act, and return the example as it is then; raises ReviewError.

    An example made of an attempt that QA rejected may not be stored yet: then it is stored first, as rejected.
    """
    batch = new_id() if len(lines) > 1 else None
    with transaction(connection):
        stored_id = connection.execute(
            "SELECT id FROM examples WHERE id = ? OR attempt = ?", (example.id, example.attempt)
        ).fetchone()
        if stored_id is None:
            examples.add(connection, example)
        stored = _require(connection, stored_id["id"] if stored_id else example.id)
        for line in lines:
            _check(line, stored)
            _append(connection, line.model_copy(update={"example": stored.id, "batch": batch}))
        return _update_from_log(connection, stored.id)


def _check(line: Review, example: Example) -> None:
    """Raise ReviewError if a blind decision is not about `example` as it is now."""
    if not line.value or line.action is ReviewAction.SPLIT:
        return
    if line.version != example.version:
        raise ReviewError(f"{example.id} was edited meanwhile (version {example.version}): look at it again")
    if line.action is ReviewAction.ACCEPT and line.value != example.decision:
        raise ReviewError(f"{example.id} is labelled {example.decision}, not {line.value}: label it, or edit it")


def edit(
    connection: sqlite3.Connection,
    edited: Example,
    *,
    note: str = "",
    reviewer: str = "",
    confirmed: Collection[str] = (),
) -> Example:
    """Store an edit in a transaction of its own; see `apply_edit`."""
    with transaction(connection):
        return apply_edit(connection, edited, note=note, reviewer=reviewer, confirmed=confirmed)


def apply_edit(
    connection: sqlite3.Connection,
    edited: Example,
    *,
    note: str = "",
    reviewer: str = "",
    confirmed: Collection[str] = (),
    batch: str | None = None,
) -> Example:
    """Store the content of `edited` as a new version of the example with its id, and return it; raises ReviewError.

    Earlier versions are kept. The version that was edited must still be the current one. Fields that argue for another
    decision than that of `edited` are stale in the new version, but for those that the person has `confirmed`. Edits of
    one `batch` are one act, and are undone together. Call it inside a transaction.
    """
    current = _require(connection, edited.id)
    if current.version != edited.version:
        raise ReviewError(f"{edited.id} was edited elsewhere meanwhile (version {current.version}): open it again")
    newest = connection.execute("SELECT max(version) FROM versions WHERE example = ?", (edited.id,)).fetchone()[0]
    stale = stale_fields(current, edited, confirmed)
    # No judge has read the new version, unless all that is new are steps that it had to do without.
    certainty = current.certainty if _only_adds_steps(current, edited) else None
    new_version = edited.model_copy(update={"version": newest + 1, "certainty": certainty, "stale": stale})
    examples.replace_content(connection, new_version)
    review = Review(
        example=edited.id, action=ReviewAction.EDIT, note=note, reviewer=reviewer, version=newest + 1, batch=batch
    )
    _append(connection, review)
    return _update_from_log(connection, edited.id)


def overrule(connection: sqlite3.Connection, example: Example, *, note: str = "", reviewer: str = "") -> Example:
    """Bring in `example`, made of an attempt that QA rejected, for review; returns the example as it is then.

    Undone, it is rejected again. Raises ReviewError if the attempt is an example already that is pending or accepted.
    """
    with transaction(connection):
        row = connection.execute("SELECT id, status FROM examples WHERE attempt = ?", (example.attempt,)).fetchone()
        if row is None:
            examples.add(connection, example)
        elif row["status"] != Status.REJECTED.value:
            raise ReviewError(f"this attempt is example {row['id']} already, and {row['status']}")
        key = row["id"] if row else example.id
        _append(connection, Review(example=key, action=ReviewAction.OVERRULE, note=note, reviewer=reviewer))
        return _update_from_log(connection, key)


@dataclass(frozen=True, slots=True)
class ReviewAct:
    """One act of a person: its newest line, the ids of all its lines, newest first, and the number of examples."""

    newest: Review
    lines: list[int]
    examples: int


@dataclass(frozen=True, slots=True)
class UndoResult:
    """The result of an undo: the newest line of the act, its example as it is then, and the number of lines undone."""

    review: Review
    example: Example
    lines: int


def undo(connection: sqlite3.Connection, *, reviewer: str | None = None) -> UndoResult | None:
    """Undo the newest act (of `reviewer`, if given) that is not undone yet: one line, or all lines of its batch.

    None if there is nothing left to undo. Raises ReviewError if a frozen split would change.
    """
    while (act := newest_act(connection, reviewer)) is not None:
        *_, undone = undo_act(connection, act)
        # If somebody else was faster, the act before it is next.
        if undone:
            return UndoResult(act.newest, _require(connection, act.newest.example), undone)
    return None


def undo_act(connection: sqlite3.Connection, act: ReviewAct) -> Iterator[int]:
    """Undo the lines of `act` in chunks, the newest first; yields how many are undone. Raises ReviewError.

    Closing the iterator early leaves the rest, which is then the newest act.
    """
    if act.newest.action is ReviewAction.SPLIT:
        try:
            splits.check_undo(connection, act.lines)
        except splits.SplitError as error:
            raise ReviewError(str(error)) from None
    undone = 0

    def write(chunk: Sequence[int]) -> None:
        nonlocal undone
        undone += _undo_lines(connection, chunk)

    for _ in write_in_chunks(connection, act.lines, write):
        yield undone


def newest_act(connection: sqlite3.Connection, reviewer: str | None = None) -> ReviewAct | None:
    """The act that `undo` would undo; None if nothing is left."""
    row = connection.execute(
        f"SELECT * FROM reviews AS r WHERE {IN_EFFECT} AND (? IS NULL OR reviewer = ?) ORDER BY id DESC LIMIT 1",
        (reviewer, reviewer),
    ).fetchone()
    if row is None:
        return None
    line = Review.model_validate(fields(row))
    if line.batch is None:
        return ReviewAct(line, [line.id], 1)
    batch = f"SELECT id, example FROM reviews AS r WHERE {IN_EFFECT} AND batch = ? ORDER BY id DESC"
    rows = connection.execute(batch, (line.batch,)).fetchall()
    return ReviewAct(line, [row["id"] for row in rows], len({row["example"] for row in rows}))


def _undo_lines(connection: sqlite3.Connection, lines: Sequence[int]) -> int:
    """Undo those of `lines` that nobody has undone meanwhile; returns how many."""
    marks = ", ".join("?" * len(lines))
    rows = connection.execute(
        f"SELECT * FROM reviews AS r WHERE id IN ({marks}) AND {IN_EFFECT} ORDER BY id DESC", lines
    )
    in_effect = [Review.model_validate(fields(row)) for row in rows]
    for line in in_effect:
        _append(
            connection, Review(example=line.example, action=ReviewAction.UNDO, undoes=line.id, reviewer=line.reviewer)
        )
    apply_log(connection, list(dict.fromkeys(line.example for line in in_effect)))
    splits.apply_log(connection, [line.example for line in in_effect if line.action is ReviewAction.SPLIT])
    return len(in_effect)


def log(connection: sqlite3.Connection, example: str) -> list[Review]:
    """The reviews of an example, oldest first."""
    rows = connection.execute("SELECT * FROM reviews WHERE example = ? ORDER BY id", (example,))
    return [Review.model_validate(fields(row)) for row in rows]


def count_still_refused(connection: sqlite3.Connection) -> int:
    """How many stored examples QA rejected and nobody brought in, or whose overruling was undone."""
    row = connection.execute(
        "SELECT count(*) FROM examples AS e WHERE e.refused = 1 AND e.status = 'rejected' AND NOT EXISTS "
        f"(SELECT 1 FROM reviews AS r WHERE r.example = e.id AND r.action IN ('accept', 'overrule') AND {IN_EFFECT})"
    ).fetchone()
    return int(row[0])


def untouched_numbers(connection: sqlite3.Connection) -> set[int]:
    """The numbers of stored examples that QA rejected and about which no line of the log is in effect."""
    rows = connection.execute(
        "SELECT number FROM examples AS e WHERE refused = 1 AND status = 'rejected' "
        f"AND NOT EXISTS (SELECT 1 FROM reviews AS r WHERE r.example = e.id AND {IN_EFFECT})"
    )
    return {row["number"] for row in rows}


def newest(connection: sqlite3.Connection, limit: int) -> list[Review]:
    """The newest reviews of the project, newest first."""
    rows = connection.execute("SELECT * FROM reviews ORDER BY id DESC LIMIT ?", (limit,))
    return [Review.model_validate(fields(row)) for row in rows]


def recent(connection: sqlite3.Connection, limit: int) -> list[tuple[Review, str]]:
    """The newest reviews of the project, newest first, each with the hypothesis of its example."""
    rows = connection.execute(
        "SELECT r.*, e.hypothesis FROM reviews AS r JOIN examples AS e ON e.id = r.example ORDER BY r.id DESC LIMIT ?",
        (limit,),
    )
    values = [fields(row) for row in rows]
    hypotheses = [row.pop("hypothesis") for row in values]
    return [(Review.model_validate(row), hypothesis) for row, hypothesis in zip(values, hypotheses, strict=True)]


def _require(connection: sqlite3.Connection, example: str) -> Example:
    stored = examples.get(connection, example)
    if stored is None:
        raise ReviewError(f"no example {example}: `sidequest examples list` shows those there are")
    return stored


def _only_adds_steps(current: Example, edited: Example) -> bool:
    unchanged = examples.CONTENT - {"steps"}
    return not current.steps and all(getattr(current, name) == getattr(edited, name) for name in unchanged)


def _append(connection: sqlite3.Connection, review: Review) -> None:
    insert(connection, "reviews", columns(review, without=frozenset({"id"})))


def apply_log(connection: sqlite3.Connection, example_ids: Sequence[str]) -> None:
    """Update the rows of these examples from the log. Call it inside a transaction."""
    marks = ", ".join("?" * len(example_ids))
    logs: dict[str, list[Review]] = {example: [] for example in example_ids}
    for row in connection.execute(f"SELECT * FROM reviews WHERE example IN ({marks}) ORDER BY id", list(example_ids)):
        logs[row["example"]].append(Review.model_validate(fields(row)))
    rows = connection.execute(f"SELECT id, version, refused FROM examples WHERE id IN ({marks})", list(example_ids))
    states = [(row, derive_state(logs[row["id"]], refused=bool(row["refused"]))) for row in rows]
    connection.executemany(
        "UPDATE examples SET status = ?, flagged = ? WHERE id = ? AND (status <> ? OR flagged <> ?)",
        [
            (state.status.value, int(state.flagged), row["id"], state.status.value, int(state.flagged))
            for row, state in states
        ],
    )
    for row, state in states:
        if row["version"] != state.version:
            _restore(connection, row["id"], state.version)


def _restore(connection: sqlite3.Connection, example: str, version: int) -> None:
    """Give the example the content, the certainty and the stale fields that it had as `version`."""
    row = connection.execute(
        "SELECT version, content, certainty, stale FROM versions WHERE example = ? AND version = ?", (example, version)
    ).fetchone()
    values = _require(connection, example).model_dump() | examples.version_values(row)
    examples.replace_content(connection, Example.model_validate(values))


def _update_from_log(connection: sqlite3.Connection, example: str) -> Example:
    """Update the example's row from the log, and return the example."""
    apply_log(connection, [example])
    return _require(connection, example)
