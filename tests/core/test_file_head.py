"""Files that are of another kind than their name says."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.exchange.faults import FileError, RejectedError
from core.exchange.files import read_columns, read_records

pytestmark = pytest.mark.pure

LINES = "".join(json.dumps({"claim": f"Lift {number} ran.", "label": "yes"}) + "\n" for number in range(40))
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.jsonl", LINES.encode("utf-16"), ("UTF-16", "iconv -f UTF-16 -t UTF-8 a.jsonl")),
        ("a.jsonl", LINES.encode("utf-16-le"), ("UTF-16LE",)),
        ("a.csv", "claim,label\nA,b\n".encode("utf-16-be"), ("UTF-16BE",)),
        ("a.jsonl", LINES.encode("utf-32"), ("UTF-32",)),
        ("a.csv", "claim,label\né,b\nü,c\nñ,d\n".encode("latin-1"), ("not UTF-8", "WINDOWS-1252")),
        ("a.jsonl", LINES.replace("\n", "\r").encode(), ("old Mac line ends", "tr '\\r' '\\n' < a.jsonl")),
        ("a.csv", b"claim,label\rA,yes\rB,no", ("old Mac line ends",)),
        ("a.jsonl", POINTER, ("Git LFS pointer", "git lfs pull")),
        ("a.parquet", POINTER, ("Git LFS pointer",)),
        ("a.jsonl.gz", POINTER, ("Git LFS pointer",)),
        ("a.jsonl.gz", gzip.compress(LINES.encode() * 50, mtime=0)[:-60], ("cut off", "fetch it again")),
        ("a.jsonl.gz", gzip.compress(LINES.encode(), mtime=0)[:20] + b"\xff" * 200, ("damaged",)),
        ("a.jsonl.gz", LINES.encode(), ("Not a gzipped file", "its name has no .gz")),
        ("a.jsonl", gzip.compress(LINES.encode(), mtime=0), ("its name has to end in .gz",)),
        ("a.json", LINES.encode(), ("JSON lines", "has to end in .jsonl")),
        ("a.jsonl", b'{\n "claim": "A"\n}', ("one JSON document", "has to end in .json")),
        ("a.jsonl", b'[{"claim": "A"}, {"claim": "B"}]', ("list of records", "has to end in .json")),
        ("a.csv", LINES.encode(), ("JSON: its name has to end in .jsonl",)),
        ("a.jsonl", b"claim,label\nA,yes\nB,no\n", ("a.jsonl:1: not JSON", "no line is JSON")),
        ("a.jsonl", b"<!DOCTYPE html><html>", ("a web page",)),
        ("a.csv", b"PK\x03\x04abc", ("a workbook",)),
        ("a.csv", b"PAR1abc", ("has to end in .parquet",)),
        ("a.jsonl", b"", ("empty",)),
        ("a.jsonl", b"\xef\xbb\xbf \n\n", ("empty",)),
        ("a.parquet", b"", ("empty",)),
        ("a.json", b"[]", ("no records",)),
        ("a.json", b'{"data": [], "\xc3\xbcber": 1}', ('records = "data"',)),
    ],
)
def test_it_is_refused_once_with_what_it_is_and_the_way_out(
    tmp_path: Path, name: str, content: bytes, words: tuple[str, ...]
) -> None:
    """Not by a message for each line."""
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(FileError) as caught:
        list(read_records(path))
    message = str(caught.value)
    assert message.startswith(str(path))
    assert all(word in message for word in words), message


def test_one_bad_byte_is_no_other_encoding(tmp_path: Path) -> None:
    """It costs its line."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(LINES.encode() + b'"caf\xe9"\n')
    records = list(read_records(path))
    assert isinstance(records.pop()[1], RejectedError)
    assert len(records) == 40


def test_a_table_without_rows_and_one_with_a_name_twice(tmp_path: Path) -> None:
    """As in CSV."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"claim": pa.array([], pa.string())}), path)
    with pytest.raises(FileError, match="no rows"):
        list(read_records(path))
    assert read_columns(path) == ["claim"]
    pq.write_table(pa.Table.from_arrays([pa.array(["x"]), pa.array(["y"])], names=["a", "a"]), path)
    with pytest.raises(FileError, match="two columns have the same name, 'a'"):
        list(read_records(path))


def test_a_value_that_python_cannot_hold_costs_its_row(tmp_path: Path) -> None:
    """The rows around it are read; maps are objects."""
    path = tmp_path / "a.parquet"
    days = pa.array([0, 10**8, 1], pa.int32()).cast(pa.date32())
    maps = pa.array([[("a", 1)], [("a", 1)], [("b", 2)]], pa.map_(pa.string(), pa.int64()))
    pq.write_table(pa.table({"day": days, "map": maps}), path)
    values = [value for _, value in read_records(path)]
    assert [isinstance(value, RejectedError) for value in values] == [False, True, False]
    assert values[2]["map"] == {"b": 2}
