"""What training runs say of themselves: the figures of each step, looks at the dev split, answers, and people's notes.

A run has phases, one for each recipe of a launch. After a resume the steps since its last checkpoint are made again,
and what was kept of them is replaced.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from storage.database import transaction
from storage.rows import cell
from storage.schema import now

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """The figures of one step, counted from 1, or of one look at the dev split after it."""

    phase: str
    step: int
    figures: Figures


@dataclass(frozen=True, slots=True)
class Note:
    """What a person pinned to a step."""

    id: int
    phase: str
    step: int
    note: str


def add_step(
    connection: sqlite3.Connection, run: str, phase: str, step: int, figures: Figures, answers: Sequence[Figures] = ()
) -> None:
    """Keep the figures of a step, and some of its answers, in place of what was there."""
    with transaction(connection):
        connection.execute(
            "INSERT OR REPLACE INTO training_steps VALUES (?, ?, ?, ?, ?)",
            (run, phase, step, json.dumps(figures), cell(now())),
        )
        for place, answer in enumerate(answers):
            connection.execute(
                "INSERT OR REPLACE INTO training_answers (run, phase, step, place, answer) VALUES (?, ?, ?, ?, ?)",
                (run, phase, step, place, json.dumps(answer)),
            )


def add_look(connection: sqlite3.Connection, run: str, phase: str, step: int, figures: Figures) -> None:
    """Keep what a look at the dev split has shown, in place of what was there."""
    with transaction(connection):
        connection.execute(
            "INSERT OR REPLACE INTO training_looks VALUES (?, ?, ?, ?, ?)",
            (run, phase, step, json.dumps(figures), cell(now())),
        )


def forget_after(connection: sqlite3.Connection, run: str, phase: str, step: int) -> None:
    """Drop what was kept of steps after `step` of a phase: they are made again."""
    with transaction(connection):
        for table in ("training_steps", "training_looks", "training_answers"):
            connection.execute(f"DELETE FROM {table} WHERE run = ? AND phase = ? AND step > ?", (run, phase, step))


def steps(connection: sqlite3.Connection, run: str, *, phase: str = "", after: int = -1) -> list[Step]:
    """The steps of a run, of one phase if it is named, later than `after`, oldest first."""
    return _read(connection, "training_steps", run, phase, after)


def thinned(connection: sqlite3.Connection, run: str, phase: str, most: int) -> list[Step]:
    """The steps of a phase, oldest first: all, or about `most` of them evenly, the newest among them."""
    key = (run, phase)
    last = (
        connection.execute("SELECT max(step) FROM training_steps WHERE run = ? AND phase = ?", key).fetchone()[0] or 0
    )
    rows = connection.execute(
        "SELECT phase, step, figures FROM training_steps WHERE run = ? AND phase = ? AND (step % ? = 0 OR step = ?) "
        "ORDER BY step",
        [*key, max(1, -(-last // most)), last],
    )
    return [_step(row) for row in rows]


def looks(connection: sqlite3.Connection, run: str, *, phase: str = "", after: int = -1) -> list[Step]:
    """The looks at the dev split, oldest first."""
    return _read(connection, "training_looks", run, phase, after)


def answers(connection: sqlite3.Connection, run: str, phase: str, step: int) -> list[Figures]:
    """The answers that were kept of a step."""
    rows = connection.execute(
        "SELECT answer FROM training_answers WHERE run = ? AND phase = ? AND step = ? ORDER BY place",
        (run, phase, step),
    )
    return [json.loads(row["answer"]) for row in rows]


def answered(connection: sqlite3.Connection, run: str) -> list[tuple[str, int]]:
    """The steps of which answers were kept, as phase and step, in the order in which they were made."""
    rows = connection.execute(
        "SELECT phase, step FROM training_answers WHERE run = ? GROUP BY phase, step ORDER BY min(rowid)", (run,)
    )
    return [(row["phase"], row["step"]) for row in rows]


def add_note(connection: sqlite3.Connection, run: str, phase: str, step: int, note: str) -> None:
    """Pin a note to a step."""
    with transaction(connection):
        connection.execute(
            "INSERT INTO training_notes (run, phase, step, note, created) VALUES (?, ?, ?, ?, ?)",
            (run, phase, step, note, cell(now())),
        )


def notes(connection: sqlite3.Connection, run: str) -> list[Note]:
    """All notes of a run, oldest first."""
    rows = connection.execute("SELECT id, phase, step, note FROM training_notes WHERE run = ? ORDER BY id", (run,))
    return [Note(**row) for row in rows]


def _read(connection: sqlite3.Connection, table: str, run: str, phase: str, after: int) -> list[Step]:
    named, values = (" AND phase = ?", [phase]) if phase else ("", [])
    rows = connection.execute(
        f"SELECT phase, step, figures FROM {table} WHERE run = ?{named} AND step > ? ORDER BY rowid",
        [run, *values, after],
    )
    return [_step(row) for row in rows]


def _step(row: sqlite3.Row) -> Step:
    return Step(row["phase"], row["step"], json.loads(row["figures"]))
