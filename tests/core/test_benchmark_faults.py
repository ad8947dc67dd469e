"""Benchmarks of an endpoint that fails: what is no answer, what is wrong, and what a resume asks again."""

from __future__ import annotations

import sqlite3

import pytest

from core.benchmark import start
from core.benchmark import summary as outcomes
from core.benchmark.figures_cache import cached_figures
from core.config.project import Project
from storage import runs
from storage.schema import RunState
from tests.core.judged_runs import counted, fill, opinionated, params, with_model
from tests.core.test_benchmark_runner import no_worker, work
from tests.loopback import (
    BAD_KEY,
    NO_MODEL,
    OK,
    RESET,
    SERVER_ERROR,
    Body,
    Loopback,
    Reaction,
    is_probe,
)

__all__ = ["no_worker"]


async def test_a_server_that_is_gone_costs_no_answer(no_worker: None, project: Project, db: sqlite3.Connection) -> None:
    """What never reached the model is no wrong answer: it waits for the resume."""
    fill(db, 20)
    path = project.folder / "sidequest.toml"
    path.write_text(path.read_text().replace("max_retries = 5", "max_retries = 0"))
    down = [False]

    def react(body: Body) -> Reaction:
        return RESET if down[0] and not is_probe(body) else opinionated(body) if not is_probe(body) else OK

    async with Loopback(react=react) as server:
        project = with_model(project, server.url, max_in_flight=2)
        run = start.start_benchmark(project, db, params(limit=10))
        down[0] = True
        ending = await work(project, db, run)
        assert ending.state is RunState.FAILED
        assert "faults in a row, the last connection" in ending.reason
        assert counted(db, run) == {}
        down[0] = False
        assert (await work(project, db, run)).state is RunState.FINISHED
    assert counted(db, run) == {"answered": 10}


@pytest.mark.parametrize("reaction", [BAD_KEY, NO_MODEL, SERVER_ERROR])
async def test_an_endpoint_that_answers_nothing_leaves_all_open(
    no_worker: None, project: Project, db: sqlite3.Connection, reaction: Reaction
) -> None:
    fill(db, 20)
    path = project.folder / "sidequest.toml"
    path.write_text(path.read_text().replace("max_retries = 5", "max_retries = 0"))

    def react(body: Body) -> Reaction:
        return OK if is_probe(body) else reaction

    async with Loopback(react=react) as server:
        project = with_model(project, server.url, max_in_flight=2)
        run = start.start_benchmark(project, db, params())
        assert (await work(project, db, run)).state is RunState.FAILED
    assert counted(db, run) == {}


async def test_a_few_errors_and_nothing_else_are_no_answers(
    no_worker: None, project: Project, db: sqlite3.Connection
) -> None:
    """Too few for the breaker: they are not counted as wrong all the same, and asked again by a resume."""
    fill(db, 5)
    path = project.folder / "sidequest.toml"
    path.write_text(path.read_text().replace("max_retries = 5", "max_retries = 0"))
    works = [False]

    def react(body: Body) -> Reaction:
        return OK if is_probe(body) else opinionated(body) if works[0] else SERVER_ERROR

    async with Loopback(react=react) as server:
        project = with_model(project, server.url, max_in_flight=1)
        run = start.start_benchmark(project, db, params())
        ending = await work(project, db, run)
        assert ending.state is RunState.FAILED
        assert "answered none of 5 questions, the last with server_error" in ending.reason
        assert ending.reason.endswith("; resume asks them again")
        assert counted(db, run) == {}
        works[0] = True
        assert (await work(project, db, run)).state is RunState.FINISHED
    assert counted(db, run) == {"answered": 5}


async def test_one_error_among_answers_is_kept(no_worker: None, project: Project, db: sqlite3.Connection) -> None:
    fill(db, 5)
    path = project.folder / "sidequest.toml"
    path.write_text(path.read_text().replace("max_retries = 5", "max_retries = 0"))
    async with Loopback([SERVER_ERROR], react=opinionated) as server:
        project = with_model(project, server.url, max_in_flight=1)
        run = start.start_benchmark(project, db, params())
        assert (await work(project, db, run)).state is RunState.FINISHED
    assert counted(db, run) == {"answered": 4, "error": 1}


async def test_an_error_at_the_end_is_in_the_figures(no_worker: None, project: Project, db: sqlite3.Connection) -> None:
    """Whether it is an answer is only known once all others are there."""
    fill(db, 5)
    path = project.folder / "sidequest.toml"
    path.write_text(path.read_text().replace("max_retries = 5", "max_retries = 0"))
    bodies = list[Body]()

    def react(body: Body) -> Reaction:
        if not is_probe(body):
            bodies.append(body)
        return SERVER_ERROR if len(bodies) == 5 else opinionated(body)

    async with Loopback(react=react) as server:
        project = with_model(project, server.url, max_in_flight=1)
        run = start.start_benchmark(project, db, params())
        assert (await work(project, db, run)).state is RunState.FINISHED
    stored = runs.get(db, run.id)
    assert stored is not None
    assert (stored.progress["done"], stored.progress["n"]) == (5, 5)
    assert cached_figures(stored) == outcomes.summarize(project, db, run).figures
