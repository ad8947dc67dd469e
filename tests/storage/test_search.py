"""The query language."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage import examples
from storage.database import transaction
from storage.examples import Filter, Span
from storage.search import QueryError, match_spans, parse_query, query_part
from tests.conftest import HOSTILE, example


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Filter()),
        ("paid conversion", Filter(text="paid conversion")),
        ("level:1-3", Filter(level=(1, 2, 3))),
        ("level:1,4 level:4", Filter(level=(1, 4))),
        ("domain:risk,market decision:refined", Filter(domain=("risk", "market"), decision=("REFINED",))),
        ("status:pending flagged free", Filter(status=("pending",), flagged=True, text="free")),
        ("unflagged", Filter(flagged=False)),
        ("refused is:edited", Filter(refused=True, edited=True)),
        ("is:accepted,flagged", Filter(status=("accepted",), flagged=True)),
        ("family:ab12 run:01X", Filter(family="ab12", run="01X")),
        ("4.1:3 it's", Filter(text="4.1:3 it's")),
        ("split:train,none", Filter(split=("train", ""))),
        ("certainty:<0.6", Filter(certainty=Span(high=0.6, high_open=True))),
        ("confidence:>=.5 certainty:none", Filter(confidence=Span(low=0.5), judged=False)),
        ("confidence:0.5-0.8", Filter(confidence=Span(0.5, 0.8))),
        ("reviewer:ann source:openai model:o1", Filter(reviewer=("ann",), source=("openai",), model=("o1",))),
        ("id:9xkj2m", Filter(ids=("9XKJ2M",))),
        ("-domain:risk", Filter(without=(Filter(domain=("risk",)),))),
        ("-draft paid", Filter(text="paid", without=(Filter(text='"draft"'),))),
        ("-flagged", Filter(without=(Filter(flagged=True),))),
        ('"paid conversion" rate', Filter(text='"paid conversion" rate')),
        ('"flagged"', Filter(text='"flagged"')),
        ('domain:"two words",b', Filter(domain=("two words", "b"))),
        ("- --", Filter(text="- --")),
    ],
)
def test_what_a_query_means(text: str, expected: Filter) -> None:
    assert parse_query(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "colour:red",
        "level:high",
        "level:",
        "status:maybe",
        "level:1-",
        "level:3-1",
        "split:validation",
        "certainty:sure",
        "confidence:0.8-0.5",
        "confidence:0.1,0.2",
        "id:1",
        "family:a,b",
        "family:a family:b",
        "is:red",
        "-level:x",
        'domain:""',
    ],
)
def test_what_means_nothing_is_named(text: str) -> None:
    with pytest.raises(QueryError, match=text.split(":")[0].removeprefix("-")):
        parse_query(text)


@given(st.text())
def test_any_text_is_a_query_or_a_named_mistake(text: str) -> None:
    try:
        parse_query(text)
    except QueryError as error:
        assert str(error)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1), min_size=1, unique=True))
def test_any_value_comes_back_from_its_part(values: list[str]) -> None:
    assert parse_query(f"{query_part('model', *values)} level:2") == Filter(model=tuple(values), level=(2,))


def test_the_words_are_found_as_the_search_finds_them() -> None:
    assert match_spans(["Café prices rise", "no"], "cafe pri") == [[(0, 4), (5, 11)], []]
    assert match_spans(["a paid conversion, paid"], '"paid conversion"') == [[(2, 17)]]
    assert match_spans(["\ue000 x\x00 paid"], "paid") == [[(5, 9)]]
    assert match_spans(["x" * 30_000 + " paid"], "paid") == [[]]
    assert match_spans([], "paid") == []
    assert match_spans(["paid"], "") == [[]]


@given(st.text(), st.text())
def test_what_is_found_lies_in_the_text(text: str, words: str) -> None:
    position = 0
    for start, end in match_spans([text], words)[0]:
        assert position <= start < end <= len(text)
        position = end


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_searched_and_left_out(db: sqlite3.Connection, text: str) -> None:
    with transaction(db):
        examples.add(db, example(hypothesis=f"quorvane {text}", model="m"))
        examples.add(db, example(hypothesis="plain"))
    assert examples.count(db, parse_query("quorvane")) == 1
    assert examples.count(db, parse_query("-quorvane")) == 1
    quoted = '"' + text.replace('"', "") + '"'
    assert isinstance(examples.count(db, Filter(text=quoted)), int)
