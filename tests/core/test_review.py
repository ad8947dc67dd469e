"""What a decision means: letters, lines of the log, what hides a label, drafts, checks of edits."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.config.project import Project
from core.review.blindness import Blindness, why_not_blind
from core.review.editing import (
    FORM_PIECES,
    fits_form,
    form_values,
    format_json,
    parse_json,
    rule_violations,
    validate_edit,
)
from core.review.item import ReviewItem, blind_decision_line, changes, decision_lines, read_item
from core.review.label_keys import assign_keys
from core.review.progress import ReviewPace, accepted_quotas
from core.review.round import Round
from storage import drafts, examples, reviews
from storage.attempts import JudgedAttempt
from storage.database import transaction
from storage.examples import Filter
from storage.queues import EVERYTHING, Queue
from storage.reviews import ReviewError
from storage.schema import Attempt, Candidate, Example, Outcome, Result, Review, ReviewAction, Status, Verdict
from tests.conftest import example
from tests.stored import decide


def store(db: sqlite3.Connection, *several: Example) -> None:
    with transaction(db):
        for new_example in several:
            examples.add(db, new_example)


def case(**change: object) -> ReviewItem:
    return ReviewItem(example(**change), True, [], [])


def test_letters_are_those_of_the_labels_where_they_are_free() -> None:
    used_keys = set("axesujkybondgq")
    assert assign_keys(["VALIDATED", "REJECTED", "REFINED"], used_keys) == {
        "VALIDATED": "v",
        "REJECTED": "r",
        "REFINED": "f",
    }
    assert assign_keys(["YES", "NO"], used_keys) == {"YES": "Y", "NO": "N"}
    assert assign_keys(["不", "1"], used_keys) == {"不": "c", "1": "f"}


@given(st.lists(st.text(min_size=1, max_size=6), unique=True, max_size=60), st.sets(st.sampled_from("abcXYZ")))
def test_letters_are_unique_and_free(labels: list[str], used_keys: set[str]) -> None:
    keys = assign_keys(labels, used_keys)
    assert len(set(keys.values())) == len(keys)
    assert not set(keys.values()) & used_keys
    assert len(keys) == min(len(labels), 52 - len(used_keys))


def test_who_agrees_accepts_and_who_does_not_or_comes_later_labels() -> None:
    agreeing = blind_decision_line(case(), "VALIDATED", note="n", reviewer="ann")
    assert (agreeing.action, agreeing.value, agreeing.version, agreeing.note) == (
        ReviewAction.ACCEPT,
        "VALIDATED",
        1,
        "n",
    )
    assert blind_decision_line(case(), "REFINED").action is ReviewAction.LABEL
    assert blind_decision_line(case(status="accepted"), "VALIDATED").action is ReviewAction.LABEL


def test_accepting_what_qa_rejected_brings_it_in() -> None:
    refused = case(status="rejected", refused=True)
    accept = Review(example="", action=ReviewAction.ACCEPT, value="VALIDATED", version=1, note="sound")
    overrule, line = decision_lines(refused, accept)
    assert (overrule.action, overrule.value, overrule.note, line) == (ReviewAction.OVERRULE, "", "", accept)
    assert len(decision_lines(case(), accept)) == 1
    assert len(decision_lines(refused, Review(example="", action=ReviewAction.REJECT))) == 1


def test_a_blind_decision_about_another_version_is_refused(db: sqlite3.Connection) -> None:
    stored = example()
    store(db, stored)
    reviews.edit(db, stored.model_copy(update={"hypothesis": "Another."}))
    with pytest.raises(ReviewError, match="edited meanwhile"):
        reviews.record(db, stored, [blind_decision_line(ReviewItem(stored, True, [], []), "VALIDATED")])
    with pytest.raises(ReviewError, match="labelled VALIDATED, not REFINED"):
        decide(db, stored.id, ReviewAction.ACCEPT, value="REFINED", version=2)


def test_a_label_is_no_secret_to_who_saw_it(db: sqlite3.Connection) -> None:
    stored = example()
    store(db, stored)
    blindness = Blindness("ann")

    def broken(queue: Queue = Queue.NEWEST, where: Filter = EVERYTHING) -> str:
        item = read_item(db, stored.id)
        assert item is not None
        return blindness.why_not_hidden(item, queue, where)

    assert broken() == ""
    assert "order" in broken(Queue.CELL)
    assert "filter" in broken(where=Filter(decision=("REFINED",)))
    assert why_not_blind(Queue.DISPUTED, EVERYTHING)
    decide(db, stored.id, ReviewAction.LABEL, value="REFINED", version=1, reviewer="ben")
    assert broken() == ""
    decide(db, stored.id, ReviewAction.LABEL, value="REFINED", version=1, reviewer="ann")
    reviews.undo(db, reviewer="ann")  # which unsees nothing
    assert "you have decided" in broken()
    another = example()
    store(db, another)
    blindness.mark_seen(another.id)
    item = read_item(db, another.id)
    assert item is not None
    assert blindness.why_not_hidden(item, Queue.NEWEST, EVERYTHING) == "you have seen it"
    assert read_item(db, "01AAAAAAAAAAAAAAAAAAAAAAAA") is None


def test_a_round_remembers_what_it_held(db: sqlite3.Connection) -> None:
    store(db, *(example(id=f"01J{number:023d}") for number in range(3)))
    review_round = Round(db, Queue.OLDEST, EVERYTHING, "")
    review_round.load_more()
    assert (review_round.remaining().number, review_round.size(review_round.remaining())) == (3, 3)
    accept = Review(example=review_round.key or "", action=ReviewAction.ACCEPT)
    reviews.record(db, example(id=review_round.key), [accept])
    review_round.mark_decided(accept)
    review_round.move(1)
    assert (review_round.position, review_round.remaining().number, review_round.size(review_round.remaining())) == (
        1,
        2,
        3,
    )
    store(db, example(id=f"01J{9:023d}"))
    review_round.load_more()
    assert review_round.size(review_round.remaining()) == 4
    review_round.move(5)
    assert review_round.key is None or review_round.key.endswith("9")
    review_round.refresh()
    review_round.load_more()
    review_round.move(9)
    assert review_round.item() is None
    undone = reviews.undo(db)
    assert undone is not None
    review_round.bring_to_front(undone.example)
    assert review_round.position == 0


def test_a_search_in_a_round_counts_what_is_decided_itself(db: sqlite3.Connection) -> None:
    store(db, *(example(id=f"01J{number:023d}") for number in range(3)))
    review_round = Round(db, Queue.OLDEST, Filter(text="free"), "")
    review_round.load_more()
    assert review_round.remaining().number == 3
    review_round.mark_decided(Review(example="", action=ReviewAction.FLAG))
    assert review_round.remaining().number == 3
    review_round.mark_decided(Review(example="", action=ReviewAction.REJECT))
    assert review_round.remaining().number == 2


def test_pace_is_that_of_the_last_minutes_and_unknown_before() -> None:
    pace = ReviewPace()
    assert pace.per_minute() is None
    for second in range(0, 60, 10):
        pace.add(second)
    assert pace.per_minute() == pytest.approx(6.0)
    pace.undo()
    assert pace.per_minute() == pytest.approx(6.0)
    pace.add(4000)  # after an hour away, which counts for nothing
    pace.add(4020)
    assert pace.per_minute() == pytest.approx(5 / 60 * 60)
    for number in range(1, 400):
        pace.add(4020 + number)
    assert pace.per_minute() == pytest.approx(60.0)


def test_accepted_counts_what_people_accepted(db: sqlite3.Connection, project: Project) -> None:
    store(db, example(status=Status.ACCEPTED), example())
    assert [quota.have for quota in accepted_quotas(project.task, db).values()] == [1, 0, 0]


def test_changes_are_those_since_the_version_before(db: sqlite3.Connection) -> None:
    stored = example()
    store(db, stored)
    for number in (2, 3):
        reviews.edit(db, stored.model_copy(update={"hypothesis": f"Claim {number}.", "version": number - 1}))
    item = read_item(db, stored.id)
    assert item is not None
    [(heading, old, new, critique)] = changes(db, item)
    assert (heading, old.hypothesis, new.hypothesis, critique) == (
        "version 3 against 2",
        "Claim 2.",
        "Claim 3.",
        "",
    )


def attempt_of(number: int, hypothesis: str, parent: str | None = None) -> Attempt:
    values = {name: getattr(example(hypothesis=hypothesis), name) for name in Candidate.model_fields}
    return Attempt(
        run="r", domain="market", level=1, decision="VALIDATED", slot=0, number=number, idea=0, parent=parent,
        outcome=Outcome.WRITTEN, candidate=Candidate.model_validate(values), family="f", source="s", seed=0,
    )  # fmt: skip


def test_a_rewrite_is_shown_against_its_parent_and_the_last_edit_before_it(db: sqlite3.Connection) -> None:
    """The parent is that of the example's own attempt, and nothing is shown of attempts without one."""
    first = attempt_of(0, "First.")
    second = attempt_of(1, "Second.", first.id)
    rejected = Verdict(attempt=first.id, result=Result.REJECTED, stage="judge", critique="Say who.")
    stored = example(attempt=second.id, hypothesis="Second.")
    lineage = [JudgedAttempt(first, (rejected,)), JudgedAttempt(second, ())]
    [(heading, old, new, critique)] = changes(db, ReviewItem(stored, True, [], lineage))
    assert (heading, old.hypothesis, new.hypothesis, critique) == (
        "attempt 2 against 1",
        "First.",
        "Second.",
        "Say who.",
    )
    unjudged = ReviewItem(stored, True, [], [JudgedAttempt(first, ()), lineage[1]])
    assert [change[3] for change in changes(db, unjudged)] == [""]
    foreign = ReviewItem(example(attempt=None), True, [], lineage)
    assert changes(db, foreign) == []
    orphan = ReviewItem(stored, True, [], [lineage[1]])
    assert changes(db, orphan) == []


