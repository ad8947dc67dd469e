"""Runs as processes: to the end, stopped, paused, killed at any moment, resumed; while others read."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from core.config.project import FILE, Project, open_project
from core.curriculum.plan import current_plan
from core.generation.start import start_generation
from core.overview import overview
from core.runs import control, launch
from core.runs.control import RunError
from core.runs.params import GenerateParams
from storage import attempts, examples, runs
from storage.database import BusyError, busy_timeout, connect, transaction
from storage.examples import cell_counts
from storage.schema import Result, Run, RunState, now
from tests.conftest import example


@pytest.fixture(autouse=True)
def no_worker_left(project: Project, db: sqlite3.Connection) -> Iterator[None]:
    yield
    for run in runs.newest(db):
        if control.is_alive(run) and run.pid:
            os.kill(run.pid, signal.SIGKILL)


def go(project: Project, db: sqlite3.Connection, *, pace: float | None = None, n: int | None = None) -> Run:
    params = GenerateParams.of(project.task).model_copy(update={"attempts_per_minute": pace, "n": n, "flaws": 0.1})
    return start_generation(project, db, params)


def read(db: sqlite3.Connection, run: Run) -> Run:
    current = runs.get(db, run.id)
    assert current is not None
    return current


def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def attempts_of(db: sqlite3.Connection, run: Run) -> set[str]:
    return {row["id"] for row in db.execute("SELECT id FROM attempts WHERE run = ?", (run.id,))}


def test_a_run_fills_its_cells_and_finishes(project: Project, db: sqlite3.Connection) -> None:
    run = go(project, db)
    with pytest.raises(RunError, match="generate run"):
        go(project, db)
    until(lambda: read(db, run).state.ended)
    ended = read(db, run)
    assert (ended.state, ended.reason) == (RunState.FINISHED, "")
    assert current_plan(project.task, db).missing == 0
    assert ended.progress["accepted"] == ended.progress["total"] == 375
    rejected = {judged.attempt.id for judged in attempts.newest(db, result=Result.REJECTED, limit=1000)}
    messages = runs.events(db, run.id, limit=1000)
    assert rejected
    assert {event.data["attempt"] for event in messages if event.message.startswith("rejected ")} == rejected
    with pytest.raises(RunError, match="nothing is missing in any cell"):
        go(project, db)
    with pytest.raises(RunError, match="nothing to resume"):
        launch.resume(project, db, run.id)


def test_pause_goes_on_where_it_was_and_stop_can_be_resumed(project: Project, db: sqlite3.Connection) -> None:
    run = go(project, db, pace=1200, n=40)
    until(lambda: len(attempts_of(db, run)) >= 3)
    control.pause(db, run.id)
    until(lambda: read(db, run).state is RunState.PAUSED)
    waiting = len(attempts_of(db, run))
    time.sleep(0.5)
    assert len(attempts_of(db, run)) == waiting
    launch.resume(project, db, run.id)
    until(lambda: len(attempts_of(db, run)) > waiting)
    assert read(db, run).state is RunState.RUNNING
    control.stop(db, run.id)
    until(lambda: read(db, run).state is RunState.STOPPED)
    with pytest.raises(RunError, match="runs resume"):
        control.pause(db, run.id)
    launch.resume(project, db, run.id)
    until(lambda: read(db, run).state.ended)
    assert read(db, run).state is RunState.FINISHED
    assert sum(row.examples for row in cell_counts(db)) == 40
    messages = [event.message for event in runs.events(db, run.id)]
    expected = ["asked to pause", "paused", "asked to go on", "goes on", "asked to stop", "asked to go on"]
    assert [message for message in messages if message in expected] == expected


def freeze(db: sqlite3.Connection, run: Run) -> int:
    """Stop the run's process where it holds no lock: a worker that hears nothing; returns its pid."""
    pid = read(db, run).pid or 0
    while True:
        os.kill(pid, signal.SIGSTOP)
        until(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED)
        with busy_timeout(db, 0.1):
            try:
                db.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                os.kill(pid, signal.SIGCONT)
                continue
            db.execute("ROLLBACK")
            return pid


def test_a_second_stop_kills(project: Project, db: sqlite3.Connection) -> None:
    run = go(project, db, pace=60)
    until(lambda: len(attempts_of(db, run)) >= 1)
    freeze(db, run)
    assert "stops after" in control.stop(db, run.id)
    assert "killed" in control.stop(db, run.id)
    current = read(db, run)
    assert current.state is RunState.STOPPED
    until(lambda: not control.is_alive(current))


