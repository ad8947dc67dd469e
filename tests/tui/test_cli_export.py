"""`export` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from core.config.project import create
from storage import examples
from storage.database import connect, transaction
from storage.schema import Status
from tests.conftest import example
from tui.cli import main


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Beside a project with two accepted examples and one that waits, room for files."""
    path = create(tmp_path / "project").parent
    connection = connect(path / "sidequest.db")
    with transaction(connection):
        for number, status in enumerate([Status.ACCEPTED, Status.ACCEPTED, Status.PENDING], start=1):
            examples.add(connection, example(hypothesis=f"It is {number}.", level=number, family="f", status=status))
    connection.close()
    return tmp_path


def run_export(folder: Path, *words: str) -> Result:
    """Run `export` with these words."""
    return CliRunner().invoke(main, ["-C", str(folder / "project"), "export", *words])


def test_it_says_what_it_wrote(folder: Path) -> None:
    """For a person, and as JSON."""
    path = folder / "a.jsonl"
    result = run_export(folder, "--format", "jsonl", "--output", str(path))
    assert (result.exit_code, result.stdout) == (0, f"2 examples in {path} (unassigned 2)\n")
    again = run_export(
        folder, "level:2", "-level:1", "--format", "jsonl", "--output", str(path), "--overwrite", "--json"
    )
    assert json.loads(again.stdout) == {
        "output": str(path),
        "examples": 1,
        "files": {"a.jsonl": 1},
        "stale": 0,
        "splits": {"unassigned": 1},
        "notes": [],
    }
    assert json.loads(path.read_text(encoding="utf-8"))["hypothesis"] == "It is 2."


def test_what_it_wrote_is_imported_again(folder: Path) -> None:
    """Into another project, with the ids that it had."""
    path = folder / "a.parquet"
    assert run_export(folder, "status:accepted,pending", "--format", "parquet", "--output", str(path)).exit_code == 0
    create(folder / "other")
    result = CliRunner().invoke(main, ["-C", str(folder / "other"), "import", str(path)])
    assert "3 imported, 0 rejected, 0 there already" in result.output


@pytest.mark.parametrize(
    ("words", "status", "reason"),
    [
        (["--format", "jsonl", "--output", "project/sidequest.toml"], 2, "ends in .jsonl"),
        (["--format", "jsonl", "--output", "none/a.jsonl"], 2, "make it first"),
        (["--format", "datasets", "--output", "project", "--overwrite"], 2, "holds what no export wrote"),
        (["--format", "jsonl", "--output", "a.jsonl", "level:9"], 2, "no level 9"),
        (["--format", "jsonl", "--output", "a.jsonl", "level:4"], 2, "name another status"),
        (["--format", "jsonl", "--output", "a.jsonl", "--mod"], 2, "no option --mod"),
        (["--format", "sft", "--output", "a.jsonl"], 2, "judgement.j2"),
        (["--format", "jsonl", "--output", "a" * 300 + ".jsonl"], 1, "file name too long: nothing was written"),
    ],
)
def test_a_wrong_request_says_what_to_do(folder: Path, words: list[str], status: int, reason: str) -> None:
    """A message instead of a traceback, and nothing written."""
    toml = folder / "project" / "sidequest.toml"
    toml.write_text(toml.read_text(encoding="utf-8") + '\n[prompts]\njudgement = "judgement.j2"\n', encoding="utf-8")
    result = run_export(folder, *words[:3], str(folder / words[3]), *words[4:])
    assert result.exit_code == status, result.output
    assert reason in result.stderr
    assert [path.name for path in folder.iterdir()] == ["project"]
