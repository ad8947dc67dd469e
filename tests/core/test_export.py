"""Examples as files: whole ones come back the same, the others name the example they stand for."""

from __future__ import annotations

import json
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.config.case import Mode
from core.config.project import Project
from core.exchange import export as exporting
from core.exchange.atomic_write import UnwrittenError
from core.exchange.export import ExportError, ExportRequest, export
from core.exchange.formats import Format, parquet_schema
from core.exchange.importing import import_file
from core.exchange.record_reader import NO_REASONING
from core.models.prompting import Prompting
from storage import examples, listing
from storage.database import connect, transaction
from storage.examples import Filter
from storage.schema import Evidence, Example, ReviewAction, Status
from tests.conftest import HOSTILE, example
from tests.stored import decide

TEXTS = st.text(min_size=1, max_size=40) | st.sampled_from(HOSTILE)
FRACTIONS = st.floats(0, 1)
PIECES = st.builds(Evidence, source=TEXTS, content=TEXTS, relevance=FRACTIONS)
FAMILIES = {"one": "train", "two": "train", "three": "dev", "four": "test", "[/five]": ""}
EXAMPLES = st.builds(
    lambda family, **fields: Example(**fields, family=family, split=FAMILIES[family]),
    family=st.sampled_from(sorted(FAMILIES)),
    hypothesis=TEXTS,
    evidence=st.lists(PIECES, min_size=1, max_size=4),
    reasoning=TEXTS,
    decision=st.sampled_from(["VALIDATED", "REJECTED", "REFINED"]),
    confidence=FRACTIONS,
    domain=st.sampled_from(["market", "risk"]),
    level=st.integers(1, 5),
    certainty=st.none() | FRACTIONS,
    source=TEXTS,
    model=st.text(max_size=10),
    prompt_version=st.text(max_size=10),
    seed=st.none() | st.integers(0, 2**63 - 1),
    created=st.datetimes(timezones=st.just(UTC)),
    flagged=st.booleans(),
    status=st.sampled_from(list(Status)),
)


def example_set() -> list[Example]:
    """Accepted examples of each split, one that waits, and one that a person rejected."""
    examples_ = [
        example(hypothesis=f"It is {number}.", family=family, split=split, status=Status.ACCEPTED)
        for number, (family, split) in enumerate(FAMILIES.items())
    ]
    return [*examples_, example(hypothesis="It waits."), example(hypothesis="It is wrong.", status=Status.REJECTED)]


def stored(db: sqlite3.Connection, to_store: list[Example]) -> list[Example]:
    """`made`, added as they are."""
    with transaction(db):
        for example_ in to_store:
            examples.add(db, example_)
    return to_store


def lines(path: Path) -> list[dict[str, Any]]:
    """The records of a JSONL file."""
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


@pytest.fixture
def project_db(project: Project, db: sqlite3.Connection) -> sqlite3.Connection:
    """The database of a project with `several` examples."""
    stored(db, example_set())
    return db


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=st.lists(EXAMPLES, min_size=1, max_size=6), format_=st.sampled_from([Format.JSONL, Format.PARQUET]))
def test_what_is_exported_comes_in_again_the_same(
    project: Project, tmp_path: Path, drawn: list[Example], format_: Format
) -> None:
    """Into an empty project: ids, families, splits and content, whatever stands in them."""
    drawn = [
        drawn_example.model_copy(update={"hypothesis": f"{number} {drawn_example.hypothesis}"})
        for number, drawn_example in enumerate(drawn)
    ]
    path = tmp_path / f"all{format_.suffix}"
    first, second = connect(Path(":memory:")), connect(Path(":memory:"))
    stored(first, drawn)
    everything = " ".join(f"status:{status}" for status in Status)
    export(project, first, ExportRequest(format_, path, everything, licence="CC0-1.0", overwrite=True))
    result = import_file(project, second, path, None)
    assert (result.imported, result.rejected, result.duplicates) == (len(drawn), 0, 0)
    for drawn_example in drawn:
        # What was decided about it is of the project that it comes from.
        pending = {"status": Status.PENDING, "flagged": False}
        assert examples.get(second, drawn_example.id) == drawn_example.model_copy(update=pending)
    first.close()
    second.close()


@pytest.mark.parametrize("format_", [Format.JSONL, Format.PARQUET])
def test_every_field_is_there(
    project: Project, project_db: sqlite3.Connection, tmp_path: Path, format_: Format
) -> None:
    """And the licence; only accepted ones, unless the query names a status."""
    path = tmp_path / f"all{format_.suffix}"
    result = export(project, project_db, ExportRequest(format_, path, licence="MIT"))
    rows = lines(path) if format_ is Format.JSONL else pq.read_table(path).to_pylist()
    assert [set(row) for row in rows] == [{*Example.model_fields, "licence"}] * 5
    assert ({row["status"] for row in rows}, {row["licence"] for row in rows}) == ({"accepted"}, {"MIT"})
    assert (result.examples, result.splits) == (5, {"train": 2, "dev": 1, "test": 1, "unassigned": 1})
    export(project, project_db, ExportRequest(format_, path, "status:pending waits", overwrite=True))
    rows = lines(path) if format_ is Format.JSONL else pq.read_table(path).to_pylist()
    assert [row["hypothesis"] for row in rows] == ["It waits."]


