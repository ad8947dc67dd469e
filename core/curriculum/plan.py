"""What is wanted of each cell, what exists, and what is missing."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from core.config.task import Task
from storage import examples
from storage import shelves as stored_shelves
from storage.examples import CellCount
from storage.schema import Status
from storage.shelves import Shelf


@dataclass(frozen=True, slots=True)
class CellPlan:
    """A cell with counts of examples; `have` counts those that are pending or accepted.

    A `shelved` cell wants nothing; its share goes to the other cells of its decision.
    """

    domain: str
    level: int
    decision: str
    want: int
    have: int
    missing: int
    shelved: bool = False


@dataclass(frozen=True, slots=True)
class Quota:
    """The range, the target and the number of examples of a decision."""

    min: int
    max: int
    want: int
    have: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole curriculum; cells are in the order of the file: domain, then level, then decision."""

    want: int
    have: int
    missing: int
    quotas: dict[str, Quota]
    cells: list[CellPlan]


def apportion(total: int, weights: Sequence[float]) -> list[int]:
    """Divide `total` (whole, >= 0) in proportion to `weights` (> 0) by the method of largest remainders (Hamilton).

    The shares sum to `total` exactly, and each is the exact proportion rounded down or up. Of equal remainders, the
    first in the list is rounded up first.
    """
    exact = [Fraction(weight) for weight in weights]
    total_weight = sum(exact)
    shares = [total * weight / total_weight for weight in exact]
    counts = [int(share) for share in shares]
    by_remainder = sorted(range(len(shares)), key=lambda i: (counts[i] - shares[i], i))
    for i in by_remainder[: total - sum(counts)]:
        counts[i] += 1
    return counts


def target_counts(task: Task, shelves: Collection[Shelf] = ()) -> dict[tuple[str, int, str], int]:
    """How many examples each cell (domain, level, decision) should have; sums to each decision's target exactly.

    A cell on one of the `shelves` should have none, and the others of its decision share its part.
    """
    want: dict[tuple[str, int, str], int] = {}
    for shift, decision in enumerate(task.decisions):
        open_cells: list[tuple[tuple[str, int, str], float]] = []
        for d, v in _diagonal(len(task.domains), len(task.levels), shift):
            domain, level = task.domains[d], task.levels[v]
            key = (domain.name, level.level, decision.name)
            want[key] = 0
            if not any(shelf.holds(*key) for shelf in shelves):
                open_cells.append((key, domain.weight * level.weight))
        if open_cells:
            shares = apportion(decision.want, [weight for _, weight in open_cells])
            want.update(zip([key for key, _ in open_cells], shares, strict=True))
    return want


def _diagonal(rows: int, columns: int, shift: int) -> list[tuple[int, int]]:
    """All (row, column) pairs, diagonal by diagonal, so that the first ones are spread over rows and columns."""
    return [(row, (row + offset + shift) % columns) for offset in range(columns) for row in range(rows)]


def plan(task: Task, counts: Iterable[CellCount], shelves: Collection[Shelf] = ()) -> Plan:
    """The plan of `task`, given the existing examples as `counts` (several rows of a cell are summed).

    A decision never misses more than brings it up to its target, however its examples are spread. Cells that the task
    no longer has count for their decision's quota, and are not listed.
    """
    have: Counter[tuple[str, int, str]] = Counter()
    for row in counts:
        if row.status != Status.REJECTED.value:
            have[row.domain, row.level, row.decision] += row.examples
    want = target_counts(task, shelves)
    stock = Counter[str]()
    for (_, _, label), number in have.items():
        stock[label] += number
    missing: dict[tuple[str, int, str], int] = {}
    for decision in task.decisions:
        gaps = {key: max(0, want[key] - have[key]) for key in want if key[2] == decision.name}
        room = max(0, decision.want - stock[decision.name])
        if sum(gaps.values()) > room:
            open_cells = [key for key, gap in gaps.items() if gap]
            gaps.update(zip(open_cells, apportion(room, [gaps[key] for key in open_cells]), strict=True))
        missing |= gaps
    cells = [
        CellPlan(
            *key,
            want=want[key],
            have=have[key],
            missing=missing[key],
            shelved=any(shelf.holds(*key) for shelf in shelves),
        )
        for domain in task.domains
        for level in task.levels
        for key in [(domain.name, level.level, decision.name) for decision in task.decisions]
    ]
    quotas = {d.name: Quota(d.min, d.max, d.want, stock[d.name]) for d in task.decisions}
    return Plan(
        want=sum(quota.want for quota in quotas.values()),
        have=sum(quota.have for quota in quotas.values()),
        missing=sum(cell.missing for cell in cells),
        quotas=quotas,
        cells=cells,
    )


def enough_elsewhere(cells: Iterable[CellPlan]) -> list[str]:
    """Decisions that miss nothing though cells in `cells` have too few: other cells have too many."""
    return sorted({cell.decision for cell in cells if cell.have < cell.want and not cell.missing})


def current_plan(task: Task, connection: sqlite3.Connection) -> Plan:
    """The plan of `task` for what is stored now."""
    return plan(task, examples.cell_counts(connection), stored_shelves.read_all(connection))
