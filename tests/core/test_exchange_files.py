"""Records out of files of each kind."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.exchange.files import FileError, file_kind, file_stem, read_records
from core.exchange.record_reader import RejectedError

pytestmark = pytest.mark.pure

ROWS = [{"claim": "A", "facts": ["x", "y"]}, {"claim": "Ü\n2", "facts": []}]


def write_rows(folder: Path, kind: str) -> Path:
    """ROWS as a file of a kind."""
    path = folder / f"rows.{kind}"
    if kind == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n\n" for row in ROWS), encoding="utf-8-sig")
    elif kind == "json":
        path.write_text(json.dumps({"data": ROWS}), encoding="utf-8")
    else:
        pq.write_table(pa.Table.from_pylist(ROWS), path)
    return path


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kind", ["jsonl", "json", "parquet"])
def test_rows_come_out_as_they_went_in(tmp_path: Path, kind: str, packed: bool) -> None:
    """Whole, in order, with their places; packed or not."""
    path = write_rows(tmp_path, kind)
    if packed:
        raw = path.read_bytes()
        path = path.with_name(f"{path.name}.gz")
        path.write_bytes(gzip.compress(raw))
    records = list(read_records(path, "data" if kind == "json" else ""))
    assert [value for _, value in records] == ROWS
    places = {"jsonl": ["line 1", "line 3"], "json": ["record 1", "record 2"], "parquet": ["row 1", "row 2"]}
    assert [place for place, _ in records] == places[kind]


def test_csv_has_names_in_its_first_line(tmp_path: Path) -> None:
    """Quoted fields may hold line breaks and be very long; a row with too many fields is told by its line."""
    path = tmp_path / "rows.csv"
    path.write_text(f'claim,label\n"a\nb",yes\n{"x" * 200_000},no\na,b,c\n', encoding="utf-8")
    records: list[tuple[str, Any]] = list(read_records(path))
    assert records[0] == ("line 2", {"claim": "a\nb", "label": "yes"})
    assert len(records[1][1]["claim"]) == 200_000
    assert records[2][0] == "line 5"
    assert isinstance(records[2][1], RejectedError)


def test_a_line_that_is_no_json_is_one_rejection(tmp_path: Path) -> None:
    """The lines around it are read."""
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"a": 1}\n{"a": \n\xff\n' + b"[" * 100_000 + b'\n{"a": 2}\n')
    records = list(read_records(path))
    assert [place for place, _ in records] == [f"line {number}" for number in range(1, 6)]
    assert [isinstance(value, RejectedError) for _, value in records] == [False, True, True, True, False]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.txt", b"", "has to end in .jsonl"),
        ("missing.jsonl", None, "No such file"),
        ("a.json", b'{"a": 1,\n}', "a.json:2: not JSON"),
        ("a.json", b'{"a": []}', "is an object, not a list: say with `records`"),
        ("a.json", b"\xff", "not UTF-8 at byte 0"),
        ("a.csv", b'a,b\n"1', "not CSV"),
        ("a.parquet", b"no", "not Parquet"),
        ("a.jsonl.gz", b"no", "Not a gzipped file"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, name: str, content: bytes | None, reason: str) -> None:
    """It names the file, and where it can the line."""
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FileError, match=reason):
        list(read_records(path))


def test_records_that_find_nothing_say_so(tmp_path: Path) -> None:
    """An expression that leads nowhere is no empty list."""
    with pytest.raises(FileError, match="is nothing, not a list"):
        list(read_records(write_rows(tmp_path, "json"), "elsewhere"))


def test_kinds_go_by_the_name() -> None:
    """In any case of letters, packed or not."""
    assert [file_kind(Path(name)) for name in ("a.JSONL", "b.json.gz", "c.csv", "d.x.parquet")] == [
        "jsonl",
        "json",
        "csv",
        "parquet",
    ]


def test_a_stem_keeps_every_dot_but_those_of_the_kind() -> None:
    """Two versions of a set are two files."""
    assert [file_stem(Path(name)) for name in ("in/v1.2.jsonl.gz", "v1.3.csv")] == ["v1.2", "v1.3"]
