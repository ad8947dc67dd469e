"""The verbs behind Rejections and Runs: shelves, attempts, overruling, logs, killing."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

import pytest
from click.testing import CliRunner, Result

from core.config.project import Project
from storage import runs
from storage.schema import Run, RunState, Status
from tests.stored import read_all
from tests.tui.test_rejections import rejected
from tui.cli import main


@pytest.fixture
def run(db: sqlite3.Connection) -> Run:
    one = Run(kind="generate", state=RunState.FINISHED)
    runs.add(db, one)
    return one


def call(project: Project, *words: str) -> Result:
    return CliRunner().invoke(main, ["-C", str(project.folder), *words])


def data(project: Project, *words: str) -> Any:
    done = call(project, *words, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_a_shelf_moves_what_is_wanted_and_is_taken_back(project: Project) -> None:
    done = data(project, "plan", "shelve", "risk", "1", "--reason", "too vague")
    assert done["moved"] == {"examples": 12, "kept": 0, "elsewhere": 12, "cells": 12}
    cells = data(project, "plan")["cells"]
    assert [cell["want"] for cell in cells if cell["shelved"]] == [0, 0, 0]
    assert sum(cell["want"] for cell in cells) == 375
    assert "5/0 shelved" not in call(project, "plan").stdout
    assert "0/0 shelved" in call(project, "plan").stdout
    again = call(project, "plan", "shelve", "risk", "1")
    assert (again.exit_code, "shelved already" in again.stderr) == (2, True)
    assert call(project, "plan", "unshelve", "risk", "1", "REFINED").exit_code == 2
    assert call(project, "plan", "unshelve", "risk", "1").exit_code == 0
    assert not any(cell["shelved"] for cell in data(project, "plan")["cells"])


def test_enough_in_other_cells_is_said(project: Project, db: sqlite3.Connection) -> None:
    from tests.conftest import example
    from tests.tui.conftest import put

    put(db, *(example(decision="REFINED", family=f"f{n}") for n in range(75)))
    assert "REFINED: cells are short, but" in call(project, "plan").stdout


def test_attempts_of_a_cell_and_the_lineage_of_one(project: Project, db: sqlite3.Connection, run: Run) -> None:
    first = rejected(db, run, 0)
    second = rejected(db, run, 0, parent=first, reason="difficulty_fits")
    rejected(db, run, 1, domain="market")
    found = data(project, "qa", "attempts", "--cell", "risk", "1")
    assert [one["attempt"]["id"] for one in found] == [second.id, first.id]
    assert len(data(project, "qa", "attempts", "--cell", "risk", "1", "--reason", "ambiguous")) == 1
    for wrong in (["--reason", "x"], ["--cell", "risk", "9"], ["--cell", "risk", "1", "--result", "passed"]):
        assert call(project, "qa", "attempts", *wrong).exit_code == 2
    assert [one["attempt"]["id"] for one in data(project, "qa", "chain", second.id[-6:])] == [first.id, second.id]
    assert "rejected by judge: ambiguous" in call(project, "qa", "chain", second.id).stdout
    assert call(project, "qa", "chain", "nothing").exit_code == 2


def test_overruled_from_the_command_line(project: Project, db: sqlite3.Connection, run: Run) -> None:
    attempt = rejected(db, run, 0)
    done = call(project, "--as", "ann", "qa", "overrule", attempt.id[-8:], "--note", "fine")
    assert done.exit_code == 0, done.output
    (one,) = read_all(db)
    assert (one.status, one.refused) == (Status.PENDING, True)
    log = db.execute("SELECT reviewer, note FROM reviews").fetchall()
    assert [tuple(row) for row in log] == [("ann", "fine")]
    assert call(project, "qa", "overrule", attempt.id).exit_code == 2
    call(project, "review", "accept", one.id)
    people = data(project, "qa", "scorecard")["people"]
    assert (people["rejected"]["decided"], people["rejected"]["agreed"]) == (1, 0)


def test_a_revision_says_what_it_needs(project: Project, db: sqlite3.Connection, run: Run) -> None:
    attempt = rejected(db, run, 0)
    both = call(project, "generate", "--fill", "--revise", attempt.id)
    assert (both.exit_code, "or --revise" in both.stderr) == (2, True)
    hinted = call(project, "generate", "--revise", attempt.id, "--hint", "shorter")
    assert (hinted.exit_code, "reads no hints" in hinted.stderr) == (2, True)
    done = data(project, "generate", "--revise", attempt.id)
    assert (done["state"], done["accepted"]) == ("finished", 1)
