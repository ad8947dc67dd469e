"""Runs and their events. What a worker writes and what others request of it are separate columns."""

from __future__ import annotations

import json
import sqlite3
from array import array
from collections.abc import Sequence
from string import ascii_lowercase, ascii_uppercase
from typing import Any

from pydantic import ValidationError

from storage.database import transaction
from storage.rows import columns, fields, insert, to_column
from storage.schema import Event, Run, RunState, now

_RUN = frozenset({"params", "progress"})
_NEWEST = 2**63 - 1
_OF_NOTE = {False: "", True: "AND severity <> 'info'"}
_EVENT = frozenset({"data"})
_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)


def _run(row: sqlite3.Row) -> Run:
    """The run of a row; for a damaged row, a failed run whose `unreadable` says what is wrong."""
    values = dict(row)
    values.pop("number", None)
    try:
        return Run.model_validate(fields(values, nested=_RUN))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        problem = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    except (ValueError, TypeError, RecursionError) as error:
        problem = f"params or progress: {error}"
    reason = f"this run cannot be read: {problem}"
    return Run(id=str(values["id"]), kind=str(values["kind"]), state=RunState.FAILED, reason=reason, unreadable=problem)


def add(connection: sqlite3.Connection, run: Run) -> None:
    """Insert a new run."""
    with transaction(connection):
        write(connection, run)


def write(connection: sqlite3.Connection, run: Run) -> None:
    """Insert a new run. Call it inside a transaction."""
    insert(connection, "runs", columns(run, without=frozenset({"unreadable"})))


def get(connection: sqlite3.Connection, run: str) -> Run | None:
    """The run with this id, or None."""
    row = connection.execute("SELECT * FROM runs WHERE id = ?", (run,)).fetchone()
    return _run(row) if row else None


def resolve(connection: sqlite3.Connection, prefix: str) -> list[str]:
    """Ids that start or end with `prefix`; at most two, since more than one is ambiguous already."""
    if not prefix.isalnum() or not prefix.isascii():
        return []
    upper = prefix.upper()
    rows = connection.execute(
        "SELECT id FROM runs WHERE id LIKE ? OR id LIKE ? ORDER BY id LIMIT 2", (f"{upper}%", f"%{upper}")
    )
    return [row["id"] for row in rows]


def newest(connection: sqlite3.Connection, limit: int = 100) -> list[Run]:
    """The newest runs, newest first."""
    return [_run(row) for row in connection.execute("SELECT * FROM runs ORDER BY id DESC LIMIT ?", (limit,))]


def numbers(connection: sqlite3.Connection) -> array[int]:
    """The numbers of all runs, newest first."""
    return array("q", (row[0] for row in connection.execute("SELECT rowid FROM runs ORDER BY id DESC")))


def number_of(connection: sqlite3.Connection, run: str) -> int | None:
    """The number of the run with this id, or None."""
    row = connection.execute("SELECT rowid FROM runs WHERE id = ?", (run,)).fetchone()
    return None if row is None else int(row[0])


def by_number(connection: sqlite3.Connection, numbers: Sequence[int]) -> dict[int, Run]:
    """The runs with these numbers, by number."""
    marks = ", ".join("?" * len(numbers))
    rows = connection.execute(f"SELECT *, rowid AS number FROM runs WHERE rowid IN ({marks})", list(numbers))
    return {row["number"]: _run(row) for row in rows}


def unended(connection: sqlite3.Connection) -> list[Run]:
    """The runs that have not ended, whether or not their process is still there; newest first."""
    ended = ", ".join(f"'{state.value}'" for state in RunState if state.ended)
    return [
        _run(row) for row in connection.execute(f"SELECT * FROM runs WHERE state NOT IN ({ended}) ORDER BY id DESC")
    ]


def of_kind(connection: sqlite3.Connection, kind: str) -> list[Run]:
    """All runs of a kind, newest first."""
    return [_run(row) for row in connection.execute("SELECT * FROM runs WHERE kind = ? ORDER BY id DESC", (kind,))]


def count(connection: sqlite3.Connection) -> int:
    """How many runs there are."""
    return int(connection.execute("SELECT count(*) FROM runs").fetchone()[0])


def update(connection: sqlite3.Connection, run: str, **values: Any) -> None:
    """Set columns of a run."""
    assignments = ", ".join(f"{name} = ?" for name in values)
    with transaction(connection):
        connection.execute(
            f"UPDATE runs SET {assignments} WHERE id = ?", [*(to_column(value) for value in values.values()), run]
        )


