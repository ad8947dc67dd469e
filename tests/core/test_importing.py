"""Bringing files in: whole or not at all, and nothing twice."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from core.config.mapping import Mapping
from core.config.project import Project, ProjectError, open_project
from core.exchange.files import FileError
from core.exchange.importing import import_file, load_mapping, read_examples
from storage import examples, reviews, splits
from storage.examples import Filter
from storage.schema import Example, Status
from tests.conftest import example

MAPPING = Mapping.model_validate(
    {
        "hypothesis": "claim",
        "evidence": "facts",
        "decision": "label",
        "family": "id",
        "split": "split",
        "defaults": {"domain": "market", "level": 1, "confidence": 1.0},
        "decisions": {"yes": "VALIDATED", "no": "REJECTED"},
    }
)


def write_records(folder: Path, *records: dict[str, Any]) -> Path:
    """Records as a JSONL file; a record says only what is not as usual."""
    path = folder / "facts.jsonl"
    full_records = [
        {"claim": f"It is {n}.", "facts": [f"Fact {n}."], "label": "yes"} | record for n, record in enumerate(records)
    ]
    path.write_text("".join(json.dumps(record) + "\n" for record in full_records), encoding="utf-8")
    return path


def stored(db: sqlite3.Connection) -> list[Example]:
    """All examples, oldest first."""
    return [
        stored_example
        for row in db.execute("SELECT id FROM examples ORDER BY number")
        if (stored_example := examples.get(db, row["id"])) is not None
    ]


def test_what_is_an_example_comes_in(project: Project, db: sqlite3.Connection, tmp_path: Path) -> None:
    """The rest is listed with its line and the reason, in a file too."""
    path = write_records(tmp_path, {}, {"label": "perhaps"}, {"label": "no"}, {"claim": ""})
    result = import_file(project, db, path, MAPPING)
    assert (result.imported, result.rejected, result.duplicates) == (2, 2, 0)
    assert [
        (imported_example.decision, imported_example.status, imported_example.source) for imported_example in stored(db)
    ] == [
        ("VALIDATED", Status.PENDING, "import"),
        ("REJECTED", Status.PENDING, "import"),
    ]
    assert result.rejects == project.folder / "facts.jsonl.rejects.jsonl"
    rejects = [json.loads(line) for line in result.rejects.read_text(encoding="utf-8").splitlines()]
    assert [reject["place"] for reject in rejects] == ["line 2", "line 4"]
    assert "'perhaps'" in rejects[0]["reason"]
    assert rejects[0]["record"]["claim"] == "It is 1."


def test_the_same_again_adds_nothing(project: Project, db: sqlite3.Connection, tmp_path: Path) -> None:
    """Neither the same file nor the same record twice in one, also when the example was edited since."""
    path = write_records(tmp_path, {}, {}, {"claim": "It is 0.", "facts": ["Fact 0."]})
    first = import_file(project, db, path, MAPPING)
    assert (first.imported, first.duplicates) == (2, 1)
    imported_example = stored(db)[0]
    reviews.edit(db, imported_example.model_copy(update={"hypothesis": "It was 0."}))
    again = import_file(project, db, path, MAPPING)
    assert (again.imported, again.duplicates) == (0, 3)


def test_all_are_accepted_as_one_act(project: Project, db: sqlite3.Connection, tmp_path: Path) -> None:
    """One undo takes all of it back; the examples stay, and wait."""
    path = write_records(tmp_path, {}, {})
    import_file(project, db, path, MAPPING, accept=True, reviewer="ann")
    assert {imported_example.status for imported_example in stored(db)} == {Status.ACCEPTED}
    reviews.undo(db)
    assert {imported_example.status for imported_example in stored(db)} == {Status.PENDING}


def test_a_split_is_the_familys(project: Project, db: sqlite3.Connection, tmp_path: Path) -> None:
    """It stands in the log; of a family in another split nothing comes in, and nothing into a frozen split."""
    path = write_records(
        tmp_path, {"id": "a", "split": "test"}, {"id": "a", "split": "test"}, {"id": "a", "split": "train"}
    )
    result = import_file(project, db, path, MAPPING)
    assert [imported_example.split for imported_example in stored(db)] == ["test", "test"]
    assert [rejection.reason for rejection in result.rejections] == [
        "split: its family is in test already, not in train"
    ]
    assert [row["value"] for row in db.execute("SELECT value FROM reviews WHERE action = 'split'")] == ["test"]
    splits.freeze(db, "test")
    late = import_file(project, db, write_records(tmp_path, {"claim": "Late.", "id": "b", "split": "test"}), MAPPING)
    assert [rejection.reason for rejection in late.rejections] == ["split test is frozen: a benchmark has used it"]


def test_a_family_that_is_a_number_is_one_of_its_file(project: Project, db: sqlite3.Connection, tmp_path: Path) -> None:
    """Two files that both count from 1 share no family; a name says the same in all files, and a file again nothing."""
    records: list[dict[str, Any]] = [{"id": 1}, {"id": 1}, {"id": "2"}, {"id": 3.0}, {"id": "a-4"}]
    first = write_records(tmp_path, *records).rename(tmp_path / "set-1.2.jsonl")
    second = write_records(tmp_path, *(record | {"label": "no"} for record in records)).rename(
        tmp_path / "set-1.3.jsonl"
    )
    import_file(project, db, first, MAPPING)
    import_file(project, db, second, MAPPING)
    assert [imported_example.family for imported_example in stored(db)] == [
        *("set-1.2-1", "set-1.2-1", "set-1.2-2", "set-1.2-3.0", "a-4"),
        *("set-1.3-1", "set-1.3-1", "set-1.3-2", "set-1.3-3.0", "a-4"),
    ]
    assert import_file(project, db, first, MAPPING).duplicates == len(records)


def test_nothing_comes_in_where_the_transaction_fails(
    project: Project, db: sqlite3.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a file is never there."""
    done = examples.add

    def failing(connection: sqlite3.Connection, _example: Example) -> None:
        if _example.hypothesis == "It is 2.":
            raise sqlite3.OperationalError("disk full")
        done(connection, _example)

    monkeypatch.setattr(examples, "add", failing)
    with pytest.raises(sqlite3.OperationalError):
        import_file(project, db, write_records(tmp_path, {}, {}, {}), MAPPING, accept=True)
    assert stored(db) == []
    assert sum(row.examples for row in examples.cell_counts(db, Filter())) == 0


