"""Stale fields that were written anew, and wait for a person who reads them."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from typing import Any

from pydantic import Field

from storage.database import transaction
from storage.rows import columns, fields
from storage.schema import Fraction, Outcome, StoredModel, Text, Usage, now

_NESTED = frozenset({"proposed"})


class Repair(StoredModel):
    """Stale fields of an example as a model wrote them anew, and what the judge said; unique by run and example.

    It holds for `version` of the example only. A person reads it before anything of the example changes.
    """

    run: str
    example: str
    version: int
    decision: Text = Field(description="The decision that the fields argue for.")
    outcome: Outcome = Field(description="How the request to the source ended.")
    proposed: dict[str, Any] | None = Field(default=None, description="By field; None where nothing could be read.")
    detail: Text = Field(default="", description="What went wrong, for a person.")
    model: Text = ""
    prompt_version: Text = ""
    judged: Outcome | None = Field(default=None, description="How the judge's request ended; None before it did.")
    blind_decision: Text | None = Field(default=None, description="What the judge decided without the label.")
    blind_confidence: Fraction | None = None
    critique: Text = ""
    usage: Usage = Usage()
    created: datetime = Field(default_factory=now)


def put(connection: sqlite3.Connection, repair: Repair) -> None:
    """Store a repair in place of what its run has stored for the example before."""
    values = columns(repair)
    names, marks = ", ".join(values), ", ".join("?" * len(values))
    with transaction(connection):
        connection.execute(f"INSERT OR REPLACE INTO repairs ({names}) VALUES ({marks})", list(values.values()))


def of_run(connection: sqlite3.Connection, run: str) -> list[Repair]:
    """The repairs that a run has written, in their order."""
    rows = connection.execute("SELECT * FROM repairs WHERE run = ? ORDER BY rowid", (run,))
    return [_repair(row) for row in rows]


def newest(connection: sqlite3.Connection, example: str, version: int) -> Repair | None:
    """The newest repair of this version of an example, whether it was judged or failed; None if there is none."""
    row = connection.execute(
        "SELECT * FROM repairs WHERE example = ? AND version = ? ORDER BY rowid DESC LIMIT 1", (example, version)
    ).fetchone()
    return _repair(row) if row else None


def _repair(row: sqlite3.Row) -> Repair:
    return Repair.model_validate(fields(row, nested=_NESTED))