def move(
    connection: sqlite3.Connection,
    run: str,
    sources: set[RunState],
    state: RunState,
    *,
    message: str = "",
    severity: str = "info",
    **values: Any,
) -> bool:
    """Change the run's state, and the columns in `values`, if its state is one of `sources`; returns whether it was.

    `message` is appended to its log in the same transaction.
    """
    values = {"state": state, **values}
    assignments = ", ".join(f"{name} = ?" for name in values)
    marks = ", ".join("?" * len(sources))
    with transaction(connection):
        cursor = connection.execute(
            f"UPDATE runs SET {assignments} WHERE id = ? AND state IN ({marks})",
            [*(to_column(value) for value in values.values()), run, *(source.value for source in sources)],
        )
        moved = cursor.rowcount == 1
        if moved and message:
            write_event(connection, Event(run=run, message=message, severity=severity))
        return moved


def beat(connection: sqlite3.Connection, run: str) -> str | None:
    """Write the heartbeat of a run and return the pending request: 'pause', 'resume', 'stop' or None."""
    with transaction(connection):
        connection.execute("UPDATE runs SET heartbeat = ? WHERE id = ?", (to_column(now()), run))
        row = connection.execute("SELECT request FROM runs WHERE id = ?", (run,)).fetchone()
    return row["request"] if row else None


def write_event(connection: sqlite3.Connection, event: Event) -> None:
    """Append to a run's log. Call it inside a transaction."""
    insert(connection, "events", columns(event, without=frozenset({"id"})))


def log(connection: sqlite3.Connection, run: str, message: str, *, severity: str = "info", **data: Any) -> None:
    """Append a line to a run's log, in a transaction of its own."""
    with transaction(connection):
        write_event(connection, Event(run=run, message=message, severity=severity, data=data))


def events(
    connection: sqlite3.Connection, run: str, *, after: int = 0, limit: int = 500, of_note: bool = False
) -> list[Event]:
    """Up to `limit` events of a run with an id above `after`, oldest first; `of_note`: only warnings and errors."""
    rows = connection.execute(
        f"SELECT * FROM events WHERE run = ? AND id > ? {_OF_NOTE[of_note]} ORDER BY id LIMIT ?", (run, after, limit)
    )
    return [Event.model_validate(fields(row, nested=_EVENT)) for row in rows]


def count_events(connection: sqlite3.Connection, run: str, *, after: int, limit: int, of_note: bool = False) -> int:
    """How many events of a run have an id above `after`, counted up to `limit`; `of_note`: only warnings and errors."""
    row = connection.execute(
        f"SELECT count(*) FROM (SELECT 1 FROM events WHERE run = ? AND id > ? {_OF_NOTE[of_note]} LIMIT ?)",
        (run, after, limit),
    ).fetchone()
    return int(row[0])


def events_before(
    connection: sqlite3.Connection,
    run: str,
    *,
    before: int = _NEWEST,
    limit: int = 200,
    of_note: bool = False,
    text: str = "",
) -> list[Event]:
    """The newest `limit` events of a run with an id below `before`, oldest first.

    `of_note`: only warnings and errors; `text`: only those whose message contains it.
    """
    rows = connection.execute(
        f"SELECT * FROM events WHERE run = ? AND id < ? {_OF_NOTE[of_note]} AND message LIKE ? ESCAPE '\\' "
        "ORDER BY id DESC LIMIT ?",
        (run, before, _like(text), limit),
    ).fetchall()
    return [Event.model_validate(fields(row, nested=_EVENT)) for row in reversed(rows)]


def find_event(
    connection: sqlite3.Connection, run: str, text: str, *, before: int = _NEWEST, after: int = 0, up: bool = True
) -> int | None:
    """The id of the nearest event between `after` and `before` (both excluded) whose message contains `text`, or None.

    With `up` it is the newest such event, else the oldest. ASCII letters match in either case. It reads events one by
    one: half a second for a million.
    """
    row = connection.execute(
        "SELECT id FROM events WHERE run = ? AND id > ? AND id < ? AND message LIKE ? ESCAPE '\\' "
        f"ORDER BY id {'DESC' if up else 'ASC'} LIMIT 1",
        (run, after, before, _like(text)),
    ).fetchone()
    return int(row["id"]) if row else None


def contains_text(message: str, text: str) -> bool:
    """Whether `message` contains `text`, by the rule of the searches here: ASCII letters match in either case."""
    return text.translate(_LOWER) in message.translate(_LOWER)


def _like(text: str) -> str:
    """The LIKE pattern for messages that contain `text`."""
    return "%" + text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"


class StoredCapabilities:
    """What is known about endpoints, stored in the database: one JSON document per base URL and model."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def load(self, base_url: str, model: str) -> dict[str, Any] | None:
        """The stored document, or None."""
        row = self._connection.execute(
            "SELECT data FROM capabilities WHERE base_url = ? AND model = ?", (base_url, model)
        ).fetchone()
        return json.loads(row["data"]) if row else None

    def save(self, base_url: str, model: str, data: dict[str, Any]) -> None:
        """Store `data`; it replaces what was there."""
        with transaction(self._connection):
            self._connection.execute(
                "INSERT OR REPLACE INTO capabilities VALUES (?, ?, ?, ?)",
                (base_url, model, json.dumps(data), to_column(now())),
            )
