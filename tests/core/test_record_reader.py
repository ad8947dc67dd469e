"""Foreign records as examples."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from core.config.mapping import Mapping
from core.exchange.record_reader import NO_REASONING, RecordReader, RejectedError, TaskNames, family_of
from storage.schema import Example

pytestmark = pytest.mark.pure

NAMES = TaskNames(("VALIDATED", "REJECTED", "REFINED"), ("market", "risk"), (1, 2, 3))
PLAIN: dict[str, Any] = {
    "hypothesis": "claim",
    "evidence": "facts",
    "decision": "label",
    "defaults": {"domain": "risk", "level": 2, "confidence": 1.0},
    "decisions": {"yes": "VALIDATED", "no": "REJECTED"},
}


def read_record(record: Any, **change: Any) -> Example:
    """`record` by the plain mapping, but for `change`."""
    return RecordReader(Mapping.model_validate(PLAIN | change), NAMES, "facts").read(record)


def reasons_of(record: Any, **change: Any) -> str:
    """Why it is no example."""
    with pytest.raises(RejectedError) as caught:
        read_record(record, **change)
    return str(caught.value)


GOOD = {"claim": "It rains.", "facts": ["The street is wet.", " "], "label": "yes"}


def test_texts_become_pieces() -> None:
    """A list of texts: blank ones are left out, what a piece does not say is said for it."""
    read_example = read_record(GOOD)
    assert (read_example.hypothesis, read_example.decision, read_example.domain, read_example.level) == (
        "It rains.",
        "VALIDATED",
        "risk",
        2,
    )
    assert [(piece.source, piece.content, piece.relevance) for piece in read_example.evidence] == [
        ("piece 1", "The street is wet.", 1.0)
    ]
    assert (read_example.reasoning, read_example.source, read_example.family) == (
        NO_REASONING,
        "import",
        family_of("it  RAINS."),
    )


def test_one_text_is_one_piece() -> None:
    """Evidence may be a single text."""
    assert len(read_record(GOOD | {"facts": "The street is wet."}).evidence) == 1


def test_objects_are_looked_into() -> None:
    """Content, source and relevance are held against each object, through as many lists as there are."""
    record = GOOD | {"q": [{"a": [{"t": "wet", "u": "street.org", "w": "0.5"}]}, {"a": [{"t": "dry", "u": ""}]}]}
    read_example = read_record(record, evidence="q[].a[]", content="t", source="u", relevance="w")
    assert [(piece.source, piece.content, piece.relevance) for piece in read_example.evidence] == [
        ("street.org", "wet", 0.5),
        ("piece 2", "dry", 1.0),
    ]


def test_everything_else_has_an_expression() -> None:
    """Family, domain, level, confidence, reasoning and split; numbers may be texts."""
    record = GOOD | {"m": {"id": 7, "d": "market", "l": "3", "c": "0.25", "r": "So it is.", "s": "validation"}}
    read_example = read_record(
        record, family="m.id", domain="m.d", level="m.l", confidence="m.c", reasoning="m.r", split="m.s", defaults={}
    )
    assert (read_example.family, read_example.domain, read_example.level, read_example.confidence) == (
        "facts-7",
        "market",
        3,
        0.25,
    )
    assert (read_example.reasoning, read_example.split) == ("So it is.", "dev")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"claim": " "}, "hypothesis is empty"),
        ({"facts": []}, "evidence is empty"),
        ({"facts": [{"x": 1}]}, "`content` has to say"),
        ({"label": None}, "decision is empty"),
        ({"label": "maybe"}, "the table has no 'maybe', only yes, no"),
    ],
)
def test_what_is_missing_rejects_the_record(change: dict[str, Any], reason: str) -> None:
    """An empty field, or a label that the table lacks."""
    assert reason in reasons_of(GOOD | change)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"defaults": {"level": 2, "confidence": 1}}, "domain is empty: give an expression"),
        ({"defaults": {"domain": "sea", "level": 2, "confidence": 1}}, "the task has no 'sea', only market, risk"),
        ({"defaults": {"domain": "risk", "level": 9, "confidence": 1}}, "the task has no '9', only 1, 2, 3"),
        ({"defaults": {"domain": "risk", "level": 2}}, "confidence is empty"),
        ({"defaults": {"domain": "risk", "level": 2, "confidence": 85}}, "85 is not between 0 and 1"),
        ({"defaults": {"domain": "risk", "level": 2, "confidence": 1, "split": "moon"}}, "none of train, dev, test"),
        ({"defaults": {"domain": "risk", "level": 2.7, "confidence": 1}}, "the task has no '2.7'"),
        ({"decisions": {"yes": "SURE"}}, "the task has no 'SURE'"),
        ({"decisions": {}}, "the task has no 'yes'"),
        ({"evidence": "abs(claim)"}, "abs(claim)"),
    ],
)
def test_what_the_task_does_not_know_rejects_the_record(change: dict[str, Any], reason: str) -> None:
    """Names that are not the task's, figures out of bounds, an expression that fails on the record."""
    assert reason in reasons_of(GOOD, **change)


def test_every_reason_is_said() -> None:
    """Not only the first."""
    reasons = reasons_of({"label": "perhaps"})
    assert all(part in reasons for part in ("hypothesis is empty", "evidence is empty", "'perhaps'"))


def test_an_expression_is_checked_when_the_mapping_is_read() -> None:
    """It names the field and the mistake."""
    with pytest.raises(ValidationError, match=r"claim.*is no JMESPath expression"):
        Mapping.model_validate(PLAIN | {"hypothesis": "claim["})


FIELDS = ["claim", "facts", "label", "l", "c", "s"]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.just(10**400) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner),
    max_leaves=8,
)


@given(json_values)
def test_any_record_is_an_example_or_says_why_not(record: Any) -> None:
    """Nothing but RejectedError comes out of a strange record."""
    try:
        read_example = read_record(record, level="l", confidence="c", split="s", relevance="c", content="claim")
    except RejectedError as error:
        assert str(error)
    else:
        assert read_example.hypothesis
        assert read_example.evidence
