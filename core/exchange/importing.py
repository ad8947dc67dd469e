"""Bringing a file in: what is an example is stored, what is none is listed with the reason, nothing is there twice."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.config.case import fingerprint
from core.config.mapping import Mapping
from core.config.project import Project, check_toml
from core.config.task import Task
from core.exchange.files import FileError, file_stem, read_records
from core.exchange.record_reader import RecordReader, RejectedError, TaskNames, validate_example
from storage import imported, splits
from storage.schema import Example, Status

_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
# What belongs to the project that an example came from.
_OUTSIDE = frozenset({"version", "status", "flagged", "refused", "run", "attempt"})


@dataclass(frozen=True, slots=True)
class RejectedRecord:
    """A record that is no example: where it stands in the file, why, and the record as it was."""

    place: str
    reason: str
    record: Any = None


@dataclass(slots=True)
class ImportResult:
    """What became of the records of a file."""

    imported: int = 0
    duplicates: int = 0
    rejections: list[RejectedRecord] = field(default_factory=list)
    rejects: Path | None = None

    @property
    def rejected(self) -> int:
        """How many records are no examples."""
        return len(self.rejections)


def load_mapping(project: Project, name: str) -> Mapping:
    """The mapping that `name` stands for: `[import.NAME]` of the project, or a TOML file.

    Raises FileError if there is none, ProjectError with every mistake of the file.
    """
    if name in project.task.imports:
        return project.task.imports[name]
    path = Path(name)
    if path.suffix != ".toml":
        there = ", ".join(project.task.imports) or "none"
        raise FileError(f"no [import.{name}] in the project file (there are: {there}), and {name} is no TOML file")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"{path}: {getattr(error, 'strerror', None) or 'not UTF-8'}") from None
    return check_toml(Mapping, text, str(path))


def import_file(
    project: Project,
    connection: sqlite3.Connection,
    path: Path,
    mapping: Mapping | None,
    *,
    accept: bool = False,
    reviewer: str = "",
    rejects: Path | None = None,
    on_progress: Callable[[int], None] = lambda _: None,
) -> ImportResult:
    """Bring the records of `path` in, all in one transaction; without a `mapping` they are examples as they are.

    What is no example is written to `rejects`, a line each (beside the project file, if none is given). `watch` is
    told how many records were read. Raises FileError, BusyError.
    """
    found = ImportResult()
    arriving = _Arriving(connection, found)
    for number, (place, record, made) in enumerate(read_examples(project.task, path, mapping), start=1):
        on_progress(number)
        if isinstance(made, Example):
            arriving.take(place, record, made)
        else:
            found.rejections.append(RejectedRecord(place, str(made), record))
    if found.rejections:
        found.rejects = rejects or project.folder / f"{path.name}.rejects.jsonl"
        _write_rejects(found.rejects, found.rejections)
    if arriving.new:
        imported.add(connection, arriving.new, accept=accept, reviewer=reviewer, note=f"imported from {path.name}")
    found.imported = len(arriving.new)
    return found


def read_examples(
    task: Task, path: Path, mapping: Mapping | None
) -> Iterator[tuple[str, Any, Example | RejectedError]]:
    """Each record of a file: its place, the record, and the example that it stands for or why it is none."""
    names = TaskNames(
        tuple(task.labels), tuple(one.name for one in task.domains), tuple(one.level for one in task.levels)
    )
    make = _native(names) if mapping is None else RecordReader(mapping, names, file_stem(path)).read
    for place, record in read_records(path, mapping.records if mapping else ""):
        if isinstance(record, RejectedError):
            yield place, None, record
            continue
        try:
            yield place, record, make(record)
        except RejectedError as error:
            yield place, record, error


def _native(names: TaskNames) -> Callable[[Any], Example]:
    def make(record: Any) -> Example:
        if not isinstance(record, dict) or "hypothesis" not in record:
            raise RejectedError("it has not the fields of an example: name a mapping with --map")
        known = {name: value for name, value in record.items() if name in Example.model_fields and name not in _OUTSIDE}
        made = validate_example(known)
        problems = [
            f"{name}: the task has no {value!r}"
            for name, value, there in (
                ("decision", made.decision, names.decisions),
                ("domain", made.domain, names.domains),
                ("level", made.level, names.levels),
            )
            if value not in there
        ]
        if made.split not in {"", *splits.SPLITS}:
            problems.append(f"split: {made.split!r} is none of {', '.join(splits.SPLITS)}")
        if not _ULID.fullmatch(made.id):
            problems.append(f"id: {made.id[:40]!r} is no ULID: leave it out, and one is given")
        if problems:
            raise RejectedError("; ".join(problems))
        return made.model_copy(update={"status": Status.PENDING})

    return make


class _Arriving:
    """What is new among the records of a file."""

    def __init__(self, connection: sqlite3.Connection, found: ImportResult) -> None:
        self.new: list[Example] = []
        self._found = found
        self._ids = imported.ids(connection)
        self._known = {fingerprint(*content) for content in imported.contents(connection)}
        self._splits = imported.splits(connection)
        self._frozen = splits.frozen(connection)

    def take(self, place: str, record: Any, made: Example) -> None:
        """Keep an example that is not there yet; of a family that is in a split, only for that split."""
        key = fingerprint(made.hypothesis, [(piece.source, piece.content) for piece in made.evidence], made.decision)
        if key in self._known or made.id in self._ids:
            self._found.duplicates += 1
            return
        there = self._splits.get(made.family)
        if made.split and there is not None and there != made.split:
            reason = f"split: its family is in {there or 'no split'} already, not in {made.split}"
        elif (made.split or there) in self._frozen:
            reason = f"split {made.split or there} is frozen: a benchmark has used it"
        else:
            self._splits.setdefault(made.family, made.split)
            self._known.add(key)
            self._ids.add(made.id)
            self.new.append(made)
            return
        self._found.rejections.append(RejectedRecord(place, reason, record))


def _write_rejects(path: Path, rejections: list[RejectedRecord]) -> None:
    try:
        with path.open("w", encoding="utf-8") as file:
            for one in rejections:
                kept = {"place": one.place, "reason": one.reason, "record": one.record}
                file.write(json.dumps(kept, default=str) + "\n")
    except OSError as error:
        raise FileError(f"{path}: the rejects cannot be written there: {error.strerror}") from None
