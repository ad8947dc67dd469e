"""The names of decisions in text: how they may be spelt, and which of them may be read in prose."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

# Marks that models put around a label.
MARKS = " \t\r\n*_`\"'“”‘’„«»‹›「」『』《》.,;:!?()[]{}<>#-–—|\\$。，：；！？（）【】"
# Scripts that set no blanks between words, or attach endings to them: a label is found inside such a run of letters.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff"
_BEFORE = rf"(?<![^\W{_UNSPACED}])"
_AFTER = rf"(?![^\W{_UNSPACED}])"
_ORDINARY = frozenset({"YES", "NO", "TRUE", "FALSE", "OK", "NONE", "NOT", "GOOD", "BAD", "PASS", "FAIL", "UNKNOWN"})


def comparable(name: str) -> str:
    """`name` without what a reader cannot see or tell apart: marks around it, case, Unicode form, kinds of blanks."""
    text = "".join(c for c in unicodedata.normalize("NFKC", name) if unicodedata.category(c) != "Cf")
    return re.sub(r"[\s_-]+", " ", text.strip(MARKS)).casefold()


def match_label(word: str, labels: Sequence[str]) -> str | None:
    """The label that `word` stands for, whatever its case, its marks and its blanks; None if it is none of them."""
    return _by_comparable(tuple(labels)).get(comparable(word))


def indistinguishable(labels: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of labels that no text can tell apart, in the order of `labels`."""
    pairs = []
    for position, label in enumerate(labels):
        same = next((other for other in labels[:position] if comparable(other) == comparable(label)), None)
        if same is not None:
            pairs.append((same, label))
    return pairs


def is_ordinary_word(label: str) -> bool:
    """Whether `label` may stand in prose without being meant: it is read only where a decision is stated.

    Names in capitals, or with an underscore or a digit in them, stand out of prose; 'no', 'supports' and 'Yes' do not.
    """
    if label.upper() in _ORDINARY:
        return True
    return not (label.isupper() or "_" in label or any(c.isdigit() for c in label))


@lru_cache(maxsize=64)
def label_pattern(labels: tuple[str, ...]) -> re.Pattern[str]:
    """Finds any of `labels` in any case, with any blanks, underscores or hyphens between its words; longest first."""
    ordered = sorted(labels, key=len, reverse=True)
    spaced = [r"[\s_-]+".join(re.escape(part) for part in re.split(r"[\s_-]+", label)) for label in ordered]
    return re.compile(rf"{_BEFORE}(?:{'|'.join(spaced)}){_AFTER}", re.IGNORECASE)


def stands_out(text: str, label: str) -> bool:
    """Whether `text`, which matches `label` in some case, is set apart from prose as the label itself is."""
    return text == label or any(part.isupper() for part in re.split(r"[\s_-]+", text) if len(part) > 1)


@lru_cache(maxsize=64)
def _by_comparable(labels: tuple[str, ...]) -> dict[str, str]:
    return {comparable(label): label for label in labels}
