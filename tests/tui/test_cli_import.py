"""`import` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from core.config.project import create
from tui.cli import main

TABLE = """
[import.facts]
hypothesis = "claim"
evidence = "facts"
decision = "label"
defaults = { domain = "market", level = 1, confidence = 1.0 }
decisions = { yes = "VALIDATED" }
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with a mapping, and a file of two records beside it, the second with a strange label."""
    path = create(tmp_path / "project")
    path.write_text(path.read_text(encoding="utf-8") + TABLE, encoding="utf-8")
    rows = [{"claim": "A \x1b[31m", "facts": ["b"], "label": "yes"}, {"claim": "C", "facts": "d", "label": "\x1b]0;x"}]
    (tmp_path / "facts.json").write_text(json.dumps(rows), encoding="utf-8")
    return tmp_path


def test_counts_and_reasons_as_json(folder: Path) -> None:
    """The second time all of it is there already."""
    arguments = [
        "-C",
        str(folder / "project"),
        "import",
        str(folder / "facts.json"),
        "--map",
        "facts",
        "--accept",
        "--json",
    ]
    first = CliRunner().invoke(main, arguments)
    assert first.exit_code == 0
    counts = json.loads(first.stdout)
    assert (counts["imported"], counts["rejected"], counts["duplicates"]) == (1, 1, 0)
    assert counts["rejections"][0]["place"] == "record 2"
    again = json.loads(CliRunner().invoke(main, arguments).stdout)
    assert (again["imported"], again["rejected"], again["duplicates"]) == (0, 1, 1)


def test_words_for_a_person_and_no_escape_codes(folder: Path) -> None:
    """What a file holds cannot act on the terminal."""
    arguments = ["-C", str(folder / "project"), "import", str(folder / "facts.json"), "--map", "facts"]
    result = CliRunner().invoke(main, arguments)
    assert "1 imported, 1 rejected, 0 there already" in result.output
    assert "1 of 1; all of them:" in result.output
    assert "\x1b" not in result.output


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["facts.txt"], "its name has to end in"),
        (["none.json"], "No such file"),
        (["facts.json", "--map", "other"], "no [import.other] in the project file (there are: facts)"),
    ],
)
def test_a_wrong_request_says_what_to_do(folder: Path, words: list[str], reason: str) -> None:
    """Exit status 2, and a message instead of a traceback."""
    arguments = ["-C", str(folder / "project"), "import", str(folder / words[0]), *words[1:]]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert reason in result.output


def run(folder: Path, *words: str) -> Result:
    """`sidequest import` in the project."""
    return CliRunner().invoke(main, ["-C", str(folder / "project"), "import", *words])


def test_mappings_are_listed(folder: Path) -> None:
    """Those of the project first, then the ready ones with what they are for."""
    rows = json.loads(run(folder, "--maps", "--json").stdout)
    assert rows[0] == {"name": "facts", "where": "sidequest.toml", "about": "", "labels": ["yes"]}
    ready = {row["name"]: row for row in rows[1:]}
    assert {"scifact", "fever", "wice", "squad"} <= set(ready)
    assert ready["wice"]["labels"] == ["supported", "partially_supported", "not_supported"]
    assert "VitaminC: train.jsonl" in run(folder, "--maps").output
    assert "name the FILE to import" in run(folder).output


def test_a_suggestion_stores_nothing(folder: Path) -> None:
    """It prints a table that can be pasted, and five records as read by it; the database is not even made."""
    path = folder / "rides.csv"
    path.write_text(
        "claim,evidence,label\n" + "".join(f"Ride {n}.,\x1b[31mLog {n}.,yes\n" for n in range(8)), encoding="utf-8"
    )
    result = run(folder, str(path), "--suggest")
    assert '[import.rides]\nhypothesis = "claim"\nevidence = "evidence"\n' in result.output
    assert "line 6: VALIDATED · market · level 1 · 1" in result.output
    assert "line 7" not in result.output
    assert "\x1b" not in result.output
    document = json.loads(run(folder, str(path), "--suggest", "--json").stdout)
    assert (document["name"], len(document["examples"])) == ("rides", 5)
    assert document["examples"][0]["example"]["hypothesis"] == "Ride 0."
    assert not (folder / "project" / "sidequest.db").exists()
    toml = folder / "rides.toml"
    toml.write_text(document["toml"].replace("[import.rides]\n", "").replace("import.rides.", ""), encoding="utf-8")
    assert "8 imported" in run(folder, str(path), "--map", str(toml)).output


def test_a_ready_mapping_with_what_holds_for_all(folder: Path) -> None:
    """And with the second file, wherever it is; without a domain it says what to write."""
    (folder / "more").mkdir()
    abstract = {"doc_id": 4, "title": "Frost", "abstract": ["It froze.", "Salt thawed it."]}
    (folder / "more" / "all.jsonl").write_text(json.dumps(abstract), encoding="utf-8")
    record = {"id": 1, "claim": "Salt thaws.", "evidence": {"4": [{"sentences": [1], "label": "SUPPORT"}]}}
    path = folder / "claims.jsonl"
    path.write_text(json.dumps(record), encoding="utf-8")
    refused = run(folder, str(path), "--map", "scifact")
    assert refused.exit_code == 2
    assert "--default domain=market" in refused.output
    assert '[import.mine]\nbase = "scifact"' in refused.output
    words = ["--map", "scifact", "--default", "domain=market", "--default", "level=1"]
    assert "corpus.jsonl: no such file" in run(folder, str(path), *words).output
    result = run(folder, str(path), *words, "--join", str(folder / "more" / "all.jsonl"))
    assert "1 imported, 0 rejected" in result.output


def test_conflicts_and_repeated_records_are_told(folder: Path) -> None:
    """In words and as JSON, with their places."""
    rows = [{"claim": "A", "facts": "b", "label": label} for label in ("yes", "yes", "REJECTED")]
    path = folder / "facts.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    toml = folder / "project" / "sidequest.toml"
    toml.write_text(
        toml.read_text(encoding="utf-8").replace("{ yes =", '{ REJECTED = "REJECTED", yes ='), encoding="utf-8"
    )
    result = run(folder, str(path), "--map", "facts", "--accept")
    assert "2 imported, 0 rejected, 1 there already (1 of them more than once in the file)" in result.output
    assert "2 have the same hypothesis and evidence as others, and another decision" in result.output
    assert "record 3 says REJECTED" in result.output
    listed = CliRunner().invoke(main, ["-C", str(folder / "project"), "examples", "list", "--flagged", "--json"])
    assert len(json.loads(listed.stdout)) == 2


def test_a_name_that_is_no_expression_lists_the_columns(folder: Path) -> None:
    """With how to write one in another script, though the project file cannot be read."""
    path = folder / "zug.csv"
    path.write_text("主张,证据,标签\n车来了。,车来了。,yes\n", encoding="utf-8")
    toml = folder / "project" / "sidequest.toml"
    toml.write_text(toml.read_text(encoding="utf-8").replace('"claim"', '"主张"'), encoding="utf-8")
    result = run(folder, str(path), "--map", "facts")
    assert result.exit_code == 2
    assert "import.facts.hypothesis: '主张' is no JMESPath expression" in result.output
    assert """'"主张"'""" in result.output
    assert '"主张", "证据", "标签"' in result.output


def test_strange_names_are_told_without_a_traceback(folder: Path) -> None:
    """Half a letter in the name of a field, or in a label."""
    rows = [{"claim": "A", "facts": "b", "label": "yes", "\ud800": 1}, {"claim": "C", "facts": "d", "label": "\ud800"}]
    (folder / "facts.json").write_text(json.dumps(rows), encoding="utf-8")
    result = run(folder, str(folder / "facts.json"), "--map", "facts")
    assert result.exit_code == 0, result.output
    assert "not read" in result.output


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--map", "facts", "--default", "level"], "write FIELD=VALUE"),
        (["--map", "facts", "--default", "claim=x"], "no default for claim"),
        (["--default", "level=1"], "go with --map"),
        (["--suggest", "--accept"], "--suggest stores nothing"),
        (["--map", "facts", "--join", "x.jsonl"], "[import.NAME.join]"),
        (["--map", "cityfact"], "no ready mapping of that name (anli, averitec"),
    ],
)
def test_options_that_do_not_go_together(folder: Path, words: list[str], reason: str) -> None:
    """Exit status 2, and what to write."""
    result = run(folder, str(folder / "facts.json"), *words)
    assert result.exit_code == 2
    assert reason in result.output
