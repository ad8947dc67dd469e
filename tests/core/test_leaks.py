"""What two splits have in common, and families that belong together."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.config.project import Project
from core.dataset.coverage import NOT_REJECTED
from core.dataset.fingerprints import hash_evidence, hash_text, normal_form, read_compared
from core.dataset.leaks import COMMON, FamilyLink, Leak, LeakKind, family_links, find_leaks
from core.dataset.splits import ACCEPTED, describe_leaks, plan_splits
from storage import splits
from storage.database import transaction
from storage.examples import add
from storage.schema import Evidence, Example, Status
from tests.conftest import example

# Texts that share no words with each other.
TEXTS = [" ".join(f"{word}{number}" for number in range(30)) for word in ("alpha", "beta", "gamma", "delta")]


def placed(split: str, family: str, hypothesis: str, evidence: str = "", **change: Any) -> Example:
    """An accepted example in a split; the evidence is the family's own unless it is given."""
    pieces = [Evidence(source="A paper", content=evidence or f"{family} " * 40, relevance=0.9)]
    fields = {"split": split, "family": family, "hypothesis": hypothesis, "evidence": pieces}
    return example(**{"status": Status.ACCEPTED, **fields, **change})


def leaks_of(db: sqlite3.Connection, *examples: Example, asked: frozenset[str] | None = None) -> list[Leak]:
    with transaction(db):
        for new_example in examples:
            add(db, new_example)
    return find_leaks(read_compared(db, NOT_REJECTED), 0.85, asked=asked)


def kinds(leaks: list[Leak]) -> list[tuple[str, bool, int]]:
    return [(leak.kind.value, leak.stops, len(leak.members)) for leak in leaks]


def test_a_family_in_two_splits_is_one_leak(db: sqlite3.Connection) -> None:
    found = leaks_of(db, placed("train", "f", TEXTS[0]), placed("test", "f", TEXTS[0]), placed("dev", "g", TEXTS[1]))
    assert kinds(found) == [("family", True, 2)]


def test_the_same_case_is_one_whatever_its_form(db: sqlite3.Connection) -> None:
    found = leaks_of(
        db,
        placed("train", "f", "Prices  RISE.", "Sales fell \u2013 by 4 %."),
        placed("test", "g", "prices\u00a0rise", "sales fell \u2013 by 4 %", decision="REJECTED"),
    )
    assert kinds(found) == [("same_case", True, 2)]


def test_the_same_hypothesis_stops_and_the_same_evidence_advises(db: sqlite3.Connection) -> None:
    found = leaks_of(
        db,
        placed("train", "f", TEXTS[0]),
        placed("test", "g", TEXTS[0]),
        placed("dev", "h", TEXTS[1], TEXTS[2]),
        placed("test", "i", TEXTS[3], TEXTS[2]),
    )
    assert kinds(found) == [("same_hypothesis", True, 2), ("same_evidence", False, 2)]


def test_a_form_of_words_is_no_claim(db: sqlite3.Connection) -> None:
    form = "This report is right."
    several = [placed(("train", "test")[number % 2], f"f{number}", form) for number in range(COMMON + 1)]
    assert kinds(leaks_of(db, *several)) == [("same_hypothesis", False, COMMON + 1)]
    assert family_links(read_compared(db, NOT_REJECTED), 0.99) == []
    assert len(family_links(read_compared(db, NOT_REJECTED)[:COMMON], 0.99)) == COMMON - 1


def test_near_duplicates_are_found_across_cells(db: sqlite3.Connection) -> None:
    changed = " ".join([*TEXTS[0].split()[:-1], "other"])
    found = leaks_of(
        db,
        placed("train", "f", TEXTS[0], "One."),
        placed("test", "g", changed, "One.", domain="risk", level=3, decision="REJECTED"),
        placed("test", "h", TEXTS[1], "Two."),
    )
    (near,) = [leak for leak in found if leak.kind is LeakKind.NEAR_DUPLICATE]
    assert near.stops
    assert {member.family for member in near.members} == {"f", "g"}
    assert near.similarity == pytest.approx(1 - 2 / 62)


def test_contrasts_of_one_family_in_one_split_are_wanted(db: sqlite3.Connection) -> None:
    contrasts = [
        placed("train", "f", TEXTS[0], f"{TEXTS[1]} it {word}.", decision=decision)
        for word, decision in (("rose", "VALIDATED"), ("fell", "REJECTED"), ("stayed", "REFINED"))
    ]
    assert leaks_of(db, *contrasts, placed("test", "g", TEXTS[2])) == []


