"""Near-duplicates: examples of one cell or family that say the same thing in nearly the same words.

Similarity is the normalized Indel similarity of the two sequences of words (casefolded; hypothesis and contents of the
evidence), as rapidfuzz computes it: 1 - (words to insert or delete) / (words of both). Examples with different
decisions are never compared: where they are alike except for what decides them, they are contrasts to learn from.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable

from rapidfuzz import process
from rapidfuzz.distance import Indel

from storage.schema import Candidate

_WORD = re.compile(r"\w+")


def words(hypothesis: str, contents: Iterable[str]) -> list[str]:
    """The words by which two examples are compared."""
    return _WORD.findall(" ".join([hypothesis, *contents]).casefold())


def candidate_words(candidate: Candidate) -> list[str]:
    """The words of a candidate."""
    return words(candidate.hypothesis, [piece.content for piece in candidate.evidence])


def stored_words(hypothesis: str, evidence: str) -> list[str]:
    """The words of a stored example, whose `evidence` is JSON."""
    return words(hypothesis, [piece["content"] for piece in json.loads(evidence)])


class Corpus:
    """The texts that candidates are compared with, by group: a cell, or a family with a decision."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._groups: dict[object, dict[str, list[str]]] = defaultdict(dict)

    def add(self, key: str, text: list[str], groups: Iterable[object]) -> None:
        """Add `text` (words) under `key` to each of `groups`."""
        for group in groups:
            self._groups[group][key] = text

    def nearest(self, text: list[str], groups: Iterable[object]) -> tuple[str, float] | None:
        """The key and similarity of the nearest text in `groups` at or above the threshold, or None."""
        best: tuple[str, float] | None = None
        for group in groups:
            match = process.extractOne(
                text,
                self._groups[group],
                scorer=Indel.normalized_similarity,
                score_cutoff=best[1] if best else self._threshold,
            )
            if match is not None:
                best = (match[2], float(match[1]))
        return best
