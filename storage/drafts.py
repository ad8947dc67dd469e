"""Drafts: unsaved edits of examples, kept while a person types, so that a crash loses none."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from storage.database import transaction
from storage.rows import to_column
from storage.schema import now


@dataclass(frozen=True, slots=True)
class Draft:
    """What `reviewer` typed about version `version` of an example and has not saved; it may contain mistakes."""

    example: str
    reviewer: str
    version: int
    content: dict[str, Any]
    saved: datetime


def save(connection: sqlite3.Connection, example: str, reviewer: str, version: int, content: dict[str, Any]) -> None:
    """Store a draft; it replaces the person's earlier draft of this example."""
    with transaction(connection):
        connection.execute(
            "INSERT INTO drafts (example, reviewer, version, content, saved) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET version = excluded.version, content = excluded.content, saved = excluded.saved",
            (example, reviewer, version, json.dumps(content), to_column(now())),
        )


def delete(connection: sqlite3.Connection, example: str, reviewer: str) -> None:
    """Delete a draft, if there is one."""
    with transaction(connection):
        connection.execute("DELETE FROM drafts WHERE example = ? AND reviewer = ?", (example, reviewer))


def get(connection: sqlite3.Connection, example: str, reviewer: str) -> Draft | None:
    """The person's draft of an example, or None."""
    row = connection.execute("SELECT * FROM drafts WHERE example = ? AND reviewer = ?", (example, reviewer)).fetchone()
    return _draft(row) if row else None


def newest(connection: sqlite3.Connection, reviewer: str) -> Draft | None:
    """The person's newest draft of any example, or None."""
    row = connection.execute(
        "SELECT * FROM drafts WHERE reviewer = ? ORDER BY saved DESC LIMIT 1", (reviewer,)
    ).fetchone()
    return _draft(row) if row else None


def _draft(row: sqlite3.Row) -> Draft:
    return Draft(
        row["example"],
        row["reviewer"],
        row["version"],
        json.loads(row["content"]),
        datetime.fromisoformat(row["saved"]),
    )
