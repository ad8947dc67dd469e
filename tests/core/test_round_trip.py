"""A foreign file comes in, goes out in each format that holds whole examples, and comes in again: nothing is lost."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.config.mapping import Mapping
from core.config.project import Project
from core.exchange.export import ExportRequest, export
from core.exchange.formats import Format
from core.exchange.importing import import_file
from storage import examples
from storage.database import connect
from storage.schema import Example

MAPPING = Mapping.model_validate(
    {
        "hypothesis": "claim",
        "evidence": "logs",
        "content": "text",
        "source": "from",
        "relevance": "weight",
        "relevance_scale": [0, 10],
        "decision": "verdict",
        "decisions": {"holds": "VALIDATED", "fails": "REJECTED", "in part": "REFINED"},
        "family": "group",
        "split": "part",
        "reasoning": "why",
        "confidence": "sure",
        "confidence_scale": [0, 100],
        "domain": "area",
        "domains": {"Money": "financial", "Trams": "operations"},
        "level": "grade",
        "levels": {"easy": 1, "hard": 3},
    }
)
RECORDS: list[dict[str, Any]] = [
    {
        "claim": 'Ümläut, "quotes",\nlines\tand tabs; 電車\u2028🚋',
        "logs": [
            {"text": "One.\r\n\r\nTwo, with a comma.", "from": "Log [1]", "weight": 3},
            {"text": "🚋", "weight": 0},
        ],
        "verdict": "HOLDS",
        "group": "g-1",
        "part": "validation",
        "why": "It says so.\n\nTwice.",
        "sure": "85 %",
        "area": "trams",
        "grade": "hard",
    },
    {
        "claim": "Plain.",
        "logs": [{"text": "It is."}],
        "verdict": "in part",
        "sure": 33,
        "area": "Money",
        "grade": "easy",
    },
    {
        "claim": "\x1b[31m{{braces}} \\n [/b] \u202e",
        "logs": [{"text": "\x00nul and \ud800 surrogate", "from": " padded "}],
        "verdict": "fails",
        "group": 7,
        "part": "test",
        "sure": 0,
        "area": "Money",
        "grade": "easy",
    },
]


def whole(connection: sqlite3.Connection) -> list[Example]:
    """All examples, as everything about them is stored."""
    rows = connection.execute("SELECT id FROM examples ORDER BY id").fetchall()
    return [example for row in rows if (example := examples.get(connection, row["id"])) is not None]


def written(path: Path) -> Iterator[Path]:
    """The files that an export has written, in a fixed order; cards are for people."""
    return iter(sorted(file for file in path.glob("*") if file.suffix == ".parquet")) if path.is_dir() else iter([path])


@pytest.mark.parametrize("format_", [Format.JSONL, Format.PARQUET, Format.DATASETS])
def test_import_export_import_is_the_identity(project: Project, tmp_path: Path, format_: Format) -> None:
    """Field by field, and byte by byte if it goes out again."""
    source = tmp_path / "rides.jsonl"
    source.write_text("".join(json.dumps(record) + "\n" for record in RECORDS), encoding="utf-8")
    first, second = connect(Path(":memory:")), connect(Path(":memory:"))
    assert import_file(project, first, source, MAPPING, accept=True).imported == len(RECORDS)
    output = tmp_path / f"out{'' if format_.folder_files else format_.suffix}"
    export(project, first, ExportRequest(format_, output))
    for path in written(output):
        result = import_file(project, second, path, None, accept=True)
        assert (result.rejected, result.notes) == (0, [])
    assert whole(second) == whole(first)
    lines = [tmp_path / f"{number}.jsonl" for number in (1, 2)]
    for connection, path in zip((first, second), lines, strict=True):
        export(project, connection, ExportRequest(Format.JSONL, path))
        connection.close()
    assert sorted(lines[0].read_bytes().splitlines()) == sorted(lines[1].read_bytes().splitlines())


def test_what_the_file_says_is_what_the_project_has(project: Project, tmp_path: Path) -> None:
    """By value: only the blanks around a text, and what no UTF-8 can hold, are not kept."""
    source = tmp_path / "rides.jsonl"
    source.write_text("".join(json.dumps(record) + "\n" for record in RECORDS), encoding="utf-8")
    connection = connect(Path(":memory:"))
    import_file(project, connection, source, MAPPING)
    first, second, third = whole(connection)
    connection.close()
    assert first.hypothesis == RECORDS[0]["claim"]
    assert [(piece.source, piece.content, piece.relevance) for piece in first.evidence] == [
        ("Log [1]", "One.\r\n\r\nTwo, with a comma.", 0.3),
        ("piece 2", "🚋", 0.0),
    ]
    assert (first.decision, first.family, first.split, first.reasoning) == (
        *("VALIDATED", "g-1", "dev"),
        "It says so.\n\nTwice.",
    )
    assert [(example.confidence, example.domain, example.level) for example in (first, second, third)] == [
        (0.85, "operations", 3),
        (0.33, "financial", 1),
        (0.0, "financial", 1),
    ]
    assert (third.hypothesis, third.family, third.split) == (RECORDS[2]["claim"], "rides-7", "test")
    assert (third.evidence[0].source, third.evidence[0].content) == ("padded", "\x00nul and \ufffd surrogate")
