"""What the examples cover: lengths, evidence, confidence, near-duplicates, and how far the hypothesis alone decides."""

from __future__ import annotations

import random
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from statistics import quantiles

from core.config.task import Task
from core.dataset.neighbours import connected_components
from core.dataset.shortcuts import Shortcut, side_alone
from storage import listing
from storage.examples import Filter
from storage.schema import Example, Status

# At most this many examples are measured; of more, a random sample.
SAMPLE = 10_000
SHOWN_GROUPS = 50
BINS = 12
NOT_REJECTED = Filter(without=(Filter(status=(Status.REJECTED.value,)),))


@dataclass(frozen=True, slots=True)
class Spread:
    """The distribution of `examples` numbers: the ends, the median, and where the lowest and highest tenth end."""

    examples: int
    least: float
    tenth: float
    median: float
    ninetieth: float
    most: float


@dataclass(frozen=True, slots=True)
class TextLengths:
    """Words of a part ('hypothesis', 'evidence') by decision; `bins` count examples from `first` in steps of `step`."""

    part: str
    decision: str
    spread: Spread
    first: int
    step: int
    bins: list[int]


@dataclass(frozen=True, slots=True)
class NearDuplicates:
    """Examples of one cell that say nearly the same: ids, highest similarity of a pair, and the first hypothesis."""

    ids: list[str]
    similarity: float
    hypothesis: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """The coverage of `sampled` of `total` examples, as far as it is computed; `doing` says what is under way.

    `pieces` counts examples by level and number of pieces of evidence; `confidence` is by level and decision. `alike`
    holds the largest of `groups` groups of near-duplicates.
    """

    total: int
    sampled: int
    doing: str = ""
    lengths: list[TextLengths] = field(default_factory=list)
    pieces: dict[int, dict[int, int]] = field(default_factory=dict)
    confidence: dict[int, dict[str, Spread]] = field(default_factory=dict)
    groups: int | None = None
    alike: list[NearDuplicates] = field(default_factory=list)
    shortcut: Shortcut | None = None


def measure_coverage(
    task: Task, connection: sqlite3.Connection, where: Filter = NOT_REJECTED, *, sample: int = SAMPLE, seed: int = 1
) -> Iterator[Coverage]:
    """Measure the examples that match; yields the coverage after each step, the last one complete."""
    everything = listing.read_numbers(connection, where)
    chosen = sorted(random.Random(seed).sample(everything, sample)) if len(everything) > sample else list(everything)
    coverage = Coverage(len(everything), len(chosen), f"reading {len(chosen):,} examples")
    yield coverage
    measured: list[Example] = []
    for start in range(0, len(chosen), 1000):
        measured += listing.read_examples(connection, chosen[start : start + 1000])
    coverage = replace(
        coverage,
        sampled=len(measured),
        doing="looking for near-duplicates",
        lengths=lengths(measured, task.labels),
        pieces=pieces(measured),
        confidence=confidence(measured, task.labels),
    )
    yield coverage
    groups = near_duplicates(measured, task.limits.near_duplicate)
    coverage = replace(coverage, groups=len(groups), alike=groups[:SHOWN_GROUPS], doing="training on hypotheses alone")
    yield coverage
    score = side_alone(
        [example.hypothesis for example in measured],
        [example.decision for example in measured],
        [example.family for example in measured],
    )
    yield replace(coverage, shortcut=score, doing="")


def spread(numbers: Sequence[float]) -> Spread:
    """The distribution of `numbers` (at least one)."""
    cuts = quantiles(numbers, n=10, method="inclusive") if len(numbers) > 1 else [numbers[0]] * 9
    return Spread(len(numbers), min(numbers), cuts[0], cuts[4], cuts[8], max(numbers))


def lengths(examples: Iterable[Example], labels: Sequence[str]) -> list[TextLengths]:
    """Words of hypothesis and evidence by decision, in bins that all decisions share."""
    words: dict[str, dict[str, list[int]]] = {"hypothesis": defaultdict(list), "evidence": defaultdict(list)}
    for example in examples:
        words["hypothesis"][example.decision].append(len(example.hypothesis.split()))
        words["evidence"][example.decision].append(sum(len(piece.content.split()) for piece in example.evidence))
    rows = []
    for part, by_decision in words.items():
        everything = [number for numbers in by_decision.values() for number in numbers]
        if not everything:
            continue
        first = min(everything)
        step = max(1, -(-(max(everything) - first + 1) // BINS))
        for decision in _in_task_order(by_decision, labels):
            numbers = by_decision[decision]
            counts = Counter((number - first) // step for number in numbers)
            rows.append(
                TextLengths(
                    part, decision, spread(numbers), first, step, [counts[bin_number] for bin_number in range(BINS)]
                )
            )
    return rows


def pieces(examples: Iterable[Example]) -> dict[int, dict[int, int]]:
    """The number of examples by level and by number of pieces of evidence."""
    counts: dict[int, Counter[int]] = defaultdict(Counter)
    for example in examples:
        counts[example.level][len(example.evidence)] += 1
    return {level: dict(sorted(counts[level].items())) for level in sorted(counts)}


def confidence(examples: Iterable[Example], labels: Sequence[str]) -> dict[int, dict[str, Spread]]:
    """The distribution of the confidence, by level and decision."""
    values: dict[int, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for example in examples:
        values[example.level][example.decision].append(example.confidence)
    return {
        level: {decision: spread(values[level][decision]) for decision in _in_task_order(values[level], labels)}
        for level in sorted(values)
    }


def near_duplicates(examples: Iterable[Example], threshold: float) -> list[NearDuplicates]:
    """Groups of examples of one cell that are near-duplicates of each other, in chains; the largest first."""
    from core.dataset.near_pairs import near_pairs
    from core.qa.duplicates import candidate_words

    cells: dict[tuple[str, int, str], list[Example]] = defaultdict(list)
    for example in examples:
        cells[example.domain, example.level, example.decision].append(example)
    groups = []
    for members in cells.values():
        texts = [candidate_words(example) for example in members]
        pairs = {(first, second): similarity for first, second, similarity in near_pairs(texts, threshold)}
        for group in connected_components(pairs):
            in_group = set(group)
            highest = max(value for pair, value in pairs.items() if pair[0] in in_group)
            groups.append(
                NearDuplicates([members[position].id for position in group], highest, members[group[0]].hypothesis)
            )
    return sorted(groups, key=lambda group: (-len(group.ids), -group.similarity, group.ids))


def _in_task_order(decisions: Iterable[str], labels: Sequence[str]) -> list[str]:
    """Decisions in the order of the task; those that the task does not have come last."""
    return sorted(decisions, key=lambda name: (labels.index(name) if name in labels else len(labels), name))