def test_a_draft_is_one_persons_and_the_newest_replaces_it(db: sqlite3.Connection) -> None:
    stored = example()
    store(db, stored)
    drafts.save(db, stored.id, "ann", 1, {"form": {"hypothesis": "\ud800 x"}})
    drafts.save(db, stored.id, "ann", 2, {"form": {"hypothesis": "y"}})
    draft = drafts.get(db, stored.id, "ann")
    assert draft is not None
    assert (draft.version, draft.content) == (2, {"form": {"hypothesis": "y"}})
    assert drafts.newest(db, "ann") == draft
    assert drafts.get(db, stored.id, "ben") is None
    drafts.delete(db, stored.id, "ann")
    assert drafts.newest(db, "ann") is None


def test_a_form_that_nobody_touched_is_the_example(project: Project) -> None:
    stored = example(confidence=0.123456789, hypothesis="bidi \u202e and \x1b stay")
    assert validate_edit(project.task, stored, form_values(stored)) == (stored, [])
    assert parse_json(format_json(form_values(stored)))[1] == ""


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"confidence": "2"}, "confidence: 2 is no number from 0 to 1"),
        ({"confidence": ""}, "confidence: nothing is no number from 0 to 1"),
        ({"confidence": "nan"}, "confidence: nan is no number from 0 to 1"),
        ({"hypothesis": ""}, "hypothesis: is empty"),
        ({"evidence": []}, "evidence: one piece at least is needed"),
        ({"evidence": [{"source": "", "relevance": "1", "content": "c"}]}, "evidence 1 source: is empty"),
        ({"evidence": [{"source": "s", "relevance": "x", "content": "c"}]}, "evidence 1 relevance: x is no number"),
        ({"evidence": [{"source": "s", "content": "c"}]}, "evidence 1 relevance: is missing"),
        ({"domain": "sports"}, "no domain sports"),
        ({"level": "9"}, "no level 9"),
    ],
)
def test_what_is_wrong_with_an_edit_is_said_plainly(project: Project, values: dict[str, object], words: str) -> None:
    edited, problems = validate_edit(project.task, example(), values)
    assert edited is None
    assert words in "\n".join(problems)


