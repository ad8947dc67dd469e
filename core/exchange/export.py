"""Exports the examples of a project to files that are written completely or not at all."""

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
    teaches_stale,
)
from core.exchange.markdown import licence_problem
from core.models.prompting import Prompting, answer_fields
from storage import examples, listing
from storage.database import snapshot
from storage.errors import UserError
from storage.examples import Filter
from storage.listing import SortOrder
from storage.schema import JUSTIFYING, Example, Status
from storage.staleness import list_names

BATCH_SIZE = 1000
REPAIR = "`sidequest examples repair --stale` has them written anew"


class ExportError(UserError, ValueError):
    """The request cannot be exported; `str()` of it says why, and what to do."""


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What to export, how and where. `mode` is how a model is asked, for the formats that hold prompts."""

    format: Format
    output: Path
    query: str = ""
    mode: Mode | None = None
    licence: str = ""
    overwrite: bool = False


@dataclass(slots=True)
class ExportResult:
    """What was written: examples by file and by split, and notes about them.

    `stale` examples were left out, since the format would teach what argues for another decision.
    """

    output: Path
    examples: int = 0
    stale: int = 0
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
    """Write what `request` asks for, as of one moment; calls `on_progress` with how many examples are written.

    Raises ExportError, QueryError, PromptError and TargetError before anything is written, UnwrittenError if writing
    fails.
    """
    check_request(request)
    mode = request.mode or Mode.REASON
    prompting = Prompting(project.task, mode, project.folder) if request.format.has_prompt else None
    make_record = record_maker(request.format, prompting, mode, request.licence)
    counts, stale = ExportCounts(), 0
    with snapshot(connection):
        where = export_filter(project.task, connection, request)
        with atomic_write(
            request.output, overwrite=request.overwrite, folder_files=request.format.folder_files
        ) as path:
            with open_files(path, request) as files:
                for matching in example_batches(connection, where):
                    batch = [example for example in matching if not teaches_stale(request.format, mode, example)]
                    stale += len(matching) - len(batch)
                    files.write(batch, [make_record(example) for example in batch])
                    counts.add(batch)
                    on_progress(counts.examples)
            if request.format is Format.DATASETS:
                text = card.dataset_card(project.task, connection, where, counts, request.licence)
                (path / CARD).write_text(text, encoding="utf-8")
    result = ExportResult(request.output, counts.examples, stale, dict(files.counts), counts.splits)
    if request.format.has_prompt:
        result.notes = training_notes(request.format, mode, counts)
    result.notes += stale_notes(request.format, mode, counts, stale)
    return result


def check_request(request: ExportRequest) -> None:
    """Raise ExportError if the parts of the request do not fit together."""
    format_ = request.format
    if not format_.folder_files and request.output.suffix.lower() != format_.suffix:
        raise ExportError(f"{request.output}: the name of a file in the format {format_} ends in {format_.suffix}")
    if request.mode is not None and not format_.has_prompt:
        formats = ", ".join(other for other in Format if other.has_prompt)
        raise ExportError(f"--mode is how a model is asked: it goes with the formats {formats}, not with {format_}")
    if problem := licence_problem(request.licence):
        raise ExportError(problem)


def export_filter(task: Task, connection: sqlite3.Connection, request: ExportRequest) -> Filter:
    """The filter of the examples to export: accepted ones, unless the query names a status.

    Raises QueryError, and ExportError if there is no example, if a format with prompts would hold a decision that
    the task no longer has, or if all examples would be left out.
    """
    where = read_query(task, connection, request.query)
    if not where.status:
        where = replace(where, status=(Status.ACCEPTED.value,))
    cells = examples.cell_counts(connection, where)
    if not cells:
        matching = f" matches {request.query!r}" if request.query else ""
        state = "no accepted example" if where.status == (Status.ACCEPTED.value,) else "no example"
        raise ExportError(f"{state}{matching}: name another status to export others (status:pending)")
    foreign = sorted({cell.decision for cell in cells} - set(task.labels))
    if foreign and request.format.has_prompt:
        query = " ".join(f"-decision:{name}" for name in foreign)
        raise ExportError(f"the task has no decision {', '.join(foreign)} any more: leave it out ({query}), or edit")
    number = sum(cell.examples for cell in cells)
    if where.stale is not False and examples.count(connection, replace(where, stale=True)) == number:
        mode = request.mode or Mode.REASON
        batches = example_batches(connection, where)
        if all(teaches_stale(request.format, mode, example) for batch in batches for example in batch):
            count = count_stale(number, number, answer_fields(mode))
            raise ExportError(f"{count}: {REPAIR}, or --mode direct, which asks for the decision alone")
    return where


def example_batches(connection: sqlite3.Connection, where: Filter) -> Iterator[list[Example]]:
    """The examples that match, oldest first, in batches that take little memory."""
    for numbers in listing.numbers(connection, where, SortOrder.OLDEST):
        for start in range(0, len(numbers), BATCH_SIZE):
            yield listing.read_examples(connection, numbers[start : start + BATCH_SIZE])


def training_notes(format_: Format, mode: Mode, counts: ExportCounts) -> list[str]:
    """What those who train on the file have to know, as sentences."""
    notes = []
    answers = format_ is not Format.PROMPTS
    if answers and mode is not Mode.DIRECT and counts.unreasoned:
        notes.append(
            f"{counts.unreasoned:,} of {counts.examples:,} have no reasoning of their own, and a model would learn "
            "to say so: --mode direct asks for the decision alone"
        )
    held_out = {name: counts.splits[name] for name in ("dev", "test") if counts.splits.get(name)}
    if held_out and not format_.folder_files:
        listed = " and ".join(f"{number:,} of {name}" for name, number in held_out.items())
        notes.append(f"{listed} are in it: what is trained on is no measure any more; split:train leaves them out")
    return notes


def stale_notes(format_: Format, mode: Mode, counts: ExportCounts, left_out: int) -> list[str]:
    """What became of examples with stale fields, in a sentence, of which `left_out` were not written."""
    if left_out:
        count = count_stale(left_out, left_out + counts.examples, answer_fields(mode))
        return [f"{count}: they were left out; {REPAIR}, or --mode direct takes them with the decision alone"]
    if format_ is Format.PROMPTS and counts.stale_confidence:
        count = count_stale(counts.stale_confidence, counts.examples, ["confidence"])
        return [f"{count}: it is null there; {REPAIR}"]
    if not format_.has_prompt and counts.stale:
        return [f"{count_stale(counts.stale, counts.examples, JUSTIFYING)}: the column `stale` marks them; {REPAIR}"]
    return []


def count_stale(number: int, total: int, names: Sequence[str]) -> str:
    """Says of how many of `total` examples one of the fields `names` is stale."""
    return f"{number:,} of {total:,} have {list_names(names, 'or')} for another decision"


# ------------------------------------------------------------------ one file, or one for each split


class _ExportFiles:
    """The open files of one export."""

    def __init__(self, path: Path, request: ExportRequest, stack: ExitStack) -> None:
        self.counts: Counter[str] = Counter()
        self._path = path
        self._request = request
        self._stack = stack
        self._files: dict[str, RecordFile] = {}
        self._lineage = self._open(JsonLinesFile(path / LINEAGE)) if request.format is Format.OPENAI else None

    def write(self, batch: Sequence[Example], records: Sequence[Record]) -> None:
        """Write each record to the file of its example."""
        by_file: dict[str, list[Record]] = {}
        lineage_records: list[Record] = []
        for example, record in zip(batch, records, strict=True):
            name = self._name(example)
            by_file.setdefault(name, []).append(record)
            self.counts[name] += 1
            if self._lineage is not None:
                position = {"file": name, "line": self.counts[name]}
                lineage_records.append(position | lineage_record(example, self._request.licence))
        for name, file_records in by_file.items():
            if name not in self._files:
                path = self._path / name if self._request.format.folder_files else self._path
                self._files[name] = self._open(open_record_file(path, self._request.format))
            self._files[name].write(file_records)
        if self._lineage is not None:
            self._lineage.write(lineage_records)

    def _name(self, example: Example) -> str:
        if self._request.format.folder_files:
            return f"{example.split or UNASSIGNED}{self._request.format.suffix}"
        return self._request.output.name

    def _open(self, file: RecordFile) -> RecordFile:
        self._stack.callback(file.close)
        return file


@contextmanager
def open_files(path: Path, request: ExportRequest) -> Iterator[_ExportFiles]:
    """The files of one export at `path`, closed on leaving; raises OSError."""
    with ExitStack() as stack:
        yield _ExportFiles(path, request, stack)
