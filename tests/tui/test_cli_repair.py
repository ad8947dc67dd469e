"""`examples repair` on the command line, and what other verbs say of stale fields."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from core.config.project import Project, create, open_project
from storage import examples, reviews, runs
from storage.database import connect
from storage.schema import Example
from tests.core.test_loop import make_project
from tests.core.test_repair import NEW, reacting, relabelled
from tests.loopback import Loopback
from tests.tui.test_repair import OLD, procedural, written_for
from tui.cli import main


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of an empty project."""
    return create(tmp_path / "project").parent


def verb(folder: Path, *words: str, text: str | None = None) -> Result:
    return CliRunner().invoke(main, ["-C", str(folder), "--as", "ann", *words], input=text)


def document(folder: Path, *words: str, status: int = 0) -> Any:
    done = verb(folder, *words, "--json")
    assert done.exit_code == status, done.output
    return json.loads(done.stdout)


@contextmanager
def database(folder: Path) -> Iterator[tuple[Project, sqlite3.Connection]]:
    project = open_project(folder)
    db = connect(project.database)
    yield project, db
    db.close()


def current(folder: Path, example: Example) -> Example:
    with database(folder) as (_, db):
        found = examples.get(db, example.id)
    assert found is not None
    return found


def test_an_edit_says_what_is_stale_and_show_repeats_it(folder: Path) -> None:
    with database(folder) as (_, db):
        stale = relabelled(db)
        reviews.undo(db)
    done = verb(folder, "review", "edit", stale.id, "-", text='{"decision": "REJECTED"}')
    assert done.exit_code == 0
    assert f"! reasoning: written for VALIDATED, stale: `sidequest examples repair {stale.id}`" in done.stderr
    shown = verb(folder, "examples", "show", stale.id).stdout
    assert "! reasoning: written for VALIDATED, stale\n" in shown
    assert "! confidence: written for VALIDATED, stale\n" in shown
    assert document(folder, "examples", "show", stale.id)["example"]["stale"] == [
        {"field": "reasoning", "written_for": "VALIDATED"},
        {"field": "confidence", "written_for": "VALIDATED"},
    ]
    # A whole example in the file, as somebody takes it from `show`: what it repeats is not written anew.
    verb(folder, "review", "undo")
    text = json.dumps({"decision": "REJECTED", "reasoning": stale.reasoning, "confidence": stale.confidence})
    assert "stale" in verb(folder, "review", "edit", stale.id, "-", text=text).stderr
    verb(folder, "review", "undo")
    assert verb(folder, "review", "edit", stale.id, "-", "--still-right", text=text).stderr == ""


def test_export_says_how_many_it_left_out(folder: Path, tmp_path: Path) -> None:
    with database(folder) as (_, db):
        stale, _ = relabelled(db), relabelled(db, hypothesis="Another.")
        reviews.undo(db)
    verb(folder, "examples", "accept", "level:1", "--yes")
    path = tmp_path / "out.jsonl"
    done = document(folder, "export", "--format", "sft", "--output", str(path))
    assert (done["examples"], done["stale"]) == (1, 1)
    assert "were left out" in done["notes"][0]
    said = verb(folder, "export", "--format", "sft", "--output", str(path), "--overwrite")
    assert "! 1 of 2 have reasoning or confidence for another decision: they were left out" in said.stderr
    assert stale.id not in path.read_text()


def test_what_a_run_wrote_is_shown_then_accepted(folder: Path) -> None:
    with database(folder) as (_, db):
        stale = relabelled(db)
        written_for(db, stale)
    shown = verb(folder, "examples", "repair", stale.id)
    assert shown.exit_code == 0
    for text in ("REASONING, WRITTEN FOR VALIDATED", "REASONING FOR REJECTED, BY gpt-9", "judge-1 decides REJECTED"):
        assert text in shown.stdout
    assert "1 wait for you: --accept stores the new fields, --keep the old ones" in shown.stderr
    assert current(folder, stale) == stale
    [proposal] = document(folder, "examples", "repair", "--stale")["proposals"]
    assert proposal["new"] == NEW
    assert proposal["old"] == {"reasoning": stale.reasoning, "confidence": 0.95}
    assert (proposal["label"], proposal["decision"], proposal["contradicts"]) == ("REJECTED", "REJECTED", False)
    accepted = document(folder, "examples", "repair", stale.id, "--accept")
    assert [one["stale"] for one in accepted["repaired"]] == [[]]
    assert current(folder, stale).reasoning == NEW["reasoning"]
    with database(folder) as (_, db):
        assert reviews.log(db, stale.id)[-1].reviewer == "ann"
    refused = verb(folder, "examples", "repair", stale.id)
    assert refused.exit_code == 2
    assert f"{stale.id}: nothing of it is stale" in refused.stderr


