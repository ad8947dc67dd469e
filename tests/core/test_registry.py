"""What a project knows of its models without asking any."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from core.config.project import FILE, Project, open_project
from core.models import registry as module
from core.models.registry import TRAIN_PACKAGES, ModelKind, RegisteredModel, missing_packages, registered_models
from storage.runs import StoredCapabilities

TABLES = """
[models.o1]
model = "o1"
base_url = "http://127.0.0.1:9/v1"

[local.folder]
path = "weights"

[local.file]
path = "weights/tiny.gguf"
adapter = "adapter"

[local.hub]
hub = "somebody/tiny"
revision = "main"
"""
ROLES = {"generator": "o1", "judge": "o1", "student": "folder", "reference": "o1"}


@pytest.fixture
def listed(project: Project, db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Project:
    """A project with a model of each kind, the packages there, and a cache of the hub of its own."""
    path = project.folder / FILE
    text = path.read_text(encoding="utf-8")
    for role, name in ROLES.items():
        default = getattr(project.task.roles, role)
        text = text.replace(f'{role} = "{default}"', f'{role} = "{name}"')
    path.write_text(text + TABLES, encoding="utf-8")
    monkeypatch.setattr(module, "missing", lambda _packages: [])
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    return open_project(project.folder)


def of(project: Project, db: sqlite3.Connection) -> dict[str, RegisteredModel]:
    """The roster by name."""
    return {one.name: one for one in registered_models(project, db)}


def test_each_kind_with_its_place_and_its_roles(listed: Project, db: sqlite3.Connection) -> None:
    """One model may have several roles."""
    StoredCapabilities(db).save("http://127.0.0.1:9/v1", "o1", {"mode": "strict"})
    found = of(listed, db)
    assert list(found) == ["o1", "smollm2-135m", "folder", "file", "hub", "majority", "random", "bag-of-words"]
    assert found["o1"].kind is ModelKind.ENDPOINT
    assert (found["o1"].where, found["o1"].roles) == ("http://127.0.0.1:9/v1", ["generator", "judge", "reference"])
    assert found["o1"].capabilities == {"mode": "strict"}
    assert (found["folder"].where, found["folder"].roles) == ("weights", ["student"])
    assert found["file"].where == "weights/tiny.gguf, adapter adapter"
    assert found["hub"].where == "hub somebody/tiny at main"
    assert (found["random"].kind, found["random"].roles, found["random"].problem) == (ModelKind.BASELINE, [], "")


def test_files_that_are_missing_are_named(listed: Project, db: sqlite3.Connection) -> None:
    """One after the other, until all of them are there."""
    weights, adapter = listed.folder / "weights", listed.folder / "adapter"
    assert "there is no model at" in of(listed, db)["folder"].problem
    weights.mkdir()
    assert "*.safetensors is missing" in of(listed, db)["folder"].problem
    (weights / "model.safetensors").touch()
    assert "config.json is missing" in of(listed, db)["folder"].problem
    (weights / "config.json").touch()
    assert of(listed, db)["folder"].problem == ""
    adapter.mkdir()
    assert "there is no model at" in of(listed, db)["file"].problem
    assert of(listed, db)["hub"].problem == ""


def test_a_model_of_the_hub_is_looked_for_and_not_fetched(
    listed: Project, db: sqlite3.Connection, tmp_path: Path
) -> None:
    """It is there once its weights are where the hub's library keeps them."""
    assert of(listed, db)["hub"].downloaded is False
    kept = tmp_path / "hub" / "models--somebody--tiny" / "snapshots" / "0"
    kept.mkdir(parents=True)
    assert of(listed, db)["hub"].downloaded is False
    (kept / "model.safetensors").touch()
    assert of(listed, db)["hub"].downloaded is True
    assert of(listed, db)["folder"].downloaded is None


def test_packages_that_are_missing_are_named(
    project: Project, db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what installs them."""
    monkeypatch.setattr(module, "missing", lambda packages: [one for one in packages if one == "torch"])
    found = of(project, db)["smollm2-135m"]
    assert found.missing == ["torch"]
    assert found.problem.endswith("it needs torch: pip install 'sidequest[train]'")


def test_looking_for_packages_loads_none() -> None:
    """Not even those that are there."""
    said = "print(missing(['numpy', 'nothing']), 'numpy' in sys.modules)"
    code = f"import sys; from core.models.registry import missing; {said}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['nothing'] False"
    assert missing_packages(["sqlite3"]) == []


def test_the_extra_is_that_of_the_package() -> None:
    """A package that training needs is looked for."""
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    named = tomllib.loads(text)["project"]["optional-dependencies"]["train"]
    assert {one.split("=")[0].split(">")[0] for one in named} == set(TRAIN_PACKAGES)
