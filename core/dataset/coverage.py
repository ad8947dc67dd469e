"""What the examples cover: lengths, evidence, confidence, near-duplicates and the shortcut of the hypothesis."""

from __future__ import annotations

import random
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from statistics import quantiles

from core.config.task import Task
from core.dataset.neighbours import connected_components, near_pairs
from core.dataset.shortcuts import Shortcut, hypothesis_only
from storage import listing
from storage.examples import Filter
from storage.schema import Example, Status

# So many are measured; of more a random sample.
SAMPLE = 10_000
SHOWN_GROUPS = 50
BINS = 12
NOT_REJECTED = Filter(without=(Filter(status=(Status.REJECTED.value,)),))


@dataclass(frozen=True, slots=True)
class Spread:
    """How `examples` numbers lie: the ends, the median, and where the lowest and highest tenth end."""

    examples: int
    least: float
    tenth: float
    median: float
    ninetieth: float
    most: float


@dataclass(frozen=True, slots=True)
class TextLengths:
    """Words of a part ('hypothesis', 'evidence') by decision; `bins` count examples from `first` by `step`."""

    part: str
    decision: str
    spread: Spread
    first: int
    step: int
    bins: list[int]


@dataclass(frozen=True, slots=True)
class NearDuplicates:
    """Examples of one cell that say nearly the same: their ids, how similar the two most alike are, and the first."""

    ids: list[str]
    similarity: float
    hypothesis: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """What was found in `sampled` of `total` examples, as far as it was computed; `doing` says what is under way.

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
    """What is known of the examples that match, more and more of it; the last one is all."""
    everything = listing.read_numbers(connection, where)
    chosen = sorted(random.Random(seed).sample(everything, sample)) if len(everything) > sample else list(everything)
    now = Coverage(len(everything), len(chosen), f"reading {len(chosen):,} examples")
    yield now
    found: list[Example] = []
    for start in range(0, len(chosen), 1000):
        found += listing.read_examples(connection, chosen[start : start + 1000])
    now = replace(
        now,
        sampled=len(found),
        doing="looking for near-duplicates",
        lengths=lengths(found, task.labels),
        pieces=pieces(found),
        confidence=confidence(found, task.labels),
    )
    yield now
    groups = near_duplicates(found, task.limits.near_duplicate)
    now = replace(now, groups=len(groups), alike=groups[:SHOWN_GROUPS], doing="training on hypotheses alone")
    yield now
    score = hypothesis_only(
        [one.hypothesis for one in found], [one.decision for one in found], [one.family for one in found]
    )
    yield replace(now, shortcut=score, doing="")


def spread(numbers: Sequence[float]) -> Spread:
    """How `numbers` (at least one) lie."""
    cuts = quantiles(numbers, n=10, method="inclusive") if len(numbers) > 1 else [numbers[0]] * 9
    return Spread(len(numbers), min(numbers), cuts[0], cuts[4], cuts[8], max(numbers))


def lengths(examples: Iterable[Example], labels: Sequence[str]) -> list[TextLengths]:
    """Words of hypothesis and evidence, by decision, in bins that all decisions share."""
    words: dict[str, dict[str, list[int]]] = {"hypothesis": defaultdict(list), "evidence": defaultdict(list)}
    for one in examples:
        words["hypothesis"][one.decision].append(len(one.hypothesis.split()))
        words["evidence"][one.decision].append(sum(len(piece.content.split()) for piece in one.evidence))
    made = []
    for part, by_decision in words.items():
        everything = [number for numbers in by_decision.values() for number in numbers]
        if not everything:
            continue
        first = min(everything)
        step = max(1, -(-(max(everything) - first + 1) // BINS))
        for decision in _ordered(by_decision, labels):
            numbers = by_decision[decision]
            counts = Counter((number - first) // step for number in numbers)
            made.append(
                TextLengths(part, decision, spread(numbers), first, step, [counts[place] for place in range(BINS)])
            )
    return made


def pieces(examples: Iterable[Example]) -> dict[int, dict[int, int]]:
    """How many examples have how many pieces of evidence, by level."""
    counts: dict[int, Counter[int]] = defaultdict(Counter)
    for one in examples:
        counts[one.level][len(one.evidence)] += 1
    return {level: dict(sorted(counts[level].items())) for level in sorted(counts)}


def confidence(examples: Iterable[Example], labels: Sequence[str]) -> dict[int, dict[str, Spread]]:
    """How the confidence lies, by level and decision."""
    values: dict[int, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for one in examples:
        values[one.level][one.decision].append(one.confidence)
    return {
        level: {decision: spread(values[level][decision]) for decision in _ordered(values[level], labels)}
        for level in sorted(values)
    }


def near_duplicates(examples: Iterable[Example], threshold: float) -> list[NearDuplicates]:
    """Groups of examples of one cell that are near-duplicates of each other, in chains; the largest first."""
    from core.qa.duplicates import candidate_words

    cells: dict[tuple[str, int, str], list[Example]] = defaultdict(list)
    for one in examples:
        cells[one.domain, one.level, one.decision].append(one)
    groups = []
    for members in cells.values():
        texts = [candidate_words(one) for one in members]
        pairs = {(first, second): similarity for first, second, similarity in near_pairs(texts, threshold)}
        for group in connected_components(pairs):
            there = set(group)
            highest = max(value for pair, value in pairs.items() if pair[0] in there)
            groups.append(NearDuplicates([members[place].id for place in group], highest, members[group[0]].hypothesis))
    return sorted(groups, key=lambda group: (-len(group.ids), -group.similarity, group.ids))


def _ordered(there: Iterable[str], labels: Sequence[str]) -> list[str]:
    """Decisions in the order of the task; what it does not have comes last."""
    return sorted(there, key=lambda name: (labels.index(name) if name in labels else len(labels), name))
