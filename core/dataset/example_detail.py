"""Everything that is known about one example."""

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

# A family may be large; at most this many of its examples are listed.
KIN = 20


@dataclass(frozen=True, slots=True)
class ExampleDetail:
    """An example with its log and lineage, its versions with their dates, and others of its family (first `KIN`)."""

    case: ReviewItem
    versions: list[tuple[Example, datetime]]
    kin: list[ListedExample]
    family: int


def example_detail(connection: sqlite3.Connection, example: str) -> ExampleDetail | None:
    """The details of the example with this id, or None."""
    item = cases.read_item(connection, example)
    if item is None:
        return None
    stored = item.example
    family = listing.read_numbers(connection, Filter(family=stored.family), SortOrder.OLDEST)
    kin = [row for row in listing.read_rows(connection, family[: KIN + 1]) if row.id != stored.id]
    return ExampleDetail(item, examples.versions(connection, stored), kin[:KIN], len(family))
