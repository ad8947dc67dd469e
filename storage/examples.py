"""Examples: adding, reading, counting and searching them."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from storage.rows import columns, fields, insert
from storage.schema import Example, Status

_NESTED = frozenset({"evidence"})
CONTENT = frozenset({"hypothesis", "evidence", "reasoning", "decision", "confidence", "domain", "level"})


@dataclass(frozen=True, slots=True)
class Filter:
    """Which examples are meant; an empty field does not restrict. `text` is searched in hypothesis and evidence."""

    status: Sequence[str] = ()
    decision: Sequence[str] = ()
    domain: Sequence[str] = ()
    level: Sequence[int] = ()
    family: str = ""
    run: str = ""
    flagged: bool | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class CellCount:
    """How many examples of a cell have a status and are in a split, flagged or not."""

    domain: str
    level: int
    decision: str
    status: str
    flagged: bool
    split: str
    examples: int


def add(connection: sqlite3.Connection, example: Example) -> None:
    """Insert `example` and its first version; it joins its family's split. Call it inside a transaction."""
    kin = connection.execute(
        "SELECT split FROM examples WHERE family = ? ORDER BY id LIMIT 1", (example.family,)
    ).fetchone()
    values = columns(example) | ({"split": kin["split"]} if kin and not example.split else {})
    insert(connection, "examples", values)
    _keep_version(connection, example)


def replace_content(connection: sqlite3.Connection, example: Example) -> None:
    """Give the stored example the content, place and version of `example`; keeps the version if it is a new one."""
    values = columns(example)
    names = [*sorted(CONTENT), "version"]
    assignments = ", ".join(f"{name} = ?" for name in names)
    connection.execute(
        f"UPDATE examples SET {assignments} WHERE id = ?", [*(values[name] for name in names), example.id]
    )
    _keep_version(connection, example)


def _keep_version(connection: sqlite3.Connection, example: Example) -> None:
    connection.execute(
        "INSERT OR IGNORE INTO versions (example, version, content, created) VALUES (?, ?, ?, ?)",
        (
            example.id,
            example.version,
            example.model_dump_json(include=set(CONTENT)),
            columns(example)["created"],
        ),
    )


def _example(row: sqlite3.Row) -> Example:
    found = fields(row, nested=_NESTED)
    found.pop("number")
    found["flagged"], found["refused"] = bool(found["flagged"]), bool(found["refused"])
    return Example.model_validate(found)


def get(connection: sqlite3.Connection, example: str) -> Example | None:
    """The example with this id."""
    row = connection.execute("SELECT * FROM examples WHERE id = ?", (example,)).fetchone()
    return _example(row) if row else None


def resolve(connection: sqlite3.Connection, prefix: str) -> list[str]:
    """Ids that start with `prefix`, or end with it (two at the most: more than one is ambiguous)."""
    if not prefix.isalnum() or not prefix.isascii():
        return []
    upper = prefix.upper()
    found = [
        row["id"]
        for row in connection.execute(
            "SELECT id FROM examples WHERE id >= ? AND id < ? ORDER BY id LIMIT 2", (upper, upper + "~")
        )
    ]
    if not found:
        rows = connection.execute("SELECT id FROM examples WHERE id LIKE ? ORDER BY id LIMIT 2", (f"%{upper}",))
        found = [row["id"] for row in rows]
    return found


def page(
    connection: sqlite3.Connection,
    where: Filter = Filter(),
    *,
    after: str = "",
    limit: int = 200,
    newest_first: bool = False,
) -> list[Example]:
    """Up to `limit` examples that match, in the order of their ids, after (or, newest first, before) id `after`."""
    conditions, values = _conditions(where)
    if after:
        conditions.append("examples.id < ?" if newest_first else "examples.id > ?")
        values.append(after)
    order = "DESC" if newest_first else "ASC"
    rows = connection.execute(
        f"SELECT examples.* FROM examples {_where(conditions)} ORDER BY examples.id {order} LIMIT ?",
        [*values, limit],
    )
    return [_example(row) for row in rows]


def count(connection: sqlite3.Connection, where: Filter = Filter()) -> int:
    """How many examples match; from the kept counts where the filter allows it."""
    conditions, values = _conditions(where)
    if where.text or where.family or where.run:
        sql = f"SELECT count(*) FROM examples {_where(conditions)}"
    else:
        sql = f"SELECT coalesce(sum(examples), 0) FROM cell_counts AS examples {_where(conditions)}"
        sql = sql.replace("sum(examples)", "sum(examples.examples)")
    return int(connection.execute(sql, values).fetchone()[0])


def cell_counts(connection: sqlite3.Connection) -> list[CellCount]:
    """The number of examples by cell, status and flag; as many rows as there are cells in use, not examples."""
    return [
        CellCount(
            row["domain"],
            row["level"],
            row["decision"],
            row["status"],
            bool(row["flagged"]),
            row["split"],
            row["examples"],
        )
        for row in connection.execute("SELECT * FROM cell_counts WHERE examples > 0")
    ]


def hypotheses(connection: sqlite3.Connection, domain: str, level: int, decision: str, limit: int) -> list[str]:
    """The hypotheses of a cell that were not rejected, newest first."""
    rows = connection.execute(
        "SELECT hypothesis FROM examples WHERE domain = ? AND level = ? AND decision = ? AND status <> ? "
        "ORDER BY id DESC LIMIT ?",
        (domain, level, decision, Status.REJECTED.value, limit),
    )
    return [row["hypothesis"] for row in rows]


def texts(
    connection: sqlite3.Connection, domain: str, level: int, decision: str
) -> Iterable[tuple[str, str, str, str]]:
    """(id, family, hypothesis, evidence as JSON) of each example of a cell, rejected ones too."""
    rows = connection.execute(
        "SELECT id, family, hypothesis, evidence FROM examples WHERE domain = ? AND level = ? AND decision = ?",
        (domain, level, decision),
    )
    return ((row["id"], row["family"], row["hypothesis"], row["evidence"]) for row in rows)


def _where(conditions: list[str]) -> str:
    return f"WHERE {' AND '.join(conditions)}" if conditions else ""


def _conditions(where: Filter) -> tuple[list[str], list[object]]:
    conditions: list[str] = []
    values: list[object] = []
    for name, wanted in (
        ("status", where.status),
        ("decision", where.decision),
        ("domain", where.domain),
        ("level", where.level),
    ):
        if wanted:
            conditions.append(f"examples.{name} IN ({', '.join('?' * len(wanted))})")
            values.extend(wanted)
    for name, value in (("family", where.family), ("run", where.run)):
        if value:
            conditions.append(f"examples.{name} = ?")
            values.append(value)
    if where.flagged is not None:
        conditions.append("examples.flagged = ?")
        values.append(int(where.flagged))
    if where.text:
        query = match_expression(where.text)
        if query:
            conditions.append("examples.number IN (SELECT rowid FROM examples_text WHERE examples_text MATCH ?)")
            values.append(query)
        else:
            conditions.append("0")
    return conditions, values


def match_expression(text: str) -> str:
    """`text` as an FTS5 query: every word must occur, the last one as a prefix. Empty if it holds no word."""
    words = re.findall(r"\w+", text)
    return " ".join([*(f'"{word}"' for word in words[:-1]), f'"{words[-1]}"*']) if words else ""
