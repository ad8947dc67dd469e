"""Reads records from JSONL, JSON, CSV and Parquet files, gzipped or not, each with its place in the file."""

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
from storage.errors import UserError

_SUFFIXES = {".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json", ".csv": "csv", ".parquet": "parquet"}
# A field of a CSV file may be a whole document.
_FIELD_LIMIT = 2**27
_BATCH_SIZE = 1000

PlacedRecord = tuple[str, Any]


class FileError(UserError, ValueError):
    """A file cannot be read; `str()` of it says which, where and why."""


def file_kind(path: Path) -> str:
    """The kind of the file by its name: 'jsonl', 'json', 'csv' or 'parquet'. Raises FileError."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    kind = _SUFFIXES.get(suffixes[-1]) if suffixes else None
    if kind is None:
        raise FileError(f"{path}: its name has to end in {', '.join(_SUFFIXES)}, with or without .gz")
    return kind


def file_stem(path: Path) -> str:
    """The name of the file without its suffixes: 'facts' for 'facts.jsonl.gz'."""
    return Path(path.stem if path.suffix.lower() == ".gz" else path.name).stem


def read_records(path: Path, where: str = "") -> Iterator[PlacedRecord]:
    """Yield each record of the file with its place, such as 'line 3'.

    `where` is the JMESPath of the list in a JSON document. A record that cannot be decoded is a RejectedError instead
    of a value. Raises FileError if the file as a whole cannot be read.
    """
    kind = file_kind(path)
    try:
        with _open(path) as file:
            if kind == "jsonl":
                yield from _read_json_lines(file)
            elif kind == "json":
                yield from _read_json(path, file, where)
            elif kind == "csv":
                yield from _read_csv(path, file)
            else:
                yield from _read_parquet(path, file)
    except (OSError, EOFError) as error:
        raise FileError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    except UnicodeDecodeError as error:
        raise FileError(f"{path}: not UTF-8 at byte {error.start}: save the file as UTF-8") from None


def _open(path: Path) -> BinaryIO:
    if path.suffix.lower() == ".gz":
        return cast("BinaryIO", gzip.open(path, "rb"))
    return path.open("rb")


def _read_json_lines(file: BinaryIO) -> Iterator[PlacedRecord]:
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


def _read_json(path: Path, file: BinaryIO, where: str) -> Iterator[PlacedRecord]:
    try:
        document = json.loads(file.read().decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        raise FileError(f"{path}:{error.lineno}: not JSON: {error.msg}") from None
    except RecursionError:
        raise FileError(f"{path}: nested too deeply") from None
    expression = compile_expression(where, "records")
    try:
        value = document if expression is None else search_record(expression, document)
    except RejectedError as error:
        raise FileError(f"{path}: {error}") from None
    if not isinstance(value, list):
        kind = "an object" if isinstance(value, dict) else "nothing" if value is None else type(value).__name__
        raise FileError(
            f"{path}: {where or 'the document'} is {kind}, not a list: say with `records` where the list is, "
            'such as records = "values(@)"'
        )
    for number, record in enumerate(value, start=1):
        yield f"record {number}", record


def _read_csv(path: Path, file: BinaryIO) -> Iterator[PlacedRecord]:
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


def _read_parquet(path: Path, file: BinaryIO) -> Iterator[PlacedRecord]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        parquet = pq.ParquetFile(pa.BufferReader(file.read()) if path.suffix.lower() == ".gz" else file)
        number = 0
        for batch in parquet.iter_batches(batch_size=_BATCH_SIZE):
            for row in batch.to_pylist():
                number += 1
                yield f"row {number}", row
    except pa.ArrowException as error:
        raise FileError(f"{path}: not Parquet: {error}") from None