def test_without_a_mapping_the_fields_are_those_of_an_example(project: Project, tmp_path: Path) -> None:
    """A record without the fields of an example says what to do."""
    path = write_records(tmp_path, {})
    assert [str(read_example) for _, _, read_example in read_examples(project.task, path, None)] == [
        "it has not the fields of an example: name a mapping with --map"
    ]


def test_a_mapping_of_the_project_or_of_a_file(project: Project, tmp_path: Path) -> None:
    """Both have the same keys; what is wrong is named by line and field."""
    table = 'hypothesis = "claim"\nevidence = "facts"\ndecision = "label"\n'
    toml = project.folder / "sidequest.toml"
    toml.write_text(toml.read_text(encoding="utf-8") + f"\n[import.mine]\n{table}", encoding="utf-8")
    opened = open_project(project.folder)
    assert load_mapping(opened, "mine").hypothesis == "claim"
    path = tmp_path / "mine.toml"
    path.write_text(table + "level = 'a['\n", encoding="utf-8")
    with pytest.raises(ProjectError, match="is no JMESPath expression"):
        load_mapping(opened, str(path))
    with pytest.raises(FileError, match=r"no \[import.other\] in the project file \(there are: mine\)"):
        load_mapping(opened, "other")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"id": "[/"}, "id: '[/' is no ULID"),
        ({"split": "moon"}, "split: 'moon' is none of train, dev, test"),
        ({"domain": "sea"}, "domain: the task has no 'sea'"),
        ({"confidence": 3}, "confidence"),
    ],
)
def test_an_example_as_it_is_has_to_fit_the_task(
    project: Project, tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    """Nothing gets in that the app could not have made itself."""
    path = tmp_path / "whole.jsonl"
    fields = example().model_dump(mode="json")
    path.write_text(f"{json.dumps(fields)}\n{json.dumps(fields | change)}\n", encoding="utf-8")
    (_, _, fitting), (_, _, rejected) = read_examples(project.task, path, None)
    assert isinstance(fitting, Example)
    assert reason in str(rejected)
