"""Train, dev and test: by family, stratified by cell, the same each time for the same seed."""

from __future__ import annotations

import random
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.config.task import Task
from core.dataset.neighbours import connected_components, linked_families
from storage import examples, splits
from storage.examples import CellCount, Filter
from storage.schema import Status
from storage.splits import SPLITS, FamilyCount, SplitError

ACCEPTED = Filter(status=(Status.ACCEPTED.value,))
CellKey = tuple[str, int, str]


@dataclass(frozen=True, slots=True)
class Assignment:
    """Which families get which split. `examples` counts, by split, all that match: those that were in one, and these.

    `linked` families go with another because examples of theirs are near-duplicates; None if that was not looked at.
    """

    family_splits: dict[str, str]
    examples: dict[str, int]
    linked: int | None = None


def shares_of(task: Task) -> dict[str, float]:
    """The shares of the splits, which sum to 1."""
    asked = {name: float(getattr(task.splits, name)) for name in SPLITS}
    return {name: share / sum(asked.values()) for name, share in asked.items()}


def assign(
    families: Mapping[str, Counter[CellKey]],
    shares: Mapping[str, float],
    seed: int,
    *,
    current_splits: Mapping[str, str] | None = None,
    frozen: Sequence[str] = (),
    linked: Sequence[Sequence[str]] = (),
) -> dict[str, str]:
    """A split for each family that is not `there` yet: of each cell (domain, level, decision) the `shares` (sum 1).

    `families` are counts of examples by cell. Families that are `linked` stay together, with those already `there` if
    any are. Frozen splits get none, not even what is linked to one of theirs; their share of what is new goes to the
    others. If each family is one example, a cell has of each open split its share, rounded down or up; larger families
    come as near as they can.
    """
    placed = {family: split for family, split in (current_splits or {}).items() if split}
    open_shares = {split: share for split, share in shares.items() if split not in frozen and share > 0}
    groups = _groups(families, {family: at for family, at in placed.items() if at not in frozen}, linked)
    groups = [
        (left, split)
        for members, split in groups
        if (left := [one for one in members if placed.get(one) not in frozen])
    ]
    given = {family: split for members, split in groups for family in members if split and family not in placed}
    waiting = [(members, _sum(families, members)) for members, split in groups if split is None]
    if not waiting:
        return given
    if not open_shares:
        raise SplitError("every split that has a share is frozen: nothing new can be put into one")
    have: dict[CellKey, Counter[str]] = defaultdict(Counter)
    for members, split in groups:
        for family in members:
            for place, number in families[family].items():
                if (at := placed.get(family, split)) in open_shares:
                    have[place][at] += number
    rng = random.Random(seed)
    rng.shuffle(waiting)
    # The large ones first: what is small fills up what they leave.
    waiting.sort(key=lambda group: -group[1].total())
    targets = _targets(waiting, have, open_shares, rng)
    behind = dict.fromkeys(open_shares, 0.0)
    for members, counts in waiting:
        room = {
            split: sum(min(number, targets[place][split] - have[place][split]) for place, number in counts.items())
            for split in open_shares
        }
        best = max(open_shares, key=lambda split: (room[split], behind[split], open_shares[split]))
        for place, number in counts.items():
            have[place][best] += number
        for split, share in open_shares.items():
            behind[split] += share * counts.total() - (counts.total() if split == best else 0)
        given |= dict.fromkeys(members, best)
    return given


def _sum(families: Mapping[str, Counter[CellKey]], members: Sequence[str]) -> Counter[CellKey]:
    return sum((families[family] for family in members), Counter())


def _groups(
    families: Mapping[str, Counter[CellKey]], placed: Mapping[str, str], linked: Sequence[Sequence[str]]
) -> list[tuple[list[str], str | None]]:
    """Families that belong together, and the split of those that are in one (the first such); in a fixed order."""
    pairs = [(first, other) for first, *others in linked for other in others]
    together = [[one for one in group if one in families] for group in connected_components(pairs)]
    alone = set(families) - {family for group in together for family in group}
    groups = sorted([*(group for group in together if group), *([family] for family in alone)])
    return [(members, next((placed[family] for family in members if family in placed), None)) for members in groups]


