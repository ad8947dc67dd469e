"""Reads the examples of a file one by one, and says of the file as a whole what does not fit the mapping."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from core.config.expressions import join_names, missing_fields, quote_name, root_fields
from core.config.mapping import EXPRESSIONS, Mapping
from core.config.task import Task
from core.exchange.faults import FileError, RejectedError
from core.exchange.files import DELIMITERS, file_kind, file_stem, read_columns, read_records
from core.exchange.joined import JoinedFile
from core.exchange.mappings import check_mapping
from core.exchange.record_reader import PARENT, VALUE, RecordReader, TaskNames, validate_example
from core.exchange.shape import fields_of
from storage.schema import Example, Status
from storage.splits import SPLITS

_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
# Fields that only mean something in the project that an example came from, and one that exports add.
_PROJECT_FIELDS = frozenset({"version", "status", "flagged", "refused", "run", "attempt"})
_LICENCE = "licence"
# A record has to say these by itself, if there is no default.
_NEEDED = ("hypothesis", "evidence", "content", "decision")
# What looks into a piece of evidence, and not into the record.
_IN_PIECES = frozenset({"content", "source", "relevance"})
_PARENT_FIELD = re.compile(rf'\b{PARENT}\.(?:{PARENT}\.)*("(?:[^"\\]|\\.)+"|\w+)')
_BATCH_SIZE = 500
_COUNTED_FIELDS = 1000

PlacedExample = tuple[str, Any, Example | RejectedError]


class ExampleReader:
    """Reads the records of a file as examples, by a mapping or, without one, by the names of an example's own fields.

    Iterate over it once: it yields the place of each record, the record, and its example, or the error that says why
    it is none. Raises FileError if the file as a whole cannot be read by this mapping. `notes` are complete then.
    """

    def __init__(self, task: Task, path: Path, mapping: Mapping | None) -> None:
        self._path = path
        self._mapping = mapping
        self._task = task
        self._names = TaskNames(
            tuple(task.labels),
            tuple(domain.name for domain in task.domains),
            tuple(level.level for level in task.levels),
        )
        self._fields: set[str] = set()
        self._records = 0
        self.notes: list[str] = []

    def __iter__(self) -> Iterator[PlacedExample]:
        if self._mapping is None:
            yield from self._read_native()
            return
        self._check(self._mapping)
        reader = RecordReader(self._mapping, self._names, file_stem(self._path))
        with ExitStack() as stack:
            joined = None
            if self._mapping.join is not None:
                joined = stack.enter_context(closing(JoinedFile(self._path.parent, self._mapping.join)))
                joined.load(
                    key
                    for _, record in self._read_records()
                    for _, _, view in self._expand(reader, "", record)
                    if not isinstance(view, RejectedError)
                    for key in reader.references(view)
                )
            for batch in self._batches(reader):
                keys = [key for _, _, view in batch if joined is not None for key in self._references(reader, view)]
                texts = joined.find(keys) if joined is not None else {}
                for place, record, view in batch:
                    yield place, record, _attempt(partial(reader.read, texts=texts), view)
        self._conclude(self._mapping, reader)

    def _references(self, reader: RecordReader, view: Any) -> list[str]:
        return [] if isinstance(view, RejectedError) else reader.references(view)

    def _read_records(self) -> Iterator[tuple[str, Any]]:
        mapping = self._mapping
        if mapping is None:
            return read_records(self._path)
        return read_records(self._path, mapping.records, delimiter=mapping.delimiter, quote=mapping.quote)

    def _batches(self, reader: RecordReader) -> Iterator[list[tuple[str, Any, Any]]]:
        """Batches of (place, record, member of the record that is to become an example, or why there is none)."""

        def expanded() -> Iterator[tuple[str, Any, Any]]:
            for place, record in self._read_records():
                self._count(record)
                yield from self._expand(reader, place, record)

        members = expanded()
        while batch := list(islice(members, _BATCH_SIZE)):
            yield batch

    def _expand(self, reader: RecordReader, place: str, record: Any) -> Iterator[tuple[str, Any, Any]]:
        if isinstance(record, RejectedError):
            yield place, None, record
            return
        try:
            for suffix, view in reader.expand(record):
                yield f"{place}{suffix}", record, view
        except RejectedError as error:
            yield place, record, error

    def _count(self, record: Any) -> None:
        if not isinstance(record, RejectedError):
            self._records += 1
            if isinstance(record, dict) and len(self._fields) < _COUNTED_FIELDS:
                self._fields.update(record)

    def _check(self, mapping: Mapping) -> None:
        """Raise FileError if a setting of the mapping cannot apply to this file, or to the task."""
        kind = file_kind(self._path)
        if mapping.records and kind != "json":
            raise FileError(f"{self._path}: `records` says where the list of a JSON document is, and this is {kind}")
        changed = [name for name, usual in (("delimiter", ""), ("quote", '"')) if getattr(mapping, name) != usual]
        if changed and kind not in DELIMITERS:
            raise FileError(f"{self._path}: `{changed[0]}` is about CSV and TSV, and this is {kind}")
        if kind in DELIMITERS and (mapping.steps or (mapping.content and not mapping.parse_lists)):
            name, wanted = ("each", "lists") if mapping.steps else ("content", "objects")
            raise FileError(f"{self._path}: `{name}` looks into {wanted}, and the cells of {kind} are texts")
        check_mapping(self._task, mapping)
        columns = read_columns(self._path, delimiter=mapping.delimiter, quote=mapping.quote)
        if columns is None:
            return
        for name, expression in record_expressions(mapping):
            missing = sorted(missing_fields(expression, {*columns, PARENT, VALUE}))
            if missing and (not mapping.steps or name == "each"):
                listed = join_names([quote_name(column) for column in columns])
                raise FileError(
                    f"{self._path}: {name} = {expression!r}: there is no column {', '.join(map(repr, missing))}; the "
                    f"columns are {listed}"
                )

    def _conclude(self, mapping: Mapping, reader: RecordReader) -> None:
        """Raise FileError if no record has what each needs; note what was not found, not known or not read."""
        if not self._records:
            return
        unfound = [name for name in EXPRESSIONS if getattr(mapping, name) and name not in reader.hits]
        needed = [name for name in unfound if name in _NEEDED and name not in mapping.defaults]
        if needed:
            listed = join_names(
                fields_of(self._path, mapping.records, delimiter=mapping.delimiter, quote=mapping.quote)
            )
            words = f"{needed[0]} = {getattr(mapping, needed[0])!r}"
            raise FileError(f"{self._path}: {words} finds nothing in any record; the fields are {listed}")
        self.notes += [f"{name} = {getattr(mapping, name)!r} finds nothing in any record" for name in unfound]
        if reader.unknown_labels:
            counts = ", ".join(f"{label[:40]!r} {count:,}" for label, count in reader.unknown_labels.most_common(20))
            table = "the table `decisions` does not have" if mapping.decisions else "the task does not have"
            self.notes.append(f"labels that {table}: {counts}")
        read = {field for _, expression in record_expressions(mapping) for field in root_fields(expression)}
        read |= {
            match.strip('"')
            for _, expression in record_expressions(mapping)
            for match in _PARENT_FIELD.findall(expression)
        }
        self._note_unread(self._fields - read)

    def _read_native(self) -> Iterator[PlacedExample]:
        read_example = _native_reader(self._names)
        licences: set[str] = set()
        for place, record in self._read_records():
            self._count(record)
            if isinstance(record, dict) and isinstance(record.get(_LICENCE), str) and len(licences) < 3:
                licences.add(record[_LICENCE])
            kept = None if isinstance(record, RejectedError) else record
            yield place, kept, _attempt(read_example, record)
        self._note_unread(self._fields - {*Example.model_fields, _LICENCE})
        if named := sorted(licences - {""}):
            self.notes.append(f"the licence is not kept ({', '.join(named)}): name it again when you export")

    def _note_unread(self, fields: set[str]) -> None:
        if fields:
            self.notes.append(f"not read: {join_names([quote_name(field) for field in sorted(fields)])}")


def read_examples(task: Task, path: Path, mapping: Mapping | None) -> Iterator[PlacedExample]:
    """Yield each record of a file: its place, the record, and its example, or the error that says why it is none.

    Raises FileError if the file as a whole cannot be read.
    """
    return iter(ExampleReader(task, path, mapping))


def _attempt(read: Callable[[Any], Example], record: Any) -> Example | RejectedError:
    if isinstance(record, RejectedError):
        return record
    try:
        return read(record)
    except RejectedError as error:
        return error
    except RecursionError:
        return RejectedError("nested too deeply")


def record_expressions(mapping: Mapping) -> list[tuple[str, str]]:
    """The expressions that look into a record, by their names."""
    named = [("each", step) for step in mapping.steps]
    return named + [
        (name, getattr(mapping, name))
        for name in EXPRESSIONS
        if getattr(mapping, name) and not (name in _IN_PIECES and (mapping.content or mapping.join))
    ]


def _native_reader(names: TaskNames) -> Callable[[Any], Example]:
    def read_example(record: Any) -> Example:
        if not isinstance(record, dict) or "hypothesis" not in record:
            raise RejectedError("it has not the fields of an example: name a mapping with --map")
        fields = {
            name: value
            for name, value in record.items()
            if name in Example.model_fields and name not in _PROJECT_FIELDS
        }
        example = validate_example(fields)
        problems = [
            f"{name}: the task has no {value!r}"
            for name, value, allowed in (
                ("decision", example.decision, names.decisions),
                ("domain", example.domain, names.domains),
                ("level", example.level, names.levels),
            )
            if value not in allowed
        ]
        if example.split not in {"", *SPLITS}:
            problems.append(f"split: {example.split!r} is none of {', '.join(SPLITS)}")
        if example.seed is not None and example.seed.bit_length() > 63:
            problems.append("seed: it has more than 64 bits")
        if not _ULID.fullmatch(example.id):
            problems.append(f"id: {example.id[:40]!r} is no ULID: leave it out, and one is given")
        if problems:
            raise RejectedError("; ".join(problems))
        return example.model_copy(update={"status": Status.PENDING})

    return read_example
