"""Evidence of foreign records: texts, objects, lists as text, and references into a second file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.config.mapping import Mapping
from core.config.project import Project
from core.exchange import joined
from core.exchange.faults import FileError, RejectedError
from core.exchange.importing import import_file
from core.exchange.reading import read_examples
from core.exchange.record_reader import RecordReader, TaskNames
from storage.schema import Example

NAMES = TaskNames(("VALIDATED", "REJECTED"), ("market",), (1, 2))
PLAIN: dict[str, Any] = {
    "hypothesis": "claim",
    "evidence": "facts",
    "decision": "label",
    "defaults": {"domain": "market", "level": 1, "confidence": 1.0},
}
GOOD = {"claim": "The tram is late.", "facts": ["Board: late.", "Clock: nine."], "label": "VALIDATED"}


def pieces_of(record: Any, **change: Any) -> list[tuple[str, str, float]]:
    """(source, content, relevance) of each piece of the record, by the plain mapping but for `change`."""
    example = RecordReader(Mapping.model_validate(PLAIN | change), NAMES, "trams").read(GOOD | record)
    return [(piece.source, piece.content, piece.relevance) for piece in example.evidence]


def test_texts_have_their_source_in_the_record() -> None:
    """One for all, or a list with one for each."""
    assert pieces_of({"at": "stop 9"}, source="at") == [
        ("stop 9", "Board: late.", 1.0),
        ("stop 9", "Clock: nine.", 1.0),
    ]
    assert pieces_of({"at": ["board", None], "how": [5, 1]}, source="at", relevance="how", relevance_scale=[1, 5]) == [
        ("board", "Board: late.", 1.0),
        ("piece 2", "Clock: nine.", 0.0),
    ]


def test_a_piece_without_text_is_left_out_and_its_neighbours_keep_their_source() -> None:
    """As are numbers that are none."""
    facts = ["", "Board: late.", None, float("nan")]
    assert pieces_of({"facts": facts, "at": ["a", "b", "c", "d"]}, source="at") == [("b", "Board: late.", 1.0)]


@pytest.mark.parametrize(
    ("facts", "change", "reason"),
    [
        ([[101, 7, "Pier", 3]], {}, "its pieces are lists"),
        ({"4983": []}, {}, "its pieces are objects: `content` has to say"),
        ([101, "Board."], {}, "101 is a int: ids and indices are no evidence"),
        (["Board.", {"text": "x"}], {"content": "text"}, "no objects, into which `content` could look"),
        ([{"text": ["x"]}], {"content": "text"}, "evidence: a piece is a list, not a text"),
        ([{"text": "['x', 'y']"}], {"content": "text"}, "a piece is a list written as text"),
        ([b"\xff"], {}, "is bytes that are not UTF-8"),
        ([0.5], {}, "is a number with a fraction"),
        ("['Board.', 'Clock.']", {}, "say parse_lists = true"),
        ("['Board.', 'Clo", {"parse_lists": True}, "cannot be read as one"),
        (["Board."], {"source": "at"}, "source: there are 2 of them for 1 pieces"),
        (["Board."], {"relevance": "claim"}, "relevance 'The tram is late.' is no number"),
    ],
)
def test_what_is_no_evidence_rejects_the_record(facts: Any, change: dict[str, Any], reason: str) -> None:
    """With what to write instead."""
    with pytest.raises(RejectedError) as caught:
        pieces_of({"facts": facts, "at": ["a", "b"]}, **change)
    assert reason in str(caught.value)


def test_a_list_as_text_is_read_where_the_mapping_says_so() -> None:
    """Its members are the pieces; a text is one piece as before."""
    contents = [content for _, content, _ in pieces_of({"facts": '["Board.", "Clock."]'}, parse_lists=True)]
    assert contents == ["Board.", "Clock."]
    assert [content for _, content, _ in pieces_of({"facts": "Board [sic]."}, parse_lists=True)] == ["Board [sic]."]


def test_bytes_and_a_lone_number_are_text() -> None:
    """A lone number may be a measurement."""
    assert [content for _, content, _ in pieces_of({"facts": [b"Stra\xc3\x9fe"]})] == ["Straße"]
    assert [content for _, content, _ in pieces_of({"facts": 42})] == ["42"]


def test_the_members_of_a_list_become_examples_with_their_parent() -> None:
    """Step by step; a value that is no object is the `value`."""
    mapping = Mapping.model_validate(
        PLAIN
        | {
            "each": ["days", "rides"],
            "hypothesis": "value",
            "evidence": "parent.log",
            "decision": "parent.parent.label",
        }
        | {"source": "parent.parent.line"}
    )
    reader = RecordReader(mapping, NAMES, "trams")
    record = {"label": "REJECTED", "line": "Line 4", "days": [{"log": "Late.", "rides": ["Ran at 6.", "Ran at 7."]}]}
    members = list(reader.expand(record))
    assert [place for place, _ in members] == [", item 1, item 1", ", item 1, item 2"]
    examples = [reader.read(member) for _, member in members]
    assert [(example.hypothesis, example.decision, example.evidence[0].source) for example in examples] == [
        ("Ran at 6.", "REJECTED", "Line 4"),
        ("Ran at 7.", "REJECTED", "Line 4"),
    ]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"days": []}, "each: days finds nothing"),
        ({"days": "x"}, "each: days finds no list"),
        ({"days": [{"parent": 1}]}, "a field 'parent' of its own"),
    ],
)
def test_a_record_without_members_is_rejected(record: Any, reason: str) -> None:
    """It is not passed over."""
    reader = RecordReader(Mapping.model_validate(PLAIN | {"each": "days"}), NAMES, "trams")
    with pytest.raises(RejectedError) as caught:
        list(reader.expand(record))
    assert reason in str(caught.value)


def test_domain_level_and_split_have_tables() -> None:
    """Forgiving as the one of decisions is; the task's own names need none."""
    change = {
        "domain": "topic",
        "domains": {"Public transport": "market"},
        "level": "how",
        "levels": {"hard": 2},
        "split": "part",
        "splits": {"A": "dev"},
    }
    reader = RecordReader(Mapping.model_validate(PLAIN | change), NAMES, "trams")
    example = reader.read(GOOD | {"topic": "public  Transport ", "how": "HARD", "part": "a"})
    assert (example.domain, example.level, example.split) == ("market", 2, "dev")
    example = reader.read(GOOD | {"topic": "Market", "how": 1.0, "part": "Validation"})
    assert (example.domain, example.level, example.split) == ("market", 1, "dev")
    with pytest.raises(RejectedError) as caught:
        reader.read(GOOD | {"topic": "sea", "how": "soft", "part": "B"})
    assert "domain: the table has no 'sea', only Public transport" in str(caught.value)
    assert "level: the table has no 'soft', only hard" in str(caught.value)
    assert "split: 'B' is none of A, train, dev, test" in str(caught.value)


