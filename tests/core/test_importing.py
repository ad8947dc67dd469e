"""Bringing files in: whole or not at all, and nothing twice."""

from __future__ import annotations

import json
import sqlite3
import tracemalloc
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


def test_the_same_case_with_two_decisions_is_flagged_and_waits(
    project: Project, db: sqlite3.Connection, tmp_path: Path
) -> None:
    """Whatever its case, blanks, order and sources; others are accepted. One undo takes flags and acceptance back."""
    path = write_records(
        tmp_path,
        {"claim": "The kiosk shuts at six.", "facts": ["Sign: six.", "Till: closed."]},
        {},
        {"claim": "the kiosk  shuts at six.", "facts": ["Till: closed.", "Sign: six."], "label": "no"},
    )
    result = import_file(project, db, path, MAPPING, accept=True, reviewer="ann")
    assert (result.imported, result.conflicting) == (3, 2)
    assert [(conflict.place, conflict.decision, conflict.other) for conflict in result.conflicts] == [
        ("line 1", "VALIDATED", "line 3 says REJECTED"),
        ("line 3", "REJECTED", "line 1 says VALIDATED"),
    ]
    assert [(stored_example.status, stored_example.flagged) for stored_example in stored(db)] == [
        (Status.PENDING, True),
        (Status.ACCEPTED, False),
        (Status.PENDING, True),
    ]
    notes = [row["note"] for row in db.execute("SELECT note FROM reviews WHERE action = 'flag' ORDER BY id")]
    assert notes[0] == "the same hypothesis and evidence with another decision: line 3 says REJECTED"
    reviews.undo(db)
    assert [(stored_example.status, stored_example.flagged) for stored_example in stored(db)] == [
        (Status.PENDING, False)
    ] * 3


def test_a_conflict_with_what_the_project_has_is_named(
    project: Project, db: sqlite3.Connection, tmp_path: Path
) -> None:
    """With the id of the example; one that a person has rejected, or edited since, contradicts nothing."""
    import_file(project, db, write_records(tmp_path, {}, {}), MAPPING, accept=True)
    first, second = stored(db)
    reviews.edit(db, second.model_copy(update={"decision": "REJECTED"}))
    result = import_file(project, db, write_records(tmp_path, {"label": "no"}, {"label": "no"}), MAPPING, accept=True)
    assert [conflict.other for conflict in result.conflicts] == [f"example {first.id} says VALIDATED"]
    assert result.duplicates == 1


def test_a_record_twice_in_the_file_comes_in_once_and_is_counted(
    project: Project, db: sqlite3.Connection, tmp_path: Path
) -> None:
    """Apart from what the project had before."""
    again = {"claim": "It is 0.", "facts": ["Fact 0."]}
    result = import_file(project, db, write_records(tmp_path, {}, again, again), MAPPING)
    assert (result.imported, result.duplicates, result.repeated) == (1, 2, 2)
    result = import_file(project, db, write_records(tmp_path, {}, {}), MAPPING)
    assert (result.imported, result.duplicates, result.repeated) == (1, 1, 0)


def test_names_of_families_that_start_anew_in_each_file(
    project: Project, db: sqlite3.Connection, tmp_path: Path
) -> None:
    """Their records are refused with the setting that tells them apart; with it they come in."""
    records = [{"id": f"q{number}", "split": "train"} for number in range(4)]
    first = write_records(tmp_path, *records).rename(tmp_path / "train.jsonl")
    second = write_records(
        tmp_path, *(record | {"claim": f"Other {n}.", "split": "dev"} for n, record in enumerate(records))
    )
    import_file(project, db, first, MAPPING)
    refused = import_file(project, db, second, MAPPING)
    assert (refused.imported, refused.rejected) == (0, 4)
    assert any("4 are rejected" in note and 'family_scope = "file"' in note for note in refused.notes)
    scoped = MAPPING.model_copy(update={"family_scope": "file"})
    assert import_file(project, db, second, scoped).imported == 4
    assert [stored_example.family for stored_example in stored(db)[4:]] == [f"facts-q{n}" for n in range(4)]
    third = write_records(tmp_path, {"id": "q1", "claim": "A third.", "split": "train"})
    assert any(
        "1 join 1 families that the project has already" in note
        for note in import_file(project, db, third, MAPPING).notes
    )
    settled = MAPPING.model_copy(update={"family_scope": "project"})
    fourth = write_records(tmp_path, {"id": "q1", "claim": "A fourth.", "split": "train"})
    assert import_file(project, db, fourth, settled).notes == []
    numbers = write_records(tmp_path, {"id": 7, "claim": "N."})
    import_file(project, db, numbers, MAPPING.model_copy(update={"family_scope": "project"}))
    assert stored(db)[-1].family == "7"


