"""Turns the predictions of a run into one answer for each of its examples."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import TypeVar

from core.benchmark.scored import ScoredAnswer
from storage import predictions
from storage.predictions import PredictionFigures, Target
from storage.schema import PredictionOutcome

N = TypeVar("N", int, float)
# From this field on, a prediction has the fields of an answer.
_FIGURES = PredictionFigures._fields.index("outcome")

# Of several samples without an answer, the first of these outcomes says most about why.
_GRAVITY = [
    PredictionOutcome.REFUSED,
    PredictionOutcome.TRUNCATED,
    PredictionOutcome.UNPARSEABLE,
    PredictionOutcome.TIMEOUT,
    PredictionOutcome.ERROR,
]


def scored_answers(connection: sqlite3.Connection, run: str) -> list[ScoredAnswer]:
    """One answer for each example that the run has asked about, in the order of its questions."""
    return score_all(predictions.targets(connection, run), predictions.prediction_figures(connection, run))


def score_all(targets: Iterable[Target], figures: Iterable[PredictionFigures]) -> list[ScoredAnswer]:
    """The answers to `targets`, in their order; targets without a prediction are left out."""
    newest: dict[str, dict[int, PredictionFigures]] = defaultdict(dict)
    for prediction in figures:
        earlier = newest[prediction.example].get(prediction.sample)
        if earlier is None or earlier.number <= prediction.number:
            newest[prediction.example][prediction.sample] = prediction
    return [
        score_samples(target, [samples[number] for number in sorted(samples)])
        for target in targets
        if (samples := newest.get(target.example))
    ]


def score_samples(target: Target, samples: Sequence[PredictionFigures]) -> ScoredAnswer:
    """The answer that `samples` (at least one) give together: the decision of most of them.

    Between decisions with equal votes, the higher sum of stated confidence decides, then the order. The confidence is
    the mean over the samples with that decision, the probabilities the mean over all; time, tokens and cost are summed.
    """
    if len(samples) == 1:
        # What voting and summing would give, at a tenth of the time.
        return ScoredAnswer._make(target + samples[0][_FIGURES:])
    decided = [sample for sample in samples if sample.decision is not None]
    decision, outcome, confidence = None, PredictionOutcome.ANSWERED, None
    if decided:
        votes = Counter(sample.decision for sample in decided)
        weights: dict[str | None, float] = defaultdict(float)
        for sample in decided:
            weights[sample.decision] += sample.confidence or 0.0
        decision = max(votes, key=lambda name: (votes[name], weights[name]))
        confidence = _mean([sample.confidence for sample in decided if sample.decision == decision])
    else:
        outcome = min((sample.outcome for sample in samples), key=_GRAVITY.index)
    distributions = [sample.probabilities for sample in samples if sample.probabilities]
    return ScoredAnswer(
        *target,
        outcome=outcome,
        decision=decision,
        confidence=confidence,
        probabilities=_mean_distribution(distributions),
        seconds=sum(sample.seconds for sample in samples),
        input_tokens=_total([sample.input_tokens for sample in samples]),
        output_tokens=_total([sample.output_tokens for sample in samples]),
        cost=_total([sample.cost for sample in samples]),
    )


def _mean_distribution(distributions: Sequence[dict[str, float]]) -> dict[str, float] | None:
    if not distributions:
        return None
    return {name: sum(each[name] for each in distributions) / len(distributions) for name in distributions[0]}


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _total(values: Sequence[N | None]) -> N | None:
    """The sum; None, unknown, if one of them is."""
    known = [value for value in values if value is not None]
    return sum(known[1:], known[0]) if len(known) == len(values) else None
