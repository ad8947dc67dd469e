"""`import` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

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
