"""What the import contracts in pyproject.toml do not say: no circle of files, and one meaning for each class name."""

from __future__ import annotations

import ast
from collections import defaultdict
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest

pytestmark = pytest.mark.pure

ROOT = Path(__file__).parents[1]
PACKAGES = ("core", "storage", "tui")


def test_no_file_imports_itself_over_others() -> None:
    """TopologicalSorter raises CycleError, which names the circle; imports inside functions count, too."""
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    TopologicalSorter(imports).prepare()
    assert len(imports) > 200


def test_a_public_class_name_stands_once() -> None:
    places = defaultdict(list)
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    places[node.name].append(str(path.relative_to(ROOT)))
    assert {name: files for name, files in places.items() if len(files) > 1} == {}
