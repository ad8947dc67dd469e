"""The command line as a person or a script meets it: a process, its output and its exit status."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from core.config.project import Project
from storage import examples
from storage.database import connect, transaction
from storage.schema import Evidence
from tests.conftest import HOSTILE, example
from tests.storage.test_database import EXTRA, one_more
from tui.cli import main

COMMAND = [str(Path(sys.executable).with_name("sidequest"))]


def run(*words: str, cwd: Path, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *words], cwd=cwd, capture_output=True, text=True, input=stdin, timeout=120)


def data(*words: str, cwd: Path, stdin: str | None = None) -> Any:
    done = run(*words, "--json", cwd=cwd, stdin=stdin)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_from_an_empty_folder_to_reviewed_examples(tmp_path: Path) -> None:
    assert run("init", "p", cwd=tmp_path).returncode == 0
    p = tmp_path / "p"
    before = data("plan", cwd=p)
    assert (before["want"], before["have"], before["missing"]) == (375, 0, 375)
    assert before["quotas"]["VALIDATED"] == {"min": 150, "max": 200, "want": 175, "have": 0}
    done = data("generate", "--source", "procedural", "--fill", "--seed", "1", cwd=p)
    assert done["state"] == "finished"
    assert done["accepted"] == 375
    assert done["attempts"] == done["accepted"] + done["rejected"]
    after = data("plan", cwd=p)
    assert (after["have"], after["missing"]) == (375, 0)
    assert all(cell["missing"] == 0 for cell in after["cells"])
    assert set(after["cells"][0]) == {"domain", "level", "decision", "want", "have", "missing", "shelved"}
    stats = data("examples", "stats", cwd=p)
    assert stats["total"] == 375
    assert stats["by_status"] == {"pending": 375}
    assert stats["by_decision"] == {"VALIDATED": 175, "REJECTED": 125, "REFINED": 75}
    assert sum(stats["by_level"].values()) == sum(stats["by_domain"].values()) == 375
    listed = data("examples", "list", "--limit", "3", cwd=p)
    assert len(listed) == 3
    assert {"hypothesis", "evidence", "reasoning", "decision", "confidence", "family"} <= set(listed[0])
    matrix = data("qa", "matrix", cwd=p)
    assert set(matrix) == {"cells", "flagged"}
    assert {"domain", "level", "attempts", "rejected", "rate", "low", "high", "reasons"} <= set(matrix["cells"][0])
    assert data("qa", "scorecard", cwd=p)["good"] >= 375
    assert len(data("qa", "attempts", "--result", "passed", "--limit", "7", cwd=p)) == 7
    known = {one["name"]: one["roles"] for one in data("models", "list", cwd=p)["models"]}
    assert (known["smollm2-135m"], known["bag-of-words"]) == (["student"], ["reference"])
    one = listed[0]["id"]
    assert data("qa", "chain", one, cwd=p)[-1]["attempt"]["candidate"]["hypothesis"] == listed[0]["hypothesis"]
    assert data("review", "accept", one, cwd=p)["example"]["status"] == "accepted"
    assert data("review", "reject", one[:26], "--reason", "ambiguous", cwd=p)["example"]["status"] == "rejected"
    assert data("plan", cwd=p)["missing"] == 1
    assert data("review", "undo", cwd=p)["example"]["status"] == "accepted"
    shown = data("examples", "show", one, cwd=p)
    assert [review["action"] for review in shown["reviews"]] == ["accept", "reject", "undo"]
    assert shown["lineage"][0]["verdicts"][0]["result"] == "passed"
    assert [r["state"] for r in data("runs", "list", cwd=p)] == ["finished"]


def test_the_slot_of_a_rejected_example_is_filled_again_by_another(tmp_path: Path) -> None:
    run("init", cwd=tmp_path)
    data("generate", "--fill", cwd=tmp_path)
    one = data("examples", "list", "--limit", "1", cwd=tmp_path)[0]
    data("review", "reject", one["id"], cwd=tmp_path)
    again = data("generate", "--fill", cwd=tmp_path)
    assert again["accepted"] == 1
    cell = ("--domain", one["domain"], "--level", str(one["level"]), "--decision", one["decision"])
    texts = [e["hypothesis"] + str(e["evidence"]) for e in data("examples", "list", *cell, cwd=tmp_path)]
    assert len(set(texts)) == len(texts)


def test_the_same_seed_makes_the_same_examples_in_another_process(tmp_path: Path) -> None:
    contents = []
    for name in ("a", "b"):
        run("init", name, cwd=tmp_path)
        data("generate", "-n", "30", "--seed", "5", cwd=tmp_path / name)
        listed = data("examples", "list", cwd=tmp_path / name)
        keys = ("hypothesis", "evidence", "reasoning", "decision", "confidence", "domain", "level", "family")
        contents.append([{key: one[key] for key in keys} for one in listed])
    assert contents[0] == contents[1]
    assert len(contents[0]) == 30


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["plan"], "sidequest init"),
        (["-C", "nowhere", "plan"], "no sidequest.toml"),
        (["frobnicate"], "No such command"),
        (["plan", "--frobnicate"], "No such option"),
    ],
)
def test_a_wrong_request_is_named_and_exits_with_2(tmp_path: Path, words: list[str], message: str) -> None:
    done = run(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["generate"], "--fill"),
        (["generate", "--fill", "--source", "o1"], "no generator 'o1'"),
        (["generate", "-n", "1", "--domain", "sports"], "there are market"),
        (["qa", "matrix", "--decision", "MAYBE"], "there are VALIDATED"),
        (["examples", "show", "ZZZ"], "no example"),
        (["review", "accept", "ZZZ"], "no example"),
        (["review", "undo"], "nothing left to undo"),
        (["runs", "show", "ZZZ"], "no run"),
        (["runs", "stop", "ZZZ"], "no run"),
        (["qa", "chain", "ZZZ"], "no attempt"),
        (["generate", "-n", "1", "--budget", "abc"], "is no amount"),
        (["generate", "-n", "1", "--budget", "NaN"], "is no amount"),
        ([], "needs a terminal"),
    ],
)
def test_a_wrong_request_to_a_project(project: Project, words: list[str], message: str) -> None:
    done = run(*words, cwd=project.folder)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_a_current_folder_that_was_deleted_is_told_in_words(tmp_path: Path) -> None:
    words = f'rmdir "$PWD"; exec "{COMMAND[0]}" init elsewhere'
    done = subprocess.run(["sh", "-c", words], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "the current folder is no longer there" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_mistake_in_the_file_is_named_by_line(project: Project) -> None:
    path = project.folder / "sidequest.toml"
    path.write_text(path.read_text().replace("steps = 3", "steps = 99"))
    done = run("plan", cwd=project.folder)
    assert done.returncode == 2
    assert "levels[5].steps" in done.stderr


def test_an_edit_is_checked_and_makes_a_version(project: Project, db: sqlite3.Connection) -> None:
    one = example()
    with transaction(db):
        examples.add(db, one)
    done = data("review", "edit", one.id, "-", cwd=project.folder, stdin='{"hypothesis": "Better said."}')
    assert done["example"]["version"] == 2
    for wrong, message in (
        ("{", "not JSON"),
        ('{"status": "accepted"}', "no field status"),
        ('{"confidence": 2}', "confidence"),
        ('{"domain": "sports"}', "no domain sports"),
    ):
        refused = run("review", "edit", one.id, "-", cwd=project.folder, stdin=wrong)
        assert refused.returncode == 2
        assert message in refused.stderr


def test_ctrl_c_stops_the_run_and_says_how_to_resume(project: Project) -> None:
    path = project.folder / "sidequest.toml"
    path.write_text(path.read_text().replace("# attempts_per_minute = 240", "attempts_per_minute = 240"))
    # A shell that starts the tests in the background lets them, and what they start, ignore the signal.
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [*COMMAND, "generate", "--fill"], cwd=project.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    signal.signal(signal.SIGINT, previous)
    db = connect(project.database)
    deadline = time.monotonic() + 30
    while not db.execute("SELECT count(*) FROM attempts").fetchone()[0]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "runs resume" in stderr
    assert "Traceback" not in stderr
    assert db.execute("SELECT state FROM runs").fetchone()[0] == "stopped"


CONTROLS = [chr(c) for c in [*range(0x00, 0x09), *range(0x0B, 0x20), *range(0x7F, 0xA0)]]
CONTROLS += list("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c")


@pytest.mark.parametrize("as_json", [False, True])
def test_no_hostile_text_reaches_the_terminal_raw(project: Project, db: sqlite3.Connection, as_json: bool) -> None:
    several = []
    for text in [*HOSTILE, "x" * 1_000_000]:
        piece = Evidence(source=text, content=text, relevance=0.9)
        several.append(
            example(hypothesis=text, reasoning=text, model=text, domain=text, decision=text, evidence=[piece])
        )
    with transaction(db):
        for one in several:
            examples.add(db, one)
    flag = ["--json"] if as_json else []
    verbs = [["plan"], ["examples", "list"], ["examples", "stats"], ["examples", "search", "evil"], ["review", "list"]]
    for one in several:
        verbs += [["examples", "show", one.id], ["review", "reject", one.id, "--note", one.hypothesis[:100]]]
    for words in verbs:
        # No process can be given a NUL or a lone surrogate as an argument.
        words = ["".join(c for c in word if c != "\0" and not "\ud800" <= c <= "\udfff") for word in words]
        done = subprocess.run([*COMMAND, *words, *flag], cwd=project.folder, capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr
        for stream in (done.stdout, done.stderr):
            printed = stream.decode()
            assert not [c for c in CONTROLS if c in printed], (words, printed[:200])


def test_every_verb_has_help(tmp_path: Path) -> None:
    from tui.cli import VERBS

    assert run("--help", cwd=tmp_path).returncode == 0
    for name in VERBS:
        done = run(name, "--help", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "Usage" in done.stdout


def test_a_database_that_was_migrated_is_said_once_and_not_on_stdout(
    project: Project, db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_more(monkeypatch, EXTRA)
    first, second = (CliRunner().invoke(main, ["-C", str(project.folder), "plan", "--json"]) for _ in range(2))
    assert "was brought from version" in first.stderr
    assert json.loads(first.stdout)["have"] == 0
    assert second.stderr == ""
