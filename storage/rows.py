"""Conversion between pydantic models and rows: nested values are JSON, times ISO 8601 in UTC, flags 0 or 1."""

from __future__ import annotations

import json
import sqlite3
from datetime import datetime
from enum import Enum
from typing import Any

from pydantic import BaseModel

from storage.schema import Usage


def to_column(value: Any) -> Any:
    """`value` as SQLite stores it."""
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
    values: dict[str, Any] = {}
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, Usage):
            values.update(value.model_dump())
        elif name not in without:
            values[name] = to_column(value)
    return values


def insert(connection: sqlite3.Connection, table: str, values: dict[str, Any]) -> int:
    """Insert one row and return its rowid."""
    names = ", ".join(values)
    marks = ", ".join("?" * len(values))
    cursor = connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(values.values()))
    return cursor.lastrowid or 0


def fields(row: sqlite3.Row | dict[str, Any], *, nested: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The columns of `row` as fields of a model: `nested` ones are parsed, and those of a usage are gathered."""
    values = dict(row)
    for name in nested:
        if values.get(name) is not None:
            values[name] = json.loads(values[name])
    if "seconds" in values:
        values["usage"] = {name: values.pop(name) for name in Usage.model_fields}
    return values
