"""What holds of the project as a whole: names, layers, and what an import costs."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import distributions

import pytest

OURS = {"core", "storage", "tui"}


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


@pytest.mark.parametrize("module", ["tui.app", "tui.cli", "core.overview", "storage.database"])
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
