"""The record of an example in each format, and the files that hold the records."""

from __future__ import annotations

import json
import types
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from enum import Enum, StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, Union, get_args, get_origin

from pydantic import BaseModel

from core.config.case import Mode
from core.models.prompting import Prompting, answer_fields, target_answer
from storage.schema import Example
from storage.splits import SPLITS
from storage.staleness import is_stale

UNASSIGNED = "unassigned"
LINEAGE, CARD = "lineage.jsonl", "README.md"
# The fields of an example that go with every record that does not hold all of them.
_LINEAGE_FIELDS = ("id", "version", "family", "split", "domain", "level", "source", "model", "run", "attempt")

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
        """Whether records hold the prompt of a model."""
        return self in {Format.SFT, Format.PROMPTS, Format.OPENAI}

    @property
    def has_answer(self) -> bool:
        """Whether records hold the answer that a model should give."""
        return self in {Format.SFT, Format.OPENAI}

    @property
    def suffix(self) -> str:
        """The suffix of its files: '.parquet' or '.jsonl'."""
        return ".parquet" if self in {Format.PARQUET, Format.DATASETS} else ".jsonl"

    @property
    def folder_files(self) -> tuple[str, ...]:
        """The files that its folder may hold; empty if the format is a single file."""
        if self not in {Format.DATASETS, Format.OPENAI}:
            return ()
        return (*(f"{split}{self.suffix}" for split in (*SPLITS, UNASSIGNED)), _EXTRA_FILE[self])


_EXTRA_FILE = {Format.DATASETS: CARD, Format.OPENAI: LINEAGE}


def full_record(example: Example, licence: str) -> Record:
    """Every field of an example, and the licence."""
    return example.model_dump(mode="json") | {"licence": licence}


def lineage_record(example: Example, licence: str) -> Record:
    """The identity of an example, its origin, where it belongs, and the licence."""
    return example.model_dump(mode="json", include=set(_LINEAGE_FIELDS)) | {"licence": licence}


def teaches_stale(format_: Format, mode: Mode, example: Example) -> bool:
    """Whether the record of an example would teach reasoning or a confidence that argue for another decision."""
    return format_.has_answer and any(is_stale(example, name) for name in answer_fields(mode))


def conversation(prompting: Prompting, mode: Mode, example: Example) -> list[Record]:
    """The question about an example as a model is asked it, and the answer that the model should give."""
    answer = target_answer(mode, example.reasoning, example.decision, example.confidence)
    return [*question(prompting, example), {"role": "assistant", "content": answer}]


def question(prompting: Prompting, example: Example) -> list[Record]:
    """The messages that ask about an example; raises PromptError."""
    return [dict(message) for message in prompting.messages(example.hypothesis, example.evidence)]


def record_maker(format_: Format, prompting: Prompting | None, mode: Mode, licence: str) -> Callable[[Example], Record]:
    """The function that makes the record of an example; `prompting` is needed for formats that hold prompts.

    Full records mark the stale fields of an example; the others leave them out.
    """
    if prompting is None:
        return lambda example: full_record(example, licence)
    if format_ is Format.PROMPTS:
        return lambda example: (
            {
                "prompt": question(prompting, example),
                "label": example.decision,
                "confidence": None if is_stale(example, "confidence") else example.confidence,
            }
            | lineage_record(example, licence)
        )
    if format_ is Format.SFT:
        return lambda example: {"messages": conversation(prompting, mode, example)} | lineage_record(example, licence)
    # OpenAI refuses keys that it does not know: the identity of the example goes to a file of its own.
    return lambda example: {"messages": conversation(prompting, mode, example)}


# ------------------------------------------------------------------ files


class RecordFile(Protocol):
    """A file to write records to."""

    def write(self, records: Sequence[Record]) -> None:
        """Append records; raises OSError."""
        ...

    def close(self) -> None:
        """Complete and close the file; raises OSError."""
        ...


def open_record_file(path: Path, format_: Format) -> RecordFile:
    """A new file at `path`; raises OSError."""
    return ParquetFile(path) if format_.suffix == ".parquet" else JsonLinesFile(path)


class JsonLinesFile:
    """A line of JSON for each record, in ASCII: a terminal that shows the file does not act on its content."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="ascii", newline="\n")

    def write(self, records: Iterable[Record]) -> None:
        """Append a line for each record."""
        self._file.writelines(json.dumps(record) + "\n" for record in records)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class ParquetFile:
    """A Parquet file with the columns of full records."""

    def __init__(self, path: Path) -> None:
        import pyarrow.parquet as pq

        self._schema = parquet_schema()
        # A file of Python's, as its errors hold the message of the system.
        self._file = path.open("wb")
        self._writer = pq.ParquetWriter(self._file, self._schema, compression="zstd")

    def write(self, records: Sequence[Record]) -> None:
        """Append a group of rows."""
        import pyarrow as pa

        rows = [record | {"created": datetime.fromisoformat(record["created"])} for record in records]
        self._writer.write_batch(pa.RecordBatch.from_pylist(rows, schema=self._schema))

    def close(self) -> None:
        """Write the footer, and close the file."""
        try:
            self._writer.close()
        finally:
            self._file.close()


def parquet_schema() -> Any:
    """The Arrow schema of full records, derived from the schema of examples."""
    import pyarrow as pa

    fields = [(name, _arrow_type(field.annotation)) for name, field in Example.model_fields.items()]
    return pa.schema([*fields, ("licence", pa.string())])


def _arrow_type(annotation: Any) -> Any:
    """The Arrow type of a field of a pydantic model."""
    import pyarrow as pa

    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _arrow_type(arguments[0])
    if origin in {Union, types.UnionType}:
        return _arrow_type(next(argument for argument in arguments if argument is not type(None)))
    if origin is Literal:
        return pa.string()
    if origin is list:
        return pa.list_(_arrow_type(arguments[0]))
    if issubclass(annotation, BaseModel):
        return pa.struct([(name, _arrow_type(field.annotation)) for name, field in annotation.model_fields.items()])
    arrow_types = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), datetime: pa.timestamp("us", tz="UTC")}
    return pa.string() if issubclass(annotation, str | Enum) else arrow_types[annotation]
