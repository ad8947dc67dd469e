"""Strict schemas out of pydantic models, and answers held against them."""

from __future__ import annotations

from typing import Any

import pytest

from core.llm.schemas import UnfitError, answer_schema
from storage.schema import Candidate
from tests.conftest import candidate

pytestmark = pytest.mark.pure

LABELS = ["VALIDATED", "REJECTED", "REFINED"]
FORBIDDEN = {
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "pattern",
    "default",
    "$ref",
    "$defs",
}


def objects_in(node: Any) -> list[dict[str, Any]]:
    if isinstance(node, list):
        return [schema_object for item in node for schema_object in objects_in(item)]
    if not isinstance(node, dict):
        return []
    inner = [schema_object for child in node.values() for schema_object in objects_in(child)]
    return [node, *inner]


def test_the_schema_is_what_strict_mode_takes() -> None:
    schema = answer_schema(Candidate, LABELS).schema
    assert schema["type"] == "object"
    for node in objects_in(schema):
        assert not FORBIDDEN & node.keys()
        if node.get("type") == "object":
            assert node["additionalProperties"] is False
            assert node["required"] == list(node["properties"])


def test_reasoning_comes_before_the_decision_and_labels_are_an_enum() -> None:
    properties = answer_schema(Candidate, LABELS).schema["properties"]
    assert list(properties) == ["hypothesis", "evidence", "steps", "reasoning", "decision", "confidence"]
    assert properties["decision"]["enum"] == LABELS


def test_what_strict_mode_refuses_is_said_in_the_description() -> None:
    relevance = answer_schema(Candidate, LABELS).schema["properties"]["evidence"]["items"]["properties"]["relevance"]
    assert "at least 0" in relevance["description"]
    assert "at most 1" in relevance["description"]


def test_an_answer_that_fits_is_read() -> None:
    original = candidate()
    assert answer_schema(Candidate, LABELS).read(original.model_dump()) == original


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"confidence": 1.5}, "confidence"),
        ({"confidence": float("nan")}, "confidence"),
        ({"decision": "MAYBE"}, "decision: 'MAYBE' is none of VALIDATED"),
        ({"evidence": []}, "evidence"),
        ({"extra": 1}, "extra"),
        ({"hypothesis": None}, "hypothesis"),
    ],
)
def test_an_answer_that_does_not_fit_says_where(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UnfitError, match=message):
        answer_schema(Candidate, LABELS).read(candidate().model_dump() | change)
