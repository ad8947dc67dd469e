"""Train, dev and test: by family, stratified by cell, and the same each time for the same seed."""

from __future__ import annotations

import random
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.config.task import Task
from core.dataset.fingerprints import read_compared
from core.dataset.leaks import COMPARED, FamilyLink, LeakKind, family_links
from core.dataset.neighbours import connected_components
from storage import examples, splits
from storage.examples import CellCount, Filter
from storage.schema import Status
from storage.splits import SPLITS, FamilyCount, SplitError

ACCEPTED = Filter(status=(Status.ACCEPTED.value,))
_PLACED = Filter(split=SPLITS, without=(Filter(status=(Status.REJECTED.value,)),))
CellKey = tuple[str, int, str]


@dataclass(frozen=True, slots=True)
class Assignment:
    """Which families get which split. `examples` counts all that match by split: those that were in one, and these.

    `linked` families go with another because they have the same hypothesis or evidence, or near-duplicates in each
    other; None if there are too many to look for near-duplicates. `leaks` are pairs that end up in two splits all the
    same, at least one of them newly placed: the other is in a frozen split, or in two already.
    """

    family_splits: dict[str, str]
    examples: dict[str, int]
    linked: int | None = None
    leaks: tuple[FamilyLink, ...] = ()


def shares_of(task: Task) -> dict[str, float]:
    """The shares of the splits, which sum to 1."""
    shares = {name: float(getattr(task.splits, name)) for name in SPLITS}
    return {name: share / sum(shares.values()) for name, share in shares.items()}


def assign(
    families: Mapping[str, Counter[CellKey]],
    shares: Mapping[str, float],
    seed: int,
    *,
    current_splits: Mapping[str, str] | None = None,
    frozen: Sequence[str] = (),
    linked: Sequence[Sequence[str]] = (),
) -> dict[str, str]:
    """Assign a split to each family that has none in `current_splits`, dividing each cell by `shares` (sum 1).

    `families` are counts of examples by cell (domain, level, decision). Families that are `linked` stay together, with
    those that have a split already if any do. Frozen splits get no family, not even one that is linked to theirs; their
    share of what is new goes to the others. If each family is one example, each open split gets its share of a cell,
    rounded down or up; larger families come as near as they can.
    """
    placed = {family: split for family, split in (current_splits or {}).items() if split}
    open_shares = {split: share for split, share in shares.items() if split not in frozen and share > 0}
    groups = _groups(
        families, {family: split_now for family, split_now in placed.items() if split_now not in frozen}, linked
    )
    groups = [
        (open_members, split)
        for members, split in groups
        if (open_members := [family for family in members if placed.get(family) not in frozen])
    ]
    new_splits = {family: split for members, split in groups for family in members if split and family not in placed}
    waiting = [(members, _sum(families, members)) for members, split in groups if split is None]
    if not waiting:
        return new_splits
    if not open_shares:
        raise SplitError("every split that has a share is frozen: nothing new can be put into one")
    have: dict[CellKey, Counter[str]] = defaultdict(Counter)
    for members, split in groups:
        for family in members:
            for cell, number in families[family].items():
                if (split_now := placed.get(family, split)) in open_shares:
                    have[cell][split_now] += number
    rng = random.Random(seed)
    rng.shuffle(waiting)
    # The large groups first: small ones fill the gaps that they leave.
    waiting.sort(key=lambda group: -group[1].total())
    targets = _targets(waiting, have, open_shares, rng)
    behind = dict.fromkeys(open_shares, 0.0)
    for members, counts in waiting:
        room = {
            split: sum(min(number, targets[cell][split] - have[cell][split]) for cell, number in counts.items())
            for split in open_shares
        }
        best = max(open_shares, key=lambda split: (room[split], behind[split], open_shares[split]))
        for cell, number in counts.items():
            have[cell][best] += number
        for split, share in open_shares.items():
            behind[split] += share * counts.total() - (counts.total() if split == best else 0)
        new_splits |= dict.fromkeys(members, best)
    return new_splits


def _sum(families: Mapping[str, Counter[CellKey]], members: Sequence[str]) -> Counter[CellKey]:
    return sum((families[family] for family in members), Counter())


def _groups(
    families: Mapping[str, Counter[CellKey]], placed: Mapping[str, str], linked: Sequence[Sequence[str]]
) -> list[tuple[list[str], str | None]]:
    """Families that belong together, and the split of those that are in one (the first such); in a fixed order."""
    pairs = [(first, linked_family) for first, *rest in linked for linked_family in rest]
    together = [[family for family in group if family in families] for group in connected_components(pairs)]
    alone = set(families) - {family for group in together for family in group}
    groups = sorted([*(group for group in together if group), *([family] for family in alone)])
    return [(members, next((placed[family] for family in members if family in placed), None)) for members in groups]


