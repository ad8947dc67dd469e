"""Intervals, exact tests and corrections that more than one step of the pipeline shows.

In closed form, since the app draws them live: importing a statistics library takes longer than a screen may.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import exp, lgamma, sqrt
from statistics import NormalDist


def wilson(successes: float, trials: float, confidence: float = 0.95) -> tuple[float, float]:
    """The score interval of a proportion (Wilson 1927), as fractions; (0, 1) without trials.

    Trials that are worth fewer than they are, being alike, may be no whole number.
    """
    if not trials:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    rate = successes / trials
    centre = rate + z * z / (2 * trials)
    half = z * sqrt(rate * (1 - rate) / trials + z * z / (4 * trials * trials))
    whole = 1 + z * z / trials
    low = 0.0 if successes == 0 else (centre - half) / whole
    high = 1.0 if successes == trials else (centre + half) / whole
    return low, high


def fisher_greater(successes: int, trials: int, other_successes: int, other_trials: int) -> float:
    """Fisher's exact test (1922), one-sided: the probability, from 0 to 1, of `successes` or more of `trials`.

    Under the hypothesis that both groups share one rate, given their sizes and the successes in all: the upper tail
    of the hypergeometric distribution, each term from the one before it.
    """
    drawn, everyone = successes + other_successes, trials + other_trials
    if successes * everyone > drawn * trials:
        return min(1.0, sum(_terms(successes, trials, drawn, everyone)))
    # Below the mean the terms of the upper tail rise from what a float may not hold: the lower tail falls.
    return 1.0 - sum(_terms(trials - successes + 1, trials, everyone - drawn, everyone))


def _terms(successes: int, trials: int, drawn: int, everyone: int) -> Iterator[float]:
    """The hypergeometric probabilities of `successes` and more, as long as they count; they must be falling."""
    others = everyone - trials
    if not max(0, drawn - others) <= successes <= min(trials, drawn):
        return
    term = first = exp(_log_comb(trials, successes) + _log_comb(others, drawn - successes) - _log_comb(everyone, drawn))
    for k in range(successes, min(trials, drawn) + 1):
        yield term
        if term < first * 1e-17:
            return
        term *= (trials - k) * (drawn - k) / ((k + 1) * (others - drawn + k + 1))


def _log_comb(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)


def holm(p_values: list[float]) -> list[float]:
    """Holm's step-down adjustment (1979): p-values that may each be held against alpha."""
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        highest = max(highest, min(1.0, p_values[index] * (len(p_values) - rank)))
        adjusted[index] = highest
    return adjusted
