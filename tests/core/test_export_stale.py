"""Exports of examples whose decision was changed: what argues for the old one is not taught."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from core.config.case import Mode
from core.config.project import Project, create, open_project
from core.exchange.export import ExportError, ExportRequest, export
from core.exchange.formats import Format
from core.exchange.importing import import_file
from storage import examples, reviews
from storage.database import connect
from storage.schema import Example, ReviewAction, Status
from tests.conftest import example
from tests.core.test_export import lines, stored
from tests.stored import decide


def relabel_one(db: sqlite3.Connection) -> Example:
    """Two accepted examples, the first of which a person gave another decision."""
    reasoning = "Both parts hold and nothing has to change: VALIDATED."
    first, other = (
        example(hypothesis=f"It is {number}.", status=Status.ACCEPTED, reasoning=reasoning, split="train")
        for number in range(2)
    )
    stored(db, [first, other])
    reviews.edit(db, first.model_copy(update={"decision": "REJECTED"}))
    decide(db, other.id, ReviewAction.ACCEPT)
    return decide(db, first.id, ReviewAction.ACCEPT)


def exported(path: Path, format_: Format) -> list[dict[str, Any]]:
    """The records of an export whose examples are all in train."""
    return lines(path / "train.jsonl" if format_.folder_files else path)


@pytest.mark.parametrize(("format_", "mode"), [(Format.SFT, Mode.REASON), (Format.OPENAI, Mode.SCHEMA)])
def test_no_answer_argues_for_another_decision_than_it_states(
    project: Project, db: sqlite3.Connection, tmp_path: Path, format_: Format, mode: Mode
) -> None:
    relabel_one(db)
    path = tmp_path / ("out" if format_.folder_files else "out.jsonl")
    result = export(project, db, ExportRequest(format_, path, mode=mode))
    answers = [record["messages"][-1]["content"] for record in exported(path, format_)]
    # It was: "… nothing has to change: VALIDATED. Decision: REJECTED".
    assert [answer for answer in answers if "nothing has to change: VALIDATED" in answer and "REJECTED" in answer] == []
    assert (len(answers), result.examples, result.stale) == (1, 1, 1)
    assert result.notes[-1] == (
        "1 of 2 have reasoning or confidence for another decision: they were left out; "
        "`sidequest examples repair --stale` has them written anew, or --mode direct takes them with the decision alone"
    )
    if format_ is Format.OPENAI:
        assert [record["line"] for record in lines(path / "lineage.jsonl")] == [1]


def test_formats_that_use_the_decision_alone_take_stale_examples(
    project: Project, db: sqlite3.Connection, tmp_path: Path
) -> None:
    relabel_one(db)
    result = export(project, db, ExportRequest(Format.SFT, tmp_path / "direct.jsonl", mode=Mode.DIRECT))
    assert [record["messages"][-1]["content"] for record in lines(result.output)] == ["REJECTED", "VALIDATED"]
    assert (result.stale, result.notes) == (0, [])
    prompts = export(project, db, ExportRequest(Format.PROMPTS, tmp_path / "prompts.jsonl"))
    assert [(record["label"], record["confidence"]) for record in lines(prompts.output)] == [
        ("REJECTED", None),
        ("VALIDATED", 0.95),
    ]
    assert "1 of 2 have confidence for another decision: it is null there" in prompts.notes[-1]


def test_whole_examples_keep_their_stale_text_with_a_mark(
    project: Project, db: sqlite3.Connection, tmp_path: Path
) -> None:
    relabelled = relabel_one(db)
    result = export(project, db, ExportRequest(Format.JSONL, tmp_path / "all.jsonl"))
    first, second = lines(result.output)
    assert first["reasoning"] == relabelled.reasoning
    assert first["stale"] == [
        {"field": "reasoning", "written_for": "VALIDATED"},
        {"field": "confidence", "written_for": "VALIDATED"},
    ]
    assert second["stale"] == []
    assert "1 of 2 have reasoning, confidence or steps for another decision" in result.notes[-1]
    assert "the column `stale` marks them" in result.notes[-1]
    table = pq.read_table(export(project, db, ExportRequest(Format.PARQUET, tmp_path / "all.parquet")).output)
    assert table.column("stale").to_pylist() == [first["stale"], []]
    create(tmp_path / "other")
    other = open_project(tmp_path / "other")
    with connect(other.database) as other_db:
        import_file(other, other_db, result.output, None)
        imported = examples.get(other_db, relabelled.id)
    assert imported is not None
    assert imported.stale == relabelled.stale


def test_a_set_of_stale_examples_alone_is_refused(project: Project, db: sqlite3.Connection, tmp_path: Path) -> None:
    relabel_one(db)
    with pytest.raises(ExportError, match="1 of 1 have reasoning or confidence for another decision"):
        export(project, db, ExportRequest(Format.SFT, tmp_path / "a.jsonl", query="is:stale"))
    assert not (tmp_path / "a.jsonl").exists()


def test_the_card_says_how_many_are_stale(project: Project, db: sqlite3.Connection, tmp_path: Path) -> None:
    relabel_one(db)
    result = export(project, db, ExportRequest(Format.DATASETS, tmp_path / "set"))
    card = (result.output / "README.md").read_text(encoding="utf-8")
    assert "1 have fields that argue for an earlier decision than the label (`stale`)" in card
