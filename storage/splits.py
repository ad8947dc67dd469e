"""The split of each family, and the splits that a benchmark has frozen.

A line of the log on the family's first example assigns the split; all examples of the family follow it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from storage import examples
from storage.database import write_in_chunks
from storage.errors import UserError
from storage.examples import Filter
from storage.review_log import NOT_UNDONE
from storage.rows import columns, insert, to_column
from storage.schema import Review, ReviewAction, new_id, now

SPLITS = ("train", "dev", "test")


class SplitError(UserError):
    """The split cannot be changed; `str()` of it says why."""


@dataclass(frozen=True, slots=True)
class FamilyCount:
    """How many examples a family has in one cell, and in which split."""

    family: str
    domain: str
    level: int
    decision: str
    split: str
    examples: int


def family_cells(connection: sqlite3.Connection, where: Filter) -> list[FamilyCount]:
    """The families of the examples that match, one row for each of their cells, by family."""
    source, conditions, values = examples.select_parts(where)
    restricted = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    rows = connection.execute(
        "SELECT examples.family, examples.domain, examples.level, examples.decision, examples.split, "
        f"count(*) AS examples FROM {source} {restricted} GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5",
        values,
    )
    return [FamilyCount(**row) for row in rows]


def family_counts(connection: sqlite3.Connection, where: Filter) -> dict[str, int]:
    """How many families of each split have examples that match."""
    source, conditions, values = examples.select_parts(where)
    restricted = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    rows = connection.execute(
        f"SELECT examples.split, count(DISTINCT examples.family) AS families FROM {source} {restricted} GROUP BY 1",
        values,
    )
    return {row["split"]: row["families"] for row in rows}


def families_of(connection: sqlite3.Connection, numbers: Sequence[int]) -> dict[str, str]:
    """The families of the examples with these numbers, each with its split."""
    splits: dict[str, str] = {}
    for start in range(0, len(numbers), _CHUNK_SIZE):
        chunk = list(numbers[start : start + _CHUNK_SIZE])
        rows = connection.execute(
            "SELECT family, split FROM examples INDEXED BY examples_listed "
            f"WHERE number IN ({', '.join('?' * len(chunk))})",
            chunk,
        )
        splits.update((row["family"], row["split"]) for row in rows)
    return splits


_CHUNK_SIZE = 5000


def assign(
    connection: sqlite3.Connection, family_splits: Mapping[str, str], *, reviewer: str = "", note: str = ""
) -> Iterator[int]:
    """Assign splits to families ('' for none) as one act; yields how many families are done.

    Raises SplitError before anything is written if a frozen split would lose or gain a family.
    """
    frozen_splits = frozen(connection)
    names = list(family_splits)
    if frozen_splits:
        for start in range(0, len(names), _CHUNK_SIZE):
            chunk = names[start : start + _CHUNK_SIZE]
            for row in _rows(connection, chunk):
                if row["split"] != family_splits[row["family"]]:
                    _refuse_frozen(frozen_splits, (row["split"], family_splits[row["family"]]))
    batch, created = new_id(), now()

    def write(chunk: Sequence[str]) -> None:
        # A benchmark that has just begun may have frozen one meanwhile.
        now_frozen = frozen(connection)
        first: dict[str, str] = {}
        for row in _rows(connection, chunk):
            first.setdefault(row["family"], row["id"])
            if row["split"] != family_splits[row["family"]]:
                _refuse_frozen(now_frozen, (row["split"], family_splits[row["family"]]))
        for family, example in first.items():
            line = Review(
                example=example,
                action=ReviewAction.SPLIT,
                value=family_splits[family],
                note=note,
                reviewer=reviewer,
                batch=batch,
                created=created,
            )
            insert(connection, "reviews", columns(line, without=frozenset({"id"})))
        apply_log(connection, list(first.values()))

    yield from write_in_chunks(connection, names, write)


def _rows(connection: sqlite3.Connection, families: Sequence[str]) -> list[sqlite3.Row]:
    """Id, family and split of all examples of these families, oldest first."""
    marks = ", ".join("?" * len(families))
    return connection.execute(
        f"SELECT id, family, split FROM examples WHERE family IN ({marks}) ORDER BY family, id", list(families)
    ).fetchall()


def apply_log(connection: sqlite3.Connection, example_ids: Sequence[str]) -> None:
    """Update the split of these examples' families from the log. Call it inside a transaction."""
    connection.executemany(
        f"UPDATE examples SET split = {_CURRENT_SPLIT} WHERE family = {_FAMILY}",
        [(example_id, example_id) for example_id in example_ids],
    )


_FAMILY = "(SELECT family FROM examples WHERE id = ?)"
_ASSIGNMENTS = (
    "SELECT r.value FROM examples AS e CROSS JOIN reviews AS r ON r.example = e.id "
    f"WHERE e.family = {_FAMILY} AND r.action = 'split' "
    f"AND {NOT_UNDONE}"
)
_CURRENT_SPLIT = f"coalesce(({_ASSIGNMENTS} ORDER BY r.id DESC LIMIT 1), '')"


def frozen(connection: sqlite3.Connection) -> dict[str, str]:
    """The frozen splits, each with the run of the benchmark that used it ('' if unknown)."""
    rows = connection.execute("SELECT split, run FROM frozen_splits ORDER BY created, split")
    return {row["split"]: row["run"] or "" for row in rows}


def freeze(connection: sqlite3.Connection, split: str, run: str | None = None) -> None:
    """Freeze `split` for benchmark `run`: from now on it neither loses nor gains a family. It stays frozen.

    It is one statement, and needs no transaction around it. Raises SplitError for an unknown split.
    """
    if split not in SPLITS:
        raise SplitError(f"no split {split}: there are {', '.join(SPLITS)}")
    connection.execute(
        "INSERT OR IGNORE INTO frozen_splits (split, run, created) VALUES (?, ?, ?)", (split, run, to_column(now()))
    )


def check_undo(connection: sqlite3.Connection, lines: Sequence[int]) -> None:
    """Raise SplitError if undoing these lines of the log would take a family out of a frozen split, or into one."""
    frozen_splits = frozen(connection)
    if not frozen_splits:
        return
    previous = f"coalesce(({_ASSIGNMENTS} AND r.id <> line.id ORDER BY r.id DESC LIMIT 1), '')".replace(
        "?", "line.example"
    )
    for start in range(0, len(lines), _CHUNK_SIZE):
        chunk = list(lines[start : start + _CHUNK_SIZE])
        rows = connection.execute(
            f"SELECT line.value AS after, {previous} AS before FROM reviews AS line "
            f"WHERE line.action = 'split' AND line.id IN ({', '.join('?' * len(chunk))})",
            chunk,
        )
        for row in rows:
            if row["before"] != row["after"]:
                _refuse_frozen(frozen_splits, row)


def _refuse_frozen(frozen_splits: Mapping[str, str], changed: Iterable[str]) -> None:
    for split in changed:
        if split in frozen_splits:
            by = f"benchmark {frozen_splits[split][-6:]}" if frozen_splits[split] else "a benchmark"
            raise SplitError(f"split {split} is frozen: {by} has used it, so no family may leave or join it")
