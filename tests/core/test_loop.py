"""Whole runs over a real endpoint on loopback: each bad thing, named, kept, and without harm to what was done."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.config.project import FILE, Project, create, open_project
from core.curriculum.shelving import shelve
from core.generation.figures import GenerationFigures
from core.generation.start import start_generation
from core.runs import control, launch
from core.runs.params import GenerateParams
from storage import attempts, runs
from storage.database import connect
from storage.examples import count
from storage.schema import Run, RunState
from storage.shelves import Shelf
from tests import loopback
from tests.loopback import Body, Loopback, Reaction

MODEL = """
[models.loop]
model = "loop"
base_url = "{url}"
key_env = "{key}"
max_in_flight = 4
timeout_s = 1.0
temperature = 0.7

[prices.loop]
input = 1.0
output = 10.0
"""


def make_project(folder: Path, server: Loopback, *, key: str = "", settings: str = "max_retries = 0") -> Project:
    create(folder)
    path = folder / FILE
    text = path.read_text(encoding="utf-8").replace("max_retries = 5 ", settings + " ")
    path.write_text(text + MODEL.format(url=server.url, key=key), encoding="utf-8")
    return open_project(folder)


async def wait_until_ended(db: sqlite3.Connection, run: Run, seconds: float = 40.0) -> Run:
    """The run once it has ended; the server shares this event loop, so nothing here may block it."""
    async with asyncio.timeout(seconds):
        while True:
            current = runs.get(db, run.id)
            if current is not None and control.run_status(current).state.ended:
                return current
            await asyncio.sleep(0.05)


async def go(project: Project, db: sqlite3.Connection, **change: Any) -> Run:
    params = GenerateParams.of(project.task).model_copy(update={"source": "loop", "n": 6} | change)
    return await wait_until_ended(db, start_generation(project, db, params))


def outcomes(db: sqlite3.Connection) -> dict[str, int]:
    return attempts.tally(db).outcomes


async def test_a_run_over_an_endpoint_with_a_judge_on_it(tmp_path: Path) -> None:
    async with Loopback() as server:
        project = make_project(tmp_path, server)
        db = connect(project.database)
        run = await go(project, db, judge="loop")
        assert (run.state, run.reason) == (RunState.FINISHED, "")
        assert count(db) == 6
        assert run.progress["cost"] > 0
        assert run.progress["cost_per_accepted"] == pytest.approx(run.progress["cost"] / 6)
        assert len(server.probes) >= 1
        probe_count = len(server.probes)
        await go(project, db, judge="loop")
        assert len(server.probes) == probe_count  # what the endpoint can do is remembered


@pytest.mark.parametrize(
    ("reaction", "name"),
    [
        (loopback.REFUSAL, "refused"),
        (loopback.TRUNCATED, "truncated"),
        (loopback.INVALID_JSON, "invalid_json"),
        (loopback.SCHEMA_VIOLATION, "schema_violation"),
        (loopback.SERVER_ERROR, "server_error"),
        (loopback.RESET, "connection"),
        (loopback.HANG, "timeout"),
    ],
)
async def test_a_bad_answer_is_named_kept_and_got_over(tmp_path: Path, reaction: Reaction, name: str) -> None:
    async with Loopback([reaction, reaction]) as server:
        project = make_project(tmp_path, server)
        db = connect(project.database)
        run = await go(project, db)
        assert run.state is RunState.FINISHED, run.reason
        assert count(db) == 6
        assert outcomes(db)[name] == 2
        messages = [event for event in runs.events(db, run.id) if name in event.message.replace(" ", "_")]
        assert len(messages) == 2
        bad = next(judged.attempt for judged in attempts.newest(db) if judged.attempt.outcome == name)
        assert bad.detail


@pytest.mark.parametrize(
    ("reaction", "name"),
    [
        (loopback.BAD_KEY, "bad_key"),
        (loopback.NO_QUOTA, "quota_exhausted"),
        (loopback.NO_MODEL, "bad_request"),
    ],
)
async def test_a_fault_that_stays_ends_the_run_at_once_and_keeps_what_is_done(
    tmp_path: Path, reaction: Reaction, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOOP_KEY", "sk-secret-1234567890")

    def after_two(body: Body) -> Reaction:
        return loopback.OK if server.served < 2 + len(server.probes) else reaction

    async with Loopback(react=after_two) as server:
        project = make_project(tmp_path, server, key="LOOP_KEY")
        db = connect(project.database)
        run = await go(project, db)
        assert run.state is RunState.FAILED
        assert name in run.reason
        assert len(server.requests) < 12
        count_before = count(db)
        server.react = loopback.always
        launch.resume(project, db, run.id)
        again = await wait_until_ended(db, run)
        assert again.state is RunState.FINISHED
        assert count(db) == 6 >= count_before
    files = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"sk-secret-1234567890" not in files


async def test_a_missing_key_is_named_before_anything_is_asked(tmp_path: Path) -> None:
    async with Loopback() as server:
        project = make_project(tmp_path, server, key="SIDEQUEST_NO_SUCH_KEY")
        db = connect(project.database)
        run = await go(project, db)
        assert run.state is RunState.FAILED
        assert "SIDEQUEST_NO_SUCH_KEY" in run.reason
        assert server.requests == server.probes == []


async def test_an_endpoint_that_is_gone_ends_the_run_after_some_faults(tmp_path: Path) -> None:
    async with Loopback() as server:
        project = make_project(tmp_path, server)
    db = connect(project.database)
    run = await go(project, db)
    assert run.state is RunState.FAILED
    assert "connection" in run.reason


async def test_the_budget_ends_the_run_cleanly_and_is_never_overrun(tmp_path: Path) -> None:
    async with Loopback() as server:
        project = make_project(tmp_path, server)
        db = connect(project.database)
        run = await go(project, db, n=50, budget=Decimal("0.2"))
        assert run.state is RunState.STOPPED
        assert "budget" in run.reason
        assert 0 < run.progress["cost"] <= 0.2
        assert 0 < count(db) < 50


async def test_a_judge_that_cannot_be_read_rejects_nothing_and_is_asked_again_on_resume(tmp_path: Path) -> None:
    async with Loopback(react=lambda _: loopback.INVALID_JSON) as server:
        project = make_project(tmp_path, server)
        db = connect(project.database)
        run = await go(project, db, source="procedural", judge="loop", n=3)
        assert run.state is RunState.STOPPED
        assert "judge" in run.reason
        assert run.progress["rejected"] == 0
        assert (count(db), len(attempts.newest(db))) == (0, 3)
        server.react = loopback.always
        launch.resume(project, db, run.id)
        assert (await wait_until_ended(db, run)).state is RunState.FINISHED
        assert (count(db), len(attempts.newest(db))) == (3, 3)  # nothing was written again


async def test_killed_in_flight_and_resumed_over_an_endpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "STALE_S", 0.0)
    async with Loopback(latency_s=0.05) as server:
        project = make_project(tmp_path, server)
        db = connect(project.database)
        params = GenerateParams.of(project.task).model_copy(update={"source": "loop", "n": 30})
        run = start_generation(project, db, params)
        for kills in range(1, 4):
            while len(attempts.newest(db)) < 5 * kills:
                await asyncio.sleep(0.02)
            os.kill((runs.get(db, run.id) or run).pid or 0, signal.SIGKILL)
            while control.visible_state(runs.get(db, run.id) or run) is not RunState.LOST:
                await asyncio.sleep(0.02)
            launch.resume(project, db, run.id)
        assert (await wait_until_ended(db, run)).state is RunState.FINISHED
        assert count(db) == 30
        keys = db.execute("SELECT domain, level, decision, slot, number FROM attempts").fetchall()
        assert len({tuple(key) for key in keys}) == len(keys)


async def test_a_rewrite_carries_the_draft_and_the_critique(tmp_path: Path) -> None:
    def too_sure(body: Body) -> Reaction:
        """The first answer lies outside the level's band for confidence."""
        if len(server.requests) > 1:
            return loopback.OK
        answer = json.loads(server._writer.answer(body)) | {"confidence": 0.01}
        return Reaction(content=json.dumps(answer))

    async with Loopback(react=too_sure) as server:
        project = make_project(tmp_path, server)
        db = connect(project.database)
        await go(project, db, n=1)
        rewritten = server.requests[1]["messages"][-1]["content"]
        assert "The confidence is to be from" in rewritten
        first = next(judged.attempt for judged in attempts.newest(db) if judged.attempt.number == 0)
        assert first.candidate is not None
        assert first.candidate.hypothesis in rewritten
        second = next(judged.attempt for judged in attempts.newest(db) if judged.attempt.number == 1)
        assert second.parent == first.id
        assert second.prompt_version != first.prompt_version


