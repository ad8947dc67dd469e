"""Examples in the database of a test: how to read them, and decide about one, the way that the program does."""

from __future__ import annotations

import sqlite3

from storage import examples, listing, reviews
from storage.examples import Filter
from storage.listing import SortOrder
from storage.schema import Example, Review, ReviewAction


def read_all(db: sqlite3.Connection, where: Filter = listing.EVERYTHING) -> list[Example]:
    """The examples that match, oldest first; refused ones that nobody touched only if `where` asks for them."""
    return listing.read_examples(db, listing.read_numbers(db, where, SortOrder.OLDEST))


def decide(
    db: sqlite3.Connection,
    example_id: str,
    action: ReviewAction,
    *,
    reason: str = "",
    note: str = "",
    reviewer: str = "",
    value: str = "",
    version: int | None = None,
) -> Example:
    """Log one decision about a stored example, and return the example as it is then."""
    example = examples.get(db, example_id)
    assert example is not None
    line = Review(
        example=example_id, action=action, reason=reason, note=note, reviewer=reviewer, value=value, version=version
    )
    return reviews.record(db, example, [line])
