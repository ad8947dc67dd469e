"""`judge` on the command line: real models, a real server, cases from arguments and from stdin."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from core.config.project import FILE, create, open_project
from storage.database import connect
from tests import loopback, tiny_model
from tests.core.judged_runs import opinionated
from tests.core.training_runs import training, with_student
from tests.loopback import Loopback
from tui.cli import main

CASE: dict[str, Any] = {
    "hypothesis": "A lower limit raises conversion.",
    "evidence": [
        {"source": "Trial", "content": "It rose by half.", "relevance": 0.9},
        "Sales, spring: they fell: much",
    ],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return create(tmp_path / "project").parent


def judge(folder: Path, *words: str, stdin: str = "") -> Result:
    """What `judge` does with these words."""
    return CliRunner().invoke(main, ["-C", str(folder), "judge", *words], input=stdin)


def endpoint(folder: Path, url: str) -> None:
    path = folder / FILE
    path.write_text(f'{path.read_text()}\n[models.near]\nmodel = "m"\nbase_url = "{url}"\nkey_env = ""\n')


def test_a_baseline_from_arguments(folder: Path) -> None:
    words = ("--model", "majority", "--hypothesis", "It rises.", "--evidence", "Trial: it rose")
    done = judge(folder, *words)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("VALIDATED · confidence 0.")
    assert "by the probability of the decision" in done.stdout
    found = json.loads(judge(folder, *words, "--json").stdout)
    assert (found["decision"], found["basis"], found["outcome"]) == ("VALIDATED", "probability", "answered")
    assert sum(found["probabilities"].values()) == pytest.approx(1)


async def test_an_endpoint_and_many_lines(folder: Path) -> None:
    """Each line is answered with one; what is no case is said, and the others are answered all the same."""
    async with Loopback(react=opinionated) as server:
        endpoint(folder, server.url)
        lines = [json.dumps(CASE | {"id": f"c{at}"}) for at in range(5)]
        lines[2:2] = ["{bad", '{"hypothesis": "Only this."}', "", '["no"]']
        done = await asyncio.to_thread(judge, folder, "--model", "near", "--json", stdin="\n".join(lines))
    assert done.exit_code == 1
    found = {one["id"]: one for one in map(json.loads, done.stdout.splitlines())}
    assert {key for key, one in found.items() if one["outcome"] == "answered"} == {f"c{at}" for at in range(5)}
    assert {key for key, one in found.items() if one["outcome"] == "no case"} == {3, 4, 5}
    assert found[4]["detail"] == "evidence: is missing"
    assert (found["c1"]["confidence"], found["c1"]["basis"], found["c1"]["reasoning"]) == (0.8, "stated", "So.")


@pytest.mark.parametrize(
    ("reaction", "outcome"),
    [
        (loopback.REFUSAL, "refused"),
        (loopback.TRUNCATED, "truncated"),
        (loopback.Reaction(content='{"reasoning": "r", "decision": "PERHAPS", "confidence": 1}'), "unparseable"),
    ],
)
async def test_what_is_no_answer_is_said_as_such(folder: Path, reaction: loopback.Reaction, outcome: str) -> None:
    async with Loopback(react=lambda _: reaction) as server:
        endpoint(folder, server.url)
        done = await asyncio.to_thread(judge, folder, "--model", "near", stdin=json.dumps(CASE, indent=2))
    assert done.exit_code == 1
    assert done.stdout.startswith(f"no answer ({outcome})")


@pytest.mark.parametrize(
    ("words", "stdin", "said"),
    [
        (("--hypothesis", "It rises."), "", "evidence: list should have at least 1 item"),
        (("--hypothesis", "It rises.", "--evidence", "it rose"), "", "write a piece of evidence as 'source: text'"),
        (("--evidence", "Trial: it rose"), "", "--evidence goes with --hypothesis"),
        ((), "", "stdin is empty"),
        ((), "not JSON\nat all\n", "stdin holds no JSON"),
        ((), '{\n"evidence": [{"source": "s"}]\n}', "hypothesis: is missing; evidence[1].content: is missing"),
        (("--model", "moon"), json.dumps(CASE), "no model 'moon': use one of"),
        (("--model", "random", "--mode", "nod"), json.dumps(CASE), "Invalid value for '--mode'"),
    ],
)
def test_a_wrong_request_says_what_is_wrong(folder: Path, words: tuple[str, ...], stdin: str, said: str) -> None:
    done = judge(folder, *words, stdin=stdin)
    assert done.exit_code == 2, done.output
    assert said.lower() in done.stderr.lower()


def test_what_was_trained_last_is_asked_as_it_was_trained(folder: Path, tmp_path: Path) -> None:
    """A real adapter on a real model: it gives the probability of each label, and another one than its student."""
    weights = tiny_model.save(tmp_path / "tiny", texts=["VALIDATED REJECTED REFINED"], max_position_embeddings=4096)
    project = with_student(open_project(folder), weights)
    db = connect(project.database)
    training(project, db, "sft", adapter=tiny_model.adapt(weights, tmp_path / "made"), mode="direct")
    db.close()
    done = judge(folder, "--json", stdin=json.dumps(CASE))
    assert done.exit_code == 0, done.output
    assert "sft-" in done.stderr
    found = json.loads(done.stdout)
    assert found["model"].startswith("sft-")
    assert (found["mode"], found["basis"]) == ("direct", "probability")
    plain = json.loads(judge(folder, "--model", "tiny", "--mode", "direct", "--json", stdin=json.dumps(CASE)).stdout)
    assert plain["probabilities"] != pytest.approx(found["probabilities"], abs=1e-5)


def test_who_writes_a_line_and_waits_gets_its_answer(folder: Path) -> None:
    """Answers do not wait for the end of stdin."""
    command = [sys.executable, "-m", "tui.cli", "-C", str(folder), "judge", "--model", "majority", "--json"]
    command[1:3] = ["-c", "from tui.cli import main; main()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for number in range(1, 4):
            process.stdin.write(json.dumps(CASE) + "\n")
            assert json.loads(process.stdout.readline())["id"] == number
        process.stdin.close()
        assert process.wait(10) == 0
