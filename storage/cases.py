"""The cases of many examples, read in one pass: for what compares all of them with each other."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from storage import examples
from storage.examples import Filter
from storage.schema import Status


@dataclass(frozen=True, slots=True)
class StoredCase:
    """An example as far as others are compared with it; `evidence` is JSON, as it is stored."""

    number: int
    id: str
    family: str
    split: str
    decision: str
    accepted: bool
    hypothesis: str
    evidence: str


def read_cases(connection: sqlite3.Connection, where: Filter) -> Iterator[StoredCase]:
    """Yield the cases of all examples that match, oldest first."""
    source, conditions, values = examples.select_parts(where)
    restricted = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    # Sort first and join the wide columns afterwards: a sort that carries the texts takes twice as long.
    rows = connection.execute(
        "SELECT e.number, e.id, e.family, e.split, e.decision, e.status, e.hypothesis, e.evidence FROM "
        f"(SELECT examples.number AS n FROM {source} {restricted} ORDER BY examples.number) "
        "CROSS JOIN examples AS e ON e.number = n",
        values,
    )
    for row in rows:
        yield StoredCase(
            row["number"],
            row["id"],
            row["family"],
            row["split"],
            row["decision"],
            row["status"] == Status.ACCEPTED.value,
            row["hypothesis"],
            row["evidence"],
        )
