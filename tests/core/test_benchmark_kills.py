"""Benchmarks as processes: paused, killed at any moment, resumed."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
from collections.abc import Callable

import pytest

from core.benchmark import start
from core.benchmark import summary as outcomes
from core.config.project import Project
from core.runs import control, launch
from storage import runs
from storage.schema import Run, RunState
from tests.core.judged_runs import counted, fill, opinionated, params, with_model
from tests.loopback import Loopback


async def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = asyncio.get_running_loop().time() + seconds
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, "it did not happen in time"
        await asyncio.sleep(0.01)


async def kill_and_resume(project: Project, db: sqlite3.Connection, kills: int, number: int) -> None:
    """Kill the worker at random moments; the figures are those of a run that nobody disturbed."""
    rng = random.Random(kills)

    def state(run: Run) -> RunState:
        stored = runs.get(db, run.id)
        assert stored is not None
        return control.visible_state(stored)

    def answered(run: Run) -> int:
        return sum(counted(db, run).values())

    async with Loopback(react=opinionated, latency_s=0.05) as server:
        project = with_model(project, server.url, max_in_flight=4)
        calm = start.start_benchmark(project, db, params())
        await until(lambda: state(calm).ended, 60)
        server.requests.clear()
        run = start.start_benchmark(project, db, params())
        for _ in range(kills):
            begun = answered(run)
            await until(lambda begun=begun: answered(run) > begun)  # type: ignore[misc]
            await asyncio.sleep(rng.uniform(0, 0.1))
            current = runs.get(db, run.id)
            assert current is not None
            assert current.state is RunState.RUNNING, "it was over before it could be killed so often"
            os.kill(current.pid or 0, signal.SIGKILL)
            await until(lambda: state(run) is RunState.LOST)
            launch.resume(project, db, run.id)
        await until(lambda: state(run).ended, 60)
        # Four may have been in flight at each kill; no answer that had come was asked for again.
        assert len(server.requests) <= number + 4 * kills
    assert state(run) is RunState.FINISHED
    assert counted(db, run) == {"answered": number}
    disturbed, undisturbed = outcomes.summarize(project, db, run), outcomes.summarize(project, db, calm)
    decisions = [(answer.example, answer.decision) for answer in disturbed.answers]
    assert decisions == [(answer.example, answer.decision) for answer in undisturbed.answers]
    timed = {"latency", "seconds"}
    for name in set(type(disturbed.figures).__dataclass_fields__) - timed:
        assert getattr(disturbed.figures, name) == getattr(undisturbed.figures, name)
    assert runs.get(db, run.id).progress["right"] == disturbed.figures.right  # type: ignore[union-attr]


async def test_killed_and_resumed(project: Project, db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "STALE_S", 0.0)
    fill(db, 90)
    await kill_and_resume(project, db, 3, 90)


@pytest.mark.slow
async def test_killed_and_resumed_twenty_times(
    project: Project, db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "STALE_S", 0.0)
    fill(db, 600)
    await kill_and_resume(project, db, 20, 600)


async def test_paused_and_let_go_on(project: Project, db: sqlite3.Connection) -> None:
    fill(db, 60)
    async with Loopback(react=opinionated, latency_s=0.05) as server:
        project = with_model(project, server.url, max_in_flight=2)
        run = start.start_benchmark(project, db, params())

        def state() -> RunState:
            stored = runs.get(db, run.id)
            assert stored is not None
            return stored.state

        await until(lambda: sum(counted(db, run).values()) > 2)
        control.pause(db, run.id)
        await until(lambda: state() is RunState.PAUSED)
        at_rest = sum(counted(db, run).values())
        await asyncio.sleep(0.4)
        assert sum(counted(db, run).values()) == at_rest
        control.unpause(db, run.id)
        await until(lambda: state() is RunState.FINISHED)
    assert counted(db, run) == {"answered": 60}
