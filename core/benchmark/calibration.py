"""Whether a model is right as often as it says, by its stated confidence and by the probability of its decision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.benchmark.families import family_sums, resample_totals
from core.benchmark.scored import ScoredAnswer
from core.benchmark.selective import auroc, e_aurc
from core.statistics import wilson

if TYPE_CHECKING:
    import numpy as np

BINS = 10
# A smaller bin says little about how often its answers are right.
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

    `brier` is the mean squared difference between the confidence and the truth, 1 for right and 0 for wrong (Brier
    1950): 0 is best, and always saying 0.5 gets 0.25. `brier_low` and `brier_high` are its 95 % interval, a
    bootstrap over families. `ece` is the expected calibration error, with its 95 % interval in `low` and `high`.
    `distinct` counts the different confidences: a single one tells nothing apart. `auroc` is the probability that,
    of a right and a wrong answer, the right one has the higher confidence (0.5: chance), None without either kind;
    `e_aurc` the error rate of the answers that are kept, averaged over all shares to keep, above that of a perfect
    order: 0 is best. Figures that need an answer are None without one.
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
    auroc: float | None = None
    e_aurc: float | None = None


@dataclass(frozen=True, slots=True)
class Calibration:
    """The calibration of the `stated` confidence, and of the `probability` that the model gives its own decision.

    `multiclass_brier` is the squared distance between the label probabilities and the label, from 0 to 2: the mean over
    the `multiclass_n` examples that have probabilities.
    """

    stated: Reliability
    probability: Reliability
    multiclass_brier: float | None
    multiclass_n: int


def calibration(answers: Sequence[ScoredAnswer], *, seed: int = 0) -> Calibration:
    """The calibration of those of `answers` that have a decision: without one there is nothing to be confident in."""
    decided = [answer for answer in answers if answer.decision is not None]
    right = [answer.correct for answer in decided]
    families = [answer.family for answer in decided]
    stated = [answer.confidence for answer in decided]
    probability = [(answer.probabilities or {}).get(answer.decision or "") for answer in decided]
    squares = [_squared_distance(answer) for answer in answers if answer.probabilities]
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
    """How well `confidences` (0 to 1, None where there is none) predict which are `right`; all three are in one order.

    Bins have equal sizes (Nguyen and O'Connor 2015), as far as ties allow: equal confidences share a bin. `bins` is
    their number; by default there are ten, fewer where they would hold fewer than ten each. The interval is a
    bootstrap over families.
    """
    import numpy as np

    known = [position for position, confidence in enumerate(confidences) if confidence is not None]
    missing = len(confidences) - len(known)
    if not known:
        return Reliability(0, missing, 0, None, None, None, None, None, None, [])
    stated = np.array([confidences[position] for position in known], dtype=float)
    truth = np.array([right[position] for position in known], dtype=float)
    bin_of = equal_mass_bins(stated, bins or max(1, min(BINS, len(known) // MIN_PER_BIN)))
    family = np.unique(np.array([families[position] for position in known]), return_inverse=True)[1]
    filled = _bins(stated, truth, bin_of)
    ece = float(sum(part.n * abs(part.confidence - part.accuracy) for part in filled) / len(known))
    low, high = _ece_interval(stated - truth, bin_of, family, seed)
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
        bins=filled,
        brier_low=brier_low,
        brier_high=brier_high,
        auroc=auroc(stated, truth),
        e_aurc=e_aurc(stated, truth),
    )


def equal_mass_bins(values: np.ndarray, bins: int) -> np.ndarray:
    """The number of the bin of each of `values` (n,), from 0 and without gaps: at most `bins` of about equal size.

    A group of equal values goes into the bin of its middle rank.
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
        Bin(float(low), float(high), int(n), int(right), float(mean), float(right / n), *wilson(int(right), int(n)))
        for low, high, n, right, mean in zip(least, most, sizes, rights, means, strict=True)
    ]


def _ece_interval(errors: np.ndarray, bin_of: np.ndarray, family: np.ndarray, seed: int) -> tuple[float, float]:
    """The interval of the ECE of `errors`, which are confidence minus truth, (n,).

    By chance alone, every resample looks worse calibrated than the truth, so quantiles of its ECE would never reach
    down to 0. The lower end is the ECE minus the summed distance between the bins of a resample and those of the
    sample instead: no two calibrations differ in their ECE by more (the triangle inequality).
    """
    import numpy as np

    spread = np.zeros((len(errors), bin_of.max() + 2))
    spread[np.arange(len(errors)), bin_of] = errors
    spread[:, -1] = 1
    totals = resample_totals(family_sums(spread, family), RESAMPLES, seed)
    bins, drawn = spread.mean(axis=0)[:-1], totals[:, :-1] / totals[:, -1:]
    tail = (1 - CONFIDENCE) / 2
    distance = np.quantile(np.abs(drawn - bins).sum(axis=1), 1 - tail)
    ece = np.abs(bins).sum()
    high = np.quantile(np.abs(drawn).sum(axis=1), 1 - tail)
    return max(0.0, float(ece - distance)), min(1.0, max(float(ece), float(high)))


def _mean_interval(values: np.ndarray, family: np.ndarray, seed: int) -> tuple[float, float]:
    """The percentile interval of the mean of `values` (n,)."""
    import numpy as np

    totals = resample_totals(family_sums(np.stack([values, np.ones(len(values))], axis=1), family), RESAMPLES, seed)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(totals[:, 0] / totals[:, 1], [tail, 1 - tail])
    return float(low), float(high)


def _squared_distance(answer: ScoredAnswer) -> float:
    probabilities = answer.probabilities or {}
    return sum((probabilities.get(name, 0.0) - (name == answer.label)) ** 2 for name in {*probabilities, answer.label})