def _targets(
    waiting: Sequence[tuple[Sequence[str], Counter[CellKey]]],
    have: Mapping[CellKey, Counter[str]],
    shares: Mapping[str, float],
    rng: random.Random,
) -> dict[CellKey, dict[str, int]]:
    """How many examples of each cell each split should have in the end.

    Each number is its share rounded down or up. What rounding gives one split too many in a cell, another gets in the
    next cell: so all cells together, and those of each decision, are divided by the shares as well.
    """
    totals: Counter[CellKey] = Counter()
    for _, counts in waiting:
        totals.update(counts)
    for cell, counted in have.items():
        totals[cell] += counted.total()
    total_share = sum(shares.values())
    carried = dict.fromkeys(shares, 0.0)
    targets: dict[CellKey, dict[str, int]] = {}
    cells = sorted(totals)
    rng.shuffle(cells)
    for cell in sorted(cells, key=lambda cell: cell[2]):
        exact = {split: totals[cell] * share / total_share for split, share in shares.items()}
        target = {split: int(value + 1e-9) for split, value in exact.items()}
        remainder = totals[cell] - sum(target.values())
        owed = {split: carried[split] + exact[split] - target[split] for split in shares}
        fractional = [split for split in shares if exact[split] - target[split] > 1e-9]
        for split in sorted(fractional, key=lambda split: -owed[split])[:remainder]:
            target[split] += 1
        for split in shares:
            carried[split] += exact[split] - target[split]
        targets[cell] = target
    return targets


def plan_splits(
    task: Task, connection: sqlite3.Connection, where: Filter = ACCEPTED, *, seed: int | None = None
) -> Assignment:
    """The assignment of all families in no split among the examples that match `where`; raises SplitError.

    They are compared with the families that are in a split already, whether these match or not.
    """
    kin = splits.family_cells(connection, where)
    families: dict[str, Counter[CellKey]] = defaultdict(Counter)
    current_splits: dict[str, str] = {}
    for row in kin:
        families[row.family][row.domain, row.level, row.decision] += row.examples
        current_splits[row.family] = row.split
    compared = read_compared(connection, where, _PLACED)
    for example in compared:
        if example.family not in families:
            families[example.family] = Counter()
            current_splits[example.family] = example.split
    links = family_links(compared, task.limits.near_duplicate)
    groups = connected_components((link.family, link.other) for link in links)
    family_splits = assign(
        families,
        shares_of(task),
        task.splits.seed if seed is None else seed,
        current_splits=current_splits,
        frozen=list(splits.frozen(connection)),
        linked=groups,
    )
    return Assignment(
        family_splits,
        _counted(kin, family_splits),
        None if len(compared) > COMPARED else sum(len(group) - 1 for group in groups),
        _leaks_between(links, current_splits, family_splits),
    )


def _leaks_between(
    links: Sequence[FamilyLink], current_splits: Mapping[str, str], new_splits: Mapping[str, str]
) -> tuple[FamilyLink, ...]:
    """The links of families that are newly placed to one in another split; evidence alone is no leak."""

    def split_of(family: str) -> str:
        return new_splits.get(family) or current_splits.get(family, "")

    return tuple(
        link
        for link in links
        if link.kind is not LeakKind.EVIDENCE
        and (link.family in new_splits or link.other in new_splits)
        and "" != split_of(link.family) != split_of(link.other) != ""
    )


_IN_COMMON = {
    LeakKind.CASE: "the same case",
    LeakKind.HYPOTHESIS: "the same hypothesis",
    LeakKind.NEAR_DUPLICATE: "near-duplicates",
}


def describe_leaks(assignment: Assignment) -> str:
    """The leaks of an assignment in words, with the first of them; '' if it has none."""
    if not assignment.leaks:
        return ""
    first, number = assignment.leaks[0], len(assignment.leaks)
    pairs = "1 pair of families would be" if number == 1 else f"{number:,} pairs of families would be"
    return (
        f"{pairs} in two splits and leak from one into the other, such as {first.family} and {first.other}, "
        f"which have {_IN_COMMON[first.kind]}"
    )


def count_accepted(connection: sqlite3.Connection, new_splits: Mapping[str, str] | None = None) -> dict[str, int]:
    """Accepted examples by split ('' for none); with `new_splits`, after these families are assigned."""
    return _counted(splits.family_cells(connection, ACCEPTED), new_splits or {})


def _counted(kin: Sequence[FamilyCount], new_splits: Mapping[str, str]) -> dict[str, int]:
    counts = Counter[str]()
    for row in kin:
        counts[new_splits.get(row.family, row.split)] += row.examples
    return dict(counts)


@dataclass(frozen=True, slots=True)
class SplitContents:
    """The examples in a split, accepted ones and all, and the share that it should have of the accepted ones.

    `split` is '' for examples in none. `run` is the benchmark that froze it, '' if unknown; None: not frozen.
    """

    split: str
    share: float
    accepted: int
    examples: int
    decisions: dict[str, int]
    run: str | None


def split_contents(task: Task, connection: sqlite3.Connection) -> list[SplitContents]:
    """Each split as it is now, and the examples in none last; decisions are those of accepted examples."""
    return _split_contents(examples.cell_counts(connection), shares_of(task), splits.frozen(connection), task.labels)


def _split_contents(
    counts: Sequence[CellCount], shares: Mapping[str, float], frozen: Mapping[str, str], labels: Sequence[str]
) -> list[SplitContents]:
    contents = []
    for split in [*shares, ""]:
        rows = [row for row in counts if row.split == split]
        decisions = Counter(dict.fromkeys(labels, 0))
        for row in rows:
            if row.status == Status.ACCEPTED.value:
                decisions[row.decision] += row.examples
        total = sum(row.examples for row in rows)
        contents.append(
            SplitContents(split, shares.get(split, 0.0), decisions.total(), total, dict(decisions), frozen.get(split))
        )
    return contents
