"""The queues of review: what each holds, in which order, a page at a time."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage import attempts, examples, queues, reviews, runs
from storage.database import transaction
from storage.examples import Filter
from storage.queues import EVERYTHING, Queue, QueueSize
from storage.schema import Attempt, Example, Outcome, Result, Review, ReviewAction, Run, Verdict
from storage.search import parse_query
from tests.conftest import candidate, example
from tests.stored import decide, read_all


def store(db: sqlite3.Connection, *several: Example) -> None:
    with transaction(db):
        for new_example in several:
            examples.add(db, new_example)


def numbered(number: int, **change: object) -> Example:
    return example(id=f"01J{number:023d}", **change)


def queue_numbers(
    db: sqlite3.Connection, queue: Queue, where: Filter = EVERYTHING, *, reviewer: str = "", limit: int = 3
) -> list[int]:
    """The numbers of all examples of a queue, read in small pages."""
    numbers: list[int] = []
    page = queues.page(db, queue, where, reviewer=reviewer, limit=limit)
    while True:
        numbers += [int(key[3:]) for key in page.keys]
        if page.last:
            break
        page = queues.page(db, queue, where, reviewer=reviewer, after=page.after, limit=limit)
    size = queues.queue_size(db, queue, where, reviewer=reviewer)
    assert size == QueueSize(len(numbers))
    return numbers


def test_what_waits_comes_in_the_order_that_is_asked_for(db: sqlite3.Connection) -> None:
    for number, (certainty, domain) in enumerate(
        [(None, "risk"), (0.9, "market"), (0.2, "risk"), (None, "market"), (0.5, "market"), (0.2, "market")]
    ):
        store(db, numbered(number, certainty=certainty, domain=domain))
    decide(db, f"01J{4:023d}", ReviewAction.ACCEPT)
    assert queue_numbers(db, Queue.UNCERTAIN) == [2, 5, 1, 0, 3]
    assert queue_numbers(db, Queue.NEWEST) == [5, 3, 2, 1, 0]
    assert queue_numbers(db, Queue.OLDEST) == [0, 1, 2, 3, 5]
    assert queue_numbers(db, Queue.CELL) == [1, 3, 5, 0, 2]
    assert queue_numbers(db, Queue.UNCERTAIN, Filter(domain=("risk",))) == [2, 0]
    assert queue_numbers(db, Queue.NEWEST, Filter(status=("pending", "accepted"))) == [5, 4, 3, 2, 1, 0]
    assert queue_numbers(db, Queue.UNCERTAIN, Filter(status=("pending", "accepted"))) == [2, 5, 4, 1, 0, 3]
    assert queue_numbers(db, Queue.OLDEST, Filter(text="free")) == [0, 1, 2, 3, 5]
    assert queue_numbers(db, Queue.OLDEST, Filter(domain=("customer",))) == []


def test_what_comes_in_at_the_end_is_read_on(db: sqlite3.Connection) -> None:
    store(db, numbered(0), numbered(1))
    page = queues.page(db, Queue.OLDEST)
    assert page.last
    store(db, numbered(2))
    assert queues.page(db, Queue.OLDEST, after=page.after).keys == [f"01J{2:023d}"]


def test_flagged_are_there_whatever_was_decided(db: sqlite3.Connection) -> None:
    store(db, *(numbered(number) for number in range(4)))
    for number in (1, 3):
        decide(db, f"01J{number:023d}", ReviewAction.FLAG)
    decide(db, f"01J{3:023d}", ReviewAction.REJECT)
    assert queue_numbers(db, Queue.FLAGGED) == [1, 3]
    assert queue_numbers(db, Queue.FLAGGED, Filter(status=("rejected",))) == [3]


@pytest.fixture
def rejected(db: sqlite3.Connection) -> list[tuple[Attempt, Verdict]]:
    """Four attempts that QA rejected, with the verdicts."""
    run = Run(kind="generate")
    runs.add(db, run)
    rejected_attempts = []
    for number in range(4):
        attempt = Attempt(
            id=f"01J{number:023d}", run=run.id, domain="risk" if number % 2 else "market", level=1, slot=number,
            decision="VALIDATED", number=0, idea=0, family="f", seed=0, outcome=Outcome.WRITTEN,
            candidate=candidate(hypothesis=f"Claim number {number}."), source="openai",
        )  # fmt: skip
        attempts.add_attempt(db, attempt, None)
        verdict = Verdict(attempt=attempt.id, result=Result.REJECTED, stage="judge", reason="ambiguous")
        attempts.add_verdict(db, verdict, None)
        rejected_attempts.append((attempt, verdict))
    return rejected_attempts


def test_what_the_judge_rejected_waits_until_a_person_decides(
    db: sqlite3.Connection, rejected: list[tuple[Attempt, Verdict]]
) -> None:
    from core.qa.verdicts import example_of_attempt

    assert queue_numbers(db, Queue.REFUSED) == [3, 2, 1, 0]
    for query, numbers in (
        ("domain:risk claim", [3, 1]),
        ("-domain:risk", [2, 0]),
        ("source:openai", [3, 2, 1, 0]),
        ("source:procedural", []),
        ("model:m", []),
        ("confidence:<0.5", []),
        ("confidence:>0.5 -level:2", [3, 2, 1, 0]),
        ("id:000002", [2]),
        ('"claim number 2"', [2]),
        ('"number claim"', []),
        ("refused -claim", []),
    ):
        assert queue_numbers(db, Queue.REFUSED, parse_query(query)) == numbers, query
    assert queues.inapplicable_to_attempts(parse_query("split:train -is:edited certainty:<0.5 level:1")) == [
        "split", "certainty", "edited",
    ]  # fmt: skip
    refused = example_of_attempt(*rejected[2])
    reviews.record(db, refused, [])  # stored for an edit, decided by nobody
    assert queue_numbers(db, Queue.REFUSED) == [3, 2, 1, 0]
    reviews.record(db, refused, [Review(example="", action=ReviewAction.REJECT)])
    reviews.record(db, example_of_attempt(*rejected[1]), [Review(example="", action=ReviewAction.OVERRULE)])
    assert queue_numbers(db, Queue.REFUSED) == [3, 0]
    reviews.undo(db)
    reviews.undo(db)
    assert queue_numbers(db, Queue.REFUSED) == [3, 2, 1, 0]


def test_the_sample_is_of_a_fixed_size_and_order_and_of_what_qa_passed(db: sqlite3.Connection) -> None:
    store(db, *(numbered(number, status="rejected", refused=True) for number in range(10)))
    store(db, *(numbered(number) for number in range(10, 110)))
    queued = queue_numbers(db, Queue.SAMPLE)
    assert len(queued) == queues.SAMPLE
    assert min(queued) >= 10
    assert queued != sorted(queued)
    assert queue_numbers(db, Queue.SAMPLE, limit=7) == queued
    first = f"01J{queued[0]:023d}"
    decide(db, first, ReviewAction.ACCEPT, reviewer="ann")  # seeing the label, so that an audit can still follow
    assert queue_numbers(db, Queue.SAMPLE, reviewer="ann") == queued
    decide(db, first, ReviewAction.LABEL, value="REFINED", version=1, reviewer="ann")
    assert queue_numbers(db, Queue.SAMPLE, reviewer="ann") == queued[1:]
    assert queue_numbers(db, Queue.SAMPLE, reviewer="ben") == queued


def test_a_second_opinion_is_asked_of_who_has_none(db: sqlite3.Connection) -> None:
    store(db, *(numbered(number) for number in range(5)))
    for number, person in ((0, "ann"), (1, "ben"), (2, "ann"), (2, "ben"), (3, "ann")):
        decide(db, f"01J{number:023d}", ReviewAction.ACCEPT, reviewer=person)
    decide(db, f"01J{4:023d}", ReviewAction.FLAG, reviewer="ann")
    reviews.undo(db)
    reviews.undo(db)  # ann's decision about 3
    assert queue_numbers(db, Queue.SECOND, reviewer="ben") == [0]
    assert queue_numbers(db, Queue.SECOND, reviewer="ann") == [1]
    assert queue_numbers(db, Queue.SECOND, reviewer="cid") == [0, 1, 2]
    assert queue_numbers(db, Queue.SECOND, Filter(text="free", status=("accepted",)), reviewer="cid") == [0, 1, 2]


def test_disagreements_stay_until_someone_who_saw_the_label_settles_them(db: sqlite3.Connection) -> None:
    store(db, *(numbered(number) for number in range(5)))
    keys = [f"01J{number:023d}" for number in range(5)]
    decide(db, keys[0], ReviewAction.ACCEPT, value="VALIDATED", version=1, reviewer="ann")
    decide(db, keys[1], ReviewAction.LABEL, value="REFINED", version=1, reviewer="ann")
    decide(db, keys[2], ReviewAction.ACCEPT, value="VALIDATED", version=1, reviewer="ann")
    decide(db, keys[2], ReviewAction.LABEL, value="REJECTED", version=1, reviewer="ben")
    decide(db, keys[3], ReviewAction.LABEL, value="REFINED", version=1, reviewer="ann")
    decide(db, keys[3], ReviewAction.LABEL, value="VALIDATED", version=1, reviewer="ann")  # thought better of it
    assert queue_numbers(db, Queue.DISPUTED) == [1, 2]
    decide(db, keys[1], ReviewAction.ACCEPT, reviewer="ann")
    decide(db, keys[2], ReviewAction.REJECT, reviewer="cid")
    assert queue_numbers(db, Queue.DISPUTED) == []
    decide(db, keys[1], ReviewAction.LABEL, value="VALIDATED", version=1, reviewer="ben")
    assert queue_numbers(db, Queue.DISPUTED) == []  # with the label, and what it differs from was settled
    reviews.undo(db, reviewer="cid")
    assert queue_numbers(db, Queue.DISPUTED) == [2]


def test_an_edit_to_what_was_decided_ends_the_disagreement_with_the_label(db: sqlite3.Connection) -> None:
    store(db, numbered(0))
    decide(db, f"01J{0:023d}", ReviewAction.LABEL, value="REFINED", version=1)
    assert queue_numbers(db, Queue.DISPUTED) == [0]
    reviews.edit(db, numbered(0, decision="REFINED"))
    assert queue_numbers(db, Queue.DISPUTED) == []


def test_a_person_who_differs_from_the_judge_is_a_disagreement(
    db: sqlite3.Connection, rejected: list[tuple[Attempt, Verdict]]
) -> None:
    from core.qa.verdicts import example_of_attempt

    attempt = rejected[0][0].model_copy(update={"id": f"01J{9:023d}", "slot": 9})
    attempts.add_attempt(db, attempt, None)
    verdict = Verdict(
        attempt=attempt.id, result=Result.REJECTED, stage="judge", blind_decision="REFINED", blind_confidence=0.9
    )
    attempts.add_verdict(db, verdict, None)
    judged_example = example_of_attempt(attempt, verdict).model_copy(update={"id": attempt.id})
    lines = [Review(example="", action=ReviewAction.ACCEPT, value="VALIDATED", version=1)]
    reviews.record(db, judged_example, [Review(example="", action=ReviewAction.OVERRULE), *lines])
    assert queue_numbers(db, Queue.DISPUTED) == [9]


_KINDS = st.sampled_from([Queue.UNCERTAIN, Queue.NEWEST, Queue.OLDEST, Queue.CELL, Queue.FLAGGED])


@pytest.fixture
def many(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    store(
        db,
        *(
            numbered(
                number,
                certainty=[None, 0.1, 0.5, 0.5, 0.9][number % 5],
                domain=("market", "risk", "technical")[number % 3],
                level=1 + number % 4,
                decision=("VALIDATED", "REJECTED")[number % 2],
                flagged=number % 3 == 0,
                status=("pending", "accepted", "rejected")[number % 7 % 3],
            )
            for number in range(60)
        ),
    )
    yield db


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    _KINDS,
    st.integers(1, 9),
    st.lists(st.sampled_from(["market", "risk", "customer"]), unique=True, max_size=2),
    st.lists(st.sampled_from(["pending", "accepted"]), unique=True, max_size=2),
    st.lists(st.integers(1, 5), unique=True, max_size=2),
    st.integers(0, 1),
)
def test_pages_of_any_size_hold_each_example_once_in_one_order(
    many: sqlite3.Connection,
    queue: Queue,
    limit: int,
    domains: list[str],
    statuses: list[str],
    levels: list[int],
    few: int,
) -> None:
    where = Filter(domain=tuple(domains), status=tuple(statuses), level=tuple(levels))
    few_before, queues.FEW = queues.FEW, 5000 * few
    try:
        queued = queue_numbers(many, queue, where, limit=limit)
    finally:
        queues.FEW = few_before
    assert len(set(queued)) == len(queued)
    assert queued == queue_numbers(many, queue, where, limit=100)
    everything = {int(entry.id[3:]): entry for entry in read_all(many, where)}
    expected = {
        number
        for number, entry in everything.items()
        if (entry.flagged if queue is Queue.FLAGGED else (statuses or entry.status == "pending"))
    }
    assert set(queued) == expected


@pytest.mark.parametrize("queue", list(Queue))
def test_no_page_is_read_by_going_through_or_sorting_all(
    db: sqlite3.Connection, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queues, "FEW", 0)
    for walk in [walk for walks in queues._stages(db, queue, EVERYTHING, "ann") for walk in walks]:
        text, values = walk.sql(())
        plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {text}", [*values, 50])]
        assert "USE TEMP B-TREE FOR GROUP BY" not in plan
        if queue is Queue.SAMPLE:  # drawn by an index, and what is drawn is gone through
            assert "SCAN examples USING INDEX examples_by_chance" in plan
            continue
        assert "USE TEMP B-TREE FOR ORDER BY" not in plan
        assert not [step for step in plan if step.startswith("SCAN") and "USING" not in step]