def test_what_is_not_accepted_only_advises_and_what_is_in_no_split_is_no_leak(db: sqlite3.Connection) -> None:
    found = leaks_of(
        db,
        placed("train", "f", TEXTS[0]),
        placed("test", "g", TEXTS[0], status=Status.PENDING),
        placed("", "h", TEXTS[0]),
        placed("test", "i", TEXTS[0], status=Status.REJECTED),
    )
    assert kinds(found) == [("same_hypothesis", False, 2)]


def test_only_what_is_asked_counts(db: sqlite3.Connection) -> None:
    examples = [placed(split, f"{split}{n}", TEXTS[n]) for n in range(2) for split in ("train", "dev")]
    asked = frozenset([examples[1].id])
    found = leaks_of(db, *examples, asked=asked)
    assert [sorted(member.id for member in leak.members) for leak in found] == [
        sorted([examples[0].id, examples[1].id])
    ]


_BLANKS = st.sampled_from([" ", "  ", "\u00a0", "\t", "\n"])


@given(st.lists(st.text("abcäß0-9%", min_size=1), min_size=1), _BLANKS, st.sampled_from(["", ".", " ?", "…"]))
def test_the_form_of_a_text_makes_no_difference(words: list[str], blank: str, end: str) -> None:
    text = " ".join(words)
    assert normal_form(blank.join(words).upper() + end) == normal_form(text.upper())
    assert hash_text([blank.join(words) + end]) == hash_text([text])
    assert normal_form(normal_form(text)) == normal_form(text)


def test_a_sign_a_figure_or_a_source_makes_one() -> None:
    assert hash_text(["It is -5 %."]) != hash_text(["It is 5 %."])
    assert hash_text(["a b", "c"]) != hash_text(["a", "b c"])
    assert hash_evidence([("Trial", "It rose."), ("Poll", "It fell.")]) == hash_evidence(
        [("poll", "it fell"), ("trial", "It rose")]
    )
    assert hash_evidence([("Trial", "It rose.")]) != hash_evidence([("Brochure", "It rose.")])


# ------------------------------------------------------------------ what the assignment does about it


def store(db: sqlite3.Connection, *several: Example) -> None:
    with transaction(db):
        for new_example in several:
            add(db, new_example)


def test_what_belongs_together_is_assigned_together(project: Project, db: sqlite3.Connection) -> None:
    pairs = [
        (placed("", "a1", "Same claim one"), placed("", "a2", "same claim one.", level=2)),
        (placed("", "b1", "Claim b1 x", TEXTS[0]), placed("", "b2", "Other b2 y", TEXTS[0], domain="risk")),
        (placed("", "c1", TEXTS[1], "It rose."), placed("", "c2", TEXTS[1] + " more", "It rose.", level=3)),
    ]
    alone = [placed("", f"z{n}", f"Lonely claim {n} of z{n}") for n in range(20)]
    store(db, *(member for pair in pairs for member in pair), *alone)
    for seed in range(5):
        assignment = plan_splits(project.task, db, seed=seed)
        for one, other in pairs:
            assert assignment.family_splits[one.family] == assignment.family_splits[other.family]
        assert (assignment.linked, assignment.leaks) == (3, ())
    list(splits.assign(db, assignment.family_splits))
    assert [leak for leak in find_leaks(read_compared(db, ACCEPTED), 0.85) if leak.stops] == []


def test_a_frozen_split_gains_nothing_and_the_leak_is_named(project: Project, db: sqlite3.Connection) -> None:
    store(db, placed("test", "old", TEXTS[0]), placed("", "new", TEXTS[0]), placed("", "free", TEXTS[1]))
    splits.freeze(db, "test")
    assignment = plan_splits(project.task, db)
    assert assignment.family_splits.keys() == {"new", "free"}
    assert "test" not in assignment.family_splits.values()
    assert assignment.leaks == (FamilyLink(LeakKind.HYPOTHESIS, "old", "new"),)
    assert describe_leaks(assignment) == (
        "1 pair of families would be in two splits and leak from one into the other, such as old and new, which have "
        "the same hypothesis"
    )


def test_a_query_is_compared_with_all_that_is_in_a_split(project: Project, db: sqlite3.Connection) -> None:
    store(db, placed("dev", "old", TEXTS[0], level=2), placed("", "new", TEXTS[0], level=1))
    store(db, *(placed("", f"z{n}", f"Lonely claim {n} of z{n}", level=1) for n in range(10)))
    from storage.search import parse_query

    assignment = plan_splits(project.task, db, parse_query("level:1"))
    assert assignment.family_splits["new"] == "dev"
    assert "old" not in assignment.family_splits
    assert sum(assignment.examples.values()) == 11
