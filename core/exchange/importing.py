"""Imports a file: stores the examples, lists other records with the reason, and adds nothing twice."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from core.config.mapping import Mapping
from core.config.project import Project
from core.exchange.faults import FileError
from core.exchange.mappings import load_mapping as load_mapping
from core.exchange.reading import ExampleReader
from core.exchange.reading import read_examples as read_examples
from core.exchange.staging import Conflict, RejectedRecord, Staging
from storage import imported, splits
from storage.schema import Example

# So many rejections, and conflicts, are kept in the result; the file of the rejects has all of them.
LISTED = 1000


@dataclass(slots=True)
class ImportResult:
    """The result of importing the records of a file.

    `duplicates` are the records whose example was there already, `repeated` those of them that only stood earlier in
    the file. `conflicting` examples have the same hypothesis and evidence as others, with another decision: they are
    flagged, and wait. `rejections` and `conflicts` hold the first ones, `rejects` is the file with all rejections.
    """

    imported: int = 0
    duplicates: int = 0
    repeated: int = 0
    rejected: int = 0
    conflicting: int = 0
    rejections: list[RejectedRecord] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    rejects: Path | None = None


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
    with closing(Staging()) as staging:
        reader = ExampleReader(project.task, path, mapping)
        for number, (place, record, example) in enumerate(reader, start=1):
            on_progress(number)
            if isinstance(example, Example):
                staging.add(place, record, example)
            else:
                staging.reject(place, record, str(example))
        staging.resolve(connection, splits.frozen(connection))
        result = _result(staging, reader.notes)
        joining, families = staging.count_joining()
        if joining and mapping is not None and mapping.family and mapping.family_scope is None:
            result.notes.append(
                f"{joining:,} join {families:,} families that the project has already: if their names start anew "
                'in each file, the mapping says family_scope = "file", else "project"'
            )
        if result.rejected:
            result.rejects = rejects or project.folder / f"{path.name}.rejects.jsonl"
            _write_rejects(result.rejects, staging)
        note = f"imported from {path.name}"
        result.imported = imported.add(connection, staging.new_examples(), accept=accept, reviewer=reviewer, note=note)
    return result


def _result(staging: Staging, notes: list[str]) -> ImportResult:
    result = ImportResult(notes=list(notes))
    result.repeated = staging.count("repeated")
    result.duplicates = staging.count("stored") + result.repeated
    elsewhere = staging.count("elsewhere")
    result.rejected = staging.count("rejected", "frozen") + elsewhere
    result.rejections = list(islice(staging.rejections(), LISTED))
    for conflict in staging.conflicts():
        result.conflicting += 1
        if len(result.conflicts) < LISTED:
            result.conflicts.append(conflict)
    if elsewhere:
        result.notes.append(
            f"{elsewhere:,} are rejected since their family is in another split: if the names of families start "
            'anew in each file, the mapping says family_scope = "file"'
        )
    return result


def _write_rejects(path: Path, staging: Staging) -> None:
    try:
        with path.open("w", encoding="utf-8") as file:
            for rejection in staging.rejections():
                line = {"place": rejection.place, "reason": rejection.reason, "record": rejection.record}
                file.write(json.dumps(line) + "\n")
    except OSError as error:
        raise FileError(f"{path}: the rejects cannot be written there: {error.strerror}") from None
