"""Imports a file: stores the examples, lists other records with the reason, and adds nothing twice."""

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
# Fields that only mean something in the project that an example came from.
_PROJECT_FIELDS = frozenset({"version", "status", "flagged", "refused", "run", "attempt"})


@dataclass(frozen=True, slots=True)
class RejectedRecord:
    """A record that is no example: its place in the file, the reason, and the record as it was."""

    place: str
    reason: str
    record: Any = None


@dataclass(slots=True)
class ImportResult:
    """The result of importing the records of a file."""

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
        names = ", ".join(project.task.imports) or "none"
        raise FileError(f"no [import.{name}] in the project file (there are: {names}), and {name} is no TOML file")
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
    """Import the records of `path`, all in one transaction; without a `mapping` they have the fields of an example.

    Records that are no examples are written to `rejects`, one per line (by default, beside the project file). Calls
    `on_progress` with how many records were read. Raises FileError, BusyError.
    """
    result = ImportResult()
    new_examples = _NewExamples(connection, result)
    for number, (place, record, example) in enumerate(read_examples(project.task, path, mapping), start=1):
        on_progress(number)
        if isinstance(example, Example):
            new_examples.add(place, record, example)
        else:
            result.rejections.append(RejectedRecord(place, str(example), record))
    if result.rejections:
        result.rejects = rejects or project.folder / f"{path.name}.rejects.jsonl"
        _write_rejects(result.rejects, result.rejections)
    if new_examples.new:
        imported.add(connection, new_examples.new, accept=accept, reviewer=reviewer, note=f"imported from {path.name}")
    result.imported = len(new_examples.new)
    return result


def read_examples(
    task: Task, path: Path, mapping: Mapping | None
) -> Iterator[tuple[str, Any, Example | RejectedError]]:
    """Yield each record of a file: its place, the record, and its example, or the error that says why it is none."""
    names = TaskNames(
        tuple(task.labels), tuple(domain.name for domain in task.domains), tuple(level.level for level in task.levels)
    )
    read_example = _native_reader(names) if mapping is None else RecordReader(mapping, names, file_stem(path)).read
    for place, record in read_records(path, mapping.records if mapping else ""):
        if isinstance(record, RejectedError):
            yield place, None, record
            continue
        try:
            yield place, record, read_example(record)
        except RejectedError as error:
            yield place, record, error


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
        if example.split not in {"", *splits.SPLITS}:
            problems.append(f"split: {example.split!r} is none of {', '.join(splits.SPLITS)}")
        if not _ULID.fullmatch(example.id):
            problems.append(f"id: {example.id[:40]!r} is no ULID: leave it out, and one is given")
        if problems:
            raise RejectedError("; ".join(problems))
        return example.model_copy(update={"status": Status.PENDING})

    return read_example


class _NewExamples:
    """Collects the new examples among the records of a file."""

    def __init__(self, connection: sqlite3.Connection, result: ImportResult) -> None:
        self.new: list[Example] = []
        self._result = result
        self._ids = imported.ids(connection)
        self._known = {fingerprint(*content) for content in imported.contents(connection)}
        self._splits = imported.splits(connection)
        self._frozen = splits.frozen(connection)

    def add(self, place: str, record: Any, example: Example) -> None:
        """Add an example that the project does not have yet; rejects it if its family is in another split."""
        evidence = [(piece.source, piece.content) for piece in example.evidence]
        key = fingerprint(example.hypothesis, evidence, example.decision)
        if key in self._known or example.id in self._ids:
            self._result.duplicates += 1
            return
        family_split = self._splits.get(example.family)
        if example.split and family_split is not None and family_split != example.split:
            reason = f"split: its family is in {family_split or 'no split'} already, not in {example.split}"
        elif (example.split or family_split) in self._frozen:
            reason = f"split {example.split or family_split} is frozen: a benchmark has used it"
        else:
            self._splits.setdefault(example.family, example.split)
            self._known.add(key)
            self._ids.add(example.id)
            self.new.append(example)
            return
        self._result.rejections.append(RejectedRecord(place, reason, record))


def _write_rejects(path: Path, rejections: list[RejectedRecord]) -> None:
    try:
        with path.open("w", encoding="utf-8") as file:
            for rejection in rejections:
                line = {"place": rejection.place, "reason": rejection.reason, "record": rejection.record}
                file.write(json.dumps(line, default=str) + "\n")
    except OSError as error:
        raise FileError(f"{path}: the rejects cannot be written there: {error.strerror}") from None
