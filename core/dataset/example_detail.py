"""All that is known about one example."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from core.review import item as cases
from core.review.item import Case
from storage import examples, listing
from storage.examples import Filter
from storage.listing import Order, Row
from storage.schema import Example

# A family may be large; so many of it are listed.
KIN = 20


@dataclass(frozen=True, slots=True)
class Whole:
    """An example with its log and lineage, its versions with their dates, and others of its family (first `KIN`)."""

    case: Case
    versions: list[tuple[Example, datetime]]
    kin: list[Row]
    family: int


def whole(connection: sqlite3.Connection, example: str) -> Whole | None:
    """All of the example with this id, or None."""
    case = cases.read(connection, example)
    if case is None:
        return None
    one = case.example
    family = listing.every(connection, Filter(family=one.family), Order.OLDEST)
    kin = [row for row in listing.rows(connection, family[: KIN + 1]) if row.id != one.id]
    return Whole(case, examples.versions(connection, one), kin[:KIN], len(family))
