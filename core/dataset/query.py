"""Queries as a person writes them, checked against the task."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import replace

from core.config.task import Task
from storage.examples import Filter
from storage.search import QueryError, parse_query


def read_query(task: Task, connection: sqlite3.Connection, text: str) -> Filter:
    """The filter that `text` describes; the task's domains and decisions are recognized in upper and lower case.

    Names that only stored examples still have are known, too. Raises QueryError, also for unknown names.
    """
    parsed = parse_query(text)
    domains = [*(domain.name for domain in task.domains), *_stored(connection, "domain")]
    decisions = [*task.labels, *_stored(connection, "decision")]
    levels = sorted({level.level for level in task.levels} | {int(level) for level in _stored(connection, "level")})

    def resolve(filter_: Filter) -> Filter:
        unknown = [str(level) for level in filter_.level if level not in levels]
        # A range may extend beyond the known levels, but must not lie outside them.
        if unknown and len(unknown) == len(filter_.level):
            raise QueryError(f"no level {', '.join(unknown)}: there are {', '.join(map(str, levels))}")
        return replace(
            filter_,
            domain=_known_names("domain", filter_.domain, domains),
            decision=_known_names("decision", filter_.decision, decisions),
            without=tuple(resolve(inner) for inner in filter_.without),
        )

    return resolve(parsed)


def _stored(connection: sqlite3.Connection, column: str) -> list[str]:
    return [row[0] for row in connection.execute(f"SELECT DISTINCT {column} FROM cell_counts WHERE examples > 0")]


def _known_names(field: str, names: Iterable[str], choices: list[str]) -> tuple[str, ...]:
    unique_choices = list(dict.fromkeys(choices))
    resolved = []
    for name in names:
        matches = [choice for choice in unique_choices if choice == name] or [
            choice for choice in unique_choices if choice.casefold() == name.casefold()
        ]
        if not matches:
            raise QueryError(f"no {field} {name}: there are {', '.join(unique_choices)}")
        resolved += matches
    return tuple(resolved)
