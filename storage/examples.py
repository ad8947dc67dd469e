"""Examples: adding, reading, counting and searching them."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from storage.rows import columns, fields, insert, to_column
from storage.schema import Example, Status

_NESTED = frozenset({"evidence"})
# So many characters at the end of an id tell examples apart on a screen.
TAIL = 6
CONTENT = frozenset({"hypothesis", "evidence", "reasoning", "decision", "confidence", "domain", "level"})


@dataclass(frozen=True, slots=True)
class Span:
    """Numbers from `low` to `high`; an end that is `open` does not belong to it."""

    low: float = 0.0
    high: float = 1.0
    low_open: bool = False
    high_open: bool = False


@dataclass(frozen=True, slots=True)
class Filter:
    """Which examples are meant; an empty field does not restrict.

    `text` is searched in hypothesis and evidence: every word must occur, "what is quoted" as it stands. `ids` are whole
    or the last six characters of one; `split` '' is to be in none; `reviewer` has decided about the example; `judged`
    says whether its certainty is known. What one of `without` means is left out.
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
    judged: bool | None = None
    confidence: Span | None = None
    certainty: Span | None = None
    text: str = ""
    without: Sequence[Filter] = ()


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
    """Give the stored example the content, place, version and certainty of `example`; keeps a version that is new."""
    values = columns(example)
    names = [*sorted(CONTENT), "version", "certainty"]
    assignments = ", ".join(f"{name} = ?" for name in names)
    connection.execute(
        f"UPDATE examples SET {assignments} WHERE id = ?", [*(values[name] for name in names), example.id]
    )
    _keep_version(connection, example)


def _keep_version(connection: sqlite3.Connection, example: Example) -> None:
    connection.execute(
        "INSERT OR IGNORE INTO versions (example, version, content, certainty, created) VALUES (?, ?, ?, ?, ?)",
        (
            example.id,
            example.version,
            example.model_dump_json(include=set(CONTENT)),
            example.certainty,
            to_column(example.created),
        ),
    )


def example_from_row(row: sqlite3.Row) -> Example:
    found = fields(row, nested=_NESTED)
    found.pop("number")
    found["flagged"], found["refused"] = bool(found["flagged"]), bool(found["refused"])
    return Example.model_validate(found)


def get(connection: sqlite3.Connection, example: str) -> Example | None:
    """The example with this id."""
    row = connection.execute("SELECT * FROM examples WHERE id = ?", (example,)).fetchone()
    return example_from_row(row) if row else None


def versions(connection: sqlite3.Connection, example: Example) -> list[tuple[Example, datetime]]:
    """The example as it was in each version, oldest first, and when that was made."""
    rows = connection.execute(
        "SELECT version, content, certainty, created FROM versions WHERE example = ? ORDER BY version", (example.id,)
    )
    stored = example.model_dump()
    return [
        (
            Example.model_validate(
                stored | json.loads(row["content"]) | {"version": row["version"], "certainty": row["certainty"]}
            ),
            datetime.fromisoformat(row["created"]),
        )
        for row in rows
    ]


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
        tail = "substr(id, -6) = ? AND " if len(upper) >= TAIL else ""
        values = [upper[-TAIL:], f"%{upper}"] if tail else [f"%{upper}"]
        rows = connection.execute(f"SELECT id FROM examples WHERE {tail}id LIKE ? ORDER BY id LIMIT 2", values)
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
    conditions, values = restrictions(where)
    if after:
        conditions.append("examples.id < ?" if newest_first else "examples.id > ?")
        values.append(after)
    order = "DESC" if newest_first else "ASC"
    rows = connection.execute(
        f"SELECT examples.* FROM examples {_where(conditions)} ORDER BY examples.id {order} LIMIT ?",
        [*values, limit],
    )
    return [example_from_row(row) for row in rows]


def count(connection: sqlite3.Connection, where: Filter = Filter()) -> int:
    """How many examples match; from the kept counts where the filter allows it."""
    if has_stored_count(where):
        conditions, values = restrictions(where)
        sql = f"SELECT coalesce(sum(examples.examples), 0) FROM cell_counts AS examples {_where(conditions)}"
    else:
        source, conditions, values = select_parts(where)
        sql = f"SELECT count(*) FROM {source} {_where(conditions)}"
    return int(connection.execute(sql, values).fetchone()[0])


