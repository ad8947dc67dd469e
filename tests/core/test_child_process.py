"""Processes of our own modules: started in one place, and blind to the modules of the current directory."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from core.runs.child_process import python_command, run_python, safe_environment, start_python

ROOT = Path(__file__).parents[2]
TRAP = "from pathlib import Path\nPath(__file__).with_name('ran').touch()\n"


@pytest.fixture
def trapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, with modules in it that a child must not import."""
    for name in ("random", "statistics", "sitecustomize", "psutil", "json"):
        (tmp_path / f"{name}.py").write_text(TRAP)
    for name in ("core", "storage", "tui"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(TRAP)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_nothing_of_the_current_directory_is_imported(trapped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", f"{os.pathsep}.")
    with start_python(
        "core.dataset.measure", "coverage", str(trapped), "", cwd=trapped, stdin=subprocess.DEVNULL
    ) as process:
        assert process.wait(60) == 2
    with pytest.raises(subprocess.CalledProcessError) as raised:
        run_python("core.dataset.measure", "coverage", str(trapped), "", timeout=60)
    assert "sidequest.toml" in raised.value.stderr
    assert not (trapped / "ran").exists()


def test_what_a_child_starts_is_safe_too(trapped: Path) -> None:
    grandchild = "import random, psutil, core.machine"
    child = f"import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-c', {grandchild!r}]))"
    command = python_command("core.machine")
    command[command.index("-m") :] = ["-c", child]
    assert subprocess.run(command, env=safe_environment(), check=False).returncode == 0
    assert not (trapped / "ran").exists()


def test_the_environment_keeps_what_a_person_has_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["", "/somewhere", "near", str(ROOT)]))
    monkeypatch.setenv("SIDEQUEST_TEST", "kept")
    found = safe_environment()
    assert found["PYTHONPATH"].split(os.pathsep) == [str(ROOT), "/somewhere"]
    assert (found["PYTHONSAFEPATH"], found["SIDEQUEST_TEST"]) == ("1", "kept")
    monkeypatch.delenv("PYTHONPATH")
    assert safe_environment()["PYTHONPATH"] == str(ROOT)


def test_no_other_place_starts_python() -> None:
    own = ROOT / "core" / "runs" / "child_process.py"
    starts = re.compile(r"""sys\.executable,|["']-m["']""")
    files = [file for folder in ("core", "storage", "tui") for file in (ROOT / folder).rglob("*.py")]
    assert [file for file in files if file != own and starts.search(file.read_text(encoding="utf-8"))] == []
