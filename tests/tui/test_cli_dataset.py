"""`examples` and `splits` from the command line."""

from __future__ import annotations

import sqlite3

import pytest

from core.config.project import Project
from storage import examples, reviews, splits
from storage.schema import Status
from storage.search import parse_query
from tests.conftest import HOSTILE, example
from tests.tui.conftest import RAW, put, several
from tests.tui.test_cli import data, run


@pytest.fixture
def stored(db: sqlite3.Connection) -> None:
    """Thirty examples, each a family."""
    put(db, *(listed.model_copy(update={"family": f"f{number}"}) for number, listed in enumerate(several(30))))


@pytest.mark.usefixtures("stored")
def test_a_query_lists_page_after_page_in_an_order(project: Project) -> None:
    folder = project.folder
    first = data("examples", "list", "level:1-2", "domain:RISK", "--limit", "2", "--sort", "newest", cwd=folder)
    assert [listed["id"][-2:] for listed in first] == ["25", "16"]
    after = data(
        "examples", "list", "level:1-2", "domain:risk", "--sort", "newest", "--after", first[-1]["id"], cwd=folder
    )
    assert [listed["id"][-2:] for listed in after] == ["10", "01"]
    cut = run("examples", "list", "--limit", "3", cwd=folder)
    assert "3 of 30; more: --after 01J" in cut.stderr
    assert data("examples", "stats", "domain:risk", "-level:1", cwd=folder)["total"] == 8
    assert data("examples", "stats", "conversion", "confidence:>0.5", cwd=folder)["by_split"] == {"none": 30}
    for words, message in (
        (["examples", "list", "colour:red"], "no field colour"),
        (["examples", "list", "domain:weather"], "no domain weather"),
        (["examples", "list", "level:1", "--after", "000001"], "does not match"),
        (["examples", "accept", "level:1"], "6 examples match: --yes does it"),
        (["examples", "reject", "level:1", "--reason", "mood", "--yes"], "no reason 'mood'"),
        (["examples", "list", "--limt", "3"], "no option --limt"),
        (["splits", "put", "dev", "level:1"], "6 of 6 families would move"),
    ):
        result = run(*words, cwd=folder)
        assert (result.returncode, message in result.stderr) == (2, True), result.stderr


@pytest.mark.usefixtures("stored")
def test_many_are_decided_and_undone(project: Project, db: sqlite3.Connection) -> None:
    folder = project.folder
    done = data("--as", "ann", "examples", "reject", "level:1", "--reason", "ambiguous", "--yes", cwd=folder)
    assert done == {"action": "reject", "examples": 6}
    assert {review.reviewer for review in reviews.newest(db, 6)} == {"ann"}
    assert examples.count(db, parse_query("status:rejected level:1")) == 6
    assert run("review", "undo", cwd=folder).returncode == 0
    assert examples.count(db, parse_query("status:rejected")) == 0
    assert "24 examples" in run("examples", "flag", "-level:1", "--yes", cwd=folder).stdout
    assert data("examples", "flag", "flagged", "--off", "--yes", cwd=folder)["examples"] == 24
    assert data("examples", "accept", "domain:risk", "--yes", cwd=folder)["examples"] == 10


def test_splits_are_planned_put_and_shown(project: Project, db: sqlite3.Connection) -> None:
    words = ("prices", "wages", "rents", "taxes", "fees", "fares", "tolls", "rates", "loans", "bonds")
    put(
        db,
        *(
            example(family=f"f{i}", status=Status.ACCEPTED, hypothesis=f"{word}{i} " * 40)
            for i, word in enumerate(words * 2)
        ),
    )
    folder = project.folder
    planned = data("splits", "assign", cwd=folder)
    assert (planned["families"], planned["done"], planned["examples"]["train"]) == (20, False, 14)
    assert "--yes does it" in run("splits", "assign", cwd=folder).stderr
    assert data("splits", "assign", "--yes", cwd=folder)["done"] is True
    contents = {split["split"]: split for split in data("splits", "show", cwd=folder)}
    assert [contents[split]["accepted"] for split in ("train", "dev", "test", "")] == [14, 3, 3, 0]
    splits.freeze(db, "test")
    assert "frozen" in run("splits", "show", cwd=folder).stdout
    assert "is frozen" in run("splits", "put", "test", "split:dev", "--yes", cwd=folder).stderr
    assert data("splits", "put", "none", "split:dev", "--yes", cwd=folder)["families"] == 3


@pytest.mark.usefixtures("stored")
def test_coverage_is_one_document_or_text(project: Project) -> None:
    document = data("examples", "coverage", cwd=project.folder)
    assert document["coverage"]["total"] == 30
    assert len(document["cells"]) == 105
    text = run("examples", "coverage", "level:1-3", cwd=project.folder).stdout
    for words in ("of 18 examples measured", "WORDS", "LEVELS", "HYPOTHESIS ALONE", "NEAR-DUPLICATES"):
        assert words in text


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_stored_acts_on_the_terminal(project: Project, db: sqlite3.Connection, text: str) -> None:
    hostile = example(hypothesis=f"quorvane {text}", source=text, model=text, family=text)
    put(db, hostile, example(family=text))
    for words in (
        ["examples", "search", "quorvane"],
        ["examples", "show", hostile.id, "--find", "quorvane"],
    ):
        result = run(*words, cwd=project.folder)
        assert result.returncode == 0, result.stderr
        assert not RAW.search(result.stdout.replace("\t", " "))
        assert "quorvane" in result.stdout
