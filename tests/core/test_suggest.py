"""Mappings that are proposed for files of shapes that nobody has seen before."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from core.config.mapping import Mapping
from core.config.project import Project, check_toml
from core.exchange.faults import FileError, RejectedError
from core.exchange.guess import guess_scale, match_labels, restarts
from core.exchange.suggest import Suggestion, suggest_mapping
from storage.schema import Example
from tests.conftest import example


def suggested(project: Project, path: Path, content: Any) -> tuple[Suggestion, Mapping]:
    """What is proposed for a file, and the mapping that its TOML is once it is pasted."""
    if isinstance(content, str):
        path.write_text(content, encoding="utf-8")
    elif path.suffix == ".json":
        path.write_text(json.dumps(content), encoding="utf-8")
    else:
        path.write_text("".join(json.dumps(record) + "\n" for record in content), encoding="utf-8")
    suggestion = suggest_mapping(project.task, path)
    table = suggestion.toml.replace(f"[import.{suggestion.name}]\n", "").replace(f"import.{suggestion.name}.", "")
    return suggestion, check_toml(Mapping, table, "pasted")


RIDES = [
    {
        "case_id": f"q{number}",
        "statement": f"Tram {number} was late.",
        "logs": None,
        "sources": [{"body": f"Board {number}: late.", "where": "x", "url": f"b{number}", "score": number}],
        "verdict": ("supported", "refuted", "Unclear")[number % 3],
        "why": "",
        "explanation": "It says so.",
        "conf": f"{80 + number}%",
        "fold": "validation",
        "topic": "trams",
        "level": 1,
    }
    for number in range(6)
]


def test_fields_are_found_by_their_names_and_values(project: Project, tmp_path: Path) -> None:
    """With scales, scopes and the labels that mean one of the task's decisions; the others are left to a person."""
    records = [record | {"evidence": record["sources"]} for record in RIDES]
    suggestion, mapping = suggested(project, tmp_path / "rides.jsonl", records)
    expected = {
        "hypothesis": "statement",
        "evidence": "evidence",
        "content": "body",
        "source": "url",
        "relevance": "score",
        "relevance_scale": (1.0, 5.0),
        "decision": "verdict",
        "family": "case_id",
        "family_scope": "file",
        "level": "level",
        "confidence": "conf",
        "confidence_scale": (0.0, 100.0),
        "reasoning": "explanation",
        "split": "fold",
        "decisions": {"supported": "VALIDATED", "refuted": "REJECTED"},
    }
    assert {name: getattr(mapping, name) for name in expected} == expected
    assert '# Unclear = "VALIDATED or REJECTED or REFINED"  # 2 of 6' in suggestion.toml
    assert any('domain = "topic" is possible, with a table domains for trams' in note for note in suggestion.notes)
    assert [place for place, _ in suggestion.examples] == [f"line {number}" for number in range(1, 6)]
    first, rejected = suggestion.examples[1][1], suggestion.examples[2][1]
    assert isinstance(first, Example)
    assert (first.hypothesis, first.decision, first.split) == ("Tram 1 was late.", "REJECTED", "dev")
    assert isinstance(rejected, RejectedError)
    assert "the table has no 'Unclear'" in str(rejected)


@pytest.mark.parametrize(
    ("name", "content", "settings"),
    [
        (
            "a.csv",
            "Claim;Main Text;Label\nIt ran.;The log says so.;yes\nIt stood.;The log says no.;no\n",
            {"delimiter": ";", "hypothesis": "Claim", "evidence": '"Main Text"', "decision": "Label"},
        ),
        (
            "b.csv",
            "claim,evidence,label\nIt ran.,\"['Log one.', 'Log two.']\",yes\n",
            {"parse_lists": True},
        ),
        (
            "c.json",
            {"info": "x", "my rows": [{"claim": "It ran.", "evidence": "The log.", "label": "true"}]},
            {"records": '"my rows"'},
        ),
        (
            "d.json",
            {"k1": {"claim": "It ran.", "evidence": "The log.", "label": "true"}},
            {"records": "items(@)[*].merge({key: [0]}, [1])", "family": "key"},
        ),
        (
            "e.csv",
            "主张,证据,标签\n船晚点了。,日志上写着船今天上午晚点了三十分钟。,yes\n船准点了。,日志上写着船今天上午完全准点到达码头。,no\n船走了。,日志上写着船今天上午已经离开了码头。,no\n",
            {"hypothesis": '"主张"', "evidence": '"证据"', "decision": '"标签"'},
        ),
    ],
)
def test_the_layout_of_the_file_is_part_of_it(
    project: Project, tmp_path: Path, name: str, content: Any, settings: dict[str, Any]
) -> None:
    """Delimiters, where the list is, names in quotes; all records that are shown are read."""
    suggestion, mapping = suggested(project, tmp_path / name, content)
    assert {key: getattr(mapping, key) for key in settings} == settings
    assert suggestion.examples
    assert all(isinstance(example, Example) for _, example in suggestion.examples), suggestion.examples


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.jsonl", [{"x": 1, "y": 2}] * 3, "no field looks like the hypothesis or the evidence or the decision"),
        ("a.jsonl", [[1], [2]], "its records are no objects"),
        ("a.json", {"a": 1}, "there is no list of records"),
        ("a.csv", "", "empty"),
    ],
)
def test_where_nothing_fits_it_says_so(project: Project, tmp_path: Path, name: str, content: Any, reason: str) -> None:
    """And lists the fields that are there."""
    with pytest.raises(FileError) as caught:
        suggested(project, tmp_path / name, content)
    assert reason in str(caught.value)


def test_whole_examples_need_no_mapping(project: Project, tmp_path: Path) -> None:
    """They are recognised by the fields that an example cannot be without."""
    path = tmp_path / "whole.jsonl"
    path.write_text(json.dumps(example().model_dump(mode="json")) + "\n", encoding="utf-8")
    suggestion = suggest_mapping(project.task, path)
    assert suggestion.toml == ""
    assert "import it without --map" in suggestion.notes[0]
    assert isinstance(suggestion.examples[0][1], Example)


def test_labels_that_nobody_can_tell_are_left_open() -> None:
    """By the task's names first, then by what a word means, if it means one decision only."""
    labels = Counter({"SUPPORTS": 3, "refuted": 2, "0": 1, "partially true": 1, "refined": 1})
    assert match_labels(labels, ("VALIDATED", "REJECTED", "REFINED")) == {
        "SUPPORTS": "VALIDATED",
        "refuted": "REJECTED",
        "0": None,
        "partially true": "REFINED",
        "refined": "REFINED",
    }
    assert match_labels(Counter({"supports": 1}), ("COVERED", "TRUE", "OPEN")) == {"supports": None}


def test_scales_and_names_that_start_anew() -> None:
    """Guessed by what the values are."""
    assert [guess_scale(values) for values in ([0.2, "1"], [1, 5], ["85 %"], [70], [7], ["high"])] == [
        *(None, (1.0, 5.0), (0.0, 100.0), (0.0, 100.0), (0.0, 10.0), None)
    ]
    assert [restarts(values) for values in (["q1", "id_7"], ["dev00001x"], [1, 2], ["8f2c-11"])] == [
        True,
        False,
        False,
        False,
    ]
