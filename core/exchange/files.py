"""Reads records from JSONL, JSON, CSV, TSV and Parquet files, gzipped or not, each with its place in the file."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from core.exchange import delimited, json_records
from core.exchange.faults import FileError as FileError
from core.exchange.faults import RejectedError
from core.exchange.file_head import HEAD_SIZE, check_head, check_packed
from core.exchange.json_records import PlacedRecord

_SUFFIXES = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
}
DELIMITERS = {"csv": ",", "tsv": "\t"}
_BATCH_SIZE = 1000
# What pyarrow raises besides its own errors where a value has no counterpart in Python.
_UNREADABLE = (ValueError, OverflowError, KeyError, TypeError, ArithmeticError)


def file_kind(path: Path) -> str:
    """The kind of the file by its name: 'jsonl', 'json', 'csv', 'tsv' or 'parquet'. Raises FileError."""
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


def read_records(path: Path, where: str = "", *, delimiter: str = "", quote: str = '"') -> Iterator[PlacedRecord]:
    """Yield each record of the file with its place, such as 'line 3', on which it begins.

    `where` is the JMESPath of the list in a JSON document; `delimiter` and `quote` are those of a CSV file, if they are
    not the usual ones. A record that cannot be decoded is a RejectedError instead of a value. Raises FileError if the
    file as a whole cannot be read, or has no records.
    """
    kind = _check_kind(path)
    with _reading(path) as file:
        if kind == "jsonl":
            yield from json_records.read_json_lines(path, file)
        elif kind == "json":
            yield from json_records.read_json(path, file, where)
        elif kind in DELIMITERS:
            yield from delimited.read_rows(path, file, delimiter or DELIMITERS[kind], quote)
        else:
            yield from _read_parquet(path, file)


def read_columns(path: Path, *, delimiter: str = "", quote: str = '"') -> list[str] | None:
    """The names of the columns of a table; None for JSON, of which each record has its own. Raises FileError."""
    kind = _check_kind(path)
    with _reading(path) as file:
        if kind in DELIMITERS:
            return delimited.read_header(path, file, delimiter or DELIMITERS[kind], quote)
        return list(_open_parquet(path, file).schema_arrow.names) if kind == "parquet" else None


def read_document(path: Path) -> Any:
    """The value of a JSON document; raises FileError."""
    _check_kind(path)
    with _reading(path) as file:
        return json_records.read_document(path, file)


def _check_kind(path: Path) -> str:
    """The kind of the file; raises FileError if its first bytes say that it is of another one."""
    kind = file_kind(path)
    if path.suffix.lower() == ".gz":
        with _reading(path, packed=False) as file:
            check_packed(path, file.read(HEAD_SIZE))
    with _reading(path) as file:
        check_head(path, kind, file.read(HEAD_SIZE))
    return kind


@contextmanager
def _reading(path: Path, *, packed: bool | None = None) -> Iterator[BinaryIO]:
    """The opened file, unpacked if it is `packed` (else by its name); what goes wrong with it is a FileError."""
    unpack = path.suffix.lower() == ".gz" if packed is None else packed
    try:
        with cast("BinaryIO", gzip.open(path, "rb")) if unpack else path.open("rb") as file:
            yield file
    except EOFError:
        raise FileError(f"{path}: the gzip is cut off: it was not copied or downloaded whole; fetch it again") from None
    except zlib.error as error:
        raise FileError(f"{path}: the gzip is damaged ({error}): fetch it again") from None
    except gzip.BadGzipFile as error:
        raise FileError(f"{path}: {error}: unpacked already? Then its name has no .gz") from None
    except OSError as error:
        raise FileError(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise FileError(f"{path}: not UTF-8 at byte {error.start}: save the file as UTF-8") from None


def _open_parquet(path: Path, file: BinaryIO) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        parquet = pq.ParquetFile(pa.BufferReader(file.read()) if path.suffix.lower() == ".gz" else file)
        names = parquet.schema_arrow.names
    except pa.ArrowException as error:
        raise FileError(f"{path}: not Parquet: {error}") from None
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise FileError(f"{path}: two columns have the same name, {', '.join(map(repr, repeated))}")
    return parquet


def _read_parquet(path: Path, file: BinaryIO) -> Iterator[PlacedRecord]:
    import pyarrow as pa

    parquet = _open_parquet(path, file)
    number = 0
    try:
        for batch in parquet.iter_batches(batch_size=_BATCH_SIZE):
            for row in _rows(batch):
                number += 1
                yield f"row {number}", row
    except pa.ArrowException as error:
        raise FileError(f"{path}: not Parquet: {error}") from None
    if not number:
        raise FileError(f"{path}: it has columns, and no rows: was it written whole?")


def _rows(batch: Any) -> list[Any]:
    """The rows of an Arrow batch; one with a value that Python cannot hold is a RejectedError."""
    try:
        return list(batch.to_pylist(maps_as_pydicts="strict"))
    except _UNREADABLE as error:
        if batch.num_rows == 1:
            return [RejectedError(f"a value of it cannot be read: {' '.join(str(error).split())[:200]}")]
        return [row for position in range(batch.num_rows) for row in _rows(batch.slice(position, 1))]
