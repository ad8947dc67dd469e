"""Pairs of texts that say nearly the same, found among many without comparing every pair.

The measure is that of `core.qa.duplicates`. Two texts of a and b words have similarity t only if they share t (a + b) /
2 words. Put the words of each in one order, rare ones first. Of two texts that must share s words, those that come
before the last s - l in their order then share l words (prefix filtering: Chaudhuri, Ganti and Kaushik 2006, where l is
1; Wang, Li and Feng 2012, where it is more). Only texts that share so many are compared, so no pair is missed.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy import int64
from numpy.typing import NDArray
from rapidfuzz import process
from rapidfuzz.distance import Indel

# The l above. More means fewer texts to compare, but longer lists of words to count.
SHARED = 24
_ROUNDING = 1e-9


class Vocabulary:
    """Numbers words, so that a text is kept in four bytes a word."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def encode(self, text: Iterable[str]) -> array[int]:
        """The numbers of the words of `text`; a new word gets the next number."""
        return array("I", [self._numbers.setdefault(word, len(self._numbers)) for word in text])


def near_pairs(texts: Iterable[Iterable[str]], threshold: float) -> Iterator[tuple[int, int, float]]:
    """Pairs of `texts` (words) at least as similar (0 to 1) as `threshold` (> 0): (position, position, similarity).

    The first position of a pair is the lower one. A text without words is like no other.
    """
    vocabulary = Vocabulary()
    return near_sequences([vocabulary.encode(text) for text in texts], threshold)


def near_sequences(
    sequences: Sequence[array[int]], threshold: float, groups: Sequence[int] | None = None
) -> Iterator[tuple[int, int, float]]:
    """The same for texts that one `Vocabulary` has encoded.

    With `groups`, a number for each text, only texts of different groups are compared.
    """
    # From the shortest to the longest: each is compared with shorter ones, or with those of the same length.
    order = sorted((position for position, words in enumerate(sequences) if words), key=lambda p: len(sequences[p]))
    group_of = np.array([groups[position] for position in order] if groups is not None else range(len(order)))
    index = _PrefixIndex([sequences[position] for position in order], threshold)
    for row, position in enumerate(order):
        rows = index.candidates(row)
        rows = rows[group_of[rows] != group_of[row]]
        if not len(rows):
            continue
        similarities = process.cdist(
            [sequences[position]],
            [sequences[order[other]] for other in rows],
            scorer=Indel.normalized_similarity,
            score_cutoff=threshold,
            dtype=np.float64,
        )[0]
        for other, similarity in zip(rows, similarities, strict=True):
            if similarity >= threshold:
                first, second = sorted((order[other], position))
                yield first, second, float(similarity)


class _PrefixIndex:
    """Which texts could be near-duplicates of a text, by the rare words at the front of each.

    `sequences` are numbers of words, at least one each, from the shortest to the longest.
    """

    def __init__(self, sequences: Sequence[array[int]], threshold: float) -> None:
        lengths = np.array([len(sequence) for sequence in sequences], dtype=np.int64)
        self._vocabulary = 1 + max((max(sequence) for sequence in sequences), default=0)
        # A shorter text is at least this part of the longer one, which shares as great a part of its own words.
        share = threshold / (2 - threshold)
        least_shared = np.ceil(share * lengths - _ROUNDING).astype(np.int64)
        self._shared = np.minimum(SHARED, least_shared)
        self._first_row = np.searchsorted(lengths, least_shared)
        counts: Counter[int] = Counter()
        for sequence in sequences:
            counts.update(self._count_repeats(sequence).tolist())
        ranks = _Ranks(counts)
        self._prefixes: list[NDArray[int64]] = []
        words, rows = [], []
        for row, sequence in enumerate(sequences):
            length, shared = len(sequence), int(self._shared[row])
            ordered = np.sort(ranks.of(self._count_repeats(sequence)))
            self._prefixes.append(ordered[: length - int(least_shared[row]) + shared].astype(np.int32))
            # What is looked up here is longer, and shares more.
            as_shorter = length - math.ceil(threshold * length - _ROUNDING) + shared
            words.append(self._prefixes[-1][:as_shorter])
            rows.append(np.full(len(words[-1]), row, dtype=np.int32))
        all_words = np.concatenate(words) if words else np.empty(0, dtype=np.int32)
        by_word = np.argsort(all_words, kind="stable")
        self._rows = (np.concatenate(rows) if rows else all_words)[by_word]
        self._starts = np.searchsorted(all_words[by_word], np.arange(len(counts) + 1))

    def _count_repeats(self, sequence: array[int]) -> NDArray[int64]:
        """The words with the number of their earlier occurrences: one that is said twice must be shared twice."""
        words = np.sort(np.array(sequence, dtype=np.int64))
        positions = np.arange(len(words))
        starts = np.where(np.r_[True, words[1:] != words[:-1]], positions, 0)
        repeats: NDArray[int64] = words + (positions - np.maximum.accumulate(starts)) * self._vocabulary
        return repeats

    def candidates(self, row: int) -> NDArray[int64]:
        """The rows before `row` that share enough with it."""
        first = int(self._first_row[row])
        if first >= row:
            return np.empty(0, dtype=np.int64)
        found = [self._rows[self._starts[word] : self._starts[word + 1]] for word in self._prefixes[row]]
        counts = np.bincount(np.concatenate(found), minlength=row)[first:row]
        return np.flatnonzero(counts >= self._shared[first:row]) + first


class _Ranks:
    """The rank of each word by how many texts have it, the rarest first."""

    def __init__(self, counts: Counter[int]) -> None:
        self._words = np.array(sorted(counts), dtype=np.int64)
        frequencies = np.array([counts[int(word)] for word in self._words], dtype=np.int64)
        self._ranks = np.empty(len(self._words), dtype=np.int64)
        self._ranks[np.argsort(frequencies, kind="stable")] = np.arange(len(self._words))

    def of(self, words: NDArray[int64]) -> NDArray[int64]:
        """The ranks of `words`."""
        ranks: NDArray[int64] = self._ranks[np.searchsorted(self._words, words)]
        return ranks
