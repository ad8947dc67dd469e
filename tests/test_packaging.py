"""What holds of the project as a whole: names, layers, and what an import costs."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

import pytest

OURS = {"sidequest", "core", "storage", "tui"}
ROOT = Path(__file__).parents[1]


def test_no_dependency_brings_a_top_level_module_of_ours() -> None:
    clashes = set()
    for distribution in distributions():
        if distribution.metadata["Name"] == "sidequest":
            continue
        tops = {str(file).split("/")[0].removesuffix(".py") for file in distribution.files or []}
        clashes |= {(distribution.metadata["Name"], name) for name in tops & OURS}
    assert clashes == set()


def loaded(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


HEAVY = {"torch", "transformers", "trl", "peft", "bitsandbytes", "datasets", "openai", "scipy", "numpy", "sqlite_utils"}


@pytest.mark.parametrize("module", ["sidequest.__main__", "tui.app", "tui.cli", "core.overview", "storage.database"])
def test_start_up_loads_nothing_heavy(module: str) -> None:
    assert loaded(f"import {module}") & HEAVY == set()


def test_engine_and_storage_load_no_terminal() -> None:
    walk = (
        "import pkgutil, importlib, core, storage; "
        "[importlib.import_module(m.name) for p in (core, storage) "
        "for m in pkgutil.walk_packages(p.__path__, p.__name__ + '.')]"
    )
    found = loaded(walk)
    assert "textual" not in found
    assert "tui" not in found


@pytest.mark.parametrize("entries", [(), ("",), (".",)])
def test_started_as_a_module_it_searches_no_current_directory(tmp_path: Path, entries: tuple[str, ...]) -> None:
    for name in ("click", "importlib_metadata", "psutil", "random", "tui"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('it was imported')\n")
    done = subprocess.run(
        [sys.executable, "-m", "sidequest", "init", "p"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *entries])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "p" / "sidequest.toml").exists()


def test_the_package_imports_nothing_before_the_path_is_safe() -> None:
    """Each of its modules may be the first that runs in a project's folder."""
    code = "import sys; before = set(sys.modules); import sidequest.__main__; print(*set(sys.modules) - before)"
    # A worker that ran in this process may have asked for a safe path, without which nothing of ROOT is found here.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert set(done.stdout.split()) == {"sidequest", "sidequest.__main__"}
