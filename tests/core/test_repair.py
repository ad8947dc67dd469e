"""Repairs over a real endpoint on loopback: written, read by the judge, kept for a person; and what goes wrong."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.config.project import Project, open_project, parse_task, template
from core.generation.field_writer import fields_model
from core.generation.repair.justifier import Justifier
from core.generation.repair.proposal import stale_names
from core.generation.repair.start import can_write, find_repair_run, read_proposal, start_repair
from core.llm.schemas import answer_schema
from core.qa.judge import CRITERIA
from core.runs import launch
from core.runs.control import RunError
from core.runs.params import RepairParams, params_of
from core.runs.progress import RepairProgress, progress_of
from storage import examples, repairs, reviews, runs
from storage.database import connect, transaction
from storage.schema import JUSTIFYING, Candidate, Example, Outcome, Run, RunState
from tests import loopback
from tests.conftest import HOSTILE, example
from tests.core.test_capabilities import Store
from tests.core.test_endpoint_source import task_at
from tests.core.test_loop import make_project, wait_until_ended
from tests.loopback import Body, Loopback, Reaction, schema_of

NEW = {"reasoning": "Neither part holds: REJECTED.", "confidence": 0.8}


def reacting(
    written: dict[str, Any] = NEW, decision: str = "REJECTED", critique: str = ""
) -> Callable[[Body], Reaction]:
    """A server that writes the fields `written`, and judges with `decision`."""

    def react(body: Body) -> Reaction:
        fields = schema_of(body).get("properties", {})
        if "critique" in fields:
            return answer({"reasoning": "Fine.", **dict.fromkeys(CRITERIA, 0.9), "critique": critique})
        if "decision" in fields:
            return answer({"reasoning": "So it is.", "decision": decision, "confidence": 0.7})
        return answer({name: value for name, value in written.items() if not fields or name in fields})

    return react


def answer(values: dict[str, Any]) -> Reaction:
    return Reaction(content=json.dumps(values))


def relabelled(db: sqlite3.Connection, **change: Any) -> Example:
    """A stored example that a person has given the decision REJECTED."""
    before = example(reasoning="Both parts hold: VALIDATED.", confidence=0.95, **change)
    with transaction(db):
        examples.add(db, before)
    return reviews.edit(db, before.model_copy(update={"decision": "REJECTED"}))


@asynccontextmanager
async def opened(
    folder: Path, server: Loopback, settings: str = "max_retries = 0"
) -> AsyncIterator[tuple[Project, sqlite3.Connection]]:
    """A project whose source and judge are the model at `server`."""
    project = make_project(folder, server, settings=settings)
    path = project.folder / "sidequest.toml"
    text = re.sub('generator = "[a-z]+"', 'generator = "loop"', path.read_text(encoding="utf-8"))
    path.write_text(re.sub('judge = "[a-z]+"', 'judge = "loop"', text), encoding="utf-8")
    project = open_project(folder)
    with connect(project.database) as db:
        yield project, db


async def repair(project: Project, db: sqlite3.Connection, *several: Example, **request: Any) -> Run:
    return await wait_until_ended(db, start_repair(project, db, several, **request))


# ------------------------------------------------------------------ what is asked


def test_the_answer_has_the_stale_fields_as_a_source_is_asked_for_them() -> None:
    schema = answer_schema(fields_model(JUSTIFYING)).schema
    assert list(schema["properties"]) == ["steps", "reasoning", "confidence"]
    whole = answer_schema(Candidate).schema["properties"]
    assert schema["properties"] == {name: whole[name] for name in JUSTIFYING}
    assert list(answer_schema(fields_model(["confidence"])).schema["properties"]) == ["confidence"]


async def test_the_prompt_gives_the_case_and_the_new_decision_but_not_the_old_reasoning(
    tmp_path: Path, db: sqlite3.Connection
) -> None:
    stale = relabelled(db, hypothesis=f"Cats pay rent {HOSTILE[0]}")
    partly = reviews.edit(db, stale.model_copy(update={"reasoning": "Own words of a person."}))
    async with Loopback(react=reacting()) as server:
        justifier = Justifier(task_at(server.url), "writer", project_dir=tmp_path, capabilities=Store())
        first, second = [await justifier.write(one) for one in (stale, partly)]
        await justifier.close()
        prompts = ["\n".join(message["content"] for message in body["messages"]) for body in server.requests]
    assert (first.outcome, first.fields, first.model) == (Outcome.WRITTEN, NEW, "m")
    assert first.prompt_version.startswith("justify-1-")
    assert second.fields == {"confidence": 0.8}
    task = parse_task(template())
    meaning = next(decision.meaning for decision in task.decisions if decision.name == "REJECTED")
    for prompt in prompts:
        assert "Cats pay rent [/" in prompt
        assert f"Decision: REJECTED\n{meaning}" in prompt
        assert "Both parts hold" not in prompt
        assert "0.95" not in prompt.split("<data>")[-1]
    low, high = task.level(1).confidence["REJECTED"]
    assert f"usually from {low} to {high}" in prompts[0]
    assert "Own words of a person." not in prompts[0]
    assert "Own words of a person." in prompts[1]


# ------------------------------------------------------------------ whole runs


async def test_a_repair_is_written_judged_and_changes_nothing_by_itself(tmp_path: Path) -> None:
    async with (
        Loopback(react=reacting(critique="Name the pieces.")) as server,
        opened(tmp_path, server) as (project, db),
    ):
        stale = relabelled(db)
        assert can_write(project.task)
        assert read_proposal(project, db, stale) is None
        run = await repair(project, db, stale)
        assert (run.state, run.reason) == (RunState.FINISHED, "")
        assert examples.get(db, stale.id) == stale
        proposal = read_proposal(project, db, stale)
        assert proposal is not None
        assert (proposal.decision, proposal.contradicts, proposal.fields) == ("REJECTED", False, NEW)
        assert (proposal.source, proposal.judge, proposal.judge_decision) == ("loop", "loop", "REJECTED")
        assert (proposal.judge_confidence, proposal.critique) == (0.7, "Name the pieces.")
        progress = progress_of(run, RepairProgress)
        assert (progress.done, progress.total, progress.written, progress.agreed, progress.failed) == (1, 1, 1, 1, 0)
        assert progress.cost == proposal.cost
        assert progress.cost is not None
        assert progress.cost > 0
        assert len(server.requests) == 3  # the source, and the judge's two
        repaired = reviews.edit(db, proposal.repaired, confirmed=set(proposal.fields))
        assert (repaired.stale, repaired.decision, repaired.reasoning) == ([], "REJECTED", NEW["reasoning"])
        assert read_proposal(project, db, repaired) is None
        found = find_repair_run(db, stale)
        assert found is not None
        assert found.id == run.id
        assert find_repair_run(db, repaired) is None


async def test_a_judge_that_disagrees_is_told(tmp_path: Path) -> None:
    async with Loopback(react=reacting(decision="REFINED")) as server, opened(tmp_path, server) as (project, db):
        stale = relabelled(db)
        run = await repair(project, db, stale)
        proposal = read_proposal(project, db, stale)
        assert proposal is not None
        assert (proposal.decision, proposal.judge_decision) == ("REJECTED", "REFINED")
        assert progress_of(run, RepairProgress).agreed == 0


async def test_what_was_edited_meanwhile_is_not_paid_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Loopback(react=reacting()) as server, opened(tmp_path, server) as (project, db):
        stale, other = relabelled(db), relabelled(db, hypothesis="Another claim.")
        with monkeypatch.context() as patch:
            patch.setattr(launch, "spawn", lambda *_: None)
            run = start_repair(project, db, [stale, other])
        reviews.edit(db, stale.model_copy(update={"hypothesis": "Edited meanwhile."}))
        launch.spawn(project, db, run.id)
        ended = await wait_until_ended(db, run)
        assert (ended.state, ended.reason) == (RunState.FINISHED, "1 were edited meanwhile")
        assert [stored.example for stored in repairs.of_run(db, run.id)] == [other.id]


async def test_an_answer_that_cannot_be_read_is_asked_again_and_a_resume_pays_once(tmp_path: Path) -> None:
    script = [loopback.INVALID_JSON, loopback.INVALID_JSON]
    async with Loopback(script, react=reacting()) as server, opened(tmp_path, server) as (project, db):
        stale = relabelled(db)
        run = await repair(project, db, stale)
        assert run.state is RunState.STOPPED
        assert run.reason.startswith("1 of 1 could not be written: ")
        assert read_proposal(project, db, stale) is None
        cost = progress_of(run, RepairProgress).cost
        assert cost is not None
        launch.resume(project, db, run.id)
        ended = await wait_until_ended(db, run)
        assert ended.state is RunState.FINISHED
        proposal = read_proposal(project, db, stale)
        assert proposal is not None
        assert proposal.cost is not None
        assert proposal.cost > cost
        assert len(server.requests) == 5
        runs.update(db, run.id, state=RunState.STOPPED)
        launch.resume(project, db, run.id)
        await wait_until_ended(db, run)
        assert len(server.requests) == 5


async def test_a_budget_holds_over_a_resume(tmp_path: Path) -> None:
    async with Loopback(react=reacting()) as server, opened(tmp_path, server) as (project, db):
        several = [relabelled(db, hypothesis=f"It is {number}.") for number in range(6)]
        run = await repair(project, db, *several, budget=Decimal("0.05"))
        assert run.state is RunState.STOPPED
        assert run.reason.startswith("the budget of 0.05 is used up")
        asked = len(server.requests)
        spent = progress_of(run, RepairProgress).cost
        assert spent is not None
        assert 0 < spent <= 0.05
        for _ in range(3):
            launch.resume(project, db, run.id)
            run = await wait_until_ended(db, run)
        progress = progress_of(run, RepairProgress)
        assert progress.cost is not None
        assert progress.cost <= 0.05
        assert len(server.requests) >= asked


async def test_a_bad_key_ends_the_run_in_words(tmp_path: Path) -> None:
    async with Loopback(react=lambda _: loopback.BAD_KEY) as server, opened(tmp_path, server) as (project, db):
        run = await repair(project, db, relabelled(db))
        assert run.state is RunState.FAILED
        assert run.reason.startswith("source: bad_key: ")


async def test_a_judge_that_fails_leaves_what_was_written(tmp_path: Path) -> None:
    def react(body: Body) -> Reaction:
        return loopback.REFUSAL if "decision" in schema_of(body).get("properties", {}) else reacting()(body)

    async with Loopback(react=react) as server, opened(tmp_path, server) as (project, db):
        stale = relabelled(db)
        run = await repair(project, db, stale)
        assert run.state is RunState.FINISHED
        proposal = read_proposal(project, db, stale)
        assert proposal is not None
        assert (proposal.fields, proposal.judge, proposal.judge_decision) == (NEW, "", "")
        assert "the blind question" in proposal.critique


async def test_one_repair_at_a_time_for_an_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "spawn", lambda *_: None)
    async with Loopback() as server, opened(tmp_path, server) as (project, db):
        stale = relabelled(db)
        run = start_repair(project, db, [stale], budget=Decimal(1))
        params = params_of(run, RepairParams)
        assert (params.source, params.judge, params.budget) == ("loop", "loop", Decimal(1))
        assert params.examples == [(stale.id, 2)]
        with pytest.raises(RunError, match=f"run {run.id[-6:]} repairs {stale.id} already"):
            start_repair(project, db, [stale])


@pytest.mark.parametrize(
    ("request_", "problem"),
    [
        ({"source": "procedural"}, "'procedural' is no model that could write reasoning: there are none"),
        ({"judge": "nobody"}, "no judge 'nobody': use one of solver"),
    ],
)
def test_what_cannot_be_started_says_why(
    project: Project, db: sqlite3.Connection, request_: dict[str, str], problem: str
) -> None:
    stale = relabelled(db)
    assert not can_write(project.task)
    with pytest.raises(RunError, match=problem):
        start_repair(project, db, [stale], source=request_.get("source", ""), judge=request_.get("judge", ""))
    assert runs.newest(db) == []


def test_stale_fields_keep_their_order(db: sqlite3.Connection) -> None:
    assert stale_names(relabelled(db)) == ["reasoning", "confidence"]
