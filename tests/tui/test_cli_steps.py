"""`steps fill` and `steps check` on the command line, and what Home and Runs show of a filling run."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from core.config.project import Project, create, open_project
from storage import examples, fills, reviews, runs
from storage.database import connect, transaction
from storage.schema import Example, Review, ReviewAction, Run, RunState, Step, now
from tests.conftest import example
from tests.core.test_fill import MISQUOTED, STEP, procedural, reacting, stored
from tests.core.test_loop import make_project
from tests.loopback import Loopback
from tests.tui.conftest import SIZE, shown, until
from tests.tui.runs_pilot import log_of, opened
from tests.tui.test_cli_repair import serving
from tui.app import SidequestApp
from tui.cli import main


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of an empty project."""
    return create(tmp_path / "project").parent


def verb(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["-C", str(folder), "--as", "ann", "steps", *words])


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


def current(folder: Path, before: Example) -> Example:
    with database(folder) as (_, db):
        now_stored = examples.get(db, before.id)
    assert now_stored is not None
    return now_stored


# ------------------------------------------------------------------ fill


def test_a_model_writes_the_steps_of_those_that_match(tmp_path: Path) -> None:
    server = Loopback(react=reacting())
    with serving(server):
        make_project(tmp_path, server)
        with database(tmp_path) as (_, db):
            pending, accepted, later, rejected = (stored(db, hypothesis=f"It is {n}.") for n in range(4))
            reviews.record(db, accepted, [Review(example=accepted.id, action=ReviewAction.ACCEPT)])
            reviews.record(db, rejected, [Review(example=rejected.id, action=ReviewAction.REJECT)])
        done = document(tmp_path, "fill", "--model", "loop", "--status", "accepted", "--budget", "1")
        assert (done["state"], done["written"], done["refused"], done["skipped"]) == ("finished", [accepted.id], [], 0)
        assert done["cost"] > 0
        assert [step.model_dump(mode="json") for step in current(tmp_path, accepted).steps] == [STEP]
        assert document(tmp_path, "fill", "--model", "loop", "--limit", "1")["written"] == [pending.id]
        assert document(tmp_path, "fill", "id:" + later.id, "--model", "loop")["written"] == [later.id]
        assert current(tmp_path, rejected).steps == []
        assert len(server.requests) == 3
        nothing = verb(tmp_path, "fill", "--model", "loop")
        assert (nothing.exit_code, nothing.stdout, nothing.stderr) == (0, "", "no example lacks steps\n")
        assert document(tmp_path, "fill", "0") == {"run": None, "written": [], "refused": [], "skipped": 0}
        with database(tmp_path) as (_, db):
            assert reviews.log(db, later.id)[-1].reviewer == "ann"


def test_what_is_refused_is_listed_with_its_reason(tmp_path: Path) -> None:
    server = Loopback(react=reacting([STEP], [MISQUOTED]))
    with serving(server):
        make_project(tmp_path, server)
        with database(tmp_path) as (_, db):
            first = stored(db)
        assert document(tmp_path, "fill", "--model", "loop")["written"] == [first.id]
        with database(tmp_path) as (_, db):
            second = stored(db, hypothesis="It is so.")
        done = verb(tmp_path, "fill", "--model", "loop")
    assert done.exit_code == 1
    detail = 'Step 1 (conversion) quotes "Conversion doubled", which piece 1 does not say.'
    assert done.stdout.startswith(f"{second.id}: step_quote: {detail}")
    with database(tmp_path) as (_, db):
        run = runs.of_kind(db, "fill")[0]
    said = f"run {run.id[-6:]} finished: 0 written · 1 refused, cost"
    assert said in done.stderr
    assert "1 of 1 refused: step_quote 1\n" in done.stderr


def test_offline_it_says_what_it_can_and_cannot_do(folder: Path) -> None:
    with database(folder) as (project, db):
        whole, imported = procedural(db, project), stored(db)
    done = verb(folder, "fill")
    assert done.exit_code == 1
    assert done.stdout.startswith(f"{imported.id}: needs_model: The procedural source does not know its steps: name a")
    assert ": 1 written · 1 refused, cost 0.00\n1 of 2 refused: needs_model 1\n" in done.stderr
    assert "the procedural source knows the steps of its own examples alone" in done.stderr
    assert current(folder, whole).steps == whole.steps
    assert document(folder, "fill", status=1)["refused"][0]["reason"] == "needs_model"


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--model", "nobody"), "'nobody' cannot write steps: use one of procedural"),
        (("--judge", "solver"), "'solver' cannot read steps: use one of none"),
        (("--status", "rejected"), "'rejected' is not one of"),
        (("--nonsense",), "no option --nonsense"),
    ],
)
def test_wrong_requests(folder: Path, words: tuple[str, ...], problem: str) -> None:
    with database(folder) as (_, db):
        stored(db)
    done = verb(folder, "fill", *words)
    assert done.exit_code == 2
    assert problem in done.stderr


def test_a_detached_run_goes_on_by_itself(folder: Path) -> None:
    with database(folder) as (project, db):
        whole = procedural(db, project)
    run = document(folder, "fill", "--detach")["run"]
    with database(folder) as (_, db):
        deadline = time.monotonic() + 30
        while not any(state.stored for state in fills.of_run(db, run)) and time.monotonic() < deadline:
            time.sleep(0.05)
    assert current(folder, whole).steps == whole.steps