def test_a_run_that_hangs_with_the_database_in_its_hand_can_only_be_killed(
    project: Project, db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "PATIENCE_S", 0.2)
    holds = f"import sqlite3; db = sqlite3.connect({str(project.database)!r}); input(); db.execute('BEGIN IMMEDIATE')"
    holds += "; print(flush=True); input()"
    command = [sys.executable, "-c", holds]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        started = psutil.Process(process.pid).create_time()
        run = Run(kind="generate", state=RunState.RUNNING, pid=process.pid, pid_started=started)
        runs.add(db, run)
        process.stdin.write("\n")
        process.stdin.flush()
        process.stdout.readline()
        for ask in (control.stop, control.pause):
            with pytest.raises(RunError, match="runs kill"):
                ask(db, run.id)
        assert "killed" in control.kill(db, run.id)
    assert read(db, run).state is RunState.STOPPED


def test_a_kill_that_cannot_be_noted_says_what_has_become_of_the_run(
    project: Project, db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "PATIENCE_S", 0.2)
    monkeypatch.setattr(control, "STALE_S", 0.0)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        started = psutil.Process(process.pid).create_time()
        run = Run(kind="generate", state=RunState.RUNNING, pid=process.pid, pid_started=started, heartbeat=now())
        runs.add(db, run)
        second_connection = connect(project.database)
        with (
            transaction(second_connection),
            pytest.raises(BusyError, match=r"was ended, .* shows as lost until .*runs stop"),
        ):
            control.kill(db, run.id)
        second_connection.close()
        assert process.wait() == -signal.SIGKILL
    assert control.visible_state(read(db, run)) is RunState.LOST
    assert "counts as stopped" in control.stop(db, run.id)
    assert read(db, run).state is RunState.STOPPED


@pytest.mark.parametrize("ask", [control.stop, control.kill, control.dismiss])
@pytest.mark.parametrize("state", [RunState.RUNNING, RunState.STOPPING, RunState.QUEUED])
def test_a_lost_run_is_counted_as_stopped_and_can_be_resumed(
    project: Project, db: sqlite3.Connection, ask: Callable[[sqlite3.Connection, str], str], state: RunState
) -> None:
    lost = Run(kind="generate", state=state, pid=os.getpid(), pid_started=1.0, heartbeat=now().replace(year=2020))
    runs.add(db, lost)
    assert control.visible_state(lost) is RunState.LOST
    assert "counts as stopped" in ask(db, lost.id)
    current = read(db, lost)
    assert (current.state, current.reason, current.request) == (RunState.STOPPED, "its process was gone", None)
    assert "resume continues it" in runs.events(db, lost.id)[-1].message
    with pytest.raises(RunError, match="is stopped"):
        ask(db, lost.id)


def test_sigterm_is_a_stop(project: Project, db: sqlite3.Connection) -> None:
    run = go(project, db, pace=600)
    until(lambda: len(attempts_of(db, run)) >= 1)
    os.kill(read(db, run).pid or 0, signal.SIGTERM)
    until(lambda: read(db, run).state is RunState.STOPPED)


def kill_and_resume(project: Project, db: sqlite3.Connection, kills: int) -> None:
    def more_attempts(than: int) -> bool:
        return len(attempts_of(db, run)) > than

    rng = random.Random(kills)
    run = go(project, db, pace=375 * 60 / (0.4 * kills))
    attempt_ids: set[str] = set()
    verdicts: set[str] = set()
    for _ in range(kills):
        begun = len(attempts_of(db, run))
        until(partial(more_attempts, begun))
        time.sleep(rng.uniform(0, 0.15))
        killed = read(db, run)
        assert killed.state is RunState.RUNNING, "it was over before it could be killed so often"
        os.kill(killed.pid or 0, signal.SIGKILL)
        attempt_ids |= attempts_of(db, run)
        verdicts |= {row["id"] for row in db.execute("SELECT id FROM verdicts")}
        until(lambda: control.visible_state(read(db, run)) is RunState.LOST)
        launch.resume(project, db, run.id)
    until(lambda: read(db, run).state.ended)
    assert read(db, run).state is RunState.FINISHED, read(db, run).reason
    assert attempt_ids <= attempts_of(db, run)
    assert verdicts <= {row["id"] for row in db.execute("SELECT id FROM verdicts")}
    plan_now = current_plan(project.task, db)
    assert [(cell.have, cell.missing) for cell in plan_now.cells] == [(cell.want, 0) for cell in plan_now.cells]
    twice = (
        "SELECT count(*) FROM (SELECT 1 FROM verdicts WHERE result <> 'failed' GROUP BY attempt HAVING count(*) > 1)"
    )
    assert db.execute(twice).fetchone()[0] == 0
    orphans = (
        "SELECT count(*) FROM examples WHERE attempt NOT IN (SELECT attempt FROM verdicts WHERE result = 'passed')"
    )
    assert db.execute(orphans).fetchone()[0] == 0
    figures = read(db, run).progress
    assert figures["attempts"] == len(attempts_of(db, run))
    assert figures["accepted"] == 375


