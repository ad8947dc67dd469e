"""Queries as a person writes them, held against the task."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import replace

from core.config.task import Task
from storage.examples import Filter
from storage.search import QueryError, parse_query


def read_query(task: Task, connection: sqlite3.Connection, text: str) -> Filter:
    """The filter that `text` means; names of the task's domains and decisions are known in any case of letters.

    What the task has no more but examples still have is known too. Raises QueryError, also for unknown names.
    """
    found = parse_query(text)
    domains = [*(one.name for one in task.domains), *_stored(connection, "domain")]
    decisions = [*task.labels, *_stored(connection, "decision")]
    levels = sorted({one.level for one in task.levels} | {int(level) for level in _stored(connection, "level")})

    def placed(one: Filter) -> Filter:
        unknown = [str(level) for level in one.level if level not in levels]
        # A range may reach beyond the levels there are, but not lie outside of them.
        if unknown and len(unknown) == len(one.level):
            raise QueryError(f"no level {', '.join(unknown)}: there are {', '.join(map(str, levels))}")
        return replace(
            one,
            domain=_named("domain", one.domain, domains),
            decision=_named("decision", one.decision, decisions),
            without=tuple(placed(inner) for inner in one.without),
        )

    return placed(found)


def _stored(connection: sqlite3.Connection, column: str) -> list[str]:
    return [row[0] for row in connection.execute(f"SELECT DISTINCT {column} FROM cell_counts WHERE examples > 0")]


def _named(field: str, wanted: Iterable[str], there: list[str]) -> tuple[str, ...]:
    known = list(dict.fromkeys(there))
    found = []
    for name in wanted:
        alike = [one for one in known if one == name] or [one for one in known if one.casefold() == name.casefold()]
        if not alike:
            raise QueryError(f"no {field} {name}: there are {', '.join(known)}")
        found += alike
    return tuple(found)
