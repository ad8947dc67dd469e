"""From the text of an answer to JSON: thinking set aside, objects found in fences and in prose. Pure functions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

_TAG = re.compile(r"</?think(?:ing)?>", re.IGNORECASE)
_FENCE = re.compile(r"```[a-zA-Z0-9_-]*[ \t]*\n(.*?)```", re.DOTALL)
# Text that is full of braces costs time at each: past so many the answer counts as unreadable.
_STARTS = 500


@dataclass(frozen=True, slots=True)
class AnswerParts:
    """What a model said, apart from what it thought. `cut`: it was still thinking when the answer ended."""

    text: str
    thinking: str = ""
    cut: bool = False


def split_thinking(content: str, reasoning: str = "") -> AnswerParts:
    """Set the thinking aside, in each form that servers use.

    Both tags; the closing one only (the chat template opened it); the opening one only (cut off: there is no
    answer); or `reasoning`, a field of its own beside `content`.
    """
    if isinstance(_decoded(content.strip()), dict):
        # A tag inside a string of the answer is part of the answer.
        return AnswerParts(content.strip(), reasoning.strip())
    thoughts, said, position, thinking = [reasoning], "", 0, False
    for tag in _TAG.finditer(content):
        piece, position = content[position : tag.start()], tag.end()
        opens = not tag.group().startswith("</")
        if thinking:
            thoughts.append(piece)
        elif opens:
            said += piece
        else:
            # A closing tag alone: the chat template had opened it, and all before it was thinking.
            thoughts += [said, piece]
            said = ""
        thinking = opens
        if not opens and isinstance(_decoded(content[position:].strip()), dict):
            break
    rest = content[position:]
    if thinking:
        thoughts.append(rest)
    else:
        said += rest
    said, thought = said.strip(), _joined(*thoughts)
    return AnswerParts(said, thought, cut=(thinking and "{" not in said) or (not said and bool(thought)))


def json_objects(text: str) -> Iterator[dict[str, Any]]:
    """Every JSON object in `text`, the likeliest answer first: all of it, then fenced blocks, then within prose.

    An object that holds others comes before them. NaN and Infinity are not JSON here.
    """
    whole = _decoded(text.strip())
    if isinstance(whole, dict):
        yield whole
        yield from _inner(whole)
        return
    for fence in _FENCE.finditer(text):
        block = _decoded(fence.group(1).strip())
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
    """Objects one step inside: some models wrap their answer."""
    for child in value.values():
        if isinstance(child, dict):
            yield child


def _decoded(text: str) -> object:
    if not text.startswith("{"):
        return None
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _joined(*parts: str) -> str:
    return "\n".join(part.strip() for part in parts if part.strip())
