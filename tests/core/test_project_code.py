"""A reward of the project's own: found in its folder by an explicit path, and run only where a person allows it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from core.config.project import FILE, Project, open_project
from core.config.recipe import Algorithm, Recipe
from core.runs.control import RunError
from core.runs.params import TrainParams
from core.training.data.rewards import ForbiddenRewardError, RewardError, find_reward, grade_answer
from core.training.plan import plan_phases
from tui.cli import main

RECIPE = '\n[train.own]\nalgorithm = "grpo"\nrewards = { "random:paid" = 1.0 }\n'
OWN = "from pathlib import Path\nPath(__file__).with_name('ran').touch()\ndef paid(answer):\n    return 0.25\n"
ANSWER = grade_answer("REJECTED", True, "REJECTED", [], ["VALIDATED", "REJECTED"], {})


@pytest.fixture
def rewarding(project: Project) -> Project:
    """A project whose recipe names a module of its folder, which is called like one of the standard library."""
    (project.folder / "random.py").write_text(OWN)
    path = project.folder / FILE
    path.write_text(path.read_text() + RECIPE)
    return open_project(project.folder)


def test_without_permission_nothing_runs_and_the_flag_is_named(rewarding: Project) -> None:
    with pytest.raises(RunError, match=r"'random:paid' is code .*`sidequest train run own --allow-project-code`"):
        plan_phases(rewarding, "own")
    for name in ("random:paid", "core.training.data.rewards:length", "os:getcwd"):
        with pytest.raises(ForbiddenRewardError, match="--allow-project-code"):
            find_reward(name, rewarding.folder, allow_project_code=False)
    assert not (rewarding.folder / "ran").exists()


def test_the_verbs_refuse_it_too(rewarding: Project) -> None:
    for verb in ("run", "estimate"):
        done = CliRunner().invoke(main, ["-C", str(rewarding.folder), "train", verb, "own"])
        assert done.exit_code in {1, 2}
        assert "sidequest train run own --allow-project-code" in done.stderr
    assert not (rewarding.folder / "ran").exists()


def test_with_permission_it_is_the_file_of_the_project(rewarding: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    import random

    params = plan_phases(rewarding, "own", allow_project_code=True)
    assert params.allow_project_code
    assert TrainParams.model_validate_json(params.model_dump_json()) == params
    monkeypatch.chdir("/")
    reward = find_reward("random:paid", rewarding.folder, allow_project_code=True)
    assert (rewarding.folder / "ran").exists()
    assert reward.__module__ == "sidequest_project.random"
    assert sys.modules["random"] is random
    assert str(rewarding.folder) not in sys.path


def test_a_run_of_an_earlier_version_allows_nothing() -> None:
    recipe = Recipe(algorithm=Algorithm.GRPO).model_dump(mode="json")
    old = TrainParams.model_validate({"name": "own", "phases": {"own": recipe}, "student": "smollm2-135m"})
    assert not old.allow_project_code


def test_dots_are_folders_and_files_import_one_another_with_a_dot(tmp_path: Path) -> None:
    (tmp_path / "paid" / "by").mkdir(parents=True)
    (tmp_path / "paid" / "by" / "length.py").write_text(
        "from ..worth import WORTH\ndef paid(answer):\n    return WORTH\n"
    )
    (tmp_path / "paid" / "worth.py").write_text("WORTH = 0.5\n")
    reward = find_reward("paid.by.length:paid", tmp_path, allow_project_code=True)
    assert reward(ANSWER) == 0.5
    (tmp_path / "flat.py").write_text("import worthless\n")
    (tmp_path / "worthless.py").write_text("")
    with pytest.raises(RewardError, match=r"No module named 'worthless'.*`from \.worthless import"):
        find_reward("flat:paid", tmp_path, allow_project_code=True)


def test_another_folder_has_modules_of_its_own(tmp_path: Path) -> None:
    for number, folder in enumerate((tmp_path / "a", tmp_path / "b")):
        folder.mkdir()
        (folder / "worth.py").write_text(f"WORTH = {number}\n")
        (folder / "paid.py").write_text("from .worth import WORTH\ndef paid(answer):\n    return WORTH\n")
        reward = find_reward("paid:paid", folder, allow_project_code=True)
        assert reward(ANSWER) == number
        assert find_reward("paid:paid", folder, allow_project_code=True) is reward


def test_a_link_leads_nowhere_else(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (tmp_path / "outside.py").write_text(OWN)
    (project / "inside.py").symlink_to(tmp_path / "outside.py")
    with pytest.raises(RewardError, match="leads out of the project's folder"):
        find_reward("inside:paid", project, allow_project_code=True)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("..own:paid", OWN, "no name of a module"),
        ("a/b:paid", "", "no name of a module"),
        ("own:paid", "def paid(", "SyntaxError"),
        ("own:paid", "1 / 0", "ZeroDivisionError"),
        ("own:paid", "raise SystemExit(3)", "SystemExit"),
        ("own:nothing", OWN, "no attribute 'nothing'"),
        ("nowhere.own:paid", "", "No module named 'nowhere'"),
    ],
)
def test_what_cannot_be_used_is_said(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / "own.py").write_text(text)
    with pytest.raises(RewardError, match=message):
        find_reward(name, tmp_path, allow_project_code=True)