def _targets(
    waiting: Sequence[tuple[Sequence[str], Counter[CellKey]]],
    have: Mapping[CellKey, Counter[str]],
    shares: Mapping[str, float],
    rng: random.Random,
) -> dict[CellKey, dict[str, int]]:
    """How many examples of each cell each split is to have, those it has among them.

    Each is its share rounded down or up. What rounding gives one split too many in a cell, another gets in the next:
    so all cells together, and those of each decision, have their shares as well.
    """
    totals: Counter[CellKey] = Counter()
    for _, counts in waiting:
        totals.update(counts)
    for place, counted in have.items():
        totals[place] += counted.total()
    whole = sum(shares.values())
    carried = dict.fromkeys(shares, 0.0)
    targets: dict[CellKey, dict[str, int]] = {}
    places = sorted(totals)
    rng.shuffle(places)
    for place in sorted(places, key=lambda place: place[2]):
        exact = {split: totals[place] * share / whole for split, share in shares.items()}
        target = {split: int(value + 1e-9) for split, value in exact.items()}
        left = totals[place] - sum(target.values())
        owed = {split: carried[split] + exact[split] - target[split] for split in shares}
        fractional = [split for split in shares if exact[split] - target[split] > 1e-9]
        for split in sorted(fractional, key=lambda split: -owed[split])[:left]:
            target[split] += 1
        for split in shares:
            carried[split] += exact[split] - target[split]
        targets[place] = target
    return targets


def plan_splits(
    task: Task, connection: sqlite3.Connection, where: Filter = ACCEPTED, *, seed: int | None = None
) -> Assignment:
    """The assignment of all families of what matches `where` that are in no split; raises SplitError."""
    kin = splits.family_cells(connection, where)
    families: dict[str, Counter[CellKey]] = defaultdict(Counter)
    there: dict[str, str] = {}
    for row in kin:
        families[row.family][row.domain, row.level, row.decision] += row.examples
        there[row.family] = row.split
    linked = linked_families(connection, where, task.limits.near_duplicate)
    given = assign(
        families,
        shares_of(task),
        task.splits.seed if seed is None else seed,
        current_splits=there,
        frozen=list(splits.frozen(connection)),
        linked=linked or (),
    )
    return Assignment(given, _counted(kin, given), None if linked is None else sum(len(group) - 1 for group in linked))


def count_accepted(connection: sqlite3.Connection, new_splits: Mapping[str, str] | None = None) -> dict[str, int]:
    """How many accepted examples each split has ('' for none); with `given`, once these families are put there."""
    return _counted(splits.family_cells(connection, ACCEPTED), new_splits or {})


def _counted(kin: Sequence[FamilyCount], given: Mapping[str, str]) -> dict[str, int]:
    counts = Counter[str]()
    for row in kin:
        counts[given.get(row.family, row.split)] += row.examples
    return dict(counts)


@dataclass(frozen=True, slots=True)
class SplitContents:
    """What a split holds, of accepted examples and of all, and what it was to hold of the accepted ones.

    `split` is '' for what is in none. `run` is the benchmark that has frozen it, '' if it does not say; None: open.
    """

    split: str
    share: float
    accepted: int
    examples: int
    decisions: dict[str, int]
    run: str | None


def split_contents(task: Task, connection: sqlite3.Connection) -> list[SplitContents]:
    """Each split as it is now, and what is in none last; decisions are those of accepted examples."""
    return _held(examples.cell_counts(connection), shares_of(task), splits.frozen(connection), task.labels)


def _held(
    counts: Sequence[CellCount], shares: Mapping[str, float], frozen: Mapping[str, str], labels: Sequence[str]
) -> list[SplitContents]:
    found = []
    for split in [*shares, ""]:
        rows = [row for row in counts if row.split == split]
        decisions = Counter(dict.fromkeys(labels, 0))
        for row in rows:
            if row.status == Status.ACCEPTED.value:
                decisions[row.decision] += row.examples
        total = sum(row.examples for row in rows)
        found.append(
            SplitContents(split, shares.get(split, 0.0), decisions.total(), total, dict(decisions), frozen.get(split))
        )
    return found
