"""The small query language of the app: `level:1-2 domain:risk -status:rejected certainty:<0.6 "a phrase" words`."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from typing import Any

from storage.errors import UserError
from storage.examples import TAIL, Filter, Span, terms
from storage.schema import Status

# The language, a line per feature: for the help of the app and of the command line.
LANGUAGE = (
    ("paid conversion", "both words; the last may be the start of a word"),
    ('"paid conversion"', "just these words; also a word that means something here"),
    ("level:1-3", "also level:1,4"),
    ("domain:risk,market", "also decision: source: model: reviewer: (who decided)"),
    ("status:pending", "also accepted, rejected"),
    ("split:train", "also dev, test, none"),
    ("confidence:<0.8", "also 0.5-0.8 or 0.8; certainty: too, and certainty:none"),
    ("flagged", "also unflagged, refused (by QA), is:edited, is:stale, is:pending"),
    ("id:9XKJ2M", "the end of an id, or all of it; family: and run: with all"),
    ("-domain:risk", "not these; also -level:1-2 -draft -flagged"),
)

# Fields whose values are taken as they are.
_NAMED = ("domain", "source", "model", "reviewer")
_FIELDS = ("level", "decision", "status", "split", "confidence", "certainty", "id", "family", "run", "is", *_NAMED)
_SPLITS = {"train": "train", "dev": "dev", "test": "test", "none": ""}
_LEVELS = re.compile(r"^(\d{1,2})(?:-(\d{1,2}))?$")
_NUMBER = r"(\d*\.?\d+|\d+\.)"
_SPAN = re.compile(rf"^(?:(<=|>=|<|>)?{_NUMBER}|{_NUMBER}-{_NUMBER})$")
_PART = re.compile(r'(-?)(?:([A-Za-z]+):)?((?:"(?:[^"]|"")*(?:"|$)|[^\s"])*)')
_VALUE = re.compile(r'"((?:[^"]|"")*)(?:"|$)|([^,"]+)')


class QueryError(UserError, ValueError):
    """The query cannot be parsed; `str()` of it says which part is wrong, and what would be right."""


def parse_query(text: str) -> Filter:
    """The filter that `text` describes. Values of one field are alternatives; fields and words restrict each other.

    Raises QueryError for an unknown field, or a value that the field cannot have.
    """
    fields: dict[str, Any] = {}
    words: list[str] = []
    without: list[Filter] = []
    for match in _PART.finditer(text):
        minus, name, value = match[1], (match[2] or "").lower(), match[3]
        if not match[0]:
            continue
        if not name:
            # A lone minus, or one in front of nothing that can be searched, is text.
            negated = bool(minus) and bool(terms(value))
            flag = _parse_flag(value.lower())
            if flag is not None and negated:
                without.append(Filter(**flag))
            elif flag is not None and not minus:
                _merge(fields, flag, value)
            elif negated:
                without.append(Filter(text=value if value.startswith('"') else f'"{value}"'))
            else:
                words.append(match[0])
        elif minus:
            without.append(Filter(**_parse_field(name, value)))
        else:
            _merge(fields, _parse_field(name, value), f"{name}:{value}")
    return Filter(**fields, text=" ".join(words), without=tuple(without))


def query_part(name: str, *values: str) -> str:
    """A part of a query that matches exactly these values, whatever characters they contain but control characters."""
    return f"{name}:{','.join(_quoted(value) for value in values)}"


def match_spans(texts: Sequence[str], words: str) -> list[list[tuple[int, int]]]:
    """For each of `texts`, the positions [from, to) where it contains a term of `words`, found by the search itself.

    Only the first 20,000 characters of a text are searched.
    """
    query_terms = terms(words)
    if not query_terms or not texts:
        return [[] for _ in texts]
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute('CREATE VIRTUAL TABLE t USING fts5 (a, tokenize = "unicode61 remove_diacritics 2")')
        # Marks and NUL, at which SQLite stops, become blanks, so that all other characters keep their positions.
        rows = [(position, text[:_LONGEST].translate(_BLANKS)) for position, text in enumerate(texts, start=1)]
        connection.executemany("INSERT INTO t (rowid, a) VALUES (?, ?)", rows)
        marked = connection.execute(
            "SELECT rowid, highlight(t, 0, ?, ?) FROM t WHERE t MATCH ?", (_OPEN, _CLOSE, " OR ".join(query_terms))
        )
        spans: list[list[tuple[int, int]]] = [[] for _ in texts]
        for rowid, text in marked:
            spans[rowid - 1] = _marked_spans(text)
        return spans
    finally:
        connection.close()


_OPEN, _CLOSE = "\ue000", "\ue001"
_BLANKS = {ord(_OPEN): " ", ord(_CLOSE): " ", 0: " ", **dict.fromkeys(range(0xD800, 0xE000), " ")}
_LONGEST = 20_000


def _marked_spans(marked: str) -> list[tuple[int, int]]:
    spans = []
    for number, match in enumerate(re.finditer(f"{_OPEN}([^{_CLOSE}]*){_CLOSE}", marked)):
        start = match.start() - 2 * number
        spans.append((start, start + len(match[1])))
    return spans


def _parse_flag(word: str) -> dict[str, Any] | None:
    return {"flagged": {"flagged": True}, "unflagged": {"flagged": False}, "refused": {"refused": True}}.get(word)


def _merge(fields: dict[str, Any], addition: dict[str, Any], part: str) -> None:
    """Merge `addition` into `fields`: tuples grow; a field with one value must not get another."""
    for name, value in addition.items():
        if isinstance(value, tuple):
            fields[name] = tuple(dict.fromkeys([*fields.get(name, ()), *value]))
        elif fields.setdefault(name, value) != value:
            raise QueryError(f"{part}: {name} is there twice: once is enough, and a range is written 0.5-0.8")


def _parse_field(name: str, rest: str) -> dict[str, Any]:
    if name not in _FIELDS:
        choices = f"there are {', '.join(sorted(_FIELDS))}"
        raise QueryError(f'no field {name}: {choices}; a word with a colon is searched in quotes: "{name}:{rest}"')
    values = [(quoted.replace('""', '"') or plain) for quoted, plain in _VALUE.findall(rest)]
    if not values or "" in values:
        raise QueryError(f"{name}: needs a value right after the colon")
    match name:
        case "level":
            return {"level": tuple(number for value in values for number in _parse_levels(value))}
        case "decision":
            return {"decision": tuple(value.upper() for value in values)}
        case "status":
            statuses = [status.value for status in Status]
            return {"status": tuple(_check_choice("status", value, statuses) for value in values)}
        case "split":
            return {"split": tuple(_SPLITS[_check_choice("split", value, list(_SPLITS))] for value in values)}
        case "confidence" | "certainty":
            return _parse_span(name, values)
        case "id":
            return {"ids": tuple(_parse_id(value) for value in values)}
        case "family" | "run":
            if len(values) > 1:
                raise QueryError(f"{name}:{rest}: one {name} at a time")
            return {name: values[0]}
        case "is":
            return _parse_is(values)
    return {name: tuple(values)}


def _parse_is(values: list[str]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    choices = ["flagged", "refused", "edited", "stale", *(status.value for status in Status)]
    for value in values:
        word = _check_choice("is", value, choices)
        addition = {word: True} if word in {"edited", "stale"} else _parse_flag(word) or {"status": (word,)}
        _merge(fields, addition, f"is:{value}")
    return fields


def _check_choice(field: str, value: str, choices: Sequence[str]) -> str:
    if value.lower() not in choices:
        raise QueryError(f"no {field} {value}: there are {', '.join(choices)}")
    return value.lower()


def _parse_id(value: str) -> str:
    if not re.fullmatch(rf"[0-9A-Za-z]{{{TAIL}}}|[0-9A-Za-z]{{26}}", value):
        raise QueryError(f"id:{value} is no id: write its last {TAIL} characters, or all 26")
    return value.upper()


def _parse_levels(value: str) -> list[int]:
    span = _LEVELS.match(value)
    low, high = (int(span[1]), int(span[2] or span[1])) if span else (1, 0)
    if low > high:
        raise QueryError(f"level:{value} is no level: write level:2, level:1-3 or level:1,4")
    return list(range(low, high + 1))


def _parse_span(name: str, values: list[str]) -> dict[str, Any]:
    if name == "certainty" and [value.lower() for value in values] == ["none"]:
        return {"judged": False}
    match = _SPAN.match(values[0]) if len(values) == 1 else None
    wrong = QueryError(f"{name}:{','.join(values)} is no {name}: write {name}:<0.6, {name}:>=0.8 or {name}:0.5-0.8")
    if match is None:
        raise wrong
    sign, exact, low, high = match.groups()
    if low is not None:
        if float(low) > float(high):
            raise wrong
        return {name: Span(float(low), float(high))}
    number = float(exact)
    match sign:
        case "<" | "<=":
            return {name: Span(high=number, high_open=sign == "<")}
        case ">" | ">=":
            return {name: Span(low=number, low_open=sign == ">")}
    # As it is displayed, with two decimals.
    return {name: Span(number - 0.005, number + 0.005, high_open=True)}


def _quoted(value: str) -> str:
    return value if re.fullmatch(r"[^\s,\"\x00-\x1f]+", value) else '"' + value.replace('"', '""') + '"'
