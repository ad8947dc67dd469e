"""From the text of an answer to JSON: separates thinking, finds objects in fences and in prose. Pure functions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

# The tags that models put around their thinking; the last ones are those of Mistral and of Kimi.
_TAG = re.compile(r"<(/?)(?:think|thinking|thought|reflection)>|\[(/?)THINK\]|◁(/?)think▷", re.IGNORECASE)
# OpenAI's Harmony format has a channel for what is thought, and one for the answer.
_CHANNEL = re.compile(
    r"<\|channel\|>\s*(\w+)[^<]*<\|message\|>(.*?)(?=<\|(?:end|return|start|channel)\|>|\Z)", re.DOTALL
)
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
    if (channels := _split_channels(content)) is not None:
        final, thinking_aloud = channels
        return AnswerParts(final, _join(reasoning, thinking_aloud), cut=not final)
    if (channels := _split_channels(content)) is not None:
        final, thinking_aloud = channels
        return AnswerParts(final, _join(reasoning, thinking_aloud), cut=not final)
    if isinstance(_parse_object(content.strip()), dict):
        # A tag inside a string of the answer is part of the answer.
        return AnswerParts(content.strip(), reasoning.strip())
    thoughts, answer, position, thinking = [reasoning], "", 0, False
    for tag in _TAG.finditer(content):
        segment, position = content[position : tag.start()], tag.end()
        opens = not any(tag.groups())
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
    yield from (value for _, _, value in json_spans(text))


def json_spans(text: str) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Yield each JSON object in `text` with its start and end, in the order of the text.

    An object inside another one has the place of the outer one, and comes after it.
    """
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
            yield position, end, value
            yield from ((position, end, inner) for inner in _inner(value))
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


def _split_channels(text: str) -> tuple[str, str] | None:
    """(answer, thinking) of a text in channels; None if it has none.

    Without a final channel the answer is empty: the model was cut off while it thought.
    """
    channels = _CHANNEL.findall(text)
    if not channels:
        return None
    answers = [body.strip() for name, body in channels if name == "final"]
    return (answers[-1] if answers else ""), _join(*(body for name, body in channels if name != "final"))