def longest(connection: sqlite3.Connection, where: Filter) -> int:
    """About how many letters the longest case among those that match has; 0 if there is none."""
    source, conditions, values = select_parts(where)
    letters = "length(examples.hypothesis) + length(examples.evidence)"
    sql = f"SELECT coalesce(max({letters}), 0) FROM {source} {_where(conditions)}"
    return int(connection.execute(sql, values).fetchone()[0])


def has_stored_count(where: Filter) -> bool:
    """Whether the number of what matches is kept at all times, and needs no counting."""
    return (
        replace(where, status=(), decision=(), domain=(), level=(), split=(), flagged=None, without=()) == Filter()
    ) and all(has_stored_count(one) for one in where.without)


def select_parts(where: Filter) -> tuple[str, list[str], list[object]]:
    """What stands after FROM, conditions and values for reading numbers and places of what matches.

    Everything but ids, families and words is in one narrow index, `examples_listed`: a million rows of it are read in
    a tenth of a second, so that no filter needs an index of its own. Its terms have a plus, to be no way of looking up.
    """
    if where.text and (query := match_expression(where.text)):
        conditions, values = restrictions(replace(where, text=""))
        source = "examples_text CROSS JOIN examples INDEXED BY examples_listed ON examples.number = examples_text.rowid"
        return source, ["examples_text MATCH ?", *(f"+{term}" for term in conditions)], [query, *values]
    conditions, values = restrictions(where)
    if where.ids or where.family or where.reviewer:
        return "examples", conditions, values
    return "examples INDEXED BY examples_listed", [f"+{term}" for term in conditions], values


def cell_counts(connection: sqlite3.Connection, where: Filter = Filter()) -> list[CellCount]:
    """What matches, counted by cell, status, flag and split; as many rows as there are cells in use, not examples."""
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


def restrictions(where: Filter) -> tuple[list[str], list[object]]:
    """What `where` says in SQL over `examples`, terms to be joined by AND, with the values of their marks."""
    terms: list[str] = []
    values: list[object] = []

    def add(term: str, *with_values: object) -> None:
        terms.append(term)
        values.extend(with_values)

    for name in ("status", "decision", "domain", "level", "split", "source", "model"):
        if wanted := getattr(where, name):
            add(f"examples.{name} IN ({_marks(wanted)})", *wanted)
    if where.ids:
        whole = [one for one in where.ids if len(one) > TAIL]
        tails = [one for one in where.ids if len(one) <= TAIL]
        add(
            f"examples.number IN (SELECT number FROM examples WHERE id IN ({_marks(whole)}) UNION ALL "
            f"SELECT number FROM examples WHERE substr(id, -{TAIL}) IN ({_marks(tails)}))",
            *whole,
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
    for one in where.without:
        inner, inner_values = restrictions(one)
        if inner:
            add(f"(({' AND '.join(inner)}) IS NOT TRUE)", *inner_values)
    return terms, values


_DECIDED = (
    "SELECT e.number FROM reviews AS r CROSS JOIN examples AS e ON e.id = r.example WHERE r.action <> 'undo' "
    "AND NOT EXISTS (SELECT 1 FROM reviews AS u WHERE u.undoes = r.id)"
)


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


def terms(text: str) -> list[str]:
    """The words and "quoted phrases" of `text` as FTS5 terms; a word at its end may be the start of one."""
    parts = re.findall(r'"([^"]*)"|(\w+)', text)
    made = [(re.findall(r"\w+", phrase), not word) for phrase, word in ((p or w, w) for p, w in parts)]
    made = [(words, quoted) for words, quoted in made if words]
    return [
        f'"{" ".join(words)}"' + ("" if quoted or place < len(made) - 1 else "*")
        for place, (words, quoted) in enumerate(made)
    ]


def match_expression(text: str) -> str:
    """`text` as an FTS5 query for what holds all its terms. Empty if it holds none."""
    return " ".join(terms(text))
