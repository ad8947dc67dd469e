"""Whether a model is right as often as it says: the confidence that it states, and the probability of its decision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.benchmark.families import family_sums, resample_totals
from core.benchmark.scored import ScoredAnswer
from core.statistics import wilson

if TYPE_CHECKING:
    import numpy as np

BINS = 10
# A bin of fewer says little about how often its answers are right.
MIN_PER_BIN = 10
RESAMPLES = 1000
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Bin:
    """The `n` answers with a confidence from `least` to `most`: their mean confidence, and how many were right.

    `accuracy` has its 95 % Wilson interval in `low` and `high`.
    """

    least: float
    most: float
    n: int
    right: int
    confidence: float
    accuracy: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Reliability:
    """How well `n` confidences fit what was right; `missing` answers came without one.

    `brier` is the mean square of confidence minus right or wrong (Brier 1950): 0 is best, 0.25 what always saying 0.5
    gets; `brier_low` and `brier_high` are its 95 % interval, a bootstrap over families. `ece` is the expected
    calibration error with its 95 % interval in `low` and `high`. `distinct` counts the different confidences: with one
    alone, they tell nothing apart. What needs an answer is None without one.
    """

    n: int
    missing: int
    distinct: int
    mean_confidence: float | None
    accuracy: float | None
    brier: float | None
    ece: float | None
    low: float | None
    high: float | None
    bins: list[Bin]
    brier_low: float | None = None
    brier_high: float | None = None


@dataclass(frozen=True, slots=True)
class Calibration:
    """`stated` is the confidence in words, `probability` what the model gives its own decision.

    `multiclass_brier` is the squared distance from all label probabilities to the label, in mean over the
    `multiclass_n` examples that have them: from 0 to 2.
    """

    stated: Reliability
    probability: Reliability
    multiclass_brier: float | None
    multiclass_n: int


def calibration(answers: Sequence[ScoredAnswer], *, seed: int = 0) -> Calibration:
    """The calibration of those of `answers` that decide; what has no decision states no confidence in one."""
    decided = [one for one in answers if one.decision is not None]
    right = [one.correct for one in decided]
    families = [one.family for one in decided]
    stated = [one.confidence for one in decided]
    probability = [(one.probabilities or {}).get(one.decision or "") for one in decided]
    squares = [_squares(one) for one in answers if one.probabilities]
    return Calibration(
        stated=reliability(stated, right, families, seed=seed),
        probability=reliability(probability, right, families, seed=seed),
        multiclass_brier=sum(squares) / len(squares) if squares else None,
        multiclass_n=len(squares),
    )


def reliability(
    confidences: Sequence[float | None],
    right: Sequence[bool],
    families: Sequence[str],
    *,
    bins: int | None = None,
    seed: int = 0,
) -> Reliability:
    """How well `confidences` (0 to 1, None where there is none) say which are `right`; all three are in one order.

    Bins hold equally many (Nguyen and O'Connor 2015), as near as ties allow: equal confidences share a bin. Without
    `bins` there are ten, fewer where they would hold fewer than ten each. The interval is a bootstrap over families.
    """
    import numpy as np

    known = [at for at, one in enumerate(confidences) if one is not None]
    missing = len(confidences) - len(known)
    if not known:
        return Reliability(0, missing, 0, None, None, None, None, None, None, [])
    stated = np.array([confidences[at] for at in known], dtype=float)
    truth = np.array([right[at] for at in known], dtype=float)
    number = bins or max(1, min(BINS, len(known) // MIN_PER_BIN))
    bin_of = equal_mass_bins(stated, number)
    family = np.unique(np.array([families[at] for at in known]), return_inverse=True)[1]
    found = _bins(stated, truth, bin_of)
    ece = float(sum(one.n * abs(one.confidence - one.accuracy) for one in found) / len(known))
    low, high = _interval(stated - truth, bin_of, family, seed)
    brier_low, brier_high = _mean_interval((stated - truth) ** 2, family, seed)
    return Reliability(
        n=len(known),
        missing=missing,
        distinct=len(np.unique(stated)),
        mean_confidence=float(stated.mean()),
        accuracy=float(truth.mean()),
        brier=float(((stated - truth) ** 2).mean()),
        ece=ece,
        low=low,
        high=high,
        bins=found,
        brier_low=brier_low,
        brier_high=brier_high,
    )


def equal_mass_bins(values: np.ndarray, bins: int) -> np.ndarray:
    """For each of `values` (n,) the number of its bin, from 0 and without gaps: at most `bins` of about equal size.

    A group of equal values goes where its middle rank falls.
    """
    import numpy as np

    _, group, sizes = np.unique(values, return_inverse=True, return_counts=True)
    middle = np.cumsum(sizes) - sizes / 2
    return np.unique((middle * bins / len(values)).astype(int), return_inverse=True)[1][group]


def _bins(stated: np.ndarray, truth: np.ndarray, bin_of: np.ndarray) -> list[Bin]:
    import numpy as np

    sizes = np.bincount(bin_of)
    rights = np.bincount(bin_of, weights=truth).astype(int)
    means = np.bincount(bin_of, weights=stated) / sizes
    order = np.argsort(stated, kind="stable")
    starts = np.cumsum(sizes) - sizes
    least, most = stated[order][starts], stated[order][starts + sizes - 1]
    return [
        Bin(float(lowest), float(highest), int(n), int(one), float(mean), float(one / n), *wilson(int(one), int(n)))
        for lowest, highest, n, one, mean in zip(least, most, sizes, rights, means, strict=True)
    ]


def _interval(off: np.ndarray, bin_of: np.ndarray, family: np.ndarray, seed: int) -> tuple[float, float]:
    """The interval of the ECE of `off`, which is confidence minus right, (n,).

    Chance alone makes every resample look worse calibrated than the truth, so that quantiles of its ECE would never
    reach down to 0. The lower end is instead the ECE minus how far the bins of a resample are from those of the
    sample, in sum: no two calibrations differ in their ECE by more (the triangle inequality).
    """
    import numpy as np

    spread = np.zeros((len(off), bin_of.max() + 2))
    spread[np.arange(len(off)), bin_of] = off
    spread[:, -1] = 1
    totals = resample_totals(family_sums(spread, family), RESAMPLES, seed)
    bins, drawn = spread.mean(axis=0)[:-1], totals[:, :-1] / totals[:, -1:]
    tail = (1 - CONFIDENCE) / 2
    away = np.quantile(np.abs(drawn - bins).sum(axis=1), 1 - tail)
    ece = np.abs(bins).sum()
    high = np.quantile(np.abs(drawn).sum(axis=1), 1 - tail)
    return max(0.0, float(ece - away)), min(1.0, max(float(ece), float(high)))


def _mean_interval(values: np.ndarray, family: np.ndarray, seed: int) -> tuple[float, float]:
    """The percentile interval of the mean of `values` (n,)."""
    import numpy as np

    totals = resample_totals(family_sums(np.stack([values, np.ones(len(values))], axis=1), family), RESAMPLES, seed)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(totals[:, 0] / totals[:, 1], [tail, 1 - tail])
    return float(low), float(high)


def _squares(one: ScoredAnswer) -> float:
    given = one.probabilities or {}
    return sum((given.get(name, 0.0) - (name == one.label)) ** 2 for name in {*given, one.label})
