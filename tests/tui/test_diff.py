"""What changed between two candidates, as it is drawn."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.schema import Evidence
from tests.conftest import HOSTILE, candidate, example
from tui.text import clean
from tui.widgets.diff import diff, diff_words

pytestmark = pytest.mark.pure


def test_what_went_and_what_came_is_marked() -> None:
    drawn = diff_words("Conversion rose from 4.1 % to 6.0 %.", "Conversion fell from 4.1 % to 3.0 %.").plain
    assert drawn == "Conversion [-rose-]{+fell+} from 4.1 % to [-6.0-]{+3.0+} %."


def test_fields_that_are_equal_are_only_named() -> None:
    before = candidate()
    piece = Evidence(source="Survey", content="Few would pay.", relevance=0.4)
    after = candidate(decision="REFINED", confidence=0.6, evidence=[*before.evidence, piece])
    drawn = diff(before, after).plain
    assert "[-VALIDATED 0.95-]{+REFINED 0.60+}" in drawn
    assert "{+0.40 Survey\nFew would pay.+}" in drawn
    assert drawn.endswith("unchanged: hypothesis, evidence 1, evidence 2, reasoning")
    assert diff(before, before).plain == "nothing changed"


def test_a_piece_that_was_taken_away_is_shown() -> None:
    before = candidate()
    assert "[-0.90 Trial, spring" in diff(before, candidate(evidence=before.evidence[:1])).plain


def test_hostile_text_does_not_act() -> None:
    for text in HOSTILE:
        drawn = diff_words("before " + text, text + " after").plain
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", drawn)


_WORDS = st.lists(st.sampled_from(["alpha", "beta", "gamma", "delta"]), max_size=12).map(" ".join)


@given(_WORDS, _WORDS)
def test_without_what_went_it_is_the_text_that_came(before: str, after: str) -> None:
    drawn = diff_words(before, after).plain
    came = re.sub(r"\[-.*?-\]", "", drawn).replace("{+", "").replace("+}", "")
    assert came.split() == clean(after).split()
    went = re.sub(r"\{\+.*?\+\}", "", drawn).replace("[-", "").replace("-]", "")
    assert went.split() == clean(before).split()


def test_blind_leaves_out_what_tells_the_label() -> None:
    drawn = diff(candidate(), candidate(decision="REFINED", reasoning="Other.", hypothesis="Other."), blind=True).plain
    assert "Other." in drawn
    assert not re.search("REFINED|VALIDATED|reasoning|decision", drawn)


def test_pieces_are_held_against_those_of_the_same_source_and_places_of_examples_too() -> None:
    before = example()
    first, second = before.evidence
    changed = first.model_copy(update={"relevance": 0.5})
    drawn = diff(before, example(evidence=[second, changed], level=2)).plain
    assert "[-0.95-]{+0.50+} Cohort analysis" in drawn
    assert "market · level [-1-]{+2+}" in drawn
    assert "evidence 1" in drawn.rpartition("unchanged: ")[2]


def test_very_long_texts_are_compared_as_far_as_anyone_reads() -> None:
    drawn = diff_words("ab cd " * 100_000, "cd ab " * 100_000).plain
    assert "cut here: 600,000 characters in all" in drawn