def test_ctrl_c_stops_the_run_and_resume_continues_it(tmp_path: Path) -> None:
    server = Loopback(react=reacting(), latency_s=0.4)
    with serving(server):
        make_project(tmp_path, server)
        with database(tmp_path) as (_, db):
            several = [stored(db, hypothesis=f"It is {n}.") for n in range(40)]
            command = [sys.executable, "-m", "sidequest", "-C", str(tmp_path), "steps", "fill", "--model", "loop"]
            # A shell that starts the tests in the background lets them, and what they start, ignore the signal.
            previous = signal.signal(signal.SIGINT, signal.default_int_handler)
            with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
                signal.signal(signal.SIGINT, previous)
                deadline = time.monotonic() + 30
                while not server.requests and time.monotonic() < deadline:
                    time.sleep(0.05)
                process.send_signal(signal.SIGINT)
                _, said = process.communicate(timeout=60)
            assert process.returncode == 1
            run = runs.of_kind(db, "fill")[0]
            assert f"`sidequest runs resume {run.id[-6:]}` continues it" in said
            assert run.state is RunState.STOPPED
            before = sum(bool(each.steps) for each in read_current(db, several))
            assert before < 40
            assert before == len(fills.of_run(db, run.id)) == len(server.requests)


def read_current(db: sqlite3.Connection, several: list[Example]) -> list[Example]:
    return [now_stored for each in several if (now_stored := examples.get(db, each.id)) is not None]


# ------------------------------------------------------------------ check


def test_check_lists_what_is_wrong_with_the_nearest_sentence(folder: Path) -> None:
    finding = STEP["findings"][0]
    near = STEP | {"findings": [finding | {"quote": "Conversion rose from 4.1 % to 7.5 %."}]}
    with database(folder) as (_, db), transaction(db):
        sound, misquoted, contradicting, without = (
            example(steps=[Step.model_validate(each) for each in steps], hypothesis=f"It is {n}.")
            for n, steps in enumerate(([STEP], [near], [STEP | {"holds": "no"}], []))
        )
        for each in (sound, misquoted, contradicting, without):
            examples.add(db, each)
    done = verb(folder, "check")
    assert done.exit_code == 1
    piece = misquoted.evidence[0].content
    assert done.stdout.splitlines() == [
        f"{misquoted.id} · VALIDATED · “It is 1.”",
        '  step_quote: Step 1 (conversion) quotes "Conversion rose from 4.1 % to 7.5 %.", which piece 1 does not say. '
        f'The nearest there is "{piece}".',
        f"{contradicting.id} · VALIDATED · “It is 2.”",
        "  step_holds: Step 1 (conversion) finds 'up' where 'up' is claimed, so it holds.",
        "  step_decision: The steps lead to REJECTED, and the decision is VALIDATED: mend either.",
    ]
    assert done.stderr == ("3 checked, 2 break a rule; 1 have no steps: `sidequest steps fill` has them written\n")
    record = document(folder, "check", status=1)
    assert (record["checked"], record["without_steps"]) == (3, 1)
    assert [(each["example"], [problem["reason"] for problem in each["problems"]]) for each in record["broken"]] == [
        (misquoted.id, ["step_quote"]),
        (contradicting.id, ["step_holds", "step_decision"]),
    ]
    assert f'"{piece}"' in record["broken"][0]["problems"][0]["detail"]
    assert document(folder, "check", "id:" + sound.id) == {"checked": 1, "without_steps": 0, "broken": []}
    with database(folder) as (_, db):
        for each in (misquoted, contradicting):
            reviews.record(db, each, [Review(example=each.id, action=ReviewAction.REJECT)])
    assert document(folder, "check")["checked"] == 1
    assert document(folder, "check", "status:rejected", status=1)["checked"] == 2


def test_a_hostile_quote_stays_in_its_line(folder: Path) -> None:
    quote = "\x1b[2Jgone\n0 checked, 0 break a rule"
    step = STEP | {"findings": [STEP["findings"][0] | {"quote": quote}]}
    with database(folder) as (_, db), transaction(db):
        examples.add(db, example(steps=[Step.model_validate(step)]))
    lines = verb(folder, "check").stdout.splitlines()
    assert len(lines) == 2
    assert "\x1b" not in "".join(lines)


# ------------------------------------------------------------------ the app


async def test_home_and_runs_show_a_filling_run(project: Project, db: sqlite3.Connection) -> None:
    params = {"source": "loop", "judge": "none", "examples": [[f"E{n}", 1] for n in range(9)]}
    progress = {"done": 5, "total": 9, "written": 2, "refused": 2, "skipped": 1, "reasons": {"step_quote": 2}}
    run = Run(
        kind="fill", state=RunState.RUNNING, pid=os.getpid(), heartbeat=now(), params=params, progress=progress
    )  # fmt: skip
    runs.add(db, run)
    async with SidequestApp(project.folder).run_test(size=SIZE) as pilot:
        await until(pilot, lambda: f"fill      {run.id[-6:]}" in shown(pilot))
        assert "5/9 · 2 written · 2 refused · 1 skipped" in shown(pilot)
        await opened(pilot)
        await until(pilot, lambda: "source loop · judge none · examples 9" in str(log_of(pilot).border_title))
        assert "5/9" in shown(pilot)
    result = CliRunner().invoke(main, ["-C", str(project.folder), "runs", "show", run.id])
    for row in ("asked        source loop · judge none", "written      2", "refused      2", "skipped      1",
                "reasons      step_quote 2"):  # fmt: skip
        assert row in result.stdout
