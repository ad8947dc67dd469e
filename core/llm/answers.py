"""From the text of an answer to JSON: thinking set aside, objects found in fences and in prose. Pure functions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

_OPEN = re.compile(r"<think(?:ing)?>", re.IGNORECASE)
_CLOSE = re.compile(r"</think(?:ing)?>", re.IGNORECASE)
_PAIR = re.compile(r"<think(?:ing)?>(.*?)</think(?:ing)?>", re.IGNORECASE | re.DOTALL)
_FENCE = re.compile(r"```[a-zA-Z0-9_-]*[ \t]*\n(.*?)```", re.DOTALL)
# Text that is full of braces costs time at each: past so many the answer counts as unreadable.
_STARTS = 500


@dataclass(frozen=True, slots=True)
class Spoken:
    """What a model said, apart from what it thought. `cut`: it was still thinking when the answer ended."""

    text: str
    thinking: str = ""
    cut: bool = False


def spoken(content: str, reasoning: str = "") -> Spoken:
    """Set the thinking aside, in each form that servers use.

    Both tags; the closing one only (the chat template opened it); the opening one only (cut off: there is no
    answer); or `reasoning`, a field of its own beside `content`.
    """
    if isinstance(_decoded(content.strip()), dict):
        # A tag inside a string of the answer is part of the answer.
        return Spoken(content.strip(), reasoning.strip())
    thoughts = [reasoning, *(pair.group(1) for pair in _PAIR.finditer(content))]
    rest = _PAIR.sub("", content).strip()
    if isinstance(_decoded(rest), dict):
        return Spoken(rest, _joined(*thoughts))
    *before, rest = _CLOSE.split(rest)
    rest, *after = _OPEN.split(rest, maxsplit=1)
    thinking = _joined(*thoughts, *before, *after)
    unanswered = bool(after) and "{" not in rest
    return Spoken(rest.strip(), thinking, cut=unanswered or (not rest.strip() and bool(thinking)))


def objects(text: str) -> Iterator[dict[str, Any]]:
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