def test_the_columns_are_those_of_the_schema() -> None:
    """A field that is added to an example is in the table, with its type."""
    types = {name: str(kind) for name, kind in zip(parquet_schema().names, parquet_schema().types, strict=True)}
    assert list(types) == [*Example.model_fields, "licence"]
    assert types["evidence"] == "list<item: struct<source: string, content: string, relevance: double>>"
    assert (types["certainty"], types["level"], types["flagged"]) == ("double", "int64", "bool")
    assert (types["status"], types["created"]) == ("string", "timestamp[us, tz=UTC]")


@pytest.mark.parametrize(
    ("mode", "answer"),
    [
        (Mode.DIRECT, "VALIDATED"),
        (Mode.REASON, "Reasoning: Both sources show the rise.\nDecision: VALIDATED\nConfidence: 0.95"),
        (
            Mode.SCHEMA,
            '{"reasoning":"Both sources show the rise.","decision":"VALIDATED","confidence":0.95}',
        ),
    ],
)
def test_conversations_ask_as_a_benchmark_does(
    project: Project, project_db: sqlite3.Connection, tmp_path: Path, mode: Mode, answer: str
) -> None:
    """They end with the answer that is wished for, in the words of the mode; each names its example."""
    path = tmp_path / "sft.jsonl"
    export(project, project_db, ExportRequest(Format.SFT, path, "split:dev", mode, licence="MIT"))
    (row,) = lines(path)
    dev_example = next(
        dev_example
        for dev_example in listing.read_examples(project_db, listing.read_numbers(project_db))
        if dev_example.split == "dev"
    )
    messages = Prompting(project.task, mode, project.folder).messages(dev_example.hypothesis, dev_example.evidence)
    assert row["messages"] == [*messages, {"role": "assistant", "content": answer}]
    assert (row["id"], row["family"], row["split"], row["version"]) == (dev_example.id, "three", "dev", 1)
    assert (row["source"], row["licence"]) == ("import", "MIT")


def test_prompts_hold_no_answer(project: Project, project_db: sqlite3.Connection, tmp_path: Path) -> None:
    """The label stands beside them."""
    path = tmp_path / "rl.jsonl"
    export(project, project_db, ExportRequest(Format.PROMPTS, path))
    for row in lines(path):
        assert [message["role"] for message in row["prompt"]] == ["system", "user"]
        assert "Both sources show" not in json.dumps(row)
        assert (row["label"], row["confidence"]) == ("VALIDATED", 0.95)
        assert examples.get(project_db, row["id"]) is not None


def test_openai_gets_a_file_for_each_split(project: Project, project_db: sqlite3.Connection, tmp_path: Path) -> None:
    """Nothing but messages in them, which it would refuse; a file beside them names the example of each line."""
    result = export(project, project_db, ExportRequest(Format.OPENAI, tmp_path / "openai"))
    assert result.files == {"train.jsonl": 2, "dev.jsonl": 1, "test.jsonl": 1, "unassigned.jsonl": 1}
    lineage = lines(tmp_path / "openai" / "lineage.jsonl")
    assert len(lineage) == 5
    for line in lineage:
        row = lines(tmp_path / "openai" / line["file"])[line["line"] - 1]
        stored_example = examples.get(project_db, line["id"])
        assert stored_example is not None
        assert list(row) == ["messages"]
        assert stored_example.hypothesis in row["messages"][1]["content"]
        assert (line["split"] or "unassigned") == line["file"].removesuffix(".jsonl")


def test_a_data_set_is_a_table_for_each_split_and_a_card(
    project: Project, project_db: sqlite3.Connection, tmp_path: Path
) -> None:
    """A split that has no example has no table."""
    result = export(project, project_db, ExportRequest(Format.DATASETS, tmp_path / "set", "-split:dev"))
    assert result.files == {"train.parquet": 2, "test.parquet": 1, "unassigned.parquet": 1}
    assert {file.name for file in (tmp_path / "set").iterdir()} == {*result.files, "README.md"}
    rows = pq.read_table(tmp_path / "set" / "train.parquet").to_pylist()
    assert [row["family"] for row in rows] == ["one", "two"]