JOIN = {"file": "pages.jsonl", "key": "id", "reference": "page", "text": "lines", "pick": "line", "source": "name"}
PAGES = [
    {"id": 1, "name": "Board", "lines": ["Head.", " Late by nine. ", ""]},
    {"id": "caf\u00e9", "lines": "One text."},
    {"id": 1, "name": "Again", "lines": ["The first counts."]},
    {"id": 5, "lines": [[1]]},
]


def read_joined(
    project: Project, folder: Path, facts: Any, join: dict[str, Any] | None = None, pages: Any = None
) -> Example | RejectedError:
    """The one example of a file whose evidence refers to pages."""
    path = folder / "trams.jsonl"
    path.write_text(json.dumps(GOOD | {"facts": facts, "label": "VALIDATED"}) + "\n", encoding="utf-8")
    lines = [json.dumps(page) for page in PAGES] if pages is None else pages
    (folder / "pages.jsonl").write_text("\n".join(lines), encoding="utf-8")
    mapping = Mapping.model_validate(PLAIN | {"join": JOIN | (join or {})})
    return next(example for _, _, example in read_examples(project.task, path, mapping))


def test_sentences_are_picked_from_the_second_file(project: Project, tmp_path: Path) -> None:
    """In the order that the piece names, once each; keys are the same in any Unicode form and as any kind of number."""
    facts = [
        {"page": 1.0, "line": [1, 0]},
        {"page": "1", "line": 1},
        {"page": "cafe\u0301"},
        {"page": 1, "line": 1},
        None,
    ]
    example = read_joined(project, tmp_path, facts)
    assert isinstance(example, RejectedError)  # 1.0 and 1 are two texts of a key
    example = read_joined(project, tmp_path, facts[1:])
    assert isinstance(example, Example)
    assert [(piece.source, piece.content) for piece in example.evidence] == [
        ("Board", "Late by nine."),
        ("cafe\u0301", "One text."),
    ]
    example = read_joined(project, tmp_path, [{"page": 1, "line": [2, 1]}], {"first": 1})
    assert isinstance(example, Example)
    assert [piece.content for piece in example.evidence] == ["Late by nine. Head."]


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ([{"page": 9, "line": 0}], "pages.jsonl has no record '9'"),
        ([{"page": 1, "line": 7}], "'1' in pages.jsonl has 3 sentences, and none of number 7"),
        ([{"page": 1, "line": -1}], "none of number -1"),
        ([{"page": "caf\u00e9", "line": 0}], "is one text: there is nothing to pick"),
        ([{"page": 1, "line": "x"}], "`pick` finds 'x', which is no number"),
        ([{"page": [1]}], "`reference` is a list"),
        ([{"page": 5}], "pages.jsonl has no record '5'"),
        ([{"page": None}], "evidence is empty"),
    ],
)
def test_a_reference_that_leads_nowhere_rejects_the_record(
    project: Project, tmp_path: Path, facts: Any, reason: str
) -> None:
    """An id is never evidence itself."""
    assert reason in str(read_joined(project, tmp_path, facts))


