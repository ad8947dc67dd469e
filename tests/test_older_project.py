"""A project made by the version before: every verb says of it what that version said, and the app opens all places."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from storage.database import connect
from storage.schema import RunState
from tui.app import SidequestApp
from tui.cli import main

FILES = Path(__file__).parent / "older_projects"
EXPECTED: dict[str, dict[str, Any]] = json.loads((FILES / "0.1.0" / "expected.json").read_text(encoding="utf-8"))
# What depends on the hour, or on the files of the model, which are not kept.
PASSING = {"age_s", "last_sign", "problem", "local", "adapter", "models", "checkpoints"}


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """The folder of a project as version 0.1.0 left it."""
    shutil.copy(FILES / "0.1.0" / "sidequest.toml", tmp_path)
    packed = (FILES / "0.1.0" / "sidequest.db.gz").read_bytes()
    (tmp_path / "sidequest.db").write_bytes(gzip.decompress(packed))
    return tmp_path


def missing(expected: Any, actual: Any, place: str = "") -> list[str]:
    """Where `actual` lacks or changes something of `expected`; it may have more keys."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        return [
            difference
            for key, value in expected.items()
            if key not in PASSING
            for difference in (
                missing(value, actual[key], f"{place}.{key}") if key in actual else [f"{place}.{key}: gone"]
            )
        ]
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        return [
            difference
            for position, (one, other) in enumerate(zip(expected, actual, strict=True))
            for difference in missing(one, other, f"{place}[{position}]")
        ]
    same = pytest.approx(expected) if isinstance(expected, float) else expected
    return [] if actual == same else [f"{place}: {expected!r} became {actual!r}"]


@pytest.mark.parametrize("verb", EXPECTED)
def test_verbs_say_what_they_said(older: Path, verb: str) -> None:
    done = CliRunner().invoke(main, ["-C", str(older), *verb.split(), "--json"])
    assert done.exit_code == EXPECTED[verb]["status"], done.output
    assert missing(EXPECTED[verb]["out"], json.loads(done.stdout)) == []


def test_work_goes_on(older: Path) -> None:
    """It can be decided about, undone, generated for, and measured."""

    def verb(*words: str) -> Any:
        done = CliRunner().invoke(main, ["-C", str(older), *words, "--json"])
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    pending = verb("examples", "list", "--status", "pending", "--limit", "1")[0]["id"]
    assert verb("review", "accept", pending)["example"]["status"] == "accepted"
    verb("review", "undo")
    assert verb("examples", "show", pending)["example"]["status"] == "pending"
    before = verb("plan")["have"]
    assert verb("generate", "-n", "3", "--seed", "9")["state"] == RunState.FINISHED
    assert verb("plan")["have"] == before + 3
    first = verb("bench", "show", "40GRH1")
    again = verb("bench", "run", "--model", "majority", "--like", "40GRH1")
    assert (again["right"], again["n"]) == (first["right"], first["n"])
    with connect(older / "sidequest.db") as db:
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


async def test_the_app_opens_every_place(older: Path) -> None:
    app = SidequestApp(older, "ann")
    async with app.run_test(size=(100, 35)) as pilot:
        for key in "12345678":
            await pilot.press(key)
            await pilot.pause(0.2)
        assert app.problem == ""
        assert app.is_running
