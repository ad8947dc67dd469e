"""Confident learning: which labels are probably wrong, by the probabilities that a model gives which has not seen them.

After C. Northcutt, L. Jiang and I. Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", Journal of
Artificial Intelligence Research 70 (2021), 1373-1411. `labels` are positions of the given labels; `probabilities` has a
row for each example, with the probability of each label. Both are of the same examples, none of which the model has
learned from (cross-validation).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SuspectedError:
    """An example whose label is probably wrong: its position, the label that is likelier, and the normalized margin."""

    position: int
    likelier: int
    margin: float


def class_thresholds(labels: Sequence[int], probabilities: Sequence[Sequence[float]]) -> list[float]:
    """How probable a label is on average among the examples that have it (t_j, equation 2); inf where none has it.

    An example counts as confidently of a class only from here on: so a model that is too sure of one class, or seldom
    sure of another, does not decide by that (section 3.1).
    """
    classes = len(probabilities[0]) if probabilities else 0
    sums, counts = [0.0] * classes, [0] * classes
    for label, row in zip(labels, probabilities, strict=True):
        sums[label] += row[label]
        counts[label] += 1
    return [total / count if count else math.inf for total, count in zip(sums, counts, strict=True)]


def confident_label(row: Sequence[float], thresholds: Sequence[float]) -> int | None:
    """The most probable of the labels that reach their threshold; None if none does (equation 1)."""
    reached = [label for label, threshold in enumerate(thresholds) if row[label] >= threshold]
    return max(reached, key=lambda label: row[label]) if reached else None


def confident_joint(labels: Sequence[int], probabilities: Sequence[Sequence[float]]) -> list[list[int]]:
    """How many examples with label i (row) are confidently of label j (column): C of equation 1."""
    thresholds = class_thresholds(labels, probabilities)
    joint = [[0] * len(thresholds) for _ in thresholds]
    for label, row in zip(labels, probabilities, strict=True):
        likelier = confident_label(row, thresholds)
        if likelier is not None:
            joint[label][likelier] += 1
    return joint


def self_confidence(label: int, row: Sequence[float]) -> float:
    """The probability of the given label, 0 to 1: the lower, the more suspect (section 3.3)."""
    return row[label]


def normalized_margin(label: int, row: Sequence[float]) -> float:
    """The probability of the given label less that of the likeliest other one, -1 to 1 (section 3.3)."""
    return row[label] - max((value for other, value in enumerate(row) if other != label), default=0.0)


def suspected_errors(labels: Sequence[int], probabilities: Sequence[Sequence[float]]) -> list[SuspectedError]:
    """The examples off the diagonal of the confident joint, ranked by normalized margin, the most suspect first."""
    thresholds = class_thresholds(labels, probabilities)
    suspects = []
    for position, (label, row) in enumerate(zip(labels, probabilities, strict=True)):
        likelier = confident_label(row, thresholds)
        if likelier is not None and likelier != label:
            suspects.append(SuspectedError(position, likelier, normalized_margin(label, row)))
    return sorted(suspects, key=lambda suspect: (suspect.margin, suspect.position))


def rank_by_margin(labels: Sequence[int], probabilities: Sequence[Sequence[float]]) -> list[int]:
    """All positions by normalized margin, the most suspect first; ties by self-confidence, then as they stand."""
    rows = list(zip(labels, probabilities, strict=True))
    return sorted(
        range(len(rows)), key=lambda position: (normalized_margin(*rows[position]), self_confidence(*rows[position]))
    )
