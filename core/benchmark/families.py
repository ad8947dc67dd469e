"""Statistics over families: their examples stand or fall together, so they say less than as many unrelated ones."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING

from core.benchmark.scored import ScoredAnswer
from core.statistics import wilson

if TYPE_CHECKING:
    import numpy as np

# Above this number of distinct rows, random groups are drawn: their spread is that of the total.
MAX_DISTINCT_ROWS = 2000
# So many numbers are drawn at once, which bounds the memory.
_CHUNK_SIZE = 4_000_000


def family_sums(values: np.ndarray, family: np.ndarray) -> np.ndarray:
    """The sums of `values` (n, k) by `family` (n,), whose entries are 0 to F-1: (F, k)."""
    import numpy as np

    return np.stack([np.bincount(family, weights=column) for column in values.T], axis=1)


def resample_totals(sums: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """The totals (resamples, k) of F families drawn with replacement from the F rows of `sums` (F, k).

    Equal rows are drawn together: how often each distinct row is drawn is multinomial, which gives the same
    distribution. For right and wrong there are few distinct rows, however many families there are. If there are more
    than `MAX_DISTINCT_ROWS`, families are first put into that many groups at random (the method of random groups,
    Wolter 2007, chapter 2).
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    rows, counts = np.unique(sums, axis=0, return_counts=True)
    if len(rows) > MAX_DISTINCT_ROWS:
        rows = family_sums(sums, rng.permutation(len(sums)) % MAX_DISTINCT_ROWS)
        counts = np.ones(MAX_DISTINCT_ROWS, dtype=int)
    at_a_time = max(1, _CHUNK_SIZE // len(rows))
    pieces = [
        rng.multinomial(counts.sum(), counts / counts.sum(), size=min(at_a_time, resamples - done)) @ rows
        for done in range(0, resamples, at_a_time)
    ]
    return np.concatenate(pieces)


def effective_sample_size(answers: Sequence[ScoredAnswer], level: float) -> float:
    """How many independent answers say as much about the accuracy as `answers` do, which must not be empty.

    Korn and Graubard (1998): the count is divided by the design effect (the variance of the accuracy between families
    over that of independent answers), and corrected for the t quantile with few families, which is above the normal
    one. If each family is one example, the result is their count; it is never more, and 0 for a single family. If all
    answers are right, or all are wrong, families count as if their members always agreed.
    """
    from scipy.special import stdtrit

    sizes = Counter(answer.family for answer in answers)
    rights: dict[str, int] = defaultdict(int)
    for answer in answers:
        rights[answer.family] += answer.correct
    n, families = len(answers), len(sizes)
    if families == n:
        return n
    if families == 1:
        return 0.0
    rate = sum(rights.values()) / n
    between = sum((rights[name] - rate * size) ** 2 for name, size in sizes.items()) * families / (families - 1)
    tail = 0.5 + level / 2
    few = float(NormalDist().inv_cdf(tail) / stdtrit(families - 1, tail)) ** 2
    if rate in (0, 1):
        return few * n * n / sum(size * size for size in sizes.values())
    return min(n, few * n * n * rate * (1 - rate) / between) if between else n


def wilson_of_families(answers: Sequence[ScoredAnswer], level: float) -> tuple[float, float]:
    """The Wilson interval of the accuracy with as many trials as `answers` are worth (Franco et al. 2019)."""
    if not answers:
        return 0.0, 1.0
    trials = effective_sample_size(answers, level)
    return wilson(trials * sum(answer.correct for answer in answers) / len(answers), trials, level)
