"""What one split knows of another: families, cases, hypotheses, evidence and near-duplicates in two splits.

A model that has learned from one of them is not measured by the other: it has seen the answer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from core.dataset.fingerprints import ComparedExample, splits_of
from core.dataset.neighbours import connected_components

# More examples are not searched for near-duplicates: these take a minute.
COMPARED = 100_000
# A hypothesis or evidence that more families share is a form of words, which tells nothing of any of them.
COMMON = 10


class LeakKind(StrEnum):
    """What two splits have in common."""

    FAMILY = "family"
    CASE = "same_case"
    HYPOTHESIS = "same_hypothesis"
    NEAR_DUPLICATE = "near_duplicate"
    EVIDENCE = "same_evidence"


@dataclass(frozen=True, slots=True)
class Leak:
    """Examples in two splits or more that have something in common. `similarity` is the highest of two of them.

    `stops` says whether a benchmark is refused for it: not where all accepted examples are in one split, and not where
    only the evidence is the same, since the decision is about the hypothesis.
    """

    kind: LeakKind
    members: list[ComparedExample]
    stops: bool
    similarity: float = 1.0


def find_leaks(
    examples: Sequence[ComparedExample], threshold: float, *, asked: frozenset[str] | None = None
) -> list[Leak]:
    """All leaks among `examples`, by kind, those that stop a benchmark first.

    Near-duplicates have at least the similarity `threshold`; among more than `COMPARED` examples none are looked for.
    With `asked` (ids), only leaks that concern one of these.
    """
    placed = [example for example in examples if example.split]
    leaks = [*_shared(placed), *_near_duplicates(placed, threshold, asked)]
    if asked is not None:
        leaks = [leak for leak in leaks if any(member.id in asked for member in leak.members)]
    return sorted(leaks, key=lambda leak: (list(LeakKind).index(leak.kind), not leak.stops))


def _shared(placed: Sequence[ComparedExample]) -> Iterator[Leak]:
    """Leaks of what is exactly the same."""
    for members in _groups(placed, lambda example: example.family):
        if len(splits_of(members)) > 1:
            yield Leak(LeakKind.FAMILY, members, _accepted_in_two(members))
    keys: dict[LeakKind, Callable[[ComparedExample], bytes]] = {
        LeakKind.CASE: lambda example: example.case,
        LeakKind.HYPOTHESIS: lambda example: example.hypothesis,
        LeakKind.EVIDENCE: lambda example: example.evidence,
    }
    for kind, key in keys.items():
        for members in _groups(placed, key):
            families = len({member.family for member in members})
            # One family is a leak of its own kind, and so is one case.
            if len(splits_of(members)) < 2 or families < 2:
                continue
            if kind is not LeakKind.CASE and len({member.case for member in members}) < 2:
                continue
            says_something = kind is LeakKind.CASE or (kind is LeakKind.HYPOTHESIS and families <= COMMON)
            yield Leak(kind, members, says_something and _accepted_in_two(members))


def _near_duplicates(placed: Sequence[ComparedExample], threshold: float, asked: frozenset[str] | None) -> list[Leak]:
    if len(placed) > COMPARED:
        return []
    if asked is None:
        names = sorted({example.split for example in placed})
        sides = [names.index(example.split) for example in placed]
    else:
        sides = [int(example.id in asked) for example in placed]
    similarities: dict[tuple[int, int], float] = {}
    for first, second, similarity in _near(placed, threshold, sides):
        left, right = placed[first], placed[second]
        if left.split != right.split and left.family != right.family and left.case != right.case:
            similarities[first, second] = similarity
    groups = connected_components(similarities)
    group_of = {position: number for number, group in enumerate(groups) for position in group}
    highest, stops = [0.0] * len(groups), [False] * len(groups)
    for (first, second), similarity in similarities.items():
        group = group_of[first]
        highest[group] = max(highest[group], similarity)
        stops[group] |= placed[first].accepted and placed[second].accepted
    return [
        Leak(LeakKind.NEAR_DUPLICATE, [placed[position] for position in members], stops[group], highest[group])
        for group, members in enumerate(groups)
    ]


def _near(
    examples: Sequence[ComparedExample], threshold: float, sides: Sequence[int]
) -> Iterator[tuple[int, int, float]]:
    from core.dataset.near_pairs import near_sequences

    return near_sequences([example.words for example in examples], threshold, sides)


@dataclass(frozen=True, slots=True)
class FamilyLink:
    """Two families that belong into one split, and what they have in common."""

    kind: LeakKind
    family: str
    other: str


def family_links(examples: Sequence[ComparedExample], threshold: float) -> list[FamilyLink]:
    """What ties families together: the same case, hypothesis or evidence, or near-duplicates in each other.

    Each pair is named once. Of families that share a text, each is tied to the first. Among more than `COMPARED`
    examples near-duplicates are not looked for.
    """
    links: list[FamilyLink] = []
    keys: dict[LeakKind, Callable[[ComparedExample], bytes]] = {
        LeakKind.CASE: lambda example: example.case,
        LeakKind.HYPOTHESIS: lambda example: example.hypothesis,
        LeakKind.EVIDENCE: lambda example: example.evidence,
    }
    for kind, key in keys.items():
        for members in _groups(examples, key):
            first, *others = dict.fromkeys(member.family for member in members)
            if kind is LeakKind.CASE or len(others) < COMMON:
                links += [FamilyLink(kind, first, family) for family in others]
    if len(examples) <= COMPARED:
        numbers = {family: number for number, family in enumerate(dict.fromkeys(e.family for e in examples))}
        for one, other, _ in _near(examples, threshold, [numbers[example.family] for example in examples]):
            links.append(FamilyLink(LeakKind.NEAR_DUPLICATE, examples[one].family, examples[other].family))
    # One link a pair, by what it has most in common.
    pairs: dict[frozenset[str], FamilyLink] = {}
    for link in sorted(links, key=lambda link: list(LeakKind).index(link.kind)):
        pairs.setdefault(frozenset((link.family, link.other)), link)
    return list(pairs.values())


def _groups(
    examples: Iterable[ComparedExample], key: Callable[[ComparedExample], object]
) -> list[list[ComparedExample]]:
    """The examples with the same `key`, where there are two or more."""
    groups: dict[object, list[ComparedExample]] = defaultdict(list)
    for example in examples:
        groups[key(example)].append(example)
    return [members for members in groups.values() if len(members) > 1]


def _accepted_in_two(members: Iterable[ComparedExample]) -> bool:
    return len(splits_of([member for member in members if member.accepted])) > 1