def test_what_nobody_can_write_is_named(folder: Path) -> None:
    with database(folder) as (_, db):
        stale = relabelled(db)
    done = verb(folder, "examples", "repair", "--stale")
    assert done.exit_code == 1
    assert f"1 have nothing that wrote them anew ({stale.id}): `sidequest review edit ID FILE`" in done.stderr
    assert document(folder, "examples", "repair", stale.id, "--accept", status=1) == {
        "repaired": [],
        "contradicting": [],
        "unwritten": [stale.id],
    }
    kept = document(folder, "examples", "repair", stale.id, "--keep")["kept"]
    assert [(one["stale"], one["reasoning"], one["decision"]) for one in kept] == [([], stale.reasoning, "REJECTED")]


def test_a_label_that_the_source_contradicts_is_not_changed_by_accept(folder: Path) -> None:
    with database(folder) as (project, db):
        stale = procedural(db, project)
    shown = verb(folder, "examples", "repair", stale.id)
    assert "The evidence bears VALIDATED, not REJECTED" in shown.stdout
    assert "1 contradict the label: --relabel takes their decision" in shown.stderr
    accepted = document(folder, "examples", "repair", "--stale", "--accept", status=1)
    assert accepted["contradicting"] == [stale.id]
    assert current(folder, stale) == stale
    [relabelled_] = document(folder, "examples", "repair", "--stale", "--accept", "--relabel")["repaired"]
    assert (relabelled_["decision"], relabelled_["stale"]) == ("VALIDATED", [])


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ((), "say which: the ids of examples, or --stale for all"),
        (("A", "--stale"), "say which"),
        (("--stale", "--keep", "--accept"), "say one of them"),
        (("NOSUCH",), "no example NOSUCH"),
    ],
)
def test_wrong_requests(folder: Path, words: tuple[str, ...], problem: str) -> None:
    done = verb(folder, "examples", "repair", *words)
    assert done.exit_code == 2
    assert problem in done.stderr


def test_nothing_stale_is_nothing_to_do(folder: Path) -> None:
    done = verb(folder, "examples", "repair", "--stale")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "nothing is stale\n")


@contextmanager
def serving(server: Loopback) -> Iterator[None]:
    """The server in an event loop of its own, since a verb waits for its run."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(server.start(), loop).result()
    try:
        yield
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_the_verb_starts_a_run_and_waits_for_it(tmp_path: Path) -> None:
    server = Loopback(react=reacting())
    with serving(server):
        path = make_project(tmp_path, server).folder / "sidequest.toml"
        path.write_text(re.sub('judge = "[a-z]+"', 'judge = "loop"', path.read_text(encoding="utf-8")))
        with database(tmp_path) as (project, db):
            stale, own = relabelled(db), procedural(db, project)
        done = document(tmp_path, "examples", "repair", "--stale", "--source", "loop", "--budget", "1")
        assert [proposal["source"] for proposal in done["proposals"]] == ["loop", "loop"]
        assert (done["run"]["written"], done["run"]["agreed"], done["unwritten"]) == (2, 2, [])
        assert done["run"]["cost"] > 0
        # What is there is not paid for again.
        again = document(tmp_path, "examples", "repair", "--stale", "--source", "loop")
        assert (again["run"], len(again["proposals"])) == (None, 2)
        assert len(document(tmp_path, "examples", "repair", "--stale", "--accept")["repaired"]) == 2
        with database(tmp_path) as (_, db):
            assert len(runs.of_kind(db, "repair")) == 1
        listed = document(tmp_path, "runs", "list")
        assert listed[0]["kind"] == "repair"
        assert verb(tmp_path, "runs", "show", listed[0]["id"]).exit_code == 0
        assert {current(tmp_path, one).reasoning for one in (stale, own)} == {NEW["reasoning"]}
        assert OLD not in current(tmp_path, own).reasoning
