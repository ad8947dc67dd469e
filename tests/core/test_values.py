"""Values of foreign records as texts and numbers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from core.config.mapping import fold
from core.exchange.faults import RejectedError
from core.exchange.values import NameTable, as_number, as_text, looks_like_list, parse_list

pytestmark = pytest.mark.pure

NO_WORDS: NameTable[float] = NameTable({})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (" a tram ", "a tram"),
        (7, "7"),
        (True, "true"),
        (False, "false"),
        (b"\xc3\xbcber", "über"),
        (None, ""),
        (float("nan"), ""),
        (float("-inf"), ""),
        ("  ", ""),
    ],
)
def test_text_whole_numbers_and_booleans_are_text(value: Any, text: str) -> None:
    """Numbers that are none are missing, and never a word."""
    assert as_text(value) == text


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([1], "is a list, not a text"),
        ({"a": 1}, "is an object, not a text"),
        (0.5, "is a number with a fraction, not a text"),
        (b"\xff\xfe", "is bytes that are not UTF-8 (at byte 0)"),
        pytest.param(10**9000, "thousands of digits", id="long"),
        (object(), "is a object, not a text"),
    ],
)
def test_anything_else_is_refused(value: Any, reason: str) -> None:
    """It is not written out as code."""
    with pytest.raises(RejectedError) as caught:
        as_text(value)
    assert reason in str(caught.value)


def test_a_label_may_have_become_a_number_with_a_fraction() -> None:
    """Tables make 0.0 out of 0 where a cell is empty."""
    table = NameTable({"0": "no", "1": "yes"})
    assert [table.get(as_text(value, fraction=True)) for value in (0.0, "1.0", 1, Decimal("1.00"), "-1", -1.0)] == [
        *("no", "yes", "yes", "yes"),
        *(None, None),
    ]


@pytest.mark.parametrize(
    "label",
    ["Refuté", "REFUTÉ", " refuté ", "refute\u0301", "re\u200bfuté", "ｒｅｆｕｔé", "refuté\u00a0", "refuté\ufeff"],
)
def test_what_nobody_can_tell_apart_is_the_same_label(label: str) -> None:
    """Case, blanks, invisible marks and Unicode form; hyphens and signs are letters of a label."""
    assert NameTable({"refuté": 1}).get(label) == 1
    assert fold("a  b") == fold("A B") != fold("a-b")
    assert NameTable({"1": "x"}).get("-1") is None


def test_an_exact_name_comes_before_one_that_is_alike() -> None:
    """And among those that are alike the first counts."""
    table = NameTable({"b": 1, "B": 2})
    assert [table.get(name) for name in ("b", "B", "ｂ")] == [1, 2, 1]


@pytest.mark.parametrize(
    ("value", "scale", "number"),
    [
        ("0.85", None, 0.85),
        (" .9 ", None, 0.9),
        (1, None, 1.0),
        (Decimal("0.25"), None, 0.25),
        (85, (0.0, 100.0), 0.85),
        ("85 %", (0.0, 100.0), 0.85),
        ("85%", (0.0, 100.0), 0.85),
        (4, (1.0, 5.0), 0.75),
        ("quite sure", None, 0.8),
        ("QUITE  sure", (0.0, 100.0), 0.8),
    ],
)
def test_a_figure_is_read_by_its_scale_or_its_table(
    value: Any, scale: tuple[float, float] | None, number: float
) -> None:
    """The result is from 0 to 1."""
    assert as_number(value, "confidence", NameTable({"quite sure": 0.8}), scale) == pytest.approx(number)


@pytest.mark.parametrize(
    ("value", "scale", "reason"),
    [
        ("85 %", None, "confidence_scale = [0, 100]"),
        (85, None, "confidence_scale = [lowest, highest]"),
        (7, (1.0, 5.0), "7 is not between 1 and 5"),
        (0.85, (0.0, 100.0), "may be a share"),
        ("0,85", None, 'confidences = { "0,85" = 0.9 }'),
        (True, None, "confidence 'true' is no number"),
        ("1_0", (0.0, 100.0), "is no number"),
        ("9" * 5000, None, "99999999999999999999… is not between 0 and 1"),
        ([1], None, "is a list"),
    ],
)
def test_a_figure_without_its_scale_is_refused_with_what_to_write(
    value: Any, scale: tuple[float, float] | None, reason: str
) -> None:
    """It is never read as another figure."""
    with pytest.raises(RejectedError) as caught:
        as_number(value, "confidence", NO_WORDS, scale)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("['It left at six.', \"It's full.\"]", ["It left at six.", "It's full."]),
        ('["It left.", "It is full."]', ["It left.", "It is full."]),
        ("['It left.'\n 'It is full.']", ["It left.", "It is full."]),
        ("{'text': 'It left.'}", [{"text": "It left."}]),
        ("[]", []),
        ("[1] A footnote.", None),
        ("It left [at six].", None),
        ("[not a list]", None),
        ("['cut off", None),
        ("[" * 5000 + "]" * 5000, None),
    ],
)
def test_a_list_that_was_written_as_text(text: str, pieces: list[Any] | None) -> None:
    """By JSON, by Python, or by numpy, which sets no commas."""
    assert parse_list(text) == pieces


def test_a_list_as_text_is_recognised_even_if_it_is_cut_off() -> None:
    """A bracket in prose is none."""
    assert [looks_like_list(text) for text in ("['a', 'b']", "['a, b", "[1] A note.", "[sic]", "plain")] == [
        *(True, True),
        *(False, False, False),
    ]
