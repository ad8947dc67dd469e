"""JSON that is decoded without losing anything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.exchange.faults import FileError, RejectedError
from core.exchange.files import read_records

pytestmark = pytest.mark.pure


def values_of(path: Path, text: str, where: str = "") -> list[Any]:
    """The records of a file; a rejected one as its reason."""
    path.write_text(text, encoding="utf-8")
    return [str(value) if isinstance(value, RejectedError) else value for _, value in read_records(path, where)]


def test_a_key_that_stands_twice_with_two_values_rejects_its_record(tmp_path: Path) -> None:
    """At any depth; with the same value nothing is lost. 1 and true are two values."""
    lines = ['{"a": 1, "a": 2}', '{"a": {"b": [{"c": 1, "c": true}]}}', '{"a": 1, "a": 1}']
    values = values_of(tmp_path / "r.jsonl", "\n".join(lines))
    assert "the key 'a' stands in it twice" in values[0]
    assert "the key 'c' stands in it twice" in values[1]
    assert values[2] == {"a": 1}
    document = values_of(tmp_path / "r.json", f"[{', '.join(lines)}]")
    assert document == values


def test_it_rejects_its_record_also_where_the_list_is_made_by_the_expression(tmp_path: Path) -> None:
    """Such as from an object that is keyed by names."""
    text = '{"a": {"x": 1, "x": 2}, "b": {"x": 3}}'
    values = values_of(tmp_path / "r.json", text, "items(@)[*].merge({key: [0]}, [1])")
    assert "the key 'x' stands in it twice" in values[0]
    assert values[1] == {"key": "b", "x": 3}


def test_outside_the_records_it_refuses_the_document(tmp_path: Path) -> None:
    """It is not known then which value was meant."""
    with pytest.raises(FileError, match="'name' stands in it twice"):
        values_of(tmp_path / "r.json", '{"name": 1, "name": 2, "data": [{"a": 1}]}', "data")


def test_numbers_that_are_none_are_missing(tmp_path: Path) -> None:
    """In any spelling that Python's own writer uses."""
    assert values_of(tmp_path / "r.jsonl", '{"a": NaN, "b": [Infinity, -Infinity, 1]}') == [
        {"a": None, "b": [None, None, 1]}
    ]


@pytest.mark.parametrize("name", ["r.jsonl", "r.json"])
def test_a_number_of_thousands_of_digits_is_kept_as_its_digits(tmp_path: Path, name: str) -> None:
    """Its record comes in if nobody asks for the number."""
    digits = "7" * 6000
    record = f'{{"a": {digits}, "b": -{digits}, "c": 5}}'
    assert values_of(tmp_path / name, record if name == "r.jsonl" else f"[{record}]") == [
        {"a": digits, "b": f"-{digits}", "c": 5}
    ]


def test_nothing_that_a_line_holds_is_a_traceback(tmp_path: Path) -> None:
    """Lone surrogates, deep nesting, huge exponents, a string that is not closed."""
    lines = [json.dumps({"a": "\ud800"}), '{"a": 1e999}', "[" * 50_000, '{"a": "', '{"a": {}}{"b": 1}']
    values = values_of(tmp_path / "r.jsonl", "\n".join(lines))
    assert values[0] == {"a": "\ud800"}
    assert values[1] == {"a": float("inf")}
    assert values[2] == "nested too deeply"
    assert all(value.startswith("not JSON") for value in values[3:])
