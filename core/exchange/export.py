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
    lineage,
    record_maker,
    sink,
)
from core.models.prompting import Prompting
from storage import examples, listing
from storage.database import snapshot
from storage.examples import Filter
from storage.listing import SortOrder
from storage.schema import Example, Status

AT_ONCE = 1000


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
    wanted: ExportRequest,
    *,
    watch: Callable[[int], None] = lambda _: None,
) -> ExportResult:
    """Write what `wanted` asks for, as it is at one moment; `watch` is told how many examples are written.

    Raises ExportError, QueryError, PromptError and PlaceError before anything is written, UnwrittenError if it fails.
    """
    check(wanted)
    mode = wanted.mode or Mode.REASON
    asking = Prompting(project.task, mode, project.folder) if wanted.format.asks else None
    make = record_maker(wanted.format, asking, mode, wanted.licence)
    counted = ExportCounts()
    with snapshot(connection):
        where = choose_examples(project.task, connection, wanted)
        with atomic_write(wanted.output, overwrite=wanted.overwrite, folder=wanted.format.folder) as part:
            with opened(part, wanted) as files:
                for batch in batches(connection, where):
                    files.take(batch, [make(one) for one in batch])
                    counted.add(batch)
                    watch(counted.examples)
            if wanted.format is Format.DATASETS:
                text = card.card(project.task, connection, where, counted, wanted.licence)
                (part / CARD).write_text(text, encoding="utf-8")
    found = ExportResult(wanted.output, counted.examples, dict(files.counts), counted.splits)
    if wanted.format.asks:
        found.notes = cautions(wanted.format, mode, counted)
    return found


def check(wanted: ExportRequest) -> None:
    """Raise ExportError if what is asked for does not fit together."""
    format_ = wanted.format
    if not format_.folder and wanted.output.suffix.lower() != format_.suffix:
        raise ExportError(f"{wanted.output}: the name of a file in the format {format_} ends in {format_.suffix}")
    if wanted.mode is not None and not format_.asks:
        there = ", ".join(one for one in Format if one.asks)
        raise ExportError(f"--mode is how a model is asked: it goes with the formats {there}, not with {format_}")
    if not wanted.licence.isprintable() or len(wanted.licence) > 200:
        raise ExportError("--licence: a name such as CC-BY-4.0, in one line of at most 200 characters")


def choose_examples(task: Task, connection: sqlite3.Connection, wanted: ExportRequest) -> Filter:
    """Which examples: accepted ones, unless the query names a status. Raises ExportError if there is none, QueryError.

    A model cannot be asked for a decision that the task does not have any more.
    """
    where = read_query(task, connection, wanted.query)
    if not where.status:
        where = replace(where, status=(Status.ACCEPTED.value,))
    cells = examples.cell_counts(connection, where)
    if not cells:
        said = f" matches {wanted.query!r}" if wanted.query else ""
        state = "no accepted example" if where.status == (Status.ACCEPTED.value,) else "no example"
        raise ExportError(f"{state}{said}: name another status to export others (status:pending)")
    foreign = sorted({one.decision for one in cells} - set(task.labels))
    if foreign and wanted.format.asks:
        leave = " ".join(f"-decision:{name}" for name in foreign)
        raise ExportError(f"the task has no decision {', '.join(foreign)} any more: leave it out ({leave}), or edit")
    return where


def batches(connection: sqlite3.Connection, where: Filter) -> Iterator[list[Example]]:
    """The examples that match, oldest first, as many at once as memory never feels."""
    for numbers in listing.numbers(connection, where, SortOrder.OLDEST):
        for start in range(0, len(numbers), AT_ONCE):
            yield listing.read_examples(connection, numbers[start : start + AT_ONCE])


def cautions(format_: Format, mode: Mode, counted: ExportCounts) -> list[str]:
    """What somebody who trains on the file has to know, as sentences."""
    notes = []
    answers = format_ is not Format.PROMPTS
    if answers and mode is not Mode.DIRECT and counted.unreasoned:
        notes.append(
            f"{counted.unreasoned:,} of {counted.examples:,} have no reasoning of their own, and a model would learn "
            "to say so: --mode direct asks for the decision alone"
        )
    held = {name: counted.splits[name] for name in ("dev", "test") if counted.splits.get(name)}
    if held and not format_.folder:
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
                traced.append({"file": name, "line": self.counts[name]} | lineage(one, self._wanted.licence))
        for name, share in shares.items():
            if name not in self._sinks:
                path = self._part / name if self._wanted.format.folder else self._part
                self._sinks[name] = self._open(sink(path, self._wanted.format))
            self._sinks[name].write(share)
        if self._lineage is not None:
            self._lineage.write(traced)

    def _name(self, one: Example) -> str:
        if self._wanted.format.folder:
            return f"{one.split or UNASSIGNED}{self._wanted.format.suffix}"
        return self._wanted.output.name

    def _open(self, made: RecordFile) -> RecordFile:
        self._stack.callback(made.close)
        return made


@contextmanager
def opened(part: Path, wanted: ExportRequest) -> Iterator[_Files]:
    """The files of one export at `part`, closed on leaving; raises OSError."""
    with ExitStack() as stack:
        yield _Files(part, wanted, stack)
