"""What hangs together: chains of pairs, and the examples that are most like another."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from storage import listing
from storage.listing import ListedExample
from storage.schema import Example

T = TypeVar("T", int, str)

# An example is compared with at most this many: a quarter of a second.
COMPARED = 1500


def connected_components(pairs: Iterable[tuple[T, T]]) -> list[list[T]]:
    """The connected components of the graph with edges `pairs`, each sorted, the largest first."""
    root: dict[T, T] = {}

    def find(node: T) -> T:
        root.setdefault(node, node)
        while root[node] != node:
            root[node] = node = root[root[node]]
        return node

    for first, second in pairs:
        root[find(second)] = find(first)
    groups: dict[T, list[T]] = defaultdict(list)
    for node in sorted(root):
        groups[find(node)].append(node)
    return sorted(groups.values(), key=lambda group: (-len(group), group))


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another example, and its similarity, from 0 to 1."""

    row: ListedExample
    similarity: float


def nearest(connection: sqlite3.Connection, example: Example, limit: int = 5) -> list[Neighbour]:
    """The examples most like this one among the newest `COMPARED` of its domain and level, of any decision."""
    from rapidfuzz import process
    from rapidfuzz.distance import Indel

    from core.qa.duplicates import candidate_words, stored_words

    texts: dict[int, list[str]] = {}
    for label in connection.execute(
        "SELECT DISTINCT decision FROM cell_counts WHERE domain = ? AND level = ?", (example.domain, example.level)
    ).fetchall():
        rows = connection.execute(
            "SELECT number, hypothesis, evidence FROM examples WHERE domain = ? AND level = ? AND decision = ? "
            "AND id <> ? ORDER BY number DESC LIMIT ?",
            (example.domain, example.level, label["decision"], example.id, COMPARED // 3),
        )
        texts |= {row["number"]: stored_words(row["hypothesis"], row["evidence"]) for row in rows}
    matches = process.extract(candidate_words(example), texts, scorer=Indel.normalized_similarity, limit=limit)
    similarities = {number: float(similarity) for _, similarity, number in matches}
    return [Neighbour(row, similarities[row.number]) for row in listing.read_rows(connection, list(similarities))]
