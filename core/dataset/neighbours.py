"""Examples that say nearly the same, found among many without comparing each with each.

The measure is that of `core.qa.duplicates`. Two texts of a and b words are as similar as t only if they share
t (a + b) / 2 words. So the rarest words of each, all but those that must be shared and one more, have to meet: only
texts that share one of these are compared (prefix filtering; Chaudhuri, Ganti and Kaushik 2006). None is missed.
"""

from __future__ import annotations

import math
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TypeVar

from storage import examples, listing
from storage.examples import Filter
from storage.listing import ListedExample
from storage.schema import Example

T = TypeVar("T", int, str)

# One example is held against so many: a quarter of a second.
COMPARED = 1500
# Families are held against each other up to so many examples: some seconds.
LINKED = 20_000


def near_pairs(texts: Sequence[Sequence[str]], threshold: float) -> Iterator[tuple[int, int, float]]:
    """The pairs of `texts` (words) whose similarity, from 0 to 1, is at least `threshold` (> 0), by position."""
    from rapidfuzz.distance import Indel

    marked = [_numbered(text) for text in texts]
    frequency = Counter(word for text in marked for word in text)
    shared = threshold / (2 - threshold)
    met: dict[tuple[str, int], list[int]] = defaultdict(list)
    for place, words in enumerate(marked):
        length = len(words)
        prefix = sorted(words, key=lambda word: (frequency[word], word))[: length - math.ceil(length * shared) + 1]
        candidates = {other for word in prefix for other in met[word]}
        for other in sorted(candidates):
            longer, shorter = max(length, len(marked[other])), min(length, len(marked[other]))
            if shorter < longer * shared:
                continue
            similarity = Indel.normalized_similarity(texts[other], texts[place], score_cutoff=threshold)
            if similarity >= threshold:
                yield other, place, float(similarity)
        for word in prefix:
            met[word].append(place)


def _numbered(text: Sequence[str]) -> list[tuple[str, int]]:
    """Each word with how often it stood before: so that a word said twice is shared twice."""
    seen: Counter[str] = Counter()
    found = []
    for word in text:
        found.append((word, seen[word]))
        seen[word] += 1
    return found


def connected_components(pairs: Iterable[tuple[T, T]]) -> list[list[T]]:
    """What hangs together by `pairs`, each sorted, the largest first."""
    root: dict[T, T] = {}

    def find(one: T) -> T:
        root.setdefault(one, one)
        while root[one] != one:
            root[one] = one = root[root[one]]
        return one

    for first, second in pairs:
        root[find(second)] = find(first)
    groups: dict[T, list[T]] = defaultdict(list)
    for one in sorted(root):
        groups[find(one)].append(one)
    return sorted(groups.values(), key=lambda group: (-len(group), group))


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another example, and how similar it is, from 0 to 1."""

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
    found = process.extract(candidate_words(example), texts, scorer=Indel.normalized_similarity, limit=limit)
    near_by = {number: float(similarity) for _, similarity, number in found}
    return [Neighbour(row, near_by[row.number]) for row in listing.read_rows(connection, list(near_by))]


def linked_families(connection: sqlite3.Connection, where: Filter, threshold: float) -> list[list[str]] | None:
    """Families of what matches that have near-duplicates in each other, in one domain and level, of any decision.

    None if there are more examples than can be compared in some seconds.
    """
    from core.qa.duplicates import stored_words

    if examples.count(connection, where) > LINKED:
        return None
    source, conditions, values = examples.select_parts(where)
    restricted = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    # The order first, the wide columns after it: a sort that carries the texts along takes as much again.
    rows = connection.execute(
        f"SELECT e.domain, e.level, e.family, e.hypothesis, e.evidence FROM (SELECT examples.number AS n FROM {source} "
        f"{restricted} ORDER BY examples.domain, examples.level, examples.family) "
        "CROSS JOIN examples AS e ON e.number = n",
        values,
    )
    links: list[tuple[str, str]] = []
    for _, place in groupby(rows, key=lambda row: (row["domain"], row["level"])):
        found = [(row["family"], stored_words(row["hypothesis"], row["evidence"])) for row in place]
        for first, second, _ in near_pairs([words for _, words in found], threshold):
            one, other = found[first][0], found[second][0]
            if one != other:
                links.append((one, other))
    return connected_components(links)
