"""Between pydantic models and rows: nested values are JSON text, times are ISO 8601 in UTC, flags are 0 or 1."""

from __future__ import annotations

import json
import sqlite3
from datetime import datetime
from enum import Enum
from typing import Any

from pydantic import BaseModel

from storage.schema import Usage


def to_column(value: Any) -> Any:
    """`value` as SQLite keeps it."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds")
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, BaseModel):
        return value.model_dump_json()
    if isinstance(value, list):
        return json.dumps([item.model_dump() if isinstance(item, BaseModel) else item for item in value])
    if isinstance(value, dict):
        return json.dumps(value)
    return value


def columns(model: BaseModel, *, without: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The columns of `model`; a `usage` is spread over columns of its own."""
    found: dict[str, Any] = {}
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, Usage):
            found.update(value.model_dump())
        elif name not in without:
            found[name] = to_column(value)
    return found


def insert(connection: sqlite3.Connection, table: str, values: dict[str, Any]) -> int:
    """Insert one row and return its rowid."""
    names = ", ".join(values)
    marks = ", ".join("?" * len(values))
    done = connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(values.values()))
    return done.lastrowid or 0


def fields(row: sqlite3.Row | dict[str, Any], *, nested: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The columns of `row` for pydantic: `nested` ones are parsed, those of a usage are gathered."""
    found = dict(row)
    for name in nested:
        if found.get(name) is not None:
            found[name] = json.loads(found[name])
    if "seconds" in found:
        found["usage"] = {name: found.pop(name) for name in Usage.model_fields}
    return found
