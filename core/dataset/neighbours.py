"""Examples that say nearly the same, found among many without comparing every pair.

The measure is that of `core.qa.duplicates`. Two texts of a and b words have similarity t only if they share t (a + b) /
2 words. So the rarest words of each text, as many as can be missing and one more, must have a word in common: only
texts that share one of these are compared (prefix filtering; Chaudhuri, Ganti and Kaushik 2006). No pair is missed.
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

# An example is compared with at most this many: a quarter of a second.
COMPARED = 1500
# Families are compared with each other up to this many examples: some seconds.
LINKED = 20_000


def near_pairs(texts: Sequence[Sequence[str]], threshold: float) -> Iterator[tuple[int, int, float]]:
    """Pairs of `texts` (words) at least as similar (0 to 1) as `threshold` (> 0): (position, position, similarity)."""
    from rapidfuzz.distance import Indel

    numbered = [_numbered(text) for text in texts]
    frequency = Counter(word for text in numbered for word in text)
    min_shared = threshold / (2 - threshold)
    positions_by_word: dict[tuple[str, int], list[int]] = defaultdict(list)
    for position, words in enumerate(numbered):
        length = len(words)
        prefix = sorted(words, key=lambda word: (frequency[word], word))[: length - math.ceil(length * min_shared) + 1]
        candidates = {candidate for word in prefix for candidate in positions_by_word[word]}
        for candidate in sorted(candidates):
            longer, shorter = max(length, len(numbered[candidate])), min(length, len(numbered[candidate]))
            if shorter < longer * min_shared:
                continue
            similarity = Indel.normalized_similarity(texts[candidate], texts[position], score_cutoff=threshold)
            if similarity >= threshold:
                yield candidate, position, float(similarity)
        for word in prefix:
            positions_by_word[word].append(position)


def _numbered(text: Sequence[str]) -> list[tuple[str, int]]:
    """Each word with the number of its earlier occurrences, so that a word that is said twice is shared twice."""
    counts: Counter[str] = Counter()
    numbered = []
    for word in text:
        numbered.append((word, counts[word]))
        counts[word] += 1
    return numbered


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


def linked_families(connection: sqlite3.Connection, where: Filter, threshold: float) -> list[list[str]] | None:
    """Families of matching examples that have near-duplicates in each other, in one domain and level, of any decision.

    None if there are more examples than can be compared in some seconds.
    """
    from core.qa.duplicates import stored_words

    if examples.count(connection, where) > LINKED:
        return None
    source, conditions, values = examples.select_parts(where)
    restricted = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    # Sort first and join the wide columns afterwards: a sort that carries the texts takes twice as long.
    rows = connection.execute(
        f"SELECT e.domain, e.level, e.family, e.hypothesis, e.evidence FROM (SELECT examples.number AS n FROM {source} "
        f"{restricted} ORDER BY examples.domain, examples.level, examples.family) "
        "CROSS JOIN examples AS e ON e.number = n",
        values,
    )
    links: list[tuple[str, str]] = []
    for _, cell_rows in groupby(rows, key=lambda row: (row["domain"], row["level"])):
        texts = [(row["family"], stored_words(row["hypothesis"], row["evidence"])) for row in cell_rows]
        for first, second, _ in near_pairs([words for _, words in texts], threshold):
            family, other_family = texts[first][0], texts[second][0]
            if family != other_family:
                links.append((family, other_family))
    return connected_components(links)
