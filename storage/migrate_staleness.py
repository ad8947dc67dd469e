"""The step `staleness` of the migrations: which fields of the versions that were made so far are stale, and repairs."""

from __future__ import annotations

import json
import sqlite3

_FIELDS = ("reasoning", "confidence", "steps")


def add_staleness(connection: sqlite3.Connection) -> None:
    """Add the columns and the table, and mark the stale fields of each version."""
    for statement in _STATEMENTS.split("\n\n"):
        connection.execute(statement)
    for (example,) in connection.execute("SELECT DISTINCT example FROM versions WHERE version > 1").fetchall():
        _mark_stale(connection, example)


def _mark_stale(connection: sqlite3.Connection, example: str) -> None:
    """Mark the stale fields of the versions of an example: each follows from the version that was edited into it."""
    rows = connection.execute("SELECT version, content FROM versions WHERE example = ?", (example,)).fetchall()
    contents = {version: json.loads(content) for version, content in rows}
    stale: dict[int, dict[str, str]] = {1: {}}
    edits: list[tuple[int, int]] = []  # those in effect: the line of the log, and the version
    log = connection.execute(
        "SELECT id, action, version, undoes FROM reviews WHERE example = ? ORDER BY id", (example,)
    )
    for line, action, version, undoes in log.fetchall():
        if action == "undo":
            edits = [edit for edit in edits if edit[0] != undoes]
        elif action == "edit" and version in contents:
            parent = edits[-1][1] if edits else 1
            before, after = contents[parent], contents[version]
            written_for = {name: stale[parent].get(name, before["decision"]) for name in _FIELDS}
            kept = [name for name in _FIELDS if after.get(name) and before.get(name) == after[name]]
            stale[version] = {name: written_for[name] for name in kept if written_for[name] != after["decision"]}
            edits.append((line, version))
    for version, fields in stale.items():
        value = json.dumps([{"field": name, "written_for": decision} for name, decision in fields.items()])
        keys = (value, example, version)
        connection.execute("UPDATE versions SET stale = ? WHERE example = ? AND version = ?", keys)
        connection.execute("UPDATE examples SET stale = ? WHERE id = ? AND version = ?", keys)


_STATEMENTS = """
ALTER TABLE examples ADD COLUMN stale TEXT NOT NULL DEFAULT '[]'

ALTER TABLE versions ADD COLUMN stale TEXT NOT NULL DEFAULT '[]'

CREATE INDEX examples_stale ON examples (number) WHERE stale <> '[]'

CREATE TABLE repairs (
    run TEXT NOT NULL REFERENCES runs(id), example TEXT NOT NULL REFERENCES examples(id), version INTEGER NOT NULL,
    decision TEXT NOT NULL, outcome TEXT NOT NULL, proposed TEXT, detail TEXT NOT NULL, model TEXT NOT NULL,
    prompt_version TEXT NOT NULL, judged TEXT, blind_decision TEXT, blind_confidence REAL, critique TEXT NOT NULL,
    input_tokens INTEGER, output_tokens INTEGER, cost REAL, seconds REAL NOT NULL, created TEXT NOT NULL,
    PRIMARY KEY (run, example)
) STRICT

CREATE INDEX repairs_by_example ON repairs (example, version)
"""
