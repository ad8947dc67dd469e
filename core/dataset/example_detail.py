"""All that is known about one example."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from core.review import item as cases
from core.review.item import ReviewItem
from storage import examples, listing
from storage.examples import Filter
from storage.listing import ListedExample, SortOrder
from storage.schema import Example

# A family may be large; so many of it are listed.
KIN = 20


@dataclass(frozen=True, slots=True)
class ExampleDetail:
    """An example with its log and lineage, its versions with their dates, and others of its family (first `KIN`)."""

    case: ReviewItem
    versions: list[tuple[Example, datetime]]
    kin: list[ListedExample]
    family: int


def example_detail(connection: sqlite3.Connection, example: str) -> ExampleDetail | None:
    """All of the example with this id, or None."""
    case = cases.read_item(connection, example)
    if case is None:
        return None
    one = case.example
    family = listing.read_numbers(connection, Filter(family=one.family), SortOrder.OLDEST)
    kin = [row for row in listing.read_rows(connection, family[: KIN + 1]) if row.id != one.id]
    return ExampleDetail(case, examples.versions(connection, one), kin[:KIN], len(family))
