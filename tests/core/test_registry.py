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
def configured(project: Project, db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Project:
    """A project with a model of each kind, the packages there, and a cache of the hub of its own."""
    path = project.folder / FILE
    text = path.read_text(encoding="utf-8")
    for role, name in ROLES.items():
        default = getattr(project.task.roles, role)
        text = text.replace(f'{role} = "{default}"', f'{role} = "{name}"')
    path.write_text(text + TABLES, encoding="utf-8")
    monkeypatch.setattr(module, "missing_packages", lambda _packages: [])
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    return open_project(project.folder)


def models_of(project: Project, db: sqlite3.Connection) -> dict[str, RegisteredModel]:
    """The roster by name."""
    return {model.name: model for model in registered_models(project, db)}


def test_each_kind_with_its_place_and_its_roles(configured: Project, db: sqlite3.Connection) -> None:
    """One model may have several roles."""
    StoredCapabilities(db).save("http://127.0.0.1:9/v1", "o1", {"mode": "strict"})
    models = models_of(configured, db)
    assert list(models) == ["o1", "smollm2-135m", "folder", "file", "hub", "majority", "random", "bag-of-words"]
    assert models["o1"].kind is ModelKind.ENDPOINT
    assert (models["o1"].where, models["o1"].roles) == ("http://127.0.0.1:9/v1", ["generator", "judge", "reference"])
    assert models["o1"].capabilities == {"mode": "strict"}
    assert (models["folder"].where, models["folder"].roles) == ("weights", ["student"])
    assert models["file"].where == "weights/tiny.gguf, adapter adapter"
    assert models["hub"].where == "hub somebody/tiny at main"
    assert (models["random"].kind, models["random"].roles, models["random"].problem) == (ModelKind.BASELINE, [], "")


def test_files_that_are_missing_are_named(configured: Project, db: sqlite3.Connection) -> None:
    """One after the other, until all of them are there."""
    weights, adapter = configured.folder / "weights", configured.folder / "adapter"
    assert "there is no model at" in models_of(configured, db)["folder"].problem
    weights.mkdir()
    assert "*.safetensors is missing" in models_of(configured, db)["folder"].problem
    (weights / "model.safetensors").touch()
    assert "config.json is missing" in models_of(configured, db)["folder"].problem
    (weights / "config.json").touch()
    assert models_of(configured, db)["folder"].problem == ""
    adapter.mkdir()
    assert "there is no model at" in models_of(configured, db)["file"].problem
    assert models_of(configured, db)["hub"].problem == ""


def test_a_model_of_the_hub_is_looked_for_and_not_fetched(
    configured: Project, db: sqlite3.Connection, tmp_path: Path
) -> None:
    """It is there once its weights are where the hub's library keeps them."""
    assert models_of(configured, db)["hub"].downloaded is False
    cached = tmp_path / "hub" / "models--somebody--tiny" / "snapshots" / "0"
    cached.mkdir(parents=True)
    assert models_of(configured, db)["hub"].downloaded is False
    (cached / "model.safetensors").touch()
    assert models_of(configured, db)["hub"].downloaded is True
    assert models_of(configured, db)["folder"].downloaded is None


def test_packages_that_are_missing_are_named(
    project: Project, db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what installs them."""
    monkeypatch.setattr(
        module, "missing_packages", lambda packages: [package for package in packages if package == "torch"]
    )
    model = models_of(project, db)["smollm2-135m"]
    assert model.missing == ["torch"]
    assert model.problem.endswith("it needs torch: pip install 'sidequest[train]'")


def test_looking_for_packages_loads_none() -> None:
    """Not even those that are there."""
    check = "print(missing_packages(['numpy', 'nothing']), 'numpy' in sys.modules)"
    code = f"import sys; from core.models.registry import missing_packages; {check}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['nothing'] False"
    assert missing_packages(["sqlite3"]) == []


def test_the_extra_is_that_of_the_package() -> None:
    """A package that training needs is looked for."""
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    named = tomllib.loads(text)["project"]["optional-dependencies"]["train"]
    assert {requirement.split("=")[0].split(">")[0] for requirement in named} == set(TRAIN_PACKAGES)