def test_doubts_are_what_the_rules_of_qa_say(project: Project) -> None:
    assert rule_violations(project.task, example(confidence=0.1))
    assert not [doubt for doubt in rule_violations(project.task, example()) if "confidence" in doubt.lower()]


def test_json_with_mistakes_says_where() -> None:
    assert parse_json("{\n  nope")[1].startswith("line 2, column 3: not JSON")
    assert "an object" in parse_json("[]")[1]
    assert "no field status" in parse_json('{"status": "accepted"}')[1]


def test_long_examples_and_those_of_many_pieces_do_not_fit_a_form() -> None:
    assert fits_form(example())
    assert not fits_form(example(hypothesis="x" * 60_000))
    assert not fits_form(example(evidence=example().evidence * 20))
    assert fits_form(example(evidence=example().evidence * (FORM_PIECES // 2)))


def test_an_empty_round_finds_what_comes(db: sqlite3.Connection) -> None:
    """Whatever end of the queue it stands at: what came has a known certainty, and the cursor was past those."""
    review_round = Round(db, Queue.UNCERTAIN, EVERYTHING, "")
    review_round.load_more()
    assert not review_round.has_items
    store(db, example(id=f"01J{1:023d}", certainty=0.4))
    review_round.refresh()
    review_round.load_more()
    assert review_round.key == f"01J{1:023d}"
    review_round.move(1)
    store(db, example(id=f"01J{0:023d}", certainty=0.1))
    review_round.refresh()
    review_round.load_more()
    assert (review_round.key, review_round.position) == (f"01J{0:023d}", 1)


def test_what_is_left_is_counted_anew_where_the_queue_had_ended(db: sqlite3.Connection) -> None:
    review_round = Round(db, Queue.SAMPLE, EVERYTHING, "ann")
    review_round.load_more()
    assert review_round.remaining().number == 0
    store(db, example(id=f"01J{1:023d}"), example(id=f"01J{2:023d}"))
    review_round.refresh()
    review_round.load_more()
    assert (review_round.remaining().number, review_round.size(review_round.remaining())) == (2, 2)
    item = read_item(db, review_round.key or "")
    assert item is not None
    line = blind_decision_line(item, "VALIDATED", reviewer="ann")
    reviews.record(db, item.example, [line])
    review_round.mark_decided(line)
    review_round.move(5)
    review_round.refresh()
    assert (review_round.remaining().number, review_round.size(review_round.remaining())) == (1, 2)
