"""What a model got right, and what that took: the figures of a benchmark.

Everything that is counted follows from one small table, how often each (label, decision, domain, level, outcome)
occurred. So the live screen counts one answer more, and has the figures that a recount of all would give.
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

# How an answer that decides nothing is called in a confusion matrix; no label is empty.
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
    """Accuracy on a part of the examples, and whether it differs from that on the rest.

    `p` is twice the smaller tail of Fisher's exact test, corrected over the slices of its kind with Holm's method; None
    where there is no rest. `differs`: p is below 5 %.
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
    """One label: precision is of what was decided so, recall of what is so; f1 is None for a label that nowhere is."""

    precision: Rate
    recall: Rate
    f1: float | None


@dataclass(frozen=True, slots=True)
class Counts:
    """What the table of counts says: see `Figures` for the fields."""

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
    """What judgements took, over the `known` of them: the sum, and the mean for 1,000; None where none is known."""

    known: int
    total: float | None
    per_thousand: float | None


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds that half and 95 % of the `n` timed judgements stayed within; None without any."""

    n: int
    p50: float | None
    p95: float | None


@dataclass(frozen=True, slots=True)
class BenchmarkFigures(Counts):
    """All figures of one model's answers; fractions are from 0 to 1.

    An example without an answer counts as wrong in all of them but `answered`, the accuracy among those with one.
    `accuracy` has its 95 % Wilson interval in `low` and `high`. `balanced_accuracy` is the mean recall of the labels
    that occur, `macro_f1` the mean F1 of those that occur or were decided. `confusion` counts by label, then by
    decision; the decision "" is none. `seconds` is the model's own time, whatever ran side by side.
    """

    latency: Latency
    input_tokens: ResourceUse
    output_tokens: ResourceUse
    cost: ResourceUse
    seconds: ResourceUse


class RunningFigures:
    """The counted figures, kept up to date answer by answer; costs the same however many there were."""

    def __init__(self, labels: Sequence[str], answers: Iterable[ScoredAnswer] = ()) -> None:
        self._labels = labels
        self._table: Counter[TableKey] = Counter(_key(one) for one in answers)

    def add(self, answer: ScoredAnswer) -> None:
        """Count an answer."""
        self._table[_key(answer)] += 1

    def remove(self, answer: ScoredAnswer) -> None:
        """Take back an answer that was counted, since a later one replaces it."""
        self._table[_key(answer)] -= 1

    def counts(self) -> Counts:
        """The figures as of now."""
        return _counts({key: number for key, number in self._table.items() if number}, self._labels)


def figures(answers: Sequence[ScoredAnswer], labels: Sequence[str]) -> BenchmarkFigures:
    """All figures of `answers`; `labels` gives the order of labels and decisions, others that occur follow."""
    counts = RunningFigures(labels, answers).counts()
    # An answer that took no time was not timed.
    timed = [one.seconds for one in answers if one.seconds > 0]
    return BenchmarkFigures(
        **{name: getattr(counts, name) for name in Counts.__slots__},
        latency=_latency(timed),
        input_tokens=_spent([one.input_tokens for one in answers]),
        output_tokens=_spent([one.output_tokens for one in answers]),
        cost=_spent([one.cost for one in answers]),
        seconds=_spent(timed),
    )


def rate(right: int, n: int) -> Rate:
    """`right` of `n` with its interval."""
    return Rate(right, n, right / n if n else None, *wilson(right, n, CONFIDENCE))


def _key(one: ScoredAnswer) -> TableKey:
    return one.label, one.decision, one.domain, one.level, one.outcome


def _counts(table: Mapping[TableKey, int], labels: Sequence[str]) -> Counts:
    strangers = {name for label, decision, *_ in table for name in (label, decision) if name} - set(labels)
    names = [*labels, *sorted(strangers)]
    confusion = {label: dict.fromkeys([*names, NO_ANSWER], 0) for label in names}
    outcomes: Counter[str] = Counter()
    levels: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    domains: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for (label, decision, domain, level, outcome), number in table.items():
        confusion[label][decision or NO_ANSWER] += number
        outcomes[outcome.value] += number
        for part in (levels[level], domains[domain]):
            part[0] += number if decision == label else 0
            part[1] += number
    by_label = {name: _label(name, confusion) for name in names}
    recalls = [one.recall.rate for one in by_label.values() if one.recall.rate is not None]
    scores = [one.f1 for one in by_label.values() if one.f1 is not None]
    n, right = sum(table.values()), sum(confusion[name][name] for name in names)
    whole = rate(right, n)
    return Counts(
        n=n,
        right=right,
        accuracy=whole.rate,
        low=whole.low,
        high=whole.high,
        answered=rate(right, n - sum(row[NO_ANSWER] for row in confusion.values())),
        balanced_accuracy=sum(recalls) / len(recalls) if recalls else None,
        macro_f1=sum(scores) / len(scores) if scores else None,
        outcomes=dict(sorted(outcomes.items(), key=lambda pair: (-pair[1], pair[0]))),
        confusion=confusion,
        by_label=by_label,
        by_level=_slices(levels),
        by_domain=_slices(domains),
    )


def _label(name: str, confusion: Mapping[str, Mapping[str, int]]) -> LabelFigures:
    right, there = confusion[name][name], sum(confusion[name].values())
    decided = sum(row[name] for row in confusion.values())
    return LabelFigures(
        rate(right, decided), rate(right, there), 2 * right / (there + decided) if there + decided else None
    )


def _slices(parts: Mapping[K, list[int]]) -> dict[K, Slice]:
    """The slices in order, each against all the others; `parts` has (right, n) of each."""
    ordered: dict[K, list[int]] = {key: parts[key] for key in sorted(parts)}
    right: int = sum(one for one, _ in ordered.values())
    n: int = sum(whole for _, whole in ordered.values())
    p_values: list[float | None] = [None] * len(ordered)
    if len(ordered) > 1:
        p_values = [*holm([_differs(one, whole, right - one, n - whole) for one, whole in ordered.values()])]
    return {
        key: Slice(one, whole, one / whole, *wilson(one, whole, CONFIDENCE), p=p, differs=p is not None and p < ALPHA)
        for (key, (one, whole)), p in zip(ordered.items(), p_values, strict=True)
    }


def _differs(right: int, n: int, others_right: int, others: int) -> float:
    above = fisher_greater(right, n, others_right, others)
    below = fisher_greater(n - right, n, others - others_right, others)
    return min(1.0, 2 * min(above, below))


def _spent(values: Sequence[float | None]) -> ResourceUse:
    known = [value for value in values if value is not None]
    total = sum(known)
    return ResourceUse(len(known), total, 1000 * total / len(known)) if known else ResourceUse(0, None, None)


def _latency(seconds: Sequence[float]) -> Latency:
    if len(seconds) < 2:
        only = next(iter(seconds), None)
        return Latency(len(seconds), only, only)
    cuts = statistics.quantiles(seconds, n=20, method="inclusive")
    return Latency(len(seconds), cuts[9], cuts[18])
