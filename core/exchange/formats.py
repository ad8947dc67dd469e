"""What is written of an example in each format, and the files that hold it."""

from __future__ import annotations

import json
import types
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from enum import Enum, StrEnum
from pathlib import Path
from typing import Annotated, Any, Protocol, Union, get_args, get_origin

from pydantic import BaseModel

from core.config.case import Mode
from core.models.prompting import Prompting, target_answer
from storage.schema import Example
from storage.splits import SPLITS

UNASSIGNED = "unassigned"
LINEAGE, CARD = "lineage.jsonl", "README.md"
# What of an example goes with every record that is not the whole of it.
_LINEAGE = ("id", "version", "family", "split", "domain", "level", "source", "model", "run", "attempt")

Record = dict[str, Any]


class Format(StrEnum):
    """How examples are written."""

    JSONL = "jsonl"  # whole examples, to be imported again
    PARQUET = "parquet"  # the same as a table
    DATASETS = "datasets"  # a folder with a table for each split, and a card
    SFT = "sft"  # conversations that end with the answer
    PROMPTS = "prompts"  # conversations that end before it, and the label apart
    OPENAI = "openai"  # a folder with a file for each split, as OpenAI's fine-tuning takes it

    @property
    def has_prompt(self) -> bool:
        """Whether examples are put as a model is asked."""
        return self in {Format.SFT, Format.PROMPTS, Format.OPENAI}

    @property
    def suffix(self) -> str:
        """What its file ends in: '.parquet', or '.jsonl'."""
        return ".parquet" if self in {Format.PARQUET, Format.DATASETS} else ".jsonl"

    @property
    def folder_files(self) -> tuple[str, ...]:
        """The files that its folder may hold; none where it is one file."""
        if self not in {Format.DATASETS, Format.OPENAI}:
            return ()
        return (*(f"{split}{self.suffix}" for split in (*SPLITS, UNASSIGNED)), _BESIDE[self])


_BESIDE = {Format.DATASETS: CARD, Format.OPENAI: LINEAGE}


def full_record(example: Example, licence: str) -> Record:
    """Every field of an example, and the licence."""
    return example.model_dump(mode="json") | {"licence": licence}


def lineage_record(example: Example, licence: str) -> Record:
    """Which example it is, where it comes from and belongs, and the licence."""
    return example.model_dump(mode="json", include=set(_LINEAGE)) | {"licence": licence}


def conversation(prompting: Prompting, mode: Mode, example: Example) -> list[Record]:
    """The question about an example as a model is asked it, and the answer that is wished for."""
    answer = target_answer(mode, example.reasoning, example.decision, example.confidence)
    return [*question(prompting, example), {"role": "assistant", "content": answer}]


def question(prompting: Prompting, example: Example) -> list[Record]:
    """The messages that ask about an example; raises PromptError."""
    return [dict(message) for message in prompting.messages(example.hypothesis, example.evidence)]


def record_maker(format_: Format, prompting: Prompting | None, mode: Mode, licence: str) -> Callable[[Example], Record]:
    """What makes the record of an example; `asking` is there where the format asks."""
    if prompting is None:
        return lambda one: full_record(one, licence)
    if format_ is Format.PROMPTS:
        return lambda one: (
            {
                "prompt": question(prompting, one),
                "label": one.decision,
                "confidence": one.confidence,
            }
            | lineage_record(one, licence)
        )
    if format_ is Format.SFT:
        return lambda one: {"messages": conversation(prompting, mode, one)} | lineage_record(one, licence)
    # OpenAI refuses keys that it does not know: what names the example stands in a file of its own.
    return lambda one: {"messages": conversation(prompting, mode, one)}


# ------------------------------------------------------------------ files


class RecordFile(Protocol):
    """A file that takes records."""

    def write(self, records: Sequence[Record]) -> None:
        """Add records; raises OSError."""
        ...

    def close(self) -> None:
        """End the file; raises OSError."""
        ...


def open_record_file(path: Path, format_: Format) -> RecordFile:
    """A new file at `path`; raises OSError."""
    return ParquetFile(path) if format_.suffix == ".parquet" else JsonLinesFile(path)


class JsonLinesFile:
    """A line of JSON for each record, in ASCII: a terminal that shows the file does not act on what it holds."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="ascii", newline="\n")

    def write(self, records: Iterable[Record]) -> None:
        """A line each."""
        self._file.writelines(json.dumps(record) + "\n" for record in records)

    def close(self) -> None:
        """End the file."""
        self._file.close()


class ParquetFile:
    """A Parquet file with the columns of whole examples."""

    def __init__(self, path: Path) -> None:
        import pyarrow.parquet as pq

        self._schema = parquet_schema()
        # Through a file of Python's: its errors say what the system said.
        self._file = path.open("wb")
        self._writer = pq.ParquetWriter(self._file, self._schema, compression="zstd")

    def write(self, records: Sequence[Record]) -> None:
        """A group of rows."""
        import pyarrow as pa

        rows = [record | {"created": datetime.fromisoformat(record["created"])} for record in records]
        self._writer.write_batch(pa.RecordBatch.from_pylist(rows, schema=self._schema))

    def close(self) -> None:
        """Write what tells where all of it stands, and end the file."""
        try:
            self._writer.close()
        finally:
            self._file.close()


def parquet_schema() -> Any:
    """The Arrow schema of whole examples, from the schema of what is kept."""
    import pyarrow as pa

    fields = [(name, _arrow(field.annotation)) for name, field in Example.model_fields.items()]
    return pa.schema([*fields, ("licence", pa.string())])


def _arrow(annotation: Any) -> Any:
    """The Arrow type of a field of a pydantic model."""
    import pyarrow as pa

    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _arrow(inner[0])
    if origin in {Union, types.UnionType}:
        return _arrow(next(one for one in inner if one is not type(None)))
    if origin is list:
        return pa.list_(_arrow(inner[0]))
    if issubclass(annotation, BaseModel):
        return pa.struct([(name, _arrow(field.annotation)) for name, field in annotation.model_fields.items()])
    known = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), datetime: pa.timestamp("us", tz="UTC")}
    return pa.string() if issubclass(annotation, str | Enum) else known[annotation]
