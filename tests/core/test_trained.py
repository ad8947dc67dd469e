"""What was trained is a model of the project, and stays one."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from core.benchmark import start
from core.benchmark.answer_stream import askable_models
from core.benchmark.cost_estimate import estimate_benchmark
from core.config.case import Mode
from core.config.project import FILE, Project, open_project
from core.models import resolve
from core.models.registry import registered_models
from core.models.trained import lineage, trained_models
from core.runs.control import RunError
from storage.schema import RunState
from tests.core.judged_runs import fill, params
from tests.core.training_runs import training, with_student

OLDER, NEWER = "01K0000000000000000AAAAAAA", "01K0000000000000000BBBBBBB"


@pytest.fixture
def tiny(project: Project, tmp_path: Path) -> Project:
    """A project with a student that is there in name."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    for file in ("model.safetensors", "config.json"):
        (folder / file).touch()
    return with_student(project, folder, max_output_tokens=300)


def test_each_phase_is_a_model_and_the_newest_has_the_name_of_its_recipe(tiny: Project, db: sqlite3.Connection) -> None:
    training(tiny, db, "sft", "rl", key=OLDER, mode="direct", quantization="nf4", precision="fp32")
    training(tiny, db, "sft", key=NEWER)
    models = trained_models(tiny, db)
    assert list(models) == ["sft-aaaaaa", "rl-aaaaaa", "sft-bbbbbb"]
    assert [model.newest for model in models.values()] == [False, True, True]
    assert models["rl-aaaaaa"].parent == "sft-aaaaaa"
    local = models["rl-aaaaaa"].local
    assert local is not None
    assert (local.quantization, local.precision, local.max_output_tokens) == ("nf4", "fp32", 300)
    assert local.adapter == Path("runs") / OLDER / "rl" / "adapter"
    assert resolve.resolve_name(tiny, db, "sft") == "sft-bbbbbb"
    assert resolve.resolve_name(tiny, db, "majority") == "majority"
    assert resolve.default_mode(tiny, db, "rl") is Mode.DIRECT
    assert resolve.default_mode(tiny, db, "sft-bbbbbb") is Mode.REASON
    assert resolve.check_mode(tiny, db, "sft", Mode.REASON) == ""
    assert "no schema is enforced" in resolve.check_mode(tiny, db, "sft", Mode.SCHEMA)
    assert askable_models(tiny, db) == [
        *("smollm2-135m", "bag-of-words", "tiny", "sft-aaaaaa", "rl-aaaaaa", "sft-bbbbbb"),
        *("majority", "random"),
    ]


def test_what_started_from_a_run_knows_its_parent(tiny: Project, db: sqlite3.Connection) -> None:
    training(tiny, db, "sft", key=OLDER)
    training(tiny, db, "ppo", key=NEWER, start_from=f"runs/{OLDER}/adapter")
    models = trained_models(tiny, db)
    assert [model.name for model in lineage(models, models["ppo-bbbbbb"])] == ["sft-aaaaaa", "ppo-bbbbbb"]


def test_names_stay_unique_and_the_project_file_keeps_its_own(tiny: Project, db: sqlite3.Connection) -> None:
    training(tiny, db, "sft", key="01K000000000000000XAAAAAAA")
    training(tiny, db, "sft", key="01K000000000000000YAAAAAAA")
    training(tiny, db, "tiny", key="01K000000000000000ZBBBBBBB")
    models = trained_models(tiny, db)
    assert list(models) == ["sft-aaaaaa", "sft-aaaaaaa", "tiny-bbbbbb"]
    assert resolve.resolve_name(tiny, db, "tiny") == "tiny"
    assert not models["tiny-bbbbbb"].newest


def test_a_run_that_is_not_finished_gives_the_phases_that_are(tiny: Project, db: sqlite3.Connection) -> None:
    training(tiny, db, "sft", "rl", key=OLDER, state=RunState.STOPPED, done=1)
    training(tiny, db, "sft", key=NEWER, state=RunState.RUNNING, done=0)
    assert list(trained_models(tiny, db)) == ["sft-aaaaaa"]


def test_what_is_gone_is_said_with_what_to_do(tiny: Project, db: sqlite3.Connection) -> None:
    training(tiny, db, "sft", key=OLDER)
    (listed,) = [model for model in registered_models(tiny, db) if model.name == "sft-aaaaaa"]
    assert (listed.run, listed.also, listed.kind) == (OLDER, "sft", "local")
    assert "adapter" not in listed.problem
    shutil.rmtree(tiny.run_folder(OLDER))
    (listed,) = [model for model in registered_models(tiny, db) if model.name == "sft-aaaaaa"]
    assert "its adapter is gone from runs/" in listed.problem
    assert "`sidequest train run sft`" in resolve.check_mode(tiny, db, "sft", Mode.REASON)
    path = tiny.folder / FILE
    path.write_text(path.read_text().partition("[local.tiny]")[0])
    bare = open_project(tiny.folder)
    (listed,) = [model for model in registered_models(bare, db) if model.name == "sft-aaaaaa"]
    assert "put [local.tiny] back" in listed.problem
    with pytest.raises(resolve.ModelError, match="its student tiny is not in the project file"):
        resolve.model_for(bare, db, "sft", Mode.REASON)


def test_a_benchmark_keeps_the_name_that_stays(
    tiny: Project, db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start, "spawn", lambda *_: None)
    training(tiny, db, "sft", key=OLDER)
    fill(db, 3)
    assert estimate_benchmark(tiny, db, params("sft", Mode.REASON)).free
    run = start.start_benchmark(tiny, db, params("sft", Mode.REASON))
    assert run.params["model"] == "sft-aaaaaa"
    with pytest.raises(RunError, match="no model 'rl': use one of smollm2-135m, tiny, sft-aaaaaa, majority"):
        start.start_benchmark(tiny, db, params("rl", Mode.REASON))
