"""Which split a family is in, and which splits a benchmark has frozen.

A split is given by a line of the log, on the family's first example; all examples of the family follow it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from storage import examples
from storage.database import write_in_chunks
from storage.examples import Filter
from storage.rows import columns, insert, to_column
from storage.schema import Review, ReviewAction, new_id, now

SPLITS = ("train", "dev", "test")


class SplitError(Exception):
    """A split may not change so; `str()` of it says why."""


@dataclass(frozen=True, slots=True)
class FamilyCount:
    """How many examples a family has in one cell, and where they are."""

    family: str
    domain: str
    level: int
    decision: str
    split: str
    examples: int


def family_cells(connection: sqlite3.Connection, where: Filter) -> list[FamilyCount]:
    """The families of what matches, a row for each of their cells, by family."""
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
    found: dict[str, str] = {}
    for start in range(0, len(numbers), _READ):
        piece = list(numbers[start : start + _READ])
        rows = connection.execute(
            "SELECT family, split FROM examples INDEXED BY examples_listed "
            f"WHERE number IN ({', '.join('?' * len(piece))})",
            piece,
        )
        found.update((row["family"], row["split"]) for row in rows)
    return found


_READ = 5000


def assign(
    connection: sqlite3.Connection, family_splits: Mapping[str, str], *, reviewer: str = "", note: str = ""
) -> Iterator[int]:
    """Give families their splits ('' for none), as one act; yields how many families are done.

    Raises SplitError before anything is written if a frozen split would lose or gain one.
    """
    frozen_ones = frozen(connection)
    names = list(family_splits)
    if frozen_ones:
        for start in range(0, len(names), _READ):
            piece = names[start : start + _READ]
            for row in _rows(connection, piece):
                if row["split"] != family_splits[row["family"]]:
                    _refuse(frozen_ones, (row["split"], family_splits[row["family"]]))
    batch, created = new_id(), now()

    def write(piece: Sequence[str]) -> None:
        # Frozen meanwhile, by a benchmark that has just begun.
        now_frozen = frozen(connection)
        first: dict[str, str] = {}
        for row in _rows(connection, piece):
            first.setdefault(row["family"], row["id"])
            if row["split"] != family_splits[row["family"]]:
                _refuse(now_frozen, (row["split"], family_splits[row["family"]]))
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
        project(connection, list(first.values()))

    yield from write_in_chunks(connection, names, write)


def _rows(connection: sqlite3.Connection, wanted: Sequence[str]) -> list[sqlite3.Row]:
    """Id, family and split of all examples of these families, oldest first."""
    marks = ", ".join("?" * len(wanted))
    return connection.execute(
        f"SELECT id, family, split FROM examples WHERE family IN ({marks}) ORDER BY family, id", list(wanted)
    ).fetchall()


def project(connection: sqlite3.Connection, of: Sequence[str]) -> None:
    """Write the split that the log gives into the families of these examples. Call it inside a transaction."""
    connection.executemany(
        f"UPDATE examples SET split = {_STANDING} WHERE family = {_FAMILY}", [(one, one) for one in of]
    )


_FAMILY = "(SELECT family FROM examples WHERE id = ?)"
_GIVEN = (
    "SELECT r.value FROM examples AS e CROSS JOIN reviews AS r ON r.example = e.id "
    f"WHERE e.family = {_FAMILY} AND r.action = 'split' "
    "AND NOT EXISTS (SELECT 1 FROM reviews AS u WHERE u.undoes = r.id)"
)
_STANDING = f"coalesce(({_GIVEN} ORDER BY r.id DESC LIMIT 1), '')"


def frozen(connection: sqlite3.Connection) -> dict[str, str]:
    """The splits that a benchmark has used, each with its run."""
    rows = connection.execute("SELECT split, run FROM frozen_splits ORDER BY created, split")
    return {row["split"]: row["run"] or "" for row in rows}


def freeze(connection: sqlite3.Connection, split: str, run: str | None = None) -> None:
    """Let `split` neither lose nor gain a family from now on, for benchmark `run`; once frozen it stays so.

    Call it inside a transaction, or it is one of its own.
    """
    if split not in SPLITS:
        raise SplitError(f"no split {split}: there are {', '.join(SPLITS)}")
    connection.execute(
        "INSERT OR IGNORE INTO frozen_splits (split, run, created) VALUES (?, ?, ?)", (split, run, to_column(now()))
    )


def check_undo(connection: sqlite3.Connection, lines: Sequence[int]) -> None:
    """Raise SplitError if taking these lines of the log back takes a family out of a frozen split, or into one."""
    frozen_ones = frozen(connection)
    if not frozen_ones:
        return
    before = f"coalesce(({_GIVEN} AND r.id <> line.id ORDER BY r.id DESC LIMIT 1), '')".replace("?", "line.example")
    for start in range(0, len(lines), _READ):
        piece = list(lines[start : start + _READ])
        rows = connection.execute(
            f"SELECT line.value AS after, {before} AS before FROM reviews AS line "
            f"WHERE line.action = 'split' AND line.id IN ({', '.join('?' * len(piece))})",
            piece,
        )
        for row in rows:
            if row["before"] != row["after"]:
                _refuse(frozen_ones, row)


def _refuse(frozen_ones: Mapping[str, str], touched: Iterable[str]) -> None:
    for split in touched:
        if split in frozen_ones:
            by = f"benchmark {frozen_ones[split][-6:]}" if frozen_ones[split] else "a benchmark"
            raise SplitError(f"split {split} is frozen: {by} has used it, so no family may leave or join it")
