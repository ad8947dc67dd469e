"""The second file of a mapping: only what the records refer to is kept, in a temporary database on the disk."""

from __future__ import annotations

import json
import sqlite3
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import TypeVar

from core.config.expressions import join_names
from core.config.mapping import Join
from core.exchange.evidence_reader import JoinedText, JoinReader
from core.exchange.faults import FileError, RejectedError
from core.exchange.files import file_kind, read_records
from core.exchange.shape import fields_of

T = TypeVar("T")

_BATCH_SIZE = 1000
# SQLite takes so many values in one statement.
_MARKS = 500


class JoinedFile:
    """The records of a second file, by key. Close it, and its temporary database is gone."""

    def __init__(self, folder: Path, join: Join) -> None:
        self._paths = _paths(folder, join.file)
        self._join = join
        self._reader = JoinReader(join)
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.execute("CREATE TABLE wanted (key BLOB PRIMARY KEY) WITHOUT ROWID")
        self._db.execute("CREATE TABLE texts (key BLOB PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID")

    def close(self) -> None:
        """Remove the temporary database."""
        self._db.close()

    def load(self, keys: Iterable[str]) -> None:
        """Read the file, and keep the records that `keys` name; raises FileError if it cannot be read."""
        for names in _batches(keys):
            self._write("INSERT OR IGNORE INTO wanted VALUES (?)", [(_key(name),) for name in names])
        unreadable, any_entry, any_text = "", False, False
        for path in self._paths:
            if self._join.records and file_kind(path) != "json":
                raise FileError(f"{path}: `join.records` says where the list of a JSON document is, and this is none")
            for batch in _batches(read_records(path, self._join.records)):
                rows = []
                for place, record in batch:
                    try:
                        if isinstance(record, RejectedError):
                            raise record
                        key, text = self._reader.entry(record)
                    except RejectedError as error:
                        unreadable = unreadable or f"{path}, {place}: {error}"
                        continue
                    if key:
                        any_entry, any_text = True, any_text or bool(text.text)
                        value = json.dumps([text.text, text.source])
                        rows.append((_key(key), value, _key(key)))
                # The first record of a key counts.
                self._write(
                    "INSERT OR IGNORE INTO texts SELECT ?, ? WHERE EXISTS (SELECT 1 FROM wanted WHERE key = ?)", rows
                )
        if not any_entry and unreadable:
            raise FileError(unreadable)
        for name, has_hit in (("key", any_entry), ("text", any_text)):
            if not has_hit:
                listed = join_names(fields_of(self._paths[0], self._join.records))
                words = f"join.{name} = {getattr(self._join, name)!r}"
                raise FileError(f"{self._paths[0]}: {words} finds nothing in any record; the fields are {listed}")

    def find(self, keys: Sequence[str]) -> dict[str, JoinedText]:
        """What the file says by each of `keys` that it has."""
        names = {_key(key): key for key in keys}
        texts: dict[str, JoinedText] = {}
        for start in range(0, len(names), _MARKS):
            part = list(names)[start : start + _MARKS]
            marks = ", ".join("?" * len(part))
            for key, value in self._db.execute(f"SELECT key, text FROM texts WHERE key IN ({marks})", part):
                text, source = json.loads(value)
                texts[names[key]] = JoinedText(text, source)
        return texts

    def _write(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        with closing(self._db.cursor()) as cursor:
            cursor.execute("BEGIN")
            cursor.executemany(statement, rows)
            cursor.execute("COMMIT")


def _paths(folder: Path, file: str) -> list[Path]:
    """The files that `file` names, from `folder`; raises FileError if there are none."""
    pattern = Path(file)
    if (folder / pattern).exists():
        return [folder / pattern]
    root = Path(pattern.anchor) if pattern.is_absolute() else folder
    paths = sorted(root.glob(str(pattern.relative_to(pattern.anchor))))
    if not paths:
        raise FileError(
            f"{folder / file}: no such file: the mapping takes the text of the evidence from it; --join names another"
        )
    return paths


def _key(key: str) -> bytes:
    """The key in one Unicode form, since two files may differ in it."""
    return unicodedata.normalize("NFC", key).encode("utf-8", "surrogatepass")


def _batches(members: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(members)
    while batch := list(islice(iterator, _BATCH_SIZE)):
        yield batch
