"""The figures of a benchmark: what a model got right, and what that took.

All counts follow from one small table: how often each (label, decision, domain, level, outcome) occurred. So a live
screen can count one more answer, and has the same figures as after counting all of them again.
"""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from core.benchmark.scored import ScoredAnswer
from core.statistics import fisher_greater, holm, wilson
from storage.schema import PredictionOutcome

# The column of answers without a decision in a confusion matrix; no label is empty.
NO_ANSWER = ""
CONFIDENCE = 0.95
ALPHA = 0.05

K = TypeVar("K", int, str)
TableKey = tuple[str, str | None, str, int, PredictionOutcome]


@dataclass(frozen=True, slots=True)
class Rate:
    """`right` of `n` with the 95 % Wilson interval, all as fractions; `rate` is None without trials."""

    right: int
    n: int
    rate: float | None
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Slice:
    """The accuracy on a part of the examples, and whether it differs from that on the rest.

    `p` is twice the smaller tail of Fisher's exact test, corrected by Holm's method over the slices of its kind; None
    if there is no rest. `differs` says whether p is below 5 %.
    """

    right: int
    n: int
    rate: float | None
    low: float
    high: float
    p: float | None
    differs: bool


@dataclass(frozen=True, slots=True)
class LabelFigures:
    """Precision, recall and F1 of one label; `f1` is None for a label that neither occurs nor was decided."""

    precision: Rate
    recall: Rate
    f1: float | None


@dataclass(frozen=True, slots=True)
class Counts:
    """The figures that follow from counts; `BenchmarkFigures` explains the fields."""

    n: int
    right: int
    accuracy: float | None
    low: float
    high: float
    answered: Rate
    balanced_accuracy: float | None
    macro_f1: float | None
    outcomes: dict[str, int]
    confusion: dict[str, dict[str, int]]
    by_label: dict[str, LabelFigures]
    by_level: dict[int, Slice]
    by_domain: dict[str, Slice]


@dataclass(frozen=True, slots=True)
class ResourceUse:
    """The sum of a resource over the judgements where it is `known`, and its mean for 1,000; None if it never is."""

    known: int
    total: float | None
    per_thousand: float | None


@dataclass(frozen=True, slots=True)
class Latency:
    """The median and the 95th percentile of the seconds of `n` timed judgements; None without any."""

    n: int
    p50: float | None
    p95: float | None


@dataclass(frozen=True, slots=True)
class BenchmarkFigures(Counts):
    """All figures of one model's answers; fractions are from 0 to 1.

    An example without an answer counts as wrong, except in `answered`: the accuracy among those with an answer.
    `accuracy` has its 95 % Wilson interval in `low` and `high`. `balanced_accuracy` is the mean recall of the labels
    that occur, `macro_f1` the mean F1 of those that occur or were decided. `confusion` counts by label, then by
    decision; the decision "" means none. `seconds` is the model's own time, however much ran side by side.
    """

    latency: Latency
    input_tokens: ResourceUse
    output_tokens: ResourceUse
    cost: ResourceUse
    seconds: ResourceUse


class RunningFigures:
    """The counted figures, updated answer by answer; an update costs the same however many there were."""

    def __init__(self, labels: Sequence[str], answers: Iterable[ScoredAnswer] = ()) -> None:
        self._labels = labels
        self._table: Counter[TableKey] = Counter(_key(answer) for answer in answers)

    def add(self, answer: ScoredAnswer) -> None:
        """Count an answer."""
        self._table[_key(answer)] += 1

    def remove(self, answer: ScoredAnswer) -> None:
        """Remove an answer that was counted, since a later one replaces it."""
        self._table[_key(answer)] -= 1

    def counts(self) -> Counts:
        """The figures as of now."""
        return _counts({key: number for key, number in self._table.items() if number}, self._labels)


def figures(answers: Sequence[ScoredAnswer], labels: Sequence[str]) -> BenchmarkFigures:
    """All figures of `answers`; labels and decisions come in the order of `labels`, then any others that occur."""
    counts = RunningFigures(labels, answers).counts()
    # An answer with 0 seconds was not timed.
    seconds = [answer.seconds for answer in answers if answer.seconds > 0]
    return BenchmarkFigures(
        **{name: getattr(counts, name) for name in Counts.__slots__},
        latency=_latency(seconds),
        input_tokens=_resource_use([answer.input_tokens for answer in answers]),
        output_tokens=_resource_use([answer.output_tokens for answer in answers]),
        cost=_resource_use([answer.cost for answer in answers]),
        seconds=_resource_use(seconds),
    )