async def test_a_hint_reaches_the_model_and_a_revision_begins_with_the_attempt(tmp_path: Path) -> None:
    async with Loopback() as server:
        project = make_project(tmp_path, server)
        db = connect(project.database)
        await go(project, db, n=1, flaws=0.0)
        (written,) = attempts.newest(db)
        server.requests.clear()
        revised = await go(project, db, n=None, revise=written.attempt.id[-6:], hint="Name the [/quarter].")
        assert revised.state is RunState.FINISHED, revised.reason
        probe_count = json.dumps(server.requests[0])
        assert "Name the [/quarter]." in probe_count
        assert "reviewer rejected the example below" in probe_count
        newest = attempts.newest(db, run=revised.id)
        assert {judged.attempt.decision for judged in newest} == {written.attempt.decision}
        lineage = attempts.chain(db, newest[-1].attempt.id)
        assert lineage[0].attempt.id == written.attempt.id == lineage[1].attempt.parent
        for part, message in (("zzzz", "no attempt zzzz"), ("01%", "no attempt")):
            with pytest.raises(control.RunError, match=message):
                start_generation(project, db, GenerateParams.of(project.task).model_copy(update={"revise": part}))


async def test_a_run_leaves_a_cell_that_is_shelved_meanwhile(tmp_path: Path) -> None:
    async with Loopback() as server:
        project = make_project(tmp_path, server)
        db = connect(project.database)
        params = {"domains": ["risk"], "levels": [1], "n": None}
        run_params = GenerateParams.of(project.task).model_copy(update=params | {"attempts_per_minute": 240.0})
        run = start_generation(project, db, run_params)
        async with asyncio.timeout(30):
            while not count(db):
                await asyncio.sleep(0.02)
        shelve(project.task, db, Shelf("risk", 1))
        finished = await wait_until_ended(db, run)
        assert finished.state is RunState.FINISHED
        assert count(db) == finished.progress["accepted"] == finished.progress["total"] < 12
        with pytest.raises(control.RunError, match="are shelved"):
            start_generation(project, db, run_params)


def test_a_pause_does_not_count_for_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("core.generation.figures.time.monotonic", lambda: clock[0])
    figures = GenerationFigures(10)
    figures.rest()
    for _ in range(3):
        clock[0] += 1.0
        figures.closed()
    assert figures.snapshot().per_minute == pytest.approx(60)
    clock[0] += 600.0
    figures.rest()
    assert figures.snapshot().per_minute is None
    clock[0] += 2.0
    figures.closed()
    assert figures.snapshot().per_minute == pytest.approx(30)
