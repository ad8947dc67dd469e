"""`models` on the command line."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from core.config.project import FILE, create
from tests import loopback
from tests.loopback import Loopback
from tui.cli import main

HUB = """
[local.far]
hub = "somebody/far"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a model of the hub, that is not downloaded."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    path = create(tmp_path / "project")
    path.write_text(path.read_text(encoding="utf-8") + HUB, encoding="utf-8")
    return path.parent


def asked(folder: Path, *words: str) -> Result:
    """What `models` does with these words."""
    return CliRunner().invoke(main, ["-C", str(folder), "models", *words])


def endpoint(folder: Path, url: str) -> None:
    """Name an endpoint in the project, which also judges."""
    path = folder / FILE
    text = path.read_text(encoding="utf-8").replace('judge = "solver"', 'judge = "near"')
    table = f'\n[models.near]\nmodel = "m"\nbase_url = "{url}"\nkey_env = ""\n'
    path.write_text(text + table, encoding="utf-8")


def test_list_shows_all_kinds(folder: Path) -> None:
    """For a person in a table; as JSON with what training needs."""
    endpoint(folder, "http://127.0.0.1:9/v1")
    rows = {line.split()[0]: line for line in asked(folder, "list").stdout.splitlines()}
    assert "m at http://127.0.0.1:9/v1" in rows["near"]
    assert "judge" in rows["near"]
    assert "not asked yet" in rows["near"]
    assert "hub somebody/far" in rows["far"]
    assert "local" in rows["smollm2-135m"]
    assert rows["generator"] == "generator is procedural (embedded, no model)"
    found = json.loads(asked(folder, "list", "--json").stdout)
    assert [one["kind"] for one in found["models"]] == ["endpoint", "local", "local", *["baseline"] * 3]
    assert found["train"]["installed"] is not bool(found["train"]["missing"])


async def test_check_asks_an_endpoint_and_a_baseline(folder: Path) -> None:
    """It tells what each can do, and remembers it of the endpoint."""
    async with Loopback(react=loopback.supporting("object", "prompt")) as server:
        endpoint(folder, server.url)
        done = await asyncio.to_thread(asked, folder, "check", "near", "majority")
        assert len(server.probes) > 0
    assert done.exit_code == 0, done.output
    near, majority = done.stdout.splitlines()
    assert near.startswith("near: structured output: object, answered in ")
    assert majority == "majority: answered in less than 0.1 s: VALIDATED"
    (kept,) = [one for one in json.loads(asked(folder, "list", "--json").stdout)["models"] if one["name"] == "near"]
    assert kept["capabilities"]["probed"] is True


def test_check_says_who_cannot_be_asked_and_why(folder: Path) -> None:
    """An endpoint where nobody answers, and a baseline that has nothing to learn from; the exit status is 1."""
    endpoint(folder, "http://127.0.0.1:9/v1")
    done = asked(folder, "check", "near", "bag-of-words", "--json")
    assert done.exit_code == 1
    near, words = json.loads(done.stdout)
    assert (near["kind"], near["ok"], near["outcome"]) == ("endpoint", False, "connection")
    assert (words["kind"], words["ok"]) == ("baseline", False)
    assert "`sidequest splits assign --yes`" in words["detail"]


def test_nothing_is_downloaded_unless_it_is_named(folder: Path) -> None:
    """Without names the rest is asked; a name that nobody has is refused."""
    done = asked(folder, "check")
    assert "far: hub somebody/far is not downloaded: `sidequest models check far` fetches it" in done.stderr
    assert not any(line.startswith("far:") for line in done.stdout.splitlines())
    assert "random: answered" in done.stdout
    refused = asked(folder, "check", "moon")
    assert refused.exit_code == 2
    assert "there are smollm2-135m, far, majority" in refused.stderr
