"""Decodes JSON so that nothing is lost: keys that stand twice, numbers that are none, whole numbers of any length."""

from __future__ import annotations

import json
import sys
from codecs import BOM_UTF8
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from core.config.expressions import ExpressionError, compile_expression, search
from core.exchange.faults import FileError, RejectedError

PlacedRecord = tuple[str, Any]


# The name, which no file can have, of a field of an object in which a key stood twice, with different values.
_REPEATED = "\x00repeated\ud800"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) == len(pairs):
        return record
    for key, value in pairs:
        if repr(record[key]) != repr(value):
            return record | {_REPEATED: key}
    return record


def _whole_number(digits: str) -> int | str:
    """The number; its digits as text where Python refuses to convert that many."""
    limit = sys.get_int_max_str_digits()
    return digits if limit and len(digits.lstrip("-")) > limit else int(digits)


# NaN and Infinity are no JSON, and no values: they are missing.
_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=lambda _: None)
_LONG_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=lambda _: None, parse_int=_whole_number)


def decode_json(text: str) -> Any:
    """The value of a JSON text; NaN and Infinity are None. Raises ValueError, RecursionError."""
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError:
        raise
    except ValueError:
        # A whole number of thousands of digits.
        return _LONG_DECODER.decode(text)


def find_repeated_keys(value: Any) -> list[str]:
    """The keys that stand twice in an object within a decoded `value`, with different values."""
    keys, pending = [], [value]
    while pending:
        inner = pending.pop()
        if isinstance(inner, dict):
            if _REPEATED in inner:
                keys.append(str(inner[_REPEATED]))
            pending += inner.values()
        elif isinstance(inner, list):
            pending += inner
    return keys


def check_record(record: Any) -> Any:
    """`record`, or the error that rejects it because a key stands in it twice."""
    keys = find_repeated_keys(record)
    return RejectedError(f"the key {keys[0][:60]!r} stands in it twice, with different values") if keys else record


def read_json_lines(path: Path, file: BinaryIO) -> Iterator[PlacedRecord]:
    """Yield the value of each line that is not blank.

    Raises FileError if the file is one document over several lines, or if no line is JSON.
    """
    first_problem, any_json = "", False
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        if number == 1 and line.removeprefix(BOM_UTF8).strip() in {b"{", b"["}:
            raise FileError(f"{path}: it is one JSON document over many lines: its name has to end in .json")
        is_json = True
        try:
            value = check_record(decode_json(line.decode("utf-8-sig" if number == 1 else "utf-8")))
        except UnicodeDecodeError as error:
            value, is_json = RejectedError(f"not UTF-8 at byte {error.start} of the line"), False
        except ValueError as error:
            value, is_json = RejectedError(f"not JSON: {error}"), False
        except RecursionError:
            value = RejectedError("nested too deeply")
        any_json = any_json or is_json
        if not is_json:
            first_problem = first_problem or f"{path}:{number}: {value}"
        if number == 1 and isinstance(value, list) and value and isinstance(value[0], dict):
            raise FileError(f"{path}: its first line is a list of records: its name has to end in .json")
        yield f"line {number}", value
    if first_problem and not any_json:
        raise FileError(f"{first_problem}; no line is JSON")


def read_document(path: Path, file: BinaryIO) -> Any:
    """The value of a JSON document; raises FileError, UnicodeDecodeError."""
    return _decode_document(path, file.read().decode("utf-8-sig"))


def read_json(path: Path, file: BinaryIO, where: str) -> Iterator[PlacedRecord]:
    """Yield the members of the list that the expression `where` finds in a JSON document; raises FileError."""
    document = read_document(path, file)
    expression = compile_expression(where)
    try:
        value = document if expression is None else search(expression, document)
    except ExpressionError as error:
        raise FileError(f"{path}: {error}") from None
    if not isinstance(value, list):
        raise FileError(_no_list(path, where, value, document))
    if not value:
        raise FileError(f"{path}: {where or 'the document'} is an empty list: there are no records")
    repeated = find_repeated_keys(document)
    if len(repeated) > len(find_repeated_keys(value)):
        raise FileError(f"{path}: the key {repeated[-1][:60]!r} stands in it twice, with different values")
    for number, record in enumerate(value, start=1):
        yield f"record {number}", check_record(record)


def _decode_document(path: Path, text: str) -> Any:
    try:
        return decode_json(text)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data" and _is_json(text.lstrip().splitlines()[0]):
            raise FileError(f"{path}: it is JSON lines, a value on each line: its name has to end in .jsonl") from None
        raise FileError(f"{path}:{error.lineno}: not JSON: {error.msg}") from None
    except RecursionError:
        raise FileError(f"{path}: nested too deeply") from None


def _is_json(text: str) -> bool:
    try:
        decode_json(text)
    except (ValueError, RecursionError):
        return False
    return True


def _no_list(path: Path, where: str, value: Any, document: Any) -> str:
    kind = "an object" if isinstance(value, dict) else "nothing" if value is None else f"a {type(value).__name__}"
    lists = (
        [name for name, member in document.items() if isinstance(member, list)] if isinstance(document, dict) else []
    )
    example = json.dumps(lists[0], ensure_ascii=False) if lists and not lists[0].isidentifier() else (lists or [""])[0]
    return (
        f"{path}: {where or 'the document'} is {kind}, not a list: say with `records` where the list is, "
        f"such as records = {json.dumps(example or 'values(@)', ensure_ascii=False)}"
    )
