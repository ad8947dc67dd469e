"""The confidence that an answer states, read with its scale; what has no scale that can be told is missing."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from typing import Any

_NUMBER = r"(?P<number>\d+(?:[.,]\d+)?)"
_UNIT = r"\s*(?P<unit>%|percent\b|per cent\b|/\s*\d+(?:\.\d+)?|out of \d+(?:\.\d+)?)?"
_RANGE = r"(?:\s*[\[(][^\])\n]{0,40}[\])])?"
_KEYS = r"confidence|probability|certainty|confidence score|置信度|信心|confianza|confiance|konfidenz|уверенность"
_STATED = re.compile(
    rf"(?:\b|(?<=\W)|^)(?:{_KEYS})(?: (?:level|score|is|of|in this))*{_RANGE}[*_`\"' ]*"
    r"(?:[ \t]+[-–—][ \t]+|[:：=]|is|of|at|->|→)?[^\w-]{0,12}"
    rf"(?:(?:about|around|approximately|roughly|is|of|at)\s+)?(?P<sign>-)?{_NUMBER}{_UNIT}",
    re.IGNORECASE,
)
_AS_SURE = re.compile(rf"(?P<sign>-)?{_NUMBER}{_UNIT}\s*(?:confiden|certain|sure)", re.IGNORECASE)
# The whole of a value: a number, and perhaps a remark in brackets.
_VALUE = re.compile(rf"\s*(?P<sign>-)?{_NUMBER}{_UNIT}\s*(?:[(\[][^)\]]*[)\]])?\s*")
# A range instead of a number is the form, not an answer.
_FORM = re.compile(r"\s*(?:to|-|–|—|\.\.+)\s*\d")


def stated_confidence(text: str, after: int = 0) -> float | None:
    """The confidence in words, 0 to 1: the first behind position `after`, else the last before it; None if missing."""
    behind = next(_matches(text, after, len(text)), None)
    if behind is None:
        behind = next(iter(deque(_matches(text, 0, after), maxlen=1)), None)
    return None if behind is None else _scaled(behind)


def confidence_value(value: Any) -> float | None:
    """A confidence as a field of JSON has it: a number, or a text with one; None where its scale cannot be told."""
    if isinstance(value, bool) or value is None:
        return None
    match = _VALUE.fullmatch(str(value))
    return None if match is None else _scaled(match)


def confidence_end(text: str, after: int) -> int | None:
    """Where the first confidence behind `after` ends, without its unit; None if there is none."""
    match = next(_matches(text, after, len(text)), None)
    return None if match is None else match.end("number")


def _matches(text: str, start: int, end: int) -> Iterator[re.Match[str]]:
    for pattern in (_STATED, _AS_SURE):
        for match in pattern.finditer(text, start, end):
            if not _FORM.match(text, match.end("number")):
                yield match


def _scaled(match: re.Match[str]) -> float | None:
    """The number on the scale of its unit. A bare one up to 1 is a share, one above 10 is of a hundred."""
    value = float(match["number"].replace(",", "."))
    unit = match["unit"] or ""
    if match["sign"]:
        return None
    if digits := re.search(r"\d+(?:\.\d+)?", unit):
        whole = float(digits[0])
        value = value / whole if whole else -1.0
    elif unit or 10 < value <= 100:
        value /= 100
    return value if 0 <= value <= 1 else None
