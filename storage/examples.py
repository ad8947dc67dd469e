"""Examples: adding, reading, counting and searching them."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from storage.review_log import IN_EFFECT
from storage.rows import columns, fields, insert, to_column
from storage.schema import Example, Status

_NESTED = frozenset({"evidence", "steps", "stale"})
# This many characters at the end of an id tell examples apart on a screen.
TAIL = 6
CONTENT = frozenset({"hypothesis", "evidence", "steps", "reasoning", "decision", "confidence", "domain", "level"})
# What else belongs to a version, and comes back with it.
_OF_VERSION = ("version", "certainty", "stale")
# The condition of a partial index.
_STALE = "examples.stale <> '[]'"


@dataclass(frozen=True, slots=True)
class Span:
    """The numbers from `low` to `high`; an `open` end is excluded."""

    low: float = 0.0
    high: float = 1.0
    low_open: bool = False
    high_open: bool = False


@dataclass(frozen=True, slots=True)
class Filter:
    """Which examples to select. An empty field does not restrict.

    `text` is searched in hypothesis and evidence: every word must occur, and "quoted words" as one phrase. `ids` are
    full ids or their last six characters. `split` '' selects examples in no split. `reviewer` has decided about the
    example. `stale` says whether a field argues for another decision. `judged` says whether the certainty is known.
    Examples that match one of `without` are excluded.
    """

    status: Sequence[str] = ()
    decision: Sequence[str] = ()
    domain: Sequence[str] = ()
    level: Sequence[int] = ()
    split: Sequence[str] = ()
    source: Sequence[str] = ()
    model: Sequence[str] = ()
    reviewer: Sequence[str] = ()
    ids: Sequence[str] = ()
    family: str = ""
    run: str = ""
    flagged: bool | None = None
    refused: bool | None = None
    edited: bool | None = None
    stale: bool | None = None
    judged: bool | None = None
    confidence: Span | None = None
    certainty: Span | None = None
    text: str = ""
    without: Sequence[Filter] = ()


@dataclass(frozen=True, slots=True)
class CellCount:
    """How many examples of a cell have a status, a flag and a split."""

    domain: str
    level: int
    decision: str
    status: str
    flagged: bool
    split: str
    examples: int


def add(connection: sqlite3.Connection, example: Example) -> None:
    """Insert `example` and its first version; it joins the split of its family. Call it inside a transaction."""
    values = columns(example)
    if not example.split:
        kin = connection.execute(
            "SELECT split FROM examples WHERE family = ? ORDER BY id LIMIT 1", (example.family,)
        ).fetchone()
        values |= {"split": kin["split"]} if kin else {}
    insert(connection, "examples", values)
    _keep_version(connection, example)


def replace_content(connection: sqlite3.Connection, example: Example) -> None:
    """Give the stored example the content, cell and version of `example`, and what belongs to it; keeps the version."""
    values = columns(example)
    names = [*sorted(CONTENT), *_OF_VERSION]
    assignments = ", ".join(f"{name} = ?" for name in names)
    connection.execute(
        f"UPDATE examples SET {assignments} WHERE id = ?", [*(values[name] for name in names), example.id]
    )
    _keep_version(connection, example)


def _keep_version(connection: sqlite3.Connection, example: Example) -> None:
    connection.execute(
        "INSERT OR IGNORE INTO versions (example, version, content, certainty, stale, created) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        (
            example.id,
            example.version,
            example.model_dump_json(include=set(CONTENT)),
            example.certainty,
            to_column(example.stale),
            to_column(example.created),
        ),
    )


def version_values(row: sqlite3.Row) -> dict[str, Any]:
    """The fields of an example that a row of `versions` holds; those from before there were steps have none."""
    content: dict[str, Any] = json.loads(row["content"])
    return (
        {"steps": []}
        | content
        | {"version": row["version"], "certainty": row["certainty"], "stale": json.loads(row["stale"])}
    )


def example_from_row(row: sqlite3.Row) -> Example:
    values = fields(row, nested=_NESTED)
    values.pop("number")
    values["flagged"], values["refused"] = bool(values["flagged"]), bool(values["refused"])
    return Example.model_validate(values)


def get(connection: sqlite3.Connection, example: str) -> Example | None:
    """The example with this id, or None."""
    row = connection.execute("SELECT * FROM examples WHERE id = ?", (example,)).fetchone()
    return example_from_row(row) if row else None


def versions(connection: sqlite3.Connection, example: Example) -> list[tuple[Example, datetime]]:
    """Each version of the example with the time it was made, oldest first."""
    rows = connection.execute(
        "SELECT version, content, certainty, stale, created FROM versions WHERE example = ? ORDER BY version",
        (example.id,),
    )
    stored = example.model_dump()
    return [
        (Example.model_validate(stored | version_values(row)), datetime.fromisoformat(row["created"])) for row in rows
    ]


def resolve(connection: sqlite3.Connection, prefix: str) -> list[str]:
    """Ids that start or end with `prefix`; at most two, since more than one is ambiguous already."""
    if not prefix.isalnum() or not prefix.isascii():
        return []
    upper = prefix.upper()
    ids = [
        row["id"]
        for row in connection.execute(
            "SELECT id FROM examples WHERE id >= ? AND id < ? ORDER BY id LIMIT 2", (upper, upper + "~")
        )
    ]
    if not ids:
        tail = "substr(id, -6) = ? AND " if len(upper) >= TAIL else ""
        values = [upper[-TAIL:], f"%{upper}"] if tail else [f"%{upper}"]
        rows = connection.execute(f"SELECT id FROM examples WHERE {tail}id LIKE ? ORDER BY id LIMIT 2", values)
        ids = [row["id"] for row in rows]
    return ids


def count(connection: sqlite3.Connection, where: Filter = Filter()) -> int:
    """How many examples match; from the stored counts where the filter allows it."""
    if has_stored_count(where):
        conditions, values = restrictions(where)
        sql = f"SELECT coalesce(sum(examples.examples), 0) FROM cell_counts AS examples {_where(conditions)}"
    else:
        source, conditions, values = select_parts(where)
        sql = f"SELECT count(*) FROM {source} {_where(conditions)}"
    return int(connection.execute(sql, values).fetchone()[0])


def all_have_steps(connection: sqlite3.Connection, where: Filter) -> bool:
    """Whether each example that matches has steps."""
    source, conditions, values = select_parts(where)
    without = f"SELECT 1 FROM {source} {_where([*conditions, '+examples.steps = ?'])} LIMIT 1"
    return connection.execute(without, [*values, "[]"]).fetchone() is None


def longest(connection: sqlite3.Connection, where: Filter) -> int:
    """The length in characters, roughly, of the longest case that matches; 0 if there is none."""
    source, conditions, values = select_parts(where)
    letters = "length(examples.hypothesis) + length(examples.evidence)"
    sql = f"SELECT coalesce(max({letters}), 0) FROM {source} {_where(conditions)}"
    return int(connection.execute(sql, values).fetchone()[0])


def has_stored_count(where: Filter) -> bool:
    """Whether the database keeps the number of matches up to date, so that it need not count them."""
    return (
        replace(where, status=(), decision=(), domain=(), level=(), split=(), flagged=None, without=()) == Filter()
    ) and all(has_stored_count(excluded) for excluded in where.without)


def select_parts(where: Filter) -> tuple[str, list[str], list[object]]:
    """The FROM source, conditions and values that select numbers and cells of the examples that match.

    Everything but ids, families and words is in one narrow index, `examples_listed`. A million rows of it are read in a
    tenth of a second, so no filter needs an index of its own. The plus before each term keeps SQLite from using
    another.
    """
    if where.text and (query := match_expression(where.text)):
        conditions, values = restrictions(replace(where, text=""))
        source = "examples_text CROSS JOIN examples INDEXED BY examples_listed ON examples.number = examples_text.rowid"
        return source, ["examples_text MATCH ?", *(f"+{term}" for term in conditions)], [query, *values]
    if where.stale:
        conditions, values = restrictions(replace(where, stale=None))
        return "examples INDEXED BY examples_stale", [_STALE, *(f"+{term}" for term in conditions)], values
    conditions, values = restrictions(where)
    if where.ids or where.family or where.reviewer:
        return "examples", conditions, values
    return "examples INDEXED BY examples_listed", [f"+{term}" for term in conditions], values


def cell_counts(connection: sqlite3.Connection, where: Filter = Filter()) -> list[CellCount]:
    """What matches, counted by cell, status, flag and split: as many rows as there are cells in use."""
    names = "examples.domain, examples.level, examples.decision, examples.status, examples.flagged, examples.split"
    if has_stored_count(where):
        conditions, values = restrictions(where)
        counted = ["examples.examples > 0", *conditions]
        sql = f"SELECT {names}, examples.examples FROM cell_counts AS examples {_where(counted)}"
    else:
        source, conditions, values = select_parts(where)
        sql = f"SELECT {names}, count(*) FROM {source} {_where(conditions)} GROUP BY 1, 2, 3, 4, 5, 6"
    return [
        CellCount(row[0], row[1], row[2], row[3], bool(row[4]), row[5], row[6])
        for row in connection.execute(sql, values)
    ]


def hypotheses(connection: sqlite3.Connection, domain: str, level: int, decision: str, limit: int) -> list[str]:
    """The hypotheses of a cell that were not rejected, newest first, up to `limit`."""
    rows = connection.execute(
        "SELECT hypothesis FROM examples WHERE domain = ? AND level = ? AND decision = ? AND status <> ? "
        "ORDER BY id DESC LIMIT ?",
        (domain, level, decision, Status.REJECTED.value, limit),
    )
    return [row["hypothesis"] for row in rows]


def texts(
    connection: sqlite3.Connection, domain: str, level: int, decision: str
) -> Iterable[tuple[str, str, str, str]]:
    """(id, family, hypothesis, evidence as JSON) of every example of a cell, including rejected ones."""
    rows = connection.execute(
        "SELECT id, family, hypothesis, evidence FROM examples WHERE domain = ? AND level = ? AND decision = ?",
        (domain, level, decision),
    )
    return ((row["id"], row["family"], row["hypothesis"], row["evidence"]) for row in rows)


def _where(conditions: list[str]) -> str:
    return f"WHERE {' AND '.join(conditions)}" if conditions else ""


def restrictions(where: Filter) -> tuple[list[str], list[object]]:
    """`where` as SQL terms over `examples`, to be joined by AND, and the values of their placeholders."""
    terms: list[str] = []
    values: list[object] = []

    def add(term: str, *with_values: object) -> None:
        terms.append(term)
        values.extend(with_values)

    for name in ("status", "decision", "domain", "level", "split", "source", "model"):
        if names := getattr(where, name):
            add(f"examples.{name} IN ({_marks(names)})", *names)
    if where.ids:
        full_ids = [example_id for example_id in where.ids if len(example_id) > TAIL]
        tails = [example_id for example_id in where.ids if len(example_id) <= TAIL]
        add(
            f"examples.number IN (SELECT number FROM examples WHERE id IN ({_marks(full_ids)}) UNION ALL "
            f"SELECT number FROM examples WHERE substr(id, -{TAIL}) IN ({_marks(tails)}))",
            *full_ids,
            *tails,
        )
    for name in ("family", "run"):
        if value := getattr(where, name):
            add(f"examples.{name} = ?", value)
    for name in ("flagged", "refused"):
        if (flag := getattr(where, name)) is not None:
            add(f"examples.{name} = ?", int(flag))
    if where.edited is not None:
        add(f"(examples.version > 1) = {int(where.edited)}")
    if where.stale is not None:
        add(f"({_STALE}) = {int(where.stale)}")
    if where.judged is not None:
        add(f"(examples.certainty IS NOT NULL) = {int(where.judged)}")
    for name in ("confidence", "certainty"):
        if (span := getattr(where, name)) is not None:
            low, high = (">" if span.low_open else ">="), ("<" if span.high_open else "<=")
            add(f"(examples.{name} {low} ? AND examples.{name} {high} ?)", span.low, span.high)
    if where.reviewer:
        add(f"examples.number IN ({_DECIDED} AND r.reviewer IN ({_marks(where.reviewer)}))", *where.reviewer)
    if where.text:
        if query := match_expression(where.text):
            add("examples.number IN (SELECT rowid FROM examples_text WHERE examples_text MATCH ?)", query)
        else:
            add("0")
    for excluded in where.without:
        inner, inner_values = restrictions(excluded)
        if inner:
            add(f"(({' AND '.join(inner)}) IS NOT TRUE)", *inner_values)
    return terms, values


_DECIDED = f"SELECT e.number FROM reviews AS r CROSS JOIN examples AS e ON e.id = r.example WHERE {IN_EFFECT}"


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


def terms(text: str) -> list[str]:
    """The words and "quoted phrases" of `text` as FTS5 terms; the last word may be the beginning of one."""
    parts = re.findall(r'"([^"]*)"|(\w+)', text)
    phrases = [(re.findall(r"\w+", phrase), not word) for phrase, word in ((p or w, w) for p, w in parts)]
    phrases = [(words, quoted) for words, quoted in phrases if words]
    return [
        f'"{" ".join(words)}"' + ("" if quoted or position < len(phrases) - 1 else "*")
        for position, (words, quoted) in enumerate(phrases)
    ]


def match_expression(text: str) -> str:
    """`text` as an FTS5 query that requires all of its terms; empty if it has none."""
    return " ".join(terms(text))
