"""From the text of an answer to JSON: separates thinking, finds objects in fences and in prose. Pure functions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

_TAG = re.compile(r"</?think(?:ing)?>", re.IGNORECASE)
_FENCE = re.compile(r"```[a-zA-Z0-9_-]*[ \t]*\n(.*?)```", re.DOTALL)
# Each opening brace costs time: after this many the answer counts as unparseable.
_STARTS = 500


@dataclass(frozen=True, slots=True)
class AnswerParts:
    """What a model answered, separated from its thinking. `cut`: the answer ended while the model was thinking."""

    text: str
    thinking: str = ""
    cut: bool = False


def split_thinking(content: str, reasoning: str = "") -> AnswerParts:
    """Separate the thinking from the answer, in each form that servers use.

    Both tags; the closing tag only (the chat template opened it); the opening tag only (the answer was cut off: there
    is none); or `reasoning`, a field of its own beside `content`.
    """
    if isinstance(_parse_object(content.strip()), dict):
        # A tag inside a string of the answer is part of the answer.
        return AnswerParts(content.strip(), reasoning.strip())
    thoughts, answer, position, thinking = [reasoning], "", 0, False
    for tag in _TAG.finditer(content):
        segment, position = content[position : tag.start()], tag.end()
        opens = not tag.group().startswith("</")
        if thinking:
            thoughts.append(segment)
        elif opens:
            answer += segment
        else:
            # A closing tag alone: the chat template had opened it, and all before it was thinking.
            thoughts += [answer, segment]
            answer = ""
        thinking = opens
        if not opens and isinstance(_parse_object(content[position:].strip()), dict):
            break
    remainder = content[position:]
    if thinking:
        thoughts.append(remainder)
    else:
        answer += remainder
    answer, thinking_text = answer.strip(), _join(*thoughts)
    return AnswerParts(
        answer, thinking_text, cut=(thinking and "{" not in answer) or (not answer and bool(thinking_text))
    )


def json_objects(text: str) -> Iterator[dict[str, Any]]:
    """Yield each JSON object in `text`, the likeliest answer first: the whole text, fenced blocks, then those in prose.

    An object comes before those inside it. NaN and Infinity are not accepted as JSON.
    """
    parsed = _parse_object(text.strip())
    if isinstance(parsed, dict):
        yield parsed
        yield from _inner(parsed)
        return
    for fence in _FENCE.finditer(text):
        block = _parse_object(fence.group(1).strip())
        if isinstance(block, dict):
            yield block
    yield from _scattered(text)


def _scattered(text: str) -> Iterator[dict[str, Any]]:
    decoder = json.JSONDecoder(parse_constant=_no_constant)
    position = text.find("{")
    for _ in range(_STARTS):
        if position < 0:
            return
        end = position + 1
        try:
            value, end = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            pass
        else:
            yield value
            yield from _inner(value)
        position = text.find("{", end)


def _inner(value: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The objects one level inside: some models wrap their answer."""
    for child in value.values():
        if isinstance(child, dict):
            yield child


def _parse_object(text: str) -> object:
    if not text.startswith("{"):
        return None
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _join(*parts: str) -> str:
    return "\n".join(part.strip() for part in parts if part.strip())
