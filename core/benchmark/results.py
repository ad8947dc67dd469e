"""From the predictions of a run to one answer for each of its examples."""

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
# From this field on a prediction has what an answer has.
_FIGURES = PredictionFigures._fields.index("outcome")

# Of several samples without an answer, the one that says most about why.
_GRAVITY = [
    PredictionOutcome.REFUSED,
    PredictionOutcome.TRUNCATED,
    PredictionOutcome.UNPARSEABLE,
    PredictionOutcome.TIMEOUT,
    PredictionOutcome.ERROR,
]


def scored_answers(connection: sqlite3.Connection, run: str) -> list[ScoredAnswer]:
    """One answer for each example that the run has asked, in the order of its questions."""
    return score_all(predictions.targets(connection, run), predictions.prediction_figures(connection, run))


def score_all(targets: Iterable[Target], figures: Iterable[PredictionFigures]) -> list[ScoredAnswer]:
    """The answers in the order of `targets`; what was not asked yet is left out."""
    newest: dict[str, dict[int, PredictionFigures]] = defaultdict(dict)
    for one in figures:
        before = newest[one.example].get(one.sample)
        if before is None or before.number <= one.number:
            newest[one.example][one.sample] = one
    return [
        score_samples(target, [samples[number] for number in sorted(samples)])
        for target in targets
        if (samples := newest.get(target.example))
    ]


def score_samples(target: Target, samples: Sequence[PredictionFigures]) -> ScoredAnswer:
    """The answer that `samples` (one at the least) give together: the decision of most of them.

    Of decisions with as many, it is that with the higher stated confidence in sum, then the earlier one. Confidence is
    the mean of those that stand for it, probabilities the mean of all; what they took is summed.
    """
    if len(samples) == 1:
        # What voting and summing would give, at a tenth of the time.
        return ScoredAnswer._make(target + samples[0][_FIGURES:])
    decided = [one for one in samples if one.decision is not None]
    decision, outcome, stated = None, PredictionOutcome.ANSWERED, None
    if decided:
        votes = Counter(one.decision for one in decided)
        weights: dict[str | None, float] = defaultdict(float)
        for one in decided:
            weights[one.decision] += one.confidence or 0.0
        decision = max(votes, key=lambda name: (votes[name], weights[name]))
        stated = _mean([one.confidence for one in decided if one.decision == decision])
    else:
        outcome = min((one.outcome for one in samples), key=_GRAVITY.index)
    given = [one.probabilities for one in samples if one.probabilities]
    return ScoredAnswer(
        *target,
        outcome=outcome,
        decision=decision,
        confidence=stated,
        probabilities={name: sum(one[name] for one in given) / len(given) for name in given[0]} if given else None,
        seconds=sum(one.seconds for one in samples),
        input_tokens=_total([one.input_tokens for one in samples]),
        output_tokens=_total([one.output_tokens for one in samples]),
        cost=_total([one.cost for one in samples]),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _total(values: Sequence[N | None]) -> N | None:
    """The sum; unknown if one of them is."""
    known = [value for value in values if value is not None]
    return sum(known[1:], known[0]) if len(known) == len(values) else None
