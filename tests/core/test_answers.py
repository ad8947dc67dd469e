"""JSON out of what models say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.llm.answers import AnswerParts, json_objects, split_thinking

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("content", "reasoning", "expected"),
    [
        ('{"a": 1}', "", AnswerParts('{"a": 1}')),
        ('<think>hm</think>\n{"a": 1}', "", AnswerParts('{"a": 1}', "hm")),
        ('  <THINK>hm</THINK>{"a": 1}', "", AnswerParts('{"a": 1}', "hm")),
        ('hm\n</think>\n{"a": 1}', "", AnswerParts('{"a": 1}', "hm")),
        ('<think>one</think> so <think>two</think> {"a": 1}', "", AnswerParts('so  {"a": 1}', "one\ntwo")),
        ("<think>hm, and then", "", AnswerParts("", "hm, and then", cut=True)),
        ("Sure. <think>hm", "", AnswerParts("Sure.", "hm", cut=True)),
        ('{"a": 1}', "hm", AnswerParts('{"a": 1}', "hm")),
        ("", "hm", AnswerParts("", "hm", cut=True)),
        ('{"a": 1}\n<think>and yet</think>', "", AnswerParts('{"a": 1}', "and yet")),
        ("<think></think>", "", AnswerParts("")),
        ("", "", AnswerParts("")),
        ('{"a": "a </think> inside"}', "", AnswerParts('{"a": "a </think> inside"}')),
        ('<think>x</think>{"a": "<think>"}', "", AnswerParts('{"a": "<think>"}', "x")),
    ],
)
def test_thinking_is_set_aside(content: str, reasoning: str, expected: AnswerParts) -> None:
    assert split_thinking(content, reasoning) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1}', [{"a": 1}]),
        ('```json\n{"a": 1}\n```', [{"a": 1}]),
        ('Here:\n```\n{"a": 1}\n```\nDone.', [{"a": 1}]),
        ('Of {a, b} I take {"a": {"b": 2}}, as said.', [{"a": {"b": 2}}, {"b": 2}]),
        ('{"x": 1} or rather {"a": 1}', [{"x": 1}, {"a": 1}]),
        ('[{"a": 1}]', [{"a": 1}]),
        ('{"a": 1', []),
        ('{"a": NaN}', []),
        ('{"a": Infinity}', []),
        ("no braces", []),
        ("", []),
        ('"a string"', []),
    ],
)
def test_objects_are_found(text: str, expected: list[object]) -> None:
    objects = list(json_objects(text))
    assert objects[: len(expected)] == expected
    assert bool(objects) is bool(expected)


@pytest.mark.parametrize("text", ["{" * 1_000_000, '{"a":' * 200_000, "```json\n" * 100_000, "<think>" * 150_000])
def test_hostile_text_ends_soon_and_raises_nothing(text: str) -> None:
    assert list(json_objects(split_thinking(text).text)) == []


@given(st.text(max_size=200), st.text(max_size=50))
def test_any_text_is_read_without_an_exception(content: str, reasoning: str) -> None:
    list(json_objects(split_thinking(content, reasoning).text))
