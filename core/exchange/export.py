"""Examples out of a project, as files that are there whole or not at all."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from core.config.case import Mode
from core.config.project import Project
from core.config.task import Task
from core.dataset.query import read_query
from core.exchange import card
from core.exchange.atomic_write import atomic_write
from core.exchange.card import ExportCounts
from core.exchange.formats import (
    CARD,
    LINEAGE,
    UNASSIGNED,
    Format,
    JsonLinesFile,
    Record,
    RecordFile,
    lineage_record,
    open_record_file,
    record_maker,
)
from core.models.prompting import Prompting
from storage import examples, listing
from storage.database import snapshot
from storage.examples import Filter
from storage.listing import SortOrder
from storage.schema import Example, Status

BATCH_SIZE = 1000


class ExportError(ValueError):
    """What is asked for cannot be exported; `str()` of it says why, and what to do."""


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What a person wants exported: how, and where to. `mode` is how a model is asked, where the format does so."""

    format: Format
    output: Path
    query: str = ""
    mode: Mode | None = None
    licence: str = ""
    overwrite: bool = False


@dataclass(slots=True)
class ExportResult:
    """What was written: how many examples into which file, how many of each split, and what to know about them."""

    output: Path
    examples: int = 0
    files: dict[str, int] = field(default_factory=dict)
    splits: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def export(
    project: Project,
    connection: sqlite3.Connection,
    request: ExportRequest,
    *,
    on_progress: Callable[[int], None] = lambda _: None,
) -> ExportResult:
    """Write what `wanted` asks for, as it is at one moment; `watch` is told how many examples are written.

    Raises ExportError, QueryError, PromptError and PlaceError before anything is written, UnwrittenError if it fails.
    """
    check_request(request)
    mode = request.mode or Mode.REASON
    asking = Prompting(project.task, mode, project.folder) if request.format.has_prompt else None
    make = record_maker(request.format, asking, mode, request.licence)
    counted = ExportCounts()
    with snapshot(connection):
        where = export_filter(project.task, connection, request)
        with atomic_write(request.output, overwrite=request.overwrite, folder=request.format.folder_files) as part:
            with open_files(part, request) as files:
                for batch in example_batches(connection, where):
                    files.take(batch, [make(one) for one in batch])
                    counted.add(batch)
                    on_progress(counted.examples)
            if request.format is Format.DATASETS:
                text = card.dataset_card(project.task, connection, where, counted, request.licence)
                (part / CARD).write_text(text, encoding="utf-8")
    found = ExportResult(request.output, counted.examples, dict(files.counts), counted.splits)
    if request.format.has_prompt:
        found.notes = training_notes(request.format, mode, counted)
    return found


def check_request(request: ExportRequest) -> None:
    """Raise ExportError if what is asked for does not fit together."""
    format_ = request.format
    if not format_.folder_files and request.output.suffix.lower() != format_.suffix:
        raise ExportError(f"{request.output}: the name of a file in the format {format_} ends in {format_.suffix}")
    if request.mode is not None and not format_.has_prompt:
        there = ", ".join(one for one in Format if one.has_prompt)
        raise ExportError(f"--mode is how a model is asked: it goes with the formats {there}, not with {format_}")
    if not request.licence.isprintable() or len(request.licence) > 200:
        raise ExportError("--licence: a name such as CC-BY-4.0, in one line of at most 200 characters")


def export_filter(task: Task, connection: sqlite3.Connection, request: ExportRequest) -> Filter:
    """Which examples: accepted ones, unless the query names a status. Raises ExportError if there is none, QueryError.

    A model cannot be asked for a decision that the task does not have any more.
    """
    where = read_query(task, connection, request.query)
    if not where.status:
        where = replace(where, status=(Status.ACCEPTED.value,))
    cells = examples.cell_counts(connection, where)
    if not cells:
        said = f" matches {request.query!r}" if request.query else ""
        state = "no accepted example" if where.status == (Status.ACCEPTED.value,) else "no example"
        raise ExportError(f"{state}{said}: name another status to export others (status:pending)")
    foreign = sorted({one.decision for one in cells} - set(task.labels))
    if foreign and request.format.has_prompt:
        leave = " ".join(f"-decision:{name}" for name in foreign)
        raise ExportError(f"the task has no decision {', '.join(foreign)} any more: leave it out ({leave}), or edit")
    return where


def example_batches(connection: sqlite3.Connection, where: Filter) -> Iterator[list[Example]]:
    """The examples that match, oldest first, as many at once as memory never feels."""
    for numbers in listing.numbers(connection, where, SortOrder.OLDEST):
        for start in range(0, len(numbers), BATCH_SIZE):
            yield listing.read_examples(connection, numbers[start : start + BATCH_SIZE])


def training_notes(format_: Format, mode: Mode, counts: ExportCounts) -> list[str]:
    """What somebody who trains on the file has to know, as sentences."""
    notes = []
    answers = format_ is not Format.PROMPTS
    if answers and mode is not Mode.DIRECT and counts.unreasoned:
        notes.append(
            f"{counts.unreasoned:,} of {counts.examples:,} have no reasoning of their own, and a model would learn "
            "to say so: --mode direct asks for the decision alone"
        )
    held = {name: counts.splits[name] for name in ("dev", "test") if counts.splits.get(name)}
    if held and not format_.folder_files:
        there = " and ".join(f"{number:,} of {name}" for name, number in held.items())
        notes.append(f"{there} are in it: what is trained on is no measure any more; split:train leaves them out")
    return notes


# ------------------------------------------------------------------ one file, or one for each split


class _Files:
    """The files of one export."""

    def __init__(self, part: Path, wanted: ExportRequest, stack: ExitStack) -> None:
        self.counts: Counter[str] = Counter()
        self._part = part
        self._wanted = wanted
        self._stack = stack
        self._sinks: dict[str, RecordFile] = {}
        self._lineage = self._open(JsonLinesFile(part / LINEAGE)) if wanted.format is Format.OPENAI else None

    def take(self, batch: Sequence[Example], records: Sequence[Record]) -> None:
        """Write each record to the file of its example."""
        shares: dict[str, list[Record]] = {}
        traced: list[Record] = []
        for one, record in zip(batch, records, strict=True):
            name = self._name(one)
            shares.setdefault(name, []).append(record)
            self.counts[name] += 1
            if self._lineage is not None:
                traced.append({"file": name, "line": self.counts[name]} | lineage_record(one, self._wanted.licence))
        for name, share in shares.items():
            if name not in self._sinks:
                path = self._part / name if self._wanted.format.folder_files else self._part
                self._sinks[name] = self._open(open_record_file(path, self._wanted.format))
            self._sinks[name].write(share)
        if self._lineage is not None:
            self._lineage.write(traced)

    def _name(self, one: Example) -> str:
        if self._wanted.format.folder_files:
            return f"{one.split or UNASSIGNED}{self._wanted.format.suffix}"
        return self._wanted.output.name

    def _open(self, made: RecordFile) -> RecordFile:
        self._stack.callback(made.close)
        return made


@contextmanager
def open_files(path: Path, request: ExportRequest) -> Iterator[_Files]:
    """The files of one export at `part`, closed on leaving; raises OSError."""
    with ExitStack() as stack:
        yield _Files(path, request, stack)
