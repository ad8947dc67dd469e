"""The records of training runs: figures of each step, evaluations on the dev split, answers, and people's notes.

A run has phases, one for each recipe of a launch. After a resume, the steps since the last checkpoint are trained
again, and their records are replaced.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from storage.database import transaction
from storage.rows import to_column
from storage.schema import now

Figures = dict[str, Any]
_ALL = -1  # no limit, as SQLite has it


@dataclass(frozen=True, slots=True)
class TrainingStep:
    """The figures of one step, counted from 1, or of an evaluation on the dev split after it."""

    phase: str
    step: int
    figures: Figures
    created: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """A note that a person pinned to a step."""

    id: int
    phase: str
    step: int
    note: str


def add_step(
    connection: sqlite3.Connection, run: str, phase: str, step: int, figures: Figures, answers: Sequence[Figures] = ()
) -> None:
    """Store the figures of a step and some of its answers, replacing what was there."""
    with transaction(connection):
        connection.execute(
            "INSERT OR REPLACE INTO training_steps VALUES (?, ?, ?, ?, ?)",
            (run, phase, step, json.dumps(figures), to_column(now())),
        )
        for position, answer in enumerate(answers):
            connection.execute(
                "INSERT OR REPLACE INTO training_answers (run, phase, step, place, answer) VALUES (?, ?, ?, ?, ?)",
                (run, phase, step, position, json.dumps(answer)),
            )


def add_evaluation(connection: sqlite3.Connection, run: str, phase: str, step: int, figures: Figures) -> None:
    """Store the figures of an evaluation on the dev split, replacing what was there."""
    with transaction(connection):
        connection.execute(
            "INSERT OR REPLACE INTO training_looks VALUES (?, ?, ?, ?, ?)",
            (run, phase, step, json.dumps(figures), to_column(now())),
        )


def forget_after(connection: sqlite3.Connection, run: str, phase: str, step: int) -> None:
    """Delete the records of steps after `step` of a phase: they will be trained again."""
    with transaction(connection):
        for table in ("training_steps", "training_looks", "training_answers"):
            connection.execute(f"DELETE FROM {table} WHERE run = ? AND phase = ? AND step > ?", (run, phase, step))


def steps(
    connection: sqlite3.Connection, run: str, *, phase: str = "", after: int = -1, limit: int = _ALL
) -> list[TrainingStep]:
    """The steps of a run after step `after`, oldest first, up to `limit`; only of `phase` if it is given."""
    return _read(connection, "training_steps", run, phase, after, limit)


def evaluations(
    connection: sqlite3.Connection, run: str, *, phase: str = "", after: int = -1, limit: int = _ALL
) -> list[TrainingStep]:
    """The evaluations on the dev split, selected like `steps`."""
    return _read(connection, "training_looks", run, phase, after, limit)


def unchanged(
    connection: sqlite3.Connection, run: str, step: TrainingStep | None, evaluation: TrainingStep | None
) -> bool:
    """Whether a step and an evaluation are stored as they were read. After a resume, the last ones are made again."""
    return all(
        row is None
        or connection.execute(
            f"SELECT 1 FROM {table} WHERE run = ? AND phase = ? AND step = ? AND created = ?",
            (run, row.phase, row.step, row.created),
        ).fetchone()
        for table, row in (("training_steps", step), ("training_looks", evaluation))
    )


def answers(connection: sqlite3.Connection, run: str, phase: str, step: int) -> list[Figures]:
    """The stored answers of a step."""
    rows = connection.execute(
        "SELECT answer FROM training_answers WHERE run = ? AND phase = ? AND step = ? ORDER BY place",
        (run, phase, step),
    )
    return [json.loads(row["answer"]) for row in rows]


def steps_with_answers(connection: sqlite3.Connection, run: str, phase: str) -> list[int]:
    """The steps of a phase that have stored answers, oldest first."""
    rows = connection.execute(
        "SELECT step FROM training_answers WHERE run = ? AND phase = ? AND place = 0 ORDER BY step", (run, phase)
    )
    return [row["step"] for row in rows]


def add_note(connection: sqlite3.Connection, run: str, phase: str, step: int, note: str) -> None:
    """Pin a note to a step."""
    with transaction(connection):
        connection.execute(
            "INSERT INTO training_notes (run, phase, step, note, created) VALUES (?, ?, ?, ?, ?)",
            (run, phase, step, note, to_column(now())),
        )


def notes(connection: sqlite3.Connection, run: str) -> list[Note]:
    """All notes of a run, oldest first."""
    rows = connection.execute("SELECT id, phase, step, note FROM training_notes WHERE run = ? ORDER BY id", (run,))
    return [Note(**row) for row in rows]


def _read(
    connection: sqlite3.Connection, table: str, run: str, phase: str, after: int, limit: int
) -> list[TrainingStep]:
    # Within a phase the key gives the order; phases come one after another, as their rows do.
    phase_term, values, order = (" AND phase = ?", [phase], "step") if phase else ("", [], "rowid")
    rows = connection.execute(
        f"SELECT phase, step, figures, created FROM {table} WHERE run = ?{phase_term} AND step > ? "
        f"ORDER BY {order} LIMIT ?",
        [run, *values, after, limit],
    )
    return [TrainingStep(row["phase"], row["step"], json.loads(row["figures"]), row["created"]) for row in rows]
