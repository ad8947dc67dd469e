"""Records out of JSONL, JSON, CSV and Parquet files, gzipped or not, each with its place in the file."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from core.config.mapping import compile_expression
from core.exchange.record_reader import RejectedError, search_record

_SUFFIXES = {".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json", ".csv": "csv", ".parquet": "parquet"}
# A field of a CSV file may be a whole document.
_FIELD_LIMIT = 2**27
_ROWS = 1000

PlacedRecord = tuple[str, Any]


class FileError(ValueError):
    """A file cannot be read; `str()` of it says which, where and why."""


def file_kind(path: Path) -> str:
    """What `path` is, by its name: 'jsonl', 'json', 'csv' or 'parquet'. Raises FileError."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    kind = _SUFFIXES.get(suffixes[-1]) if suffixes else None
    if kind is None:
        raise FileError(f"{path}: its name has to end in {', '.join(_SUFFIXES)}, with or without .gz")
    return kind


def file_stem(path: Path) -> str:
    """The name of the file without what says its kind: 'facts' of 'facts.jsonl.gz'."""
    return Path(path.stem if path.suffix.lower() == ".gz" else path.name).stem


def read_records(path: Path, where: str = "") -> Iterator[PlacedRecord]:
    """Each record of the file with its place, such as 'line 3'. `where` says by JMESPath where JSON has its list.

    A record that cannot be decoded is a RejectedError in place of a value. Raises FileError where the file as a whole
    cannot be read.
    """
    kind = file_kind(path)
    try:
        with _opened(path) as file:
            if kind == "jsonl":
                yield from _lines(file)
            elif kind == "json":
                yield from _document(path, file, where)
            elif kind == "csv":
                yield from _rows(path, file)
            else:
                yield from _table(path, file)
    except (OSError, EOFError) as error:
        raise FileError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    except UnicodeDecodeError as error:
        raise FileError(f"{path}: not UTF-8 at byte {error.start}: save the file as UTF-8") from None


def _opened(path: Path) -> BinaryIO:
    if path.suffix.lower() == ".gz":
        return cast("BinaryIO", gzip.open(path, "rb"))
    return path.open("rb")


def _lines(file: BinaryIO) -> Iterator[PlacedRecord]:
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        try:
            value: Any = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
        except ValueError as error:
            value = RejectedError(f"not JSON: {error}")
        except RecursionError:
            value = RejectedError("nested too deeply")
        yield f"line {number}", value


def _document(path: Path, file: BinaryIO, where: str) -> Iterator[PlacedRecord]:
    try:
        document = json.loads(file.read().decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        raise FileError(f"{path}:{error.lineno}: not JSON: {error.msg}") from None
    except RecursionError:
        raise FileError(f"{path}: nested too deeply") from None
    expression = compile_expression(where, "records")
    try:
        found = document if expression is None else search_record(expression, document)
    except RejectedError as error:
        raise FileError(f"{path}: {error}") from None
    if not isinstance(found, list):
        kind = "an object" if isinstance(found, dict) else "nothing" if found is None else type(found).__name__
        raise FileError(
            f"{path}: {where or 'the document'} is {kind}, not a list: say with `records` where the list is, "
            'such as records = "values(@)"'
        )
    for number, record in enumerate(found, start=1):
        yield f"record {number}", record


def _rows(path: Path, file: BinaryIO) -> Iterator[PlacedRecord]:
    csv.field_size_limit(_FIELD_LIMIT)
    reader = csv.DictReader(io.TextIOWrapper(file, encoding="utf-8-sig", newline=""), strict=True)
    try:
        for row in reader:
            place = f"line {reader.line_num}"
            if None in row:
                yield place, RejectedError("it has more fields than the first line has names")
            else:
                yield place, {str(name): value for name, value in row.items() if value is not None}
    except csv.Error as error:
        raise FileError(f"{path}:{reader.line_num}: not CSV: {error}") from None


def _table(path: Path, file: BinaryIO) -> Iterator[PlacedRecord]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        opened = pq.ParquetFile(pa.BufferReader(file.read()) if path.suffix.lower() == ".gz" else file)
        number = 0
        for batch in opened.iter_batches(batch_size=_ROWS):
            for row in batch.to_pylist():
                number += 1
                yield f"row {number}", row
    except pa.ArrowException as error:
        raise FileError(f"{path}: not Parquet: {error}") from None