def test_the_hubs_library_loads_a_data_set(
    project: Project, project_db: sqlite3.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each split by its name."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    datasets = pytest.importorskip("datasets")
    export(project, project_db, ExportRequest(Format.DATASETS, tmp_path / "set"))
    loaded = datasets.load_dataset(str(tmp_path / "set"), cache_dir=str(tmp_path / "cache"))
    assert {name: len(rows) for name, rows in loaded.items()} == {"train": 2, "dev": 1, "test": 1, "unassigned": 1}
    assert loaded["dev"][0]["evidence"][0]["source"] == "Cohort analysis"


def test_nothing_in_a_file_acts_on_a_terminal(project: Project, db: sqlite3.Connection, tmp_path: Path) -> None:
    """What the text holds is escaped, and comes back."""
    stored(db, [example(hypothesis=text, family=text, status=Status.ACCEPTED) for text in HOSTILE])
    for format_ in (Format.JSONL, Format.SFT, Format.PROMPTS):
        path = tmp_path / f"{format_}.jsonl"
        export(project, db, ExportRequest(format_, path))
        written = path.read_bytes()
        assert all(32 <= byte < 127 or byte == 10 for byte in written)
        assert len(lines(path)) == len(HOSTILE)


@pytest.mark.parametrize(
    ("export_request", "reason"),
    [
        (ExportRequest(Format.JSONL, Path("a.json")), "in the format jsonl ends in .jsonl"),
        (ExportRequest(Format.PARQUET, Path("a.jsonl.gz")), "in the format parquet ends in .parquet"),
        (ExportRequest(Format.JSONL, Path("a.jsonl"), mode=Mode.DIRECT), "goes with the formats sft, prompts, openai"),
        (ExportRequest(Format.JSONL, Path("a.jsonl"), licence="a\nb"), "--licence: a name such as"),
        (
            ExportRequest(Format.JSONL, Path("a.jsonl"), "level:4"),
            "no accepted example matches 'level:4': name another status",
        ),
        (ExportRequest(Format.JSONL, Path("a.jsonl"), "status:pending level:4"), "no example matches"),
        (ExportRequest(Format.SFT, Path("a.jsonl"), "status:pending"), r"no decision MOOT any more.*-decision:MOOT"),
    ],
)
def test_a_wrong_request_is_refused_before_anything_is_written(
    project: Project, project_db: sqlite3.Connection, tmp_path: Path, export_request: ExportRequest, reason: str
) -> None:
    """It says what would be right."""
    stored(project_db, [example(decision="MOOT")])
    with pytest.raises(ExportError, match=reason):
        export(project, project_db, replace(export_request, output=tmp_path / export_request.output))
    assert list(tmp_path.glob("*")) == [project.folder]


def test_who_trains_is_told_what_to_know(project: Project, project_db: sqlite3.Connection, tmp_path: Path) -> None:
    """Of what is held back for measuring, and of answers that say nothing; where it does not matter, nothing."""
    stored(project_db, [example(reasoning=NO_REASONING, split="train", family="one", status=Status.ACCEPTED)])
    request = ExportRequest(Format.SFT, tmp_path / "a.jsonl", overwrite=True)
    assert export(project, project_db, request).notes == [
        "1 of 6 have no reasoning of their own, and a model would learn to say so: --mode direct asks for the decision "
        "alone",
        "1 of dev and 1 of test are in it: what is trained on is no measure any more; split:train leaves them out",
    ]
    direct = replace(request, query="split:train", mode=Mode.DIRECT)
    assert export(project, project_db, direct).notes == []


@contextmanager
def little_room(most: int) -> Iterator[None]:
    """The system refuses to let a file grow any further than this."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("format_", [Format.JSONL, Format.PARQUET, Format.DATASETS])
def test_where_the_disk_is_full_nothing_is_left(
    project: Project, db: sqlite3.Connection, tmp_path: Path, format_: Format
) -> None:
    """What was there before is still there."""
    stored(db, [example(hypothesis=f"{n} {'%x' % n**9999}"[:4000], status=Status.ACCEPTED) for n in range(2, 40)])
    (tmp_path / "out").mkdir()
    target = tmp_path / "out" / ("set" if format_.folder_files else f"a{format_.suffix}")
    export(project, db, ExportRequest(format_, target, "-level:2"))
    modified = target.stat().st_mtime_ns
    with little_room(20_000), pytest.raises(UnwrittenError, match=rf"{target}: file too large: nothing was written"):
        export(project, db, ExportRequest(format_, target, overwrite=True))
    assert [file.name for file in (tmp_path / "out").iterdir()] == [target.name]
    assert target.stat().st_mtime_ns == modified


def test_it_is_of_one_moment(
    project: Project, project_db: sqlite3.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another process decides meanwhile is in the next one; it need not wait."""
    monkeypatch.setattr(exporting, "BATCH_SIZE", 1)
    other = connect(project.database)
    last = listing.read_examples(other, listing.read_numbers(other, Filter(status=("accepted",))))[0].id

    def meanwhile(written: int) -> None:
        if written == 1:
            decide(other, last, ReviewAction.REJECT, reason="late")
            stored(other, [example(hypothesis="It is late.", status=Status.ACCEPTED)])

    result = export(project, project_db, ExportRequest(Format.JSONL, tmp_path / "a.jsonl"), on_progress=meanwhile)
    assert result.examples == 5
    assert [row["status"] for row in lines(tmp_path / "a.jsonl")] == ["accepted"] * 5
    stored_example = examples.get(project_db, last)
    assert stored_example is not None
    assert stored_example.status is Status.REJECTED
    other.close()
