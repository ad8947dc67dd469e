"""How well a confidence tells right answers from wrong ones: what counts where only the surest answers are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def auroc(confidences: np.ndarray, right: np.ndarray) -> float | None:
    """The probability that a right answer has the higher confidence of a right and a wrong one; a tie counts half.

    `confidences` (n,) are of any scale, `right` (n,) is 0 or 1. None unless there are both kinds. By ranks, as the
    statistic of Mann and Whitney (1947).
    """
    import numpy as np

    positive = int(right.sum())
    negative = len(right) - positive
    if not positive or not negative:
        return None
    _, group, sizes = np.unique(confidences, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(sizes) - (sizes - 1) / 2)[group]
    return float((ranks[right == 1].sum() - positive * (positive + 1) / 2) / (positive * negative))


def e_aurc(confidences: np.ndarray, right: np.ndarray) -> float:
    """The area under the risk-coverage curve above that of a perfect order (Geifman, Uziel, El-Yaniv 2019).

    `confidences` (n,), `right` (n,) is 0 or 1, n at least 1. The curve is the error rate of the k surest answers,
    k from 1 to n; answers of one confidence count with their mean. 0 is best.
    """
    import numpy as np

    n = len(right)
    _, group, sizes = np.unique(-confidences, return_inverse=True, return_counts=True)
    mean_error = np.bincount(group, weights=1.0 - right) / sizes
    kept = np.arange(1, n + 1)
    risk = np.cumsum(np.repeat(mean_error, sizes)) / kept
    best = np.maximum(0, kept - right.sum()) / kept
    return float((risk - best).mean())
