"""Turns the values of records into texts and numbers; what is neither is refused and never written out as code."""

from __future__ import annotations

import ast
import io
import json
import math
import re
import sys
import tokenize
import warnings
from collections.abc import Mapping as Dict
from decimal import Decimal
from itertools import pairwise
from typing import Any, Generic, TypeVar

from core.config.mapping import fold
from core.exchange.faults import RejectedError

V = TypeVar("V")

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
_WHOLE = re.compile(r"([+-]?\d+)\.0+")
PERCENT = (0.0, 100.0)
_WRITTEN_LIST = re.compile(r"\s*(\[.*\]|\{.*\})\s*", re.DOTALL)
# A list that begins so was written by a program, even where its end is missing.
_LIST_START = re.compile(r"""\s*\[\s*(['"]|\{\s*['"])""")
_PARSED_SIZE = 1 << 20
_KINDS = {list: "a list", dict: "an object", float: "a number with a fraction"}


class NameTable(Generic[V]):
    """Finds what a label stands for; case, blanks, invisible marks and Unicode form do not count, nor does '.0'."""

    def __init__(self, entries: Dict[str, V]) -> None:
        self._exact = dict(entries)
        self._folded = {fold(name): value for name, value in reversed(list(entries.items()))}

    def get(self, label: str) -> V | None:
        """What `label` stands for; None if the table has no such name."""
        if label in self._exact:
            return self._exact[label]
        value = self._folded.get(fold(label))
        whole = _WHOLE.fullmatch(label) if value is None else None
        return self._folded.get(fold(whole[1])) if whole else value

    def __bool__(self) -> bool:
        return bool(self._exact)

    def __str__(self) -> str:
        return ", ".join(self._exact)


def is_missing(value: Any) -> bool:
    """Whether `value` says nothing: None, blank, or a number that is none."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or (isinstance(value, float) and not math.isfinite(value))


def as_text(value: Any, *, fraction: bool = False) -> str:
    """A text, whole number or boolean as text, '' if it is missing; bytes are decoded.

    With `fraction`, other numbers are as well: a label or a name may have become one in a table. Raises RejectedError
    for all else.
    """
    if is_missing(value):
        return ""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8-sig").strip()
        except UnicodeDecodeError as error:
            raise RejectedError(f"is bytes that are not UTF-8 (at byte {error.start})") from None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return _digits(value)
    if fraction and isinstance(value, float | Decimal):
        return str(value)
    raise RejectedError(f"is {name_kind(value)}, not a text")


def name_kind(value: Any) -> str:
    """The kind of a value in words, for a message: 'a list'."""
    return next((words for kind, words in _KINDS.items() if isinstance(value, kind)), f"a {type(value).__name__}")


def as_number(value: Any, name: str, table: NameTable[float], scale: tuple[float, float] | None) -> float:
    """A number from 0 to 1 by the table of words or the scale of the file; raises RejectedError."""
    text = as_text(value, fraction=True)
    if table and (number_of_word := table.get(text)) is not None:
        return number_of_word
    low, high = scale or (0.0, 1.0)
    percent = text.endswith("%")
    if percent and scale != PERCENT:
        raise RejectedError(f"{name}: {text[:20]!r} is in percent: say {name}_scale = [0, 100]")
    digits = text[:-1].rstrip() if percent else text
    if isinstance(value, bool) or not _NUMBER.fullmatch(digits):
        raise RejectedError(
            f"{name} {text[:20]!r} is no number: say what it stands for in a table, such as "
            f"{_TABLE_OF[name]} = {{ {json.dumps(text[:20], ensure_ascii=False)} = 0.9 }}"
        )
    number = float(digits)
    shown = f"{number:g}" if math.isfinite(number) else f"{digits[:20]}…"
    if not low <= number <= high:
        hint = "" if scale else f": say {name}_scale = [lowest, highest] of the file's numbers"
        raise RejectedError(f"{name}: {shown} is not between {low:g} and {high:g}{hint}")
    if scale == PERCENT and not percent and 0 < number < 1:
        raise RejectedError(
            f"{name}: {shown} on a scale of 0 to 100 may be a share: say what it stands for in a table, such as "
            f"{_TABLE_OF[name]} = {{ {json.dumps(text[:20], ensure_ascii=False)} = {shown} }}"
        )
    return number if scale is None else (number - low) / (high - low)


_TABLE_OF = {"confidence": "confidences", "relevance": "relevances"}


def looks_like_list(text: str) -> bool:
    """Whether `text` is a list or an object that was written as text, or the beginning of one."""
    return bool(_LIST_START.match(text)) or (bool(_WRITTEN_LIST.fullmatch(text)) and parse_list(text) is not None)


def parse_list(text: str) -> list[Any] | None:
    """The list that a text such as "['a', 'b']" is, written by JSON, Python or numpy; None if it is no such text."""
    if len(text) > _PARSED_SIZE or not _WRITTEN_LIST.fullmatch(text):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = _parse_python(text.strip())
    return value if isinstance(value, list) else [value] if isinstance(value, dict) else None


def _parse_python(text: str) -> Any:
    """The value of a Python literal; of numpy's lists, which have no commas, as well. None if it is neither."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes that Python does not know
            value = ast.literal_eval(text)
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (ValueError, SyntaxError, RecursionError, MemoryError, tokenize.TokenError):
        return None
    strings = [token for token in tokens if token.type == tokenize.STRING]
    kinds = [token.type for token in tokens if token.type not in {tokenize.NL, tokenize.NEWLINE}]
    adjacent = any(pair == (tokenize.STRING, tokenize.STRING) for pair in pairwise(kinds))
    # Python joins strings that stand side by side: there they are members of their own.
    return [ast.literal_eval(token.string) for token in strings] if adjacent else value


def _digits(number: int) -> str:
    limit = sys.get_int_max_str_digits()
    if limit and number.bit_length() > limit * 3:
        raise RejectedError("is a whole number of thousands of digits")
    return str(number)
