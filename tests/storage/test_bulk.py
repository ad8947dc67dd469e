"""Acts of many: what they do is what as many single decisions do, and one undo takes them back."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.config.project import Project
from storage import bulk, database, examples, listing, reviews, splits
from storage.database import connect, transaction
from storage.examples import Filter
from storage.reviews import ReviewError
from storage.schema import Example, ReviewAction, Status
from storage.search import parse_query
from storage.splits import SplitError
from tests.conftest import example
from tests.stored import decide


@pytest.fixture
def stored(db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> list[Example]:
    """Twelve examples of six families; acts of many are written four at a time."""
    monkeypatch.setattr(database, "CHUNK_SIZE", 4)
    return fill(db, 12)


def fill(db: sqlite3.Connection, count: int) -> list[Example]:
    examples_made = [example(id=f"01J{i:023d}", family=f"f{i // 2}") for i in range(count)]
    with transaction(db):
        for new_example in examples_made:
            examples.add(db, new_example)
    return examples_made


def newest(db: sqlite3.Connection) -> reviews.ReviewAct:
    act = reviews.newest_act(db)
    assert act is not None
    return act


def rows(db: sqlite3.Connection) -> list[tuple[object, ...]]:
    return [tuple(row) for row in db.execute("SELECT id, status, flagged, split, version FROM examples ORDER BY id")]


def test_many_are_one_act_and_one_undo(db: sqlite3.Connection, stored: list[Example]) -> None:
    decide(db, stored[0].id, ReviewAction.REJECT, reviewer="ann")
    reviews.edit(db, stored[1].model_copy(update={"hypothesis": "Another."}))
    rows_before = rows(db)
    numbers = listing.read_numbers(db)
    assert list(bulk.record(db, numbers, ReviewAction.ACCEPT, reviewer="ann")) == [0, 4, 8, 12]
    assert examples.count(db, parse_query("status:accepted")) == 12
    assert db.execute("SELECT count(DISTINCT batch) FROM reviews WHERE batch IS NOT NULL").fetchone()[0] == 1
    assert list(reviews.undo_act(db, newest(db))) == [0, 4, 8, 12]
    assert rows(db) == rows_before
    undone = reviews.undo(db)
    assert undone is not None
    assert undone.review.action is ReviewAction.EDIT


def test_who_accepts_what_qa_rejected_brings_it_in_as_one_of_the_act(db: sqlite3.Connection) -> None:
    plain = example()
    out = [example(status=Status.REJECTED, refused=True, family=f"f{number}") for number in range(3)]
    with transaction(db):
        for stored_example in (plain, *out):
            examples.add(db, stored_example)
    decide(db, out[2].id, ReviewAction.REJECT)
    numbers = listing.read_numbers(db, Filter(refused=True)) + listing.read_numbers(db, Filter(refused=False))
    list(bulk.record(db, numbers, ReviewAction.ACCEPT, reason="clear", reviewer="ann"))
    assert [line.action for line in reviews.log(db, plain.id)] == [ReviewAction.ACCEPT]
    for stored_example in out[:2]:
        first, second = reviews.log(db, stored_example.id)
        assert (first.action, first.reason, first.reviewer) == (ReviewAction.OVERRULE, "", "ann")
        assert (second.action, second.reason, second.batch) == (ReviewAction.ACCEPT, "clear", first.batch)
    assert [line.action for line in reviews.log(db, out[2].id)] == [ReviewAction.REJECT, ReviewAction.ACCEPT]
    assert (newest(db).examples, len(newest(db).lines)) == (4, 6)
    reviews.undo(db)
    assert examples.count(db, Filter(status=("rejected",))) == 3
    # Nobody's decision stands about two of them: they are QA's again, and only who asks for those sees them.
    assert [len(listing.read_numbers(db, where)) for where in (Filter(), Filter(refused=True))] == [2, 4 - 1]


def test_one_that_stops_leaves_the_rest_and_undo_takes_back_what_was_done(
    db: sqlite3.Connection, stored: list[Example]
) -> None:
    rows_before = rows(db)
    for count in bulk.record(db, listing.read_numbers(db), ReviewAction.REJECT, reason="ambiguous"):
        if count == 8:
            break
    assert examples.count(db, parse_query("status:rejected")) == 8
    for count in reviews.undo_act(db, newest(db)):
        if count == 4:
            break
    assert examples.count(db, parse_query("status:rejected")) == 4
    undone = reviews.undo(db)
    assert undone is not None
    assert undone.lines == 4
    assert rows(db) == rows_before
    assert reviews.undo(db) is None


def test_others_write_between_the_pieces(project: Project, db: sqlite3.Connection, stored: list[Example]) -> None:
    second_connection = connect(project.database)
    second_connection.execute("PRAGMA busy_timeout = 0")
    for count in bulk.record(db, listing.read_numbers(db, order=listing.SortOrder.OLDEST), ReviewAction.ACCEPT):
        if count == 4:
            decide(second_connection, stored[0].id, ReviewAction.REJECT)
    second_connection.close()
    current = examples.get(db, stored[0].id)
    assert current is not None
    assert current.status is Status.REJECTED


def test_only_decisions_can_be_made_of_many(db: sqlite3.Connection) -> None:
    with pytest.raises(ValueError, match="edit"):
        bulk.record(db, [1], ReviewAction.EDIT)


_STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["accept", "reject", "flag", "unflag"]), st.sets(st.integers(1, 6), min_size=1)),
        st.tuples(st.sampled_from(["train", "dev", "none"]), st.sets(st.integers(0, 2), min_size=1)),
        st.just(("undo", set[int]())),
    ),
    max_size=12,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_STEPS)
def test_rows_stand_as_after_single_decisions(tmp_path: Path, steps: list[tuple[str, set[int]]]) -> None:
    """Against a stack of whole states; and splits are always those of whole families."""
    db = connect(tmp_path / "one.db")
    db.execute("PRAGMA synchronous = OFF")
    if not examples.count(db):
        fill(db, 6)
    stack = [rows(db)]
    for name, chosen in steps:
        if name == "undo":
            if len(stack) > 1:
                assert reviews.undo(db) is not None
                stack.pop()
        elif name in {"train", "dev", "none"}:
            split = "" if name == "none" else name
            list(splits.assign(db, {f"f{number}": split for number in chosen}))
            stack.append(rows(db))
            for row in db.execute("SELECT family, split FROM examples"):
                assert int(row["family"][1:]) not in chosen or row["split"] == split
        else:
            list(bulk.record(db, sorted(chosen), ReviewAction(name)))
            stack.append(rows(db))
        assert rows(db) == stack[-1]
        assert all(count == 1 for (count,) in db.execute("SELECT count(DISTINCT split) FROM examples GROUP BY family"))
    while reviews.undo(db):
        pass
    db.close()


def test_a_new_example_of_a_family_goes_where_its_family_is(db: sqlite3.Connection, stored: list[Example]) -> None:
    list(splits.assign(db, {"f0": "dev", "f1": "train"}, reviewer="ann"))
    with transaction(db):
        examples.add(db, example(id="01K" + "0" * 23, family="f0"))
    current = examples.get(db, "01K" + "0" * 23)
    assert current is not None
    assert current.split == "dev"
    lines = [line for line in reviews.newest(db, 10) if line.action is ReviewAction.SPLIT]
    assert {(line.example, line.value) for line in lines} == {(stored[0].id, "dev"), (stored[2].id, "train")}
    reviews.undo(db, reviewer="ann")
    assert examples.count(db, parse_query("split:none")) == 13


def test_a_frozen_split_neither_loses_nor_gains(db: sqlite3.Connection, stored: list[Example]) -> None:
    list(splits.assign(db, {"f0": "test", "f1": "dev"}))
    splits.freeze(db, "test")
    rows_before = rows(db)
    for given_splits in ({"f0": "dev"}, {"f1": "test"}, {"f2": "test"}, {"f2": "dev", "f0": ""}):
        with pytest.raises(SplitError, match="frozen"):
            list(splits.assign(db, given_splits))
    assert rows(db) == rows_before
    with pytest.raises(ReviewError, match="frozen"):
        reviews.undo(db)
    list(splits.assign(db, {"f0": "test", "f1": "train"}))
    assert reviews.undo(db) is not None
    assert rows(db) == rows_before
    assert splits.frozen(db) == {"test": ""}
    with pytest.raises(SplitError, match="there are train, dev, test"):
        splits.freeze(db, "validation")


def test_an_undo_into_a_frozen_split_is_refused(db: sqlite3.Connection, stored: list[Example]) -> None:
    list(splits.assign(db, {"f0": "test"}))
    list(splits.assign(db, {"f0": "dev"}))
    splits.freeze(db, "test")
    with pytest.raises(ReviewError, match="test is frozen"):
        reviews.undo(db)
