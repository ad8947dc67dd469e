"""Compares two models on the same examples, in pairs: what one gets right and the other does not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from core.benchmark.families import family_sums, resample_totals
from core.benchmark.scored import ScoredAnswer
from core.statistics import holm
from storage.errors import UserError

if TYPE_CHECKING:
    import numpy as np

RESAMPLES = 10_000
ALPHA = 0.05

K = TypeVar("K", int, str)


class NotSharedError(UserError):
    """Two runs have no example in common."""


@dataclass(frozen=True, slots=True)
class Gap:
    """How far the second model is ahead of the first on `n` examples that both were asked, as a fraction.

    Only the first model has `b` examples right, only the second `c`; `gap` is (c - b) / n. `low` and `high` are its
    interval, `p` is McNemar's exact test, two-sided. For a slice, `corrected` is p after Holm's method over the slices
    of its kind, and `differs` says whether that is below 5 %.
    """

    gap: float
    low: float
    high: float
    b: int
    c: int
    p: float
    n: int
    corrected: float | None = None
    differs: bool = False


@dataclass(frozen=True, slots=True)
class Comparison(Gap):
    """Two models on all examples that both were asked; examples that only one was asked are counted and left out."""

    both_right: int = 0
    both_wrong: int = 0
    families: int = 0
    only_first_asked: int = 0
    only_second_asked: int = 0
    by_level: dict[int, Gap] = field(default_factory=dict)
    by_domain: dict[str, Gap] = field(default_factory=dict)


def compare(
    first: Sequence[ScoredAnswer],
    second: Sequence[ScoredAnswer],
    *,
    level: float = 0.95,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Comparison:
    """Compare `second` with `first`; raises NotSharedError if no example is in both.

    The interval is the percentile bootstrap over families (Field and Welsh 2007), but never narrower than that of
    Agresti and Min (2005, the Wald interval after adding two pairs): where no pair differs, resampling would claim to
    know the gap for certain.
    """
    second_answers = {answer.example: answer for answer in second}
    pairs = [(answer, second_answers[answer.example]) for answer in first if answer.example in second_answers]
    if not pairs:
        raise NotSharedError("The two runs share no example: run both over the same split, filter or file.")

    def gap(part: Sequence[tuple[ScoredAnswer, ScoredAnswer]], draws: int) -> Gap:
        return _gap(part, level, draws, seed)

    overall = gap(pairs, resamples)
    # Nothing is decided on a slice: fewer draws are enough, and there may be many slices.
    slice_draws = min(resamples, 2000)
    return Comparison(
        gap=overall.gap,
        low=overall.low,
        high=overall.high,
        b=overall.b,
        c=overall.c,
        p=overall.p,
        n=overall.n,
        both_right=sum(first_answer.correct and second_answer.correct for first_answer, second_answer in pairs),
        both_wrong=sum(not first_answer.correct and not second_answer.correct for first_answer, second_answer in pairs),
        families=len({first_answer.family for first_answer, _ in pairs}),
        only_first_asked=len(first) - len(pairs),
        only_second_asked=len(second) - len(pairs),
        by_level=_slices(pairs, lambda answer: answer.level, lambda part: gap(part, slice_draws)),
        by_domain=_slices(pairs, lambda answer: answer.domain, lambda part: gap(part, slice_draws)),
    )


def mcnemar(b: int, c: int) -> float:
    """McNemar's exact test, two-sided: the binomial test of `b` against `c` discordant pairs; 1 without any."""
    from scipy.special import bdtr

    return min(1.0, 2 * float(bdtr(min(b, c), b + c, 0.5))) if b + c else 1.0


def bootstrap(difference: np.ndarray, family: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """The mean difference of each resample of families; `difference` and `family` (from 0, no gaps) are both (n,)."""
    import numpy as np

    totals = resample_totals(
        family_sums(np.stack([difference, np.ones(len(difference))], axis=1), family), resamples, seed
    )
    drawn: np.ndarray = totals[:, 0] / totals[:, 1]
    return drawn


def _gap(pairs: Sequence[tuple[ScoredAnswer, ScoredAnswer]], level: float, resamples: int, seed: int) -> Gap:
    import numpy as np

    difference = np.array([second.correct - first.correct for first, second in pairs], dtype=float)
    numbers: dict[str, int] = {}
    family = np.array([numbers.setdefault(first.family, len(numbers)) for first, _ in pairs])
    n, b, c = len(pairs), int((difference < 0).sum()), int((difference > 0).sum())
    tail = (1 - level) / 2
    if len(numbers) > 1:
        drawn = np.quantile(bootstrap(difference, family, resamples, seed), [tail, 1 - tail])
        low, high = _wald_plus_two(b, c, n, tail)
        low, high = min(low, float(drawn[0])), max(high, float(drawn[1]))
    else:
        low, high = -1.0, 1.0
    return Gap((c - b) / n, low, high, b, c, mcnemar(b, c), n)


def _wald_plus_two(b: int, c: int, n: int, tail: float) -> tuple[float, float]:
    from statistics import NormalDist

    gap, either = (c - b) / (n + 2), (b + c + 1) / (n + 2)
    half = -NormalDist().inv_cdf(tail) * float(((either - gap * gap) / (n + 2)) ** 0.5)
    return max(-1.0, gap - half), min(1.0, gap + half)


def _slices(
    pairs: Sequence[tuple[ScoredAnswer, ScoredAnswer]],
    key: Callable[[ScoredAnswer], K],
    gap_of: Callable[[Sequence[tuple[ScoredAnswer, ScoredAnswer]]], Gap],
) -> dict[K, Gap]:
    parts: dict[K, list[tuple[ScoredAnswer, ScoredAnswer]]] = {}
    for pair in pairs:
        parts.setdefault(key(pair[0]), []).append(pair)
    gaps = {name: gap_of(parts[name]) for name in sorted(parts)}
    corrected = holm([gap.p for gap in gaps.values()])
    return {
        name: replace(gap, corrected=p, differs=p < ALPHA)
        for (name, gap), p in zip(gaps.items(), corrected, strict=True)
    }
