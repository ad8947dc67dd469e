"""Lists of examples in any order: where each stands, from first to last, as an array of their numbers.

An array of a million numbers takes 8 MB and is read in a fifth of a second, the first hundred of them at once; what is
shown of each is read for those alone that are shown.
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


# What stands after ORDER BY, and the index that has all examples in this order; of examples of unknown certainty
# nobody can say how certain they are: they come last.
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
    """The numbers of all examples that match, in their order; in pieces, the first of them small and soon there.

    What QA rejected, and nobody brought in or took that back, is only listed where `where` asks for it.
    From another thread `connection.interrupt()` ends it with sqlite3.OperationalError.
    """
    cursor = connection.cursor()
    cursor.row_factory = None
    source, conditions, values = examples.select_parts(where)
    by, index = _ORDERS[order]
    if not conditions:
        source = f"examples INDEXED BY {index}"
    elif order is SortOrder.CELL:
        # The ids are not in the index that knows all else.
        by = by.replace("examples.id", "examples.number")
    if where.text and order in {SortOrder.NEWEST, SortOrder.OLDEST}:
        by = by.replace("examples.number", "examples_text.rowid")
    restricted = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    hidden = set[int]() if where.refused or where.ids else reviews.untouched(connection)
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
    """All numbers at once."""
    whole = array("q")
    for piece in numbers(connection, where, order):
        whole.extend(piece)
    return whole


def read_rows(
    connection: sqlite3.Connection, selected: Sequence[int], *, evidence: bool = False
) -> list[ListedExample]:
    """The rows with these numbers, in their order, without those not there; their evidence only if asked for."""
    pieces = "(SELECT evidence FROM examples_text WHERE rowid = number)" if evidence else "''"
    found = connection.execute(
        f"SELECT number, id, decision, confidence, domain, level, status, split, flagged, refused, certainty, version, "
        f"substr(hypothesis, 1, {CUT}) AS hypothesis, substr({pieces}, 1, {CUT}) AS evidence "
        f"FROM examples WHERE number IN ({', '.join('?' * len(selected))})",
        list(selected),
    )
    known = {row["number"]: _row(row) for row in found}
    return [known[number] for number in selected if number in known]


def read_examples(connection: sqlite3.Connection, selected: Sequence[int]) -> list[Example]:
    """The examples with these numbers, in their order, without those that are not there."""
    known: dict[int, Example] = {}
    for start in range(0, len(selected), _CHUNK):
        piece = list(selected[start : start + _CHUNK])
        marks = ", ".join("?" * len(piece))
        found = connection.execute(f"SELECT * FROM examples WHERE number IN ({marks})", piece)
        known |= {row["number"]: example_from_row(row) for row in found}
    return [known[number] for number in selected if number in known]


def number_of(connection: sqlite3.Connection, example: str) -> int | None:
    """The number of the example with this id."""
    row = connection.execute("SELECT number FROM examples WHERE id = ?", (example,)).fetchone()
    return int(row["number"]) if row else None


def change_stamp(connection: sqlite3.Connection) -> tuple[int, int]:
    """What is another after any change to any example: the newest example, and the newest line of the log."""
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
