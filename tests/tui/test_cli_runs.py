"""Runs from the command line: the list, the log, and what is asked of one."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from datetime import timedelta
from typing import Any

import psutil
import pytest
from click.testing import CliRunner, Result

from core.config.project import Project
from core.runs import tail
from core.runs.control import RunStatus, run_status
from storage import runs
from storage.schema import Run, RunState, now
from tui.cli import main


def call(project: Project, *words: str) -> Result:
    return CliRunner().invoke(main, ["-C", str(project.folder), *words])


def data(project: Project, *words: str) -> Any:
    done = call(project, *words, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def messages(project: Project, *words: str) -> list[str]:
    return [line["message"] for line in data(project, "runs", "log", *words)]


def test_the_log_is_searched_and_a_run_killed(project: Project, db: sqlite3.Connection) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        started = psutil.Process(process.pid).create_time()
        run = Run(kind="generate", state=RunState.RUNNING, pid=process.pid, pid_started=started)
        runs.add(db, run)
        runs.log(db, run.id, "100 % done")
        runs.log(db, run.id, "slow answer", severity="warning")
        assert messages(project, run.id, "--search", "0 % D") == ["100 % done"]
        assert messages(project, run.id, "--of-note") == ["slow answer"]
        assert "the newest 1 lines" in call(project, "runs", "log", run.id, "--limit", "1").stderr
        assert "last sign" not in call(project, "runs", "show", run.id).stdout
        assert "was killed" in data(project, "runs", "kill", run.id)["message"]
    found = runs.get(db, run.id)
    assert found is not None
    assert found.state is RunState.STOPPED
    assert call(project, "runs", "kill", run.id).exit_code == 2


def test_a_list_that_is_cut_says_so_and_ages_are_in_words(project: Project, db: sqlite3.Connection) -> None:
    for _ in range(3):
        runs.add(db, Run(kind="generate", state=RunState.FINISHED, heartbeat=now() - timedelta(hours=30, minutes=1)))
    cut = call(project, "runs", "list", "--limit", "2")
    assert "the newest 2 of 3 runs" in cut.stderr
    assert cut.stdout.count("1 d 6 h ago") == 2
    whole = call(project, "runs", "list", "--limit", "3")
    assert whole.stderr == ""
    assert "unknown" in whole.stdout
    assert len(data(project, "runs", "list", "--limit", "2")) == 2


def test_a_log_that_fits_is_not_called_cut(project: Project, db: sqlite3.Connection) -> None:
    run = Run(kind="generate", state=RunState.FINISHED)
    runs.add(db, run)
    for number in range(3):
        runs.log(db, run.id, f"line {number}")
    assert call(project, "runs", "log", run.id, "--limit", "3").stderr == ""
    cut = call(project, "runs", "log", run.id, "--limit", "2")
    assert "the newest 2 lines" in cut.stderr
    assert [line.split()[-1] for line in cut.stdout.splitlines()] == ["1", "2"]


def test_a_document_is_not_followed(project: Project, db: sqlite3.Connection) -> None:
    run = Run(kind="generate", state=RunState.FINISHED)
    runs.add(db, run)
    refused = call(project, "runs", "log", run.id, "--follow", "--json")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "leave out one of them" in refused.stderr


def test_what_comes_in_a_burst_before_the_end_is_followed_too(
    project: Project, db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(kind="generate", state=RunState.RUNNING, heartbeat=now())
    runs.add(db, run)
    runs.log(db, run.id, "Begun")
    looks = 0

    def look_late(found: Run) -> RunStatus:
        """The second look comes after the run has told much, and ended."""
        nonlocal looks
        looks += 1
        if looks == 2:
            for number in range(1200):
                runs.log(db, run.id, f"slot {number} Done" if number % 2 else "in between")
            runs.move(db, run.id, {RunState.RUNNING}, RunState.FINISHED, message="finished and DONE")
            found = runs.get(db, run.id) or found
        return run_status(found)

    monkeypatch.setattr(tail, "run_status", look_late)
    monkeypatch.setattr(tail, "FOLLOW_S", 0.0)
    done = call(project, "runs", "log", run.id, "--follow", "--search", "dONE")
    lines = done.stdout.splitlines()
    assert len(lines) == 601
    assert lines[0].endswith("slot 1 Done")
    assert lines[-1].endswith("finished and DONE")


def test_a_lost_run_is_put_away(project: Project, db: sqlite3.Connection) -> None:
    run = Run(kind="generate", state=RunState.RUNNING, heartbeat=now().replace(year=2020))
    runs.add(db, run)
    assert data(project, "runs", "list")[0]["state"] == "lost"
    assert "counts as stopped" in data(project, "runs", "stop", run.id)["message"]
    assert data(project, "runs", "list")[0]["state"] == "stopped"
    assert call(project, "runs", "stop", run.id).exit_code == 2