def test_what_was_not_read_is_said(project: Project, db: sqlite3.Connection, tmp_path: Path) -> None:
    """Fields that no expression reads, expressions that find nothing, labels that no table has."""
    path = write_records(tmp_path, {"page 1": "x"}, {"label": "perhaps"}, {"label": "perhaps"}, {"label": "never"})
    notes = import_file(project, db, path, MAPPING).notes
    assert notes[:3] == [
        "family = 'id' finds nothing in any record",
        "split = 'split' finds nothing in any record",
        "labels that the table `decisions` does not have: 'perhaps' 2, 'never' 1",
    ]
    assert notes[3].startswith('not read: "page 1"; a name with a blank')
    assert len(notes) == 4


def test_a_field_that_an_example_has_not_is_said_as_well(
    project: Project, db: sqlite3.Connection, tmp_path: Path
) -> None:
    """Without a mapping; the licence, which is the file's, too. A seed that no database holds rejects its record."""
    path = tmp_path / "whole.jsonl"
    fields = example().model_dump(mode="json") | {"licence": "CC0-1.0", "confidnce": 1}
    seeded = example().model_dump(mode="json") | {"seed": 2**70}
    path.write_text(f"{json.dumps(fields)}\n{json.dumps(seeded)}\n", encoding="utf-8")
    result = import_file(project, db, path, None)
    assert result.notes == ["not read: confidnce", "the licence is not kept (CC0-1.0): name it again when you export"]
    assert [rejection.reason for rejection in result.rejections] == ["seed: it has more than 64 bits"]


def test_a_long_file_is_not_held_in_memory(project: Project, db: sqlite3.Connection, tmp_path: Path) -> None:
    """Neither its examples nor its rejects: 24 MB pass through a few."""
    path = tmp_path / "facts.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for number in range(6000):
            record = {
                "claim": f"{number}",
                "facts": [f"{number} " + "x" * 4000],
                "label": "perhaps" if number % 50 else "no",
            }
            file.write(json.dumps(record) + "\n")
    tracemalloc.start()
    try:
        result = import_file(project, db, path, MAPPING)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (result.imported, result.rejected, len(result.rejections)) == (120, 5880, 1000)
    assert result.rejects is not None
    assert sum(1 for _ in result.rejects.open(encoding="utf-8")) == 5880
    assert peak < 16_000_000


HOSTILE: list[dict[str, Any]] = [
    {"claim": "\ud800 left.", "facts": ["\ud800"], "label": "yes", "id": "\ud800", "\ud800": 1},
    {"claim": 10**4200, "facts": "x", "label": "yes"},
    {"claim": {"a": []}, "facts": [[["x"]]], "label": ["yes"], "id": {}},
    {"claim": "\x00\x1b[31m", "facts": ["\x00"], "label": "\x00", "split": 10**300},
    {"claim": 1.5, "facts": [1, True, None], "label": 1e308},
    {"facts": {"text": "x"}},
]


def test_no_record_ends_an_import_with_a_traceback(project: Project, db: sqlite3.Connection, tmp_path: Path) -> None:
    """Whatever it holds, it comes in or is listed with the reason."""
    path = write_records(tmp_path, *HOSTILE)
    with path.open("a", encoding="utf-8") as file:
        file.write('{"claim": ' + "[" * 900 + "]" * 900 + ', "facts": "x", "label": "yes"}\n')
        file.write(f'{{"claim": "Long.", "facts": "x", "label": "yes", "id": {"7" * 5000}}}\n')
    result = import_file(project, db, path, MAPPING, accept=True)
    assert result.imported + result.rejected == len(HOSTILE) + 2
    assert (stored(db)[0].hypothesis, stored(db)[0].family) == ("\ufffd left.", "\ufffd")
    assert stored(db)[-1].hypothesis == "Long."
    assert result.rejects is not None
    assert all(json.loads(line)["reason"] for line in result.rejects.read_text(encoding="utf-8").splitlines())