def test_a_second_file_that_cannot_be_read_is_named(project: Project, tmp_path: Path) -> None:
    """If it is missing, is of another kind, or has no such key."""
    with pytest.raises(FileError, match=r"pages\.jsonl: it is empty"):
        read_joined(project, tmp_path, [{"page": 1}], pages=[])
    with pytest.raises(FileError, match=r"join\.key = 'nr' finds nothing in any record; the fields are id, name"):
        read_joined(project, tmp_path, [{"page": 1}], {"key": "nr"})
    with pytest.raises(FileError, match=r"join\.text = 'body' finds nothing"):
        read_joined(project, tmp_path, [{"page": 1}], {"text": "body"})
    with pytest.raises(FileError, match=r"`join.records` says where"):
        read_joined(project, tmp_path, [{"page": 1}], {"records": "data"})
    with pytest.raises(FileError, match=r"none/\*\.jsonl: no such file"):
        read_joined(project, tmp_path, [{"page": 1}], {"file": "none/*.jsonl"})
    with pytest.raises(FileError, match="--join names another"):
        read_joined(project, tmp_path, [{"page": 1}], {"file": "none.jsonl"})


def test_references_of_many_batches_find_their_texts(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With few keys in one statement, too."""
    monkeypatch.setattr(joined, "_MARKS", 3)
    monkeypatch.setattr(joined, "_BATCH_SIZE", 7)
    path = tmp_path / "trams.jsonl"
    pages = [{"id": number, "lines": [f"Page {number}."]} for number in range(1500)]
    (tmp_path / "pages.jsonl").write_text("\n".join(map(json.dumps, pages)), encoding="utf-8")
    records = [GOOD | {"claim": f"{number}", "facts": [{"page": number, "line": 0}]} for number in range(0, 1500, 2)]
    path.write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    mapping = Mapping.model_validate(PLAIN | {"join": JOIN})
    for _, _, example in read_examples(project.task, path, mapping):
        assert isinstance(example, Example)
        assert example.evidence[0].content == f"Page {example.hypothesis}."


def test_joined_evidence_is_imported(project: Project, tmp_path: Path) -> None:
    """By the same function as any other."""
    from storage.database import connect

    read_joined(project, tmp_path, [{"page": 1, "line": 1}])
    connection = connect(project.database)
    mapping = Mapping.model_validate(PLAIN | {"join": JOIN})
    assert import_file(project, connection, tmp_path / "trams.jsonl", mapping).imported == 1
    connection.close()
