"""Apportionment and the plan."""

from __future__ import annotations

import sqlite3
from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.config.project import Project, parse_task, template
from core.curriculum.plan import apportion, current_plan, plan, target_counts
from core.curriculum.shelving import ShelvingChange, ShelvingError, shelve, shelving_change, unshelve
from storage.examples import CellCount
from storage.shelves import Shelf

TASK = parse_task(template())

_WEIGHTS = st.lists(st.floats(0.01, 100), min_size=1, max_size=60)


@given(st.integers(0, 5000), _WEIGHTS)
def test_shares_sum_exactly_and_differ_from_the_proportion_by_less_than_one(total: int, weights: list[float]) -> None:
    shares = apportion(total, weights)
    weight_sum = sum(map(Fraction, weights))
    assert sum(shares) == total
    assert all(abs(share - total * Fraction(w) / weight_sum) < 1 for share, w in zip(shares, weights, strict=True))


def test_a_worked_example_of_largest_remainders() -> None:
    # 100 seats over 53 : 24 : 23 parts of 1000, 21 of them: 11.13, 5.04, 4.83.
    assert apportion(21, [530, 240, 230]) == [11, 5, 5]


def test_every_decision_gets_its_aim_and_places_are_even() -> None:
    want = target_counts(TASK)
    by_decision, by_domain, by_level = Counter[str](), Counter[str](), Counter[int]()
    for (domain, level, decision), count in want.items():
        by_decision[decision] += count
        by_domain[domain] += count
        by_level[level] += count
    assert by_decision == {"VALIDATED": 175, "REJECTED": 125, "REFINED": 75}
    assert max(by_domain.values()) - min(by_domain.values()) <= 3
    assert max(by_level.values()) - min(by_level.values()) <= 3


_STOCK = st.dictionaries(
    st.tuples(
        st.sampled_from([d.name for d in TASK.domains] + ["gone"]),
        st.integers(1, 6),
        st.sampled_from(TASK.labels),
        st.sampled_from(["pending", "accepted", "rejected"]),
    ),
    st.integers(0, 80),
)


@given(_STOCK)
def test_filling_what_is_missing_never_exceeds_a_maximum(stock: dict[tuple[str, int, str, str], int]) -> None:
    counts = [CellCount(d, v, label, status, False, "", n) for (d, v, label, status), n in stock.items()]
    result = plan(TASK, counts)
    missing = Counter[str]()
    for cell in result.cells:
        missing[cell.decision] += cell.missing
    for name, quota in result.quotas.items():
        assert quota.have + missing[name] <= max(quota.have, quota.max)
        assert quota.have + missing[name] >= quota.min or any(c.have > c.want for c in result.cells)
    assert result.missing == sum(missing.values())


def test_rejected_by_hand_opens_the_slot_again() -> None:
    want = target_counts(TASK)
    full = [CellCount(d, v, label, "accepted", False, "", n) for (d, v, label), n in want.items()]
    assert plan(TASK, full).missing == 0
    rejected_cell = full[0]
    opened = [
        CellCount(
            rejected_cell.domain,
            rejected_cell.level,
            rejected_cell.decision,
            "accepted",
            False,
            "",
            rejected_cell.examples - 1,
        ),
        *full[1:],
    ]
    opened.append(
        CellCount(rejected_cell.domain, rejected_cell.level, rejected_cell.decision, "rejected", False, "", 1)
    )
    result = plan(TASK, opened)
    assert result.missing == 1
    assert [
        c.missing
        for c in result.cells
        if (c.domain, c.level, c.decision) == (rejected_cell.domain, rejected_cell.level, rejected_cell.decision)
    ] == [1]


_SHELVES = st.lists(
    st.builds(
        Shelf,
        st.sampled_from([domain.name for domain in TASK.domains]),
        st.sampled_from([level.level for level in TASK.levels]),
        st.sampled_from(["", *TASK.labels]),
    ),
    max_size=12,
)


@given(_SHELVES)
def test_what_is_shelved_moves_to_the_other_cells_exactly(shelves: list[Shelf]) -> None:
    want, targets_before = target_counts(TASK, shelves), target_counts(TASK)
    shelved = {key for key in want if any(shelf.holds(*key) for shelf in shelves)}
    assert all(want[key] == 0 for key in shelved)
    assert all(want[key] >= targets_before[key] - 1 for key in want if key not in shelved)
    for decision in TASK.decisions:
        assert sum(want[key] for key in want if key[2] == decision.name) == decision.want
    assert {(c.domain, c.level, c.decision) for c in plan(TASK, [], shelves).cells if c.shelved} == shelved


@given(_SHELVES)
def test_the_figures_of_a_shelf_are_what_it_does(shelves: list[Shelf]) -> None:
    existing: list[Shelf] = []
    for shelf in shelves:
        targets_before = target_counts(TASK, existing)
        try:
            change = shelving_change(TASK, [], existing, shelf)
        except ShelvingError:
            continue
        existing.append(shelf)
        targets_after = target_counts(TASK, existing)
        assert change.examples == sum(targets_before[key] for key in targets_before if shelf.holds(*key)) >= 0
        assert change.cells == sum(targets_after[key] > targets_before[key] for key in targets_after)
        assert (change.elsewhere, change.kept) == (change.examples, 0)


def test_a_shelf_over_a_full_cell_moves_nothing() -> None:
    want = target_counts(TASK)["risk", 1, "REFINED"]
    counts = [CellCount("risk", 1, "REFINED", "accepted", False, "", want)]
    assert shelving_change(TASK, counts, [], Shelf("risk", 1, "REFINED")) == ShelvingChange(0, want, 0, 0)
    assert shelving_change(TASK, [], [], Shelf("risk", 1, "REFINED")) == ShelvingChange(want, 0, want, want)


def test_the_last_cell_of_a_decision_stays(project: Project, db: sqlite3.Connection) -> None:
    cells = [(domain.name, level.level) for domain in TASK.domains for level in TASK.levels]
    for domain, level in cells[:-1]:
        shelve(TASK, db, Shelf(domain, level, "REFINED", "too hard"))
    assert current_plan(TASK, db).quotas["REFINED"].want == 75
    with pytest.raises(ShelvingError, match="no other cell of REFINED"):
        shelve(TASK, db, Shelf(*cells[-1]))
    with pytest.raises(ShelvingError, match="shelved already"):
        shelve(TASK, db, Shelf(*cells[0], "REFINED"))
    with pytest.raises(ShelvingError, match="no level 9"):
        shelve(TASK, db, Shelf("market", 9))
    assert [c.want for c in current_plan(TASK, db).cells if c.decision == "REFINED" and not c.shelved] == [75]
    unshelve(db, Shelf(*cells[0], "REFINED"))
    with pytest.raises(ShelvingError, match="is not shelved"):
        unshelve(db, Shelf(*cells[0], "REFINED"))
    assert current_plan(TASK, db).missing == 375