def rate(right: int, n: int) -> Rate:
    """`right` of `n` with its interval."""
    return Rate(right, n, right / n if n else None, *wilson(right, n, CONFIDENCE))


def _key(answer: ScoredAnswer) -> TableKey:
    return answer.label, answer.decision, answer.domain, answer.level, answer.outcome


def _counts(table: Mapping[TableKey, int], labels: Sequence[str]) -> Counts:
    unlisted = {name for label, decision, *_ in table for name in (label, decision) if name} - set(labels)
    names = [*labels, *sorted(unlisted)]
    confusion = {label: dict.fromkeys([*names, NO_ANSWER], 0) for label in names}
    outcomes: Counter[str] = Counter()
    levels: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    domains: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for (label, decision, domain, level, outcome), number in table.items():
        confusion[label][decision or NO_ANSWER] += number
        outcomes[outcome.value] += number
        for counts in (levels[level], domains[domain]):
            counts[0] += number if decision == label else 0
            counts[1] += number
    by_label = {name: _label_figures(name, confusion) for name in names}
    recalls = [label.recall.rate for label in by_label.values() if label.recall.rate is not None]
    f1_scores = [label.f1 for label in by_label.values() if label.f1 is not None]
    n, right = sum(table.values()), sum(confusion[name][name] for name in names)
    overall = rate(right, n)
    return Counts(
        n=n,
        right=right,
        accuracy=overall.rate,
        low=overall.low,
        high=overall.high,
        answered=rate(right, n - sum(row[NO_ANSWER] for row in confusion.values())),
        balanced_accuracy=sum(recalls) / len(recalls) if recalls else None,
        macro_f1=sum(f1_scores) / len(f1_scores) if f1_scores else None,
        outcomes=dict(sorted(outcomes.items(), key=lambda pair: (-pair[1], pair[0]))),
        confusion=confusion,
        by_label=by_label,
        by_level=compare_slices(levels),
        by_domain=compare_slices(domains),
    )


def _label_figures(name: str, confusion: Mapping[str, Mapping[str, int]]) -> LabelFigures:
    right, labelled = confusion[name][name], sum(confusion[name].values())
    predicted = sum(row[name] for row in confusion.values())
    return LabelFigures(
        rate(right, predicted),
        rate(right, labelled),
        2 * right / (labelled + predicted) if labelled + predicted else None,
    )


def compare_slices(parts: Mapping[K, Sequence[int]]) -> dict[K, Slice]:
    """The slices in order, each compared with all the others; `parts` has (right, n) of each."""
    ordered: dict[K, Sequence[int]] = {key: parts[key] for key in sorted(parts)}
    all_right: int = sum(right for right, _ in ordered.values())
    all_n: int = sum(n for _, n in ordered.values())
    p_values: list[float | None] = [None] * len(ordered)
    if len(ordered) > 1:
        p_values = [*holm([_two_sided_p(right, n, all_right - right, all_n - n) for right, n in ordered.values()])]
    return {
        key: Slice(right, n, right / n, *wilson(right, n, CONFIDENCE), p=p, differs=p is not None and p < ALPHA)
        for (key, (right, n)), p in zip(ordered.items(), p_values, strict=True)
    }


def _two_sided_p(right: int, n: int, others_right: int, others: int) -> float:
    above = fisher_greater(right, n, others_right, others)
    below = fisher_greater(n - right, n, others - others_right, others)
    return min(1.0, 2 * min(above, below))


def _resource_use(values: Sequence[float | None]) -> ResourceUse:
    known = [value for value in values if value is not None]
    total = sum(known)
    return ResourceUse(len(known), total, 1000 * total / len(known)) if known else ResourceUse(0, None, None)


def _latency(seconds: Sequence[float]) -> Latency:
    if len(seconds) < 2:
        only = next(iter(seconds), None)
        return Latency(len(seconds), only, only)
    cuts = statistics.quantiles(seconds, n=20, method="inclusive")
    return Latency(len(seconds), cuts[9], cuts[18])