def test_killed_and_resumed(project: Project, db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "STALE_S", 0.0)
    kill_and_resume(project, db, 4)


@pytest.mark.slow
def test_killed_and_resumed_twenty_times_while_the_app_reads(
    project: Project, db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "STALE_S", 0.0)
    over, errors, reads = threading.Event(), list[Exception](), [0]

    def watch() -> None:
        reader = connect(project.database)
        while not over.wait(0.02):
            try:
                overview(project, reader)
                reads[0] += 1
            except Exception as error:
                errors.append(error)
        reader.close()

    reading_thread = threading.Thread(target=watch)
    reading_thread.start()
    try:
        kill_and_resume(project, db, 20)
    finally:
        over.set()
        reading_thread.join()
    assert errors == []
    assert reads[0] > 20


def test_a_worker_that_cannot_be_started_is_a_run_that_failed(project: Project, db: sqlite3.Connection) -> None:
    (project.folder / "runs").write_text("a file where a folder has to be")
    with pytest.raises(RunError, match=r"its worker could not be started: .*resume it when that is mended"):
        go(project, db, n=1)
    (run,) = runs.newest(db)
    assert run.state is RunState.FAILED
    assert "could not be started" in run.reason
    (project.folder / "runs").unlink()
    launch.resume(project, db, run.id)
    until(lambda: read(db, run).state is RunState.FINISHED)


def test_a_pid_that_another_process_has_is_not_the_worker(project: Project, db: sqlite3.Connection) -> None:
    second_connection = Run(kind="generate", state=RunState.RUNNING, pid=os.getpid(), pid_started=1.0, heartbeat=now())
    assert not control.is_alive(second_connection)
    stale = second_connection.model_copy(update={"heartbeat": now().replace(year=2020)})
    assert control.visible_state(stale) is RunState.LOST
    assert (
        control.visible_state(second_connection) is RunState.RUNNING
    )  # its heartbeat is fresh: nothing is concluded yet


def test_a_mistake_in_the_file_fails_the_run_with_its_line(project: Project, db: sqlite3.Connection) -> None:
    run = go(project, db, pace=600)
    until(lambda: len(attempts_of(db, run)) >= 1)
    control.stop(db, run.id)
    until(lambda: read(db, run).state.ended)
    path: Path = project.folder / FILE
    path.write_text(path.read_text().replace("steps = 3", "steps = 99"))
    launch.resume(project, db, run.id)
    until(lambda: read(db, run).state.ended)
    assert read(db, run).state is RunState.FAILED
    assert "levels[5].steps" in read(db, run).reason
    path.write_text(path.read_text().replace("steps = 99", "steps = 3"))
    launch.resume(open_project(project.folder), db, run.id)
    until(lambda: read(db, run).state is RunState.RUNNING)


def test_nothing_is_spent_on_a_wrong_request(project: Project, db: sqlite3.Connection) -> None:
    params = GenerateParams.of(project.task)
    for change, message in (
        ({"source": "o1"}, "no generator"),
        ({"domains": ["sports"]}, "no domain sports"),
        ({"levels": [9]}, "no level 9"),
        ({"decisions": ["MAYBE"]}, "no decision MAYBE"),
    ):
        with pytest.raises(RunError, match=message):
            start_generation(project, db, params.model_copy(update=change))
    assert runs.newest(db) == []


def test_a_decision_that_is_full_elsewhere_is_named(project: Project, db: sqlite3.Connection) -> None:
    with transaction(db):
        for _ in range(200):
            examples.add(db, example())
    params = GenerateParams.of(project.task).model_copy(update={"decisions": ["VALIDATED"]})
    with pytest.raises(RunError, match="VALIDATED has enough examples in other cells"):
        start_generation(project, db, params)
