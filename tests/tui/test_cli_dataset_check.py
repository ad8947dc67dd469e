"""`dataset check`, and how `splits assign` and `bench run` refuse leaks, from the command line."""

from __future__ import annotations

import json
import sqlite3

import pytest

from core.config.project import Project
from storage import splits
from storage.schema import Status
from tests.conftest import HOSTILE, example
from tests.tui.conftest import RAW, put
from tests.tui.test_cli import data, run


def test_findings_are_one_document_or_a_table_and_decide_the_exit_status(
    project: Project, db: sqlite3.Connection
) -> None:
    folder = project.folder
    clean = run("dataset", "check", cwd=folder)
    assert (clean.returncode, "no findings" in clean.stdout) == (0, True)
    put(
        db,
        example(family="a", split="train", status=Status.ACCEPTED),
        example(family="b", split="test", status=Status.ACCEPTED, decision="REJECTED"),
    )
    told = run("dataset", "check", cwd=folder)
    assert told.returncode == 1
    for words in ("STOPS  1 case with two labels", "REJECTED 1, VALIDATED 1", "1 case in two splits", "-> "):
        assert words in told.stdout
    result = run("dataset", "check", "--json", cwd=folder)
    document = json.loads(result.stdout)
    assert (result.returncode, document["stops"], document["total"]) == (1, True, 2)
    kinds = {finding["kind"]: finding for finding in document["findings"]}
    assert set(kinds) == {"two_labels", "same_case"}
    assert kinds["same_case"]["severity"] == "stops"
    assert kinds["same_case"]["count"] == 1
    assert len(kinds["same_case"]["concerns"][0]["ids"]) == 2
    assert run("dataset", "check", "split:train", cwd=folder).returncode == 0
    assert "no field colour" in run("dataset", "check", "colour:red", cwd=folder).stderr


def test_what_only_advises_is_no_failure(project: Project, db: sqlite3.Connection) -> None:
    put(db, example(family="a", split="train"), example(family="b", split="test"))
    told = run("dataset", "check", cwd=project.folder)
    assert (told.returncode, "ADVISES  1 case in two splits" in told.stdout) == (0, True)


def test_leaks_are_refused_unless_they_are_allowed(project: Project, db: sqlite3.Connection) -> None:
    folder = project.folder
    put(
        db,
        example(family="old", split="test", status=Status.ACCEPTED),
        example(family="new", status=Status.ACCEPTED),
    )
    splits.freeze(db, "test")
    planned = run("splits", "assign", cwd=folder)
    assert (planned.returncode, "--yes needs --allow-leaks" in planned.stderr) == (0, True)
    (leak,) = data("splits", "assign", cwd=folder)["leaks"]
    assert {leak["family"], leak["other"]} == {"old", "new"}
    refused = run("splits", "assign", "--yes", cwd=folder)
    assert refused.returncode == 2
    for words in ("such as old and new", "the same", "--allow-leaks goes on"):
        assert words in refused.stderr
    assert data("splits", "show", cwd=folder)[-1]["accepted"] == 1
    assert data("splits", "assign", "--yes", "--allow-leaks", cwd=folder)["done"] is True
    bench = ("bench", "run", "--model", "majority")
    asked = run(*bench, cwd=folder)
    assert asked.returncode == 2
    assert "1 case in two splits" in asked.stderr
    assert "--allow-leaks" in asked.stderr
    assert data(*bench, "--allow-leaks", cwd=folder)["n"] == 1


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_stored_acts_on_the_terminal(project: Project, db: sqlite3.Connection, text: str) -> None:
    hostile = f"quorvane {text}"
    for family, split in ((f"a {text}", "train"), (f"b {text}", "test")):
        put(db, example(hypothesis=hostile, family=family, split=split, status=Status.ACCEPTED))
    for words in (["dataset", "check"], ["bench", "run", "--model", "majority"]):
        result = run(*words, cwd=project.folder)
        assert result.returncode in {1, 2}
        assert not RAW.search((result.stdout + result.stderr).replace("\t", " "))
