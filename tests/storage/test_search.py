"""The query language."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.examples import Filter
from storage.search import QueryError, parse_query


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", Filter()),
        ("paid conversion", Filter(text="paid conversion")),
        ("level:1-3", Filter(level=(1, 2, 3))),
        ("level:1,4 level:4", Filter(level=(1, 4))),
        ("domain:risk,market decision:refined", Filter(domain=("risk", "market"), decision=("REFINED",))),
        ("status:pending flagged free", Filter(status=("pending",), flagged=True, text="free")),
        ("unflagged", Filter(flagged=False)),
        ("family:ab12 run:01X", Filter(family="ab12", run="01X")),
        ("4.1:3 it's", Filter(text="4.1:3 it s")),
    ],
)
def test_what_a_query_means(text: str, found: Filter) -> None:
    assert parse_query(text) == found


@pytest.mark.parametrize("text", ["colour:red", "level:high", "level:", "status:maybe", "level:1-"])
def test_what_means_nothing_is_named(text: str) -> None:
    with pytest.raises(QueryError, match=text.split(":")[0]):
        parse_query(text)


@given(st.text())
def test_any_text_is_a_query_or_a_named_mistake(text: str) -> None:
    try:
        parse_query(text)
    except QueryError as error:
        assert str(error)
