"""Queries as a person writes them, held against the task."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import replace

from core.task import Task
from storage import examples
from storage.examples import Filter
from storage.search import QueryError, parse_query


def read_query(task: Task, connection: sqlite3.Connection, text: str) -> Filter:
    """The filter that `text` means; names of the task's domains and decisions are known in any case of letters.

    What the task has no more but examples still have is known too. Raises QueryError, also for unknown names.
    """
    found = parse_query(text)
    stored = examples.cell_counts(connection)
    domains = list(dict.fromkeys([*(one.name for one in task.domains), *(row.domain for row in stored)]))
    decisions = list(dict.fromkeys([*task.labels, *(row.decision for row in stored)]))
    levels = sorted({one.level for one in task.levels} | {row.level for row in stored})

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


def _named(field: str, wanted: Iterable[str], there: list[str]) -> tuple[str, ...]:
    found = []
    for name in wanted:
        alike = [one for one in there if one == name] or [one for one in there if one.casefold() == name.casefold()]
        if not alike:
            raise QueryError(f"no {field} {name}: there are {', '.join(there)}")
        found += alike
    return tuple(found)
