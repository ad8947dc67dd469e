"""Sorted lists of examples, as arrays of their numbers.

An array of a million numbers takes 8 MB and is read in a fifth of a second, the first hundred of them at once. What a
list shows of an example is read only for the rows that are visible.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from storage import examples, reviews
from storage.examples import Filter, example_from_row
from storage.schema import Example, Status


class SortOrder(StrEnum):
    """How a list is sorted."""

    NEWEST = "newest"
    OLDEST = "oldest"
    LEAST_CONFIDENT = "least-confident"
    MOST_CONFIDENT = "most-confident"
    LEAST_CERTAIN = "least-certain"
    MOST_CERTAIN = "most-certain"
    CELL = "cell"


# The ORDER BY terms, and the index that has all examples in this order. Examples of unknown certainty come last.
_ORDERS = {
    SortOrder.NEWEST: ("examples.number DESC", "examples_listed"),
    SortOrder.OLDEST: ("examples.number", "examples_listed"),
    SortOrder.LEAST_CONFIDENT: ("examples.confidence, examples.number", "examples_by_confidence"),
    SortOrder.MOST_CONFIDENT: ("examples.confidence DESC, examples.number DESC", "examples_by_confidence"),
    SortOrder.LEAST_CERTAIN: ("examples.certainty NULLS LAST, examples.number", "examples_by_sureness"),
    SortOrder.MOST_CERTAIN: ("examples.certainty DESC, examples.number DESC", "examples_by_sureness"),
    SortOrder.CELL: (
        "examples.domain, examples.level, examples.decision, examples.status, examples.id",
        "examples_by_cell",
    ),
}

EVERYTHING = Filter()
_FIRST, _CHUNK = 100, 4000
# Whole examples that are read at once.
_PAGE = 500


@dataclass(frozen=True, slots=True)
class ListedExample:
    """What a list shows of one example. `hypothesis` and `evidence` are cut at `CUT` characters."""

    number: int
    id: str
    decision: str
    confidence: float
    domain: str
    level: int
    status: Status
    split: str
    flagged: bool
    refused: bool
    certainty: float | None
    version: int
    hypothesis: str
    evidence: str


CUT = 4000


def numbers(
    connection: sqlite3.Connection, where: Filter = EVERYTHING, order: SortOrder = SortOrder.NEWEST
) -> Iterator[array[int]]:
    """Yield the numbers of all examples that match, in order, in arrays; the first is small, so that it comes soon.

    Examples that QA rejected, and that no person has touched, are listed only if `where` asks for them. Call
    `connection.interrupt()` in another thread to stop it; it then raises sqlite3.OperationalError.
    """
    cursor = connection.cursor()
    cursor.row_factory = None
    source, conditions, values = examples.select_parts(where)
    by, index = _ORDERS[order]
    if not conditions:
        source = f"examples INDEXED BY {index}"
    elif order is SortOrder.CELL:
        # The index has every column but the ids.
        by = by.replace("examples.id", "examples.number")
    if where.text and order in {SortOrder.NEWEST, SortOrder.OLDEST}:
        by = by.replace("examples.number", "examples_text.rowid")
    restricted = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    hidden = set[int]() if where.refused or where.ids else reviews.untouched_numbers(connection)
    try:
        cursor.execute(f"SELECT examples.number FROM {source} {restricted} ORDER BY {by}", values)
        size = _FIRST
        while rows := cursor.fetchmany(size):
            yield array("q", (number for (number,) in rows if number not in hidden))
            size = _CHUNK
    finally:
        cursor.close()


def read_numbers(
    connection: sqlite3.Connection, where: Filter = EVERYTHING, order: SortOrder = SortOrder.NEWEST
) -> array[int]:
    """All numbers at once, in one array."""
    all_numbers = array("q")
    for chunk in numbers(connection, where, order):
        all_numbers.extend(chunk)
    return all_numbers


def read_rows(
    connection: sqlite3.Connection, selected: Sequence[int], *, evidence: bool = False
) -> list[ListedExample]:
    """The rows with these numbers, in their order, without numbers that do not exist; `evidence` is read on request."""
    evidence_column = "(SELECT evidence FROM examples_text WHERE rowid = number)" if evidence else "''"
    found_rows = connection.execute(
        f"SELECT number, id, decision, confidence, domain, level, status, split, flagged, refused, certainty, version, "
        f"substr(hypothesis, 1, {CUT}) AS hypothesis, substr({evidence_column}, 1, {CUT}) AS evidence "
        f"FROM examples WHERE number IN ({', '.join('?' * len(selected))})",
        list(selected),
    )
    by_number = {row["number"]: _row(row) for row in found_rows}
    return [by_number[number] for number in selected if number in by_number]


def read_examples(connection: sqlite3.Connection, selected: Sequence[int]) -> list[Example]:
    """The examples with these numbers, in their order; numbers that do not exist are left out."""
    by_number: dict[int, Example] = {}
    for start in range(0, len(selected), _CHUNK):
        chunk = list(selected[start : start + _CHUNK])
        marks = ", ".join("?" * len(chunk))
        rows = connection.execute(f"SELECT * FROM examples WHERE number IN ({marks})", chunk)
        by_number |= {row["number"]: example_from_row(row) for row in rows}
    return [by_number[number] for number in selected if number in by_number]


def iterate_examples(connection: sqlite3.Connection, where: Filter = EVERYTHING) -> Iterator[Example]:
    """Yield all examples that match, the oldest first, as they are when their turn comes; few are in memory at once."""
    selected = read_numbers(connection, where, SortOrder.OLDEST)
    for start in range(0, len(selected), _PAGE):
        yield from read_examples(connection, selected[start : start + _PAGE])


def number_of(connection: sqlite3.Connection, example: str) -> int | None:
    """The number of the example with this id, or None."""
    row = connection.execute("SELECT number FROM examples WHERE id = ?", (example,)).fetchone()
    return int(row["number"]) if row else None


def change_stamp(connection: sqlite3.Connection) -> tuple[int, int]:
    """A value that differs after any change to any example: the newest number, and the newest line of the log."""
    row = connection.execute(
        "SELECT coalesce((SELECT max(number) FROM examples), 0), coalesce((SELECT max(id) FROM reviews), 0)"
    ).fetchone()
    return int(row[0]), int(row[1])


def _row(row: sqlite3.Row) -> ListedExample:
    values = dict(row)
    return ListedExample(
        **values
        | {"status": Status(values["status"]), "flagged": bool(values["flagged"]), "refused": bool(values["refused"])}
        | {"evidence": values["evidence"] or ""}
    )
