"""Shares by family and cell: what holds whatever the families are."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.config.project import Project, parse_task, template
from core.dataset.splits import assign, plan_splits, shares_of, split_contents
from storage import splits
from storage.database import transaction
from storage.examples import add
from storage.schema import Example, Status
from storage.search import parse_query
from storage.splits import SplitError
from tests.conftest import example

Place = tuple[str, int, str]
SHARES = {"train": 0.7, "dev": 0.15, "test": 0.15}
_PLACES = st.tuples(st.sampled_from(["a", "b"]), st.integers(1, 3), st.sampled_from(["V", "R"]))
_FAMILIES = st.lists(st.dictionaries(_PLACES, st.integers(1, 4), min_size=1, max_size=3), max_size=40)


def families_of(counts: list[dict[Place, int]]) -> dict[str, Counter[Place]]:
    return {f"f{number}": Counter(counter) for number, counter in enumerate(counts)}


@given(_FAMILIES, st.integers(0, 5), st.data())
def test_each_family_is_in_one_open_split_and_nothing_moves(
    counts: list[dict[Place, int]], seed: int, data: st.DataObject
) -> None:
    families = families_of(counts)
    current_splits = data.draw(
        st.dictionaries(st.sampled_from(sorted(families) or ["x"]), st.sampled_from([*SHARES, ""]))
    )
    current_splits = {family: split for family, split in current_splits.items() if family in families}
    frozen = data.draw(st.sets(st.sampled_from(sorted(SHARES)), max_size=2))
    given_splits = assign(families, SHARES, seed, current_splits=current_splits, frozen=sorted(frozen))
    assert set(given_splits) == {family for family in families if not current_splits.get(family)}
    assert not set(given_splits.values()) & frozen
    assert given_splits == assign(families, SHARES, seed, current_splits=current_splits, frozen=sorted(frozen))


@settings(max_examples=50)
@given(st.dictionaries(_PLACES, st.integers(1, 60)), st.integers(0, 5))
def test_single_examples_have_exact_shares_in_each_cell_and_nearly_so_in_all(
    cells: dict[Place, int], seed: int
) -> None:
    families = {f"{cell}-{number}": Counter({cell: 1}) for cell, size in cells.items() for number in range(size)}
    given_splits = assign(families, SHARES, seed)
    by_cell: dict[Place, Counter[str]] = defaultdict(Counter)
    for family, split in given_splits.items():
        by_cell[next(iter(families[family]))][split] += 1
    for cell, size in cells.items():
        for split, share in SHARES.items():
            assert abs(by_cell[cell][split] - share * size) < 1
    total = sum(cells.values())
    for split, share in SHARES.items():
        assert abs(sum(counted[split] for counted in by_cell.values()) - share * total) <= 2


@given(_FAMILIES, st.lists(st.lists(st.integers(0, 39), min_size=2, max_size=4), max_size=6))
def test_what_is_linked_stays_together(counts: list[dict[Place, int]], links: list[list[int]]) -> None:
    families = families_of(counts)
    linked = [[f"f{number}" for number in group] for group in links]
    given_splits = assign(families, SHARES, 1, linked=linked)
    for group in linked:
        first, *rest = group
        for linked_family in rest:
            if first in families and linked_family in families:
                assert given_splits[first] == given_splits[linked_family]


def test_what_is_linked_to_a_placed_family_follows_it_unless_it_is_frozen() -> None:
    families = {name: Counter({("a", 1, "V"): 1}) for name in ("old", "new")}
    followed = assign(families, SHARES, 1, current_splits={"old": "test"}, linked=[["new", "old"]])
    assert followed == {"new": "test"}
    kept_out = assign(families, SHARES, 1, current_splits={"old": "test"}, frozen=["test"], linked=[["new", "old"]])
    assert kept_out["new"] in {"train", "dev"}


def test_another_seed_shares_them_out_in_another_way() -> None:
    families = {f"f{number}": Counter({("a", 1, "V"): 1}) for number in range(40)}
    assert assign(families, SHARES, 1) != assign(families, SHARES, 2)


def test_no_open_split_is_said() -> None:
    with pytest.raises(SplitError, match="frozen"):
        assign({"f": Counter({("a", 1, "V"): 1})}, SHARES, 1, frozen=["train", "dev", "test"])
    assert assign({}, SHARES, 1, frozen=["train", "dev", "test"]) == {}


def test_shares_are_proportions_and_none_at_all_is_a_mistake() -> None:
    task = parse_task(template())
    assert shares_of(task) == pytest.approx(SHARES)
    with pytest.raises(Exception, match="all 0"):
        parse_task(template().replace("train = 70\ndev = 15\ntest = 15", "train = 0\ndev = 0\ntest = 0"))


def store(db: sqlite3.Connection, *several: Example) -> None:
    with transaction(db):
        for new_example in several:
            add(db, new_example)


def test_accepted_families_are_planned_put_and_shown(project: Project, db: sqlite3.Connection) -> None:
    store(db, *(example(family=f"f{i}", hypothesis=f"w{i} x{i} y{i}", status=Status.ACCEPTED) for i in range(20)))
    store(db, example(family="pending"))
    assignment = plan_splits(project.task, db)
    assert set(assignment.family_splits) == {f"f{i}" for i in range(20)}
    assert assignment.examples == {"train": 14, "dev": 3, "test": 3} or assignment.linked
    list(splits.assign(db, assignment.family_splits))
    assert plan_splits(project.task, db).family_splits == {}
    splits.freeze(db, "test", None)
    contents = {entry.split: entry for entry in split_contents(project.task, db)}
    assert sum(contents[split].accepted for split in SHARES) == 20
    assert (contents[""].examples, contents["test"].run, contents["dev"].run) == (1, "", None)


def test_near_duplicates_of_other_decisions_stay_in_one_split(project: Project, db: sqlite3.Connection) -> None:
    store(
        db,
        *(
            example(family=f"f{i}", hypothesis=f"Claim {i // 2}.", decision=("VALIDATED", "REJECTED")[i % 2])
            for i in range(10)
        ),
    )
    assignment = plan_splits(project.task, db, parse_query("status:pending"))
    assert assignment.linked == 9
    assert len(set(assignment.family_splits.values())) == 1
