"""The fields that records have, as expressions that find them."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

from core.config.expressions import quote_name
from core.exchange.faults import RejectedError
from core.exchange.files import read_columns, read_records

_SAMPLE, _DEPTH, _MOST = 100, 3, 200


def field_paths(records: Iterable[Any]) -> list[str]:
    """The expressions that find something in some of `records`, in the order of the fields; the outer ones first."""
    paths: dict[str, None] = {}
    for record in records:
        _add(paths, record, "", _DEPTH)
    return list(paths)


def fields_of(path: Path, where: str, *, delimiter: str = "", quote: str = '"') -> list[str]:
    """The fields of the first records of a file, or its columns, as expressions; raises FileError."""
    columns = read_columns(path, delimiter=delimiter, quote=quote)
    if columns is not None:
        return [quote_name(column) for column in columns]
    records = islice(read_records(path, where), _SAMPLE)
    return field_paths(record for _, record in records if not isinstance(record, RejectedError))


def _add(paths: dict[str, None], value: Any, prefix: str, depth: int) -> None:
    if len(paths) >= _MOST or not depth:
        return
    if isinstance(value, dict):
        for name, member in value.items():
            path = f"{prefix}.{quote_name(name)}" if prefix else quote_name(name)
            paths.setdefault(path)
            _add(paths, member, path, depth - 1)
    elif isinstance(value, list):
        for member in value[:5]:
            if isinstance(member, dict | list):
                _add(paths, member, f"{prefix}[]", depth - 1)
