"""Reads CSV and TSV: a bad row is rejected by itself, with the line on which it begins, and the rest comes in."""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from core.exchange.faults import FileError, RejectedError

# A cell may be a whole document. A quote that is never closed is given up after so many characters.
_CELL_LIMIT = 2**25
_DELIMITERS = ("\t", ";", ",", "|")
_QUOTE_HINT = (
    "is there a stray quote? Inside quotes it is written twice; where quotes are plain text in the whole file, the "
    'mapping says quote = ""'
)
_UNDECODABLE = re.compile("[\udc80-\udcff]")


class _Lines:
    """The lines of a file, which remembers those of the current row, so that they can be read again."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._again: deque[str] = deque()
        self._current: list[str] = []
        self._size = 0
        self._read = 0
        self.row_line = 1

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._size > _CELL_LIMIT:
            raise csv.Error(f"a quote is not closed within {_CELL_LIMIT:,} characters")
        line = self._again.popleft() if self._again else self._read_line()
        self._current.append(line)
        self._size += len(line)
        return line

    @property
    def row_lines(self) -> int:
        """How many lines the current row has."""
        return len(self._current)

    def start_row(self) -> None:
        """Let the next line be the first of a row."""
        self.row_line += len(self._current)
        self._current, self._size = [], 0

    def skip_one(self) -> None:
        """Give the current row up: the next row starts on the line after its first."""
        self._again.extendleft(reversed(self._current[1:]))
        del self._current[1:]

    def _read_line(self) -> str:
        raw = self._file.readline()
        if not raw:
            raise StopIteration
        self._read += 1
        # What is not UTF-8 is kept apart, so that it costs its row and not the file.
        return raw.decode("utf-8-sig" if self._read == 1 else "utf-8", "surrogateescape")


def read_header(path: Path, file: BinaryIO, delimiter: str, quote: str) -> list[str]:
    """The names of the columns; raises FileError."""
    return _read_header(path, _Lines(file), delimiter, quote)


def read_rows(path: Path, file: BinaryIO, delimiter: str, quote: str) -> Iterator[tuple[str, Any]]:
    """Yield each row by the names of its columns, with the line on which it begins.

    A row that cannot be read is a RejectedError. Raises FileError if the first line is no list of names, if there are
    no rows, or if no row can be read.
    """
    lines = _Lines(file)
    names = _read_header(path, lines, delimiter, quote)
    first_problem, any_good = "", False
    reader = _reader(lines, delimiter, quote)
    while True:
        lines.start_row()
        place = f"line {lines.row_line}"
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            problem = f"not CSV: {error}: {_QUOTE_HINT}"
            lines.skip_one()
            reader = _reader(lines, delimiter, quote)
        else:
            if not cells:
                continue
            problem = _find_problem(cells, names)
            if len(cells) != len(names) and lines.row_lines > 1:
                # A quote that was closed too late has swallowed rows.
                problem = f"over {lines.row_lines} lines, it has {len(cells)} fields of {len(names)}: {_QUOTE_HINT}"
                lines.skip_one()
                reader = _reader(lines, delimiter, quote)
        if problem:
            first_problem = first_problem or f"{path}:{lines.row_line}: {problem}"
            yield place, RejectedError(problem)
        else:
            any_good = True
            yield place, dict(zip(names, cells, strict=False))
    if first_problem and not any_good:
        raise FileError(first_problem)
    if not any_good:
        raise FileError(f"{path}: it has a first line with names, and no rows: was it written whole?")


def _read_header(path: Path, lines: _Lines, delimiter: str, quote: str) -> list[str]:
    try:
        names = next(_reader(lines, delimiter, quote), [])
    except csv.Error as error:
        raise FileError(f"{path}:1: not CSV: {error}") from None
    if any(_UNDECODABLE.search(name) for name in names):
        raise FileError(f"{path}: not UTF-8 in its first line: save the file as UTF-8")
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        listed = ", ".join(repr(name) for name in repeated)
        raise FileError(f"{path}: two columns have the same name, {listed}: give each a name of its own")
    if len(names) == 1:
        other = next((mark for mark in _DELIMITERS if mark != delimiter and mark in names[0]), None)
        if other is not None:
            raise FileError(
                f"{path}: its first line has one column, {names[0][:80]!r}: if {other!r} stands between the names, the "
                f"mapping says so: delimiter = {_toml(other)}"
            )
    return names


def _reader(lines: Iterator[str], delimiter: str, quote: str) -> Iterator[list[str]]:
    csv.field_size_limit(2 * _CELL_LIMIT)
    if not quote:
        return csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE, strict=True)
    return csv.reader(lines, delimiter=delimiter, quotechar=quote, strict=True)


def _find_problem(cells: list[str], names: list[str]) -> str:
    if len(cells) > len(names):
        return "it has more fields than the first line has names"
    if any(_UNDECODABLE.search(cell) for cell in cells):
        return "it is not UTF-8"
    return ""


def _toml(character: str) -> str:
    return '"\\t"' if character == "\t" else f'"{character}"'
