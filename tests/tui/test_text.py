"""The sanitizer: nothing in stored text acts on a terminal."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tests.conftest import HOSTILE
from tui.text import clean, content, line

pytestmark = pytest.mark.pure

ANY = st.text(alphabet=st.characters(codec=None), max_size=200)


def acts(character: str) -> bool:
    """Whether a terminal acts on `character`, or nobody can see it."""
    if character in "\t\n\u200d":
        return False
    return unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} or unicodedata.bidirectional(character) in {
        "LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI",
    }  # fmt: skip


@given(ANY)
def test_nothing_that_acts_survives(text: str) -> None:
    assert not [character for character in clean(text) if acts(character)]


@given(ANY)
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    assert clean(clean(text)) == clean(text)


@given(st.text(alphabet=st.characters(min_codepoint=0x20, max_codepoint=0x7E)))
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert clean(text) == text
    assert content(text).plain == text


@given(ANY, st.integers(0, 60))
def test_a_line_fits_its_width_and_is_one_line(text: str, width: int) -> None:
    cut = line(text, width)
    assert cell_len(cut) <= width
    assert "\n" not in cut
    assert "\t" not in cut


@pytest.mark.parametrize("text", HOSTILE)
def test_markup_is_never_parsed(text: str) -> None:
    assert content(text).plain == clean(text)


def test_a_long_text_is_cut_and_says_so() -> None:
    assert clean("x" * 1_048_576, limit=10) == "xxxxxxxxxx … cut here: 1,048,576 characters in all"
    assert len(content("x" * 1_048_576).plain) < 21_000


def test_a_cut_line_says_so() -> None:
    assert line("漢字漢字", 5) == "漢字…"
    assert line("abc", 3) == "abc"
    assert line("abcd", 3) == "ab…"
    assert line("a\nb\tc", 9) == "a b c"
