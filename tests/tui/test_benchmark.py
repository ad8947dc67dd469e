"""Benchmark: empty, going, failed, hostile; every key, and what lies over the screen."""

from __future__ import annotations

import json
import sqlite3

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Select

from core.benchmark import start
from core.benchmark.reading import READER
from core.benchmark.start import KIND, BenchParams
from core.models.model import Mode
from core.project import Project
from storage import predictions, runs
from storage.database import transaction
from storage.schema import Outcome, Prediction, PredictionOutcome, Run, RunState, Usage, now
from tests.conftest import HOSTILE
from tests.core.judged import LABELS, fill
from tests.tui.conftest import RAW, SIZE, shown, told, until
from tui.app import SidequestApp
from tui.screens.benchmark import BenchmarkScreen
from tui.screens.pairs import PairsScreen


@pytest.fixture(autouse=True)
def no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """No worker is started."""
    monkeypatch.setattr(start, "spawn", lambda *_: None)


def bench(
    project: Project,
    db: sqlite3.Connection,
    model: str,
    *,
    right: int = 3,
    answered: int | None = None,
    state: RunState = RunState.FINISHED,
    said: str = "It follows from the first piece.",
    sniff: bool = False,
) -> Run:
    """A benchmark of the split test; of every four questions `right` are answered with the label."""
    params = BenchParams(model=model, mode=Mode.DIRECT, split="test", sniff=sniff)
    run = start.start(project, db, params)
    asked = predictions.questions(db, run.id)
    made = []
    for at, one in enumerate(asked[:answered]):
        decision = one.label if at % 4 < right else LABELS[(LABELS.index(one.label) + 1) % 3]
        silent = at % 10 == 9
        made.append(
            Prediction(
                run=run.id,
                example=one.example,
                ended=Outcome.WRITTEN,
                raw=said,
                reader=READER,
                outcome=PredictionOutcome.UNPARSEABLE if silent else PredictionOutcome.ANSWERED,
                decision=None if silent else decision,
                confidence=None if silent else 0.8,
                rationale=said,
                model=model,
                usage=Usage(input_tokens=100, output_tokens=20, cost=0.01, seconds=1.5),
            )
        )
    predictions.add(db, made)
    figures = {"total": len(asked), "done": len(made), "n": len(made), "right": 0, "per_minute": 12.0, "eta_s": 120.0}
    reason = "3 faults in a row" if state is RunState.FAILED else ""
    runs.update(db, run.id, state=state, reason=reason, progress=figures, heartbeat=now(), pid=None)
    return run


async def opened(pilot: Pilot[int]) -> BenchmarkScreen:
    await pilot.press("6")
    await pilot.pause()
    screen = pilot.app.screen
    assert isinstance(screen, BenchmarkScreen)
    return screen


async def test_an_empty_project_says_the_first_step(project: Project) -> None:
    async with SidequestApp(project.folder).run_test(size=SIZE) as pilot:
        await opened(pilot)
        assert "No benchmark yet." in shown(pilot)
        assert "g starts one" in shown(pilot)
        for key in ("enter", "w", "c", "o", "v", "p", "x", "t"):
            await pilot.press(key)
            await pilot.pause()
        assert "nothing to ask again" in told(pilot)
        await pilot.press("g")
        await until(pilot, lambda: "Ask a model about examples" in shown(pilot))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "no accepted example is in the split test" in told(pilot))


async def test_two_runs_side_by_side(project: Project, db: sqlite3.Connection) -> None:
    fill(db, 40)
    bench(project, db, "smollm2-135m", right=1)
    bench(project, db, "bag-of-words", right=3)
    async with SidequestApp(project.folder).run_test(size=(160, 45)) as pilot:
        await opened(pilot)
        await until(pilot, lambda: "40 pairs" in shown(pilot))
        drawn = shown(pilot)
        assert "student   smollm2-135m" in drawn
        assert "reference bag-of-words" in drawn
        assert "only reference" in drawn
        assert "level 1" in drawn
        assert "student 4 not readable; reference 4 not readable" in drawn
        assert "✗ reference" in drawn


async def test_while_it_runs_figures_follow(project: Project, db: sqlite3.Connection) -> None:
    fill(db, 40)
    run = bench(project, db, "smollm2-135m", answered=10, state=RunState.RUNNING)
    async with SidequestApp(project.folder).run_test(size=(120, 30)) as pilot:
        await opened(pilot)
        assert "10/40" in shown(pilot)
        assert "12.0/min" in shown(pilot)
        assert "eta 2 m" in shown(pilot)
        asked = predictions.questions(db, run.id)[10:30]
        add = [
            Prediction(
                run=run.id, example=one.example, ended=Outcome.WRITTEN, reader=READER, decision=one.label,
                outcome=PredictionOutcome.ANSWERED,
            )
            for one in asked
        ]  # fmt: skip
        predictions.add(db, add)
        runs.update(db, run.id, progress={"total": 40, "done": 30, "n": 30, "right": 0, "settled": "good enough"})
        await until(pilot, lambda: "30/40" in shown(pilot))
        assert "settled: good enough" in shown(pilot)
        await pilot.press("p")
        await until(pilot, lambda: "pauses" in told(pilot))


async def test_a_run_that_failed_says_why_and_goes_on(project: Project, db: sqlite3.Connection) -> None:
    fill(db, 20)
    bench(project, db, "smollm2-135m", answered=5, state=RunState.FAILED)
    async with SidequestApp(project.folder).run_test(size=SIZE) as pilot:
        await opened(pilot)
        assert "3 faults in a row" in shown(pilot)
        await pilot.press("x")
        assert "no run goes on here" in told(pilot)


async def test_failures_are_asked_again(project: Project, db: sqlite3.Connection) -> None:
    fill(db, 20)
    run = bench(project, db, "smollm2-135m")
    async with SidequestApp(project.folder).run_test(size=SIZE) as pilot:
        await opened(pilot)
        await pilot.press("t")
        await until(pilot, lambda: "asks 2 again" in told(pilot))
    found = runs.get(db, run.id)
    assert found is not None
    assert (found.state, found.params["number"]) == (RunState.QUEUED, 1)


async def test_the_form_asks_before_it_starts(project: Project, db: sqlite3.Connection) -> None:
    fill(db, 20)
    async with SidequestApp(project.folder).run_test(size=SIZE) as pilot:
        await opened(pilot)
        await pilot.press("g")
        await until(pilot, lambda: "Ask a model" in shown(pilot))
        form = pilot.app.screen
        form.query_one("#model", Select).value = "majority"
        form.query_one("#many", Input).value = "lots"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "write all, a number, or sniff" in shown(pilot))
        form.query_one("#samples", Input).value = "0"
        form.query_one("#many", Input).value = "sniff"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "samples:" in shown(pilot))
        form.query_one("#samples", Input).value = "1"
        form.query_one("#budget", Input).focus()
        await pilot.press("enter")
        await until(pilot, lambda: "Ask majority (direct) about 5 examples?" in shown(pilot))
        assert "smoke test" in shown(pilot)
        assert runs.newest(db) == []
        await pilot.press("y")
        await until(pilot, lambda: "starts" in told(pilot))
        (run,) = runs.newest(db)
        assert (run.kind, run.params["sniff"]) == (KIND, True)
        await pilot.press("g")
        await until(pilot, lambda: "Ask a model" in shown(pilot))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, BenchmarkScreen))


async def test_other_runs_can_be_chosen(project: Project, db: sqlite3.Connection) -> None:
    fill(db, 20)
    for model in ("random", "majority", "smollm2-135m"):
        bench(project, db, model)
    async with SidequestApp(project.folder).run_test(size=SIZE) as pilot:
        await opened(pilot)
        assert "student   smollm2-135m" in shown(pilot)
        assert "none yet" in shown(pilot)
        await pilot.press("v", "2")
        await until(pilot, lambda: "reference majority" in shown(pilot))
        await pilot.press("o", "3")
        await until(pilot, lambda: "student   random" in shown(pilot))
        await pilot.press("v", "4")
        await until(pilot, lambda: "reference  none" in shown(pilot))


async def test_the_gate_and_the_figures(project: Project, db: sqlite3.Connection) -> None:
    fill(db, 40)
    bench(project, db, "smollm2-135m", right=0)
    bench(project, db, "bag-of-words", right=4)
    async with SidequestApp(project.folder).run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        await pilot.press("w")
        await until(pilot, lambda: "WORTH TRAINING" in shown(pilot))
        assert "McNemar" in shown(pilot)
        await pilot.press("escape")
        await until(pilot, lambda: "Pairs: of 40" in shown(pilot))
        await pilot.press("c")
        await until(pilot, lambda: "label \\ decision" in shown(pilot))
        assert "ECE" in shown(pilot)
        await pilot.press("escape")


async def test_pairs_one_by_one(project: Project, db: sqlite3.Connection) -> None:
    fill(db, 40)
    bench(project, db, "smollm2-135m", right=1, said="The student's words.")
    bench(project, db, "bag-of-words", right=3, said="The reference's words.")
    async with SidequestApp(project.folder).run_test(size=(120, 60)) as pilot:
        await opened(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, PairsScreen))
        drawn = shown(pilot)
        assert "where one is right · 1 of" in drawn
        assert "The student's words." in drawn
        assert "The reference's words." in drawn
        await pilot.press("j", "end", "home", "pagedown", "y")
        assert {"student", "reference"} == json.loads(pilot.app.clipboard).keys()
        seen = []
        for _ in range(6):
            await pilot.press("f")
            await pilot.pause()
            seen.append(shown(pilot).splitlines()[0])
        assert "without an answer" in seen[3]
        assert "all · 1 of 40" in seen[4]
        await pilot.press("f", "f", "f", "f", "f", "slash", *"level:1 decision:VALIDATED", "enter")
        await until(pilot, lambda: "level:1 decision:VALIDATED" in shown(pilot).splitlines()[0])
        await pilot.press("slash", *"level:x", "enter")
        await until(pilot, lambda: "level" in told(pilot))
        await pilot.press("escape", "question_mark")
        await until(pilot, lambda: "Keys · Pairs" in shown(pilot))
        await pilot.press("escape", "escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, BenchmarkScreen))


@pytest.mark.parametrize("size", [SIZE, (160, 45)])
async def test_no_hostile_text_reaches_the_screen_raw(
    project: Project, db: sqlite3.Connection, size: tuple[int, int]
) -> None:
    fill(db, 20)
    bench(project, db, "smollm2-135m", right=1, said="".join(HOSTILE).replace("\ud800", "").replace("\udfff", "") * 50)
    bench(project, db, "bag-of-words", said="".join(HOSTILE))
    with transaction(db):
        db.execute("UPDATE runs SET reason = ?", ["[/red] \x1b]52;c;x\x07 \u202e"])
    async with SidequestApp(project.folder).run_test(size=size) as pilot:
        await opened(pilot)
        for key in ("enter", "f", "j", "escape", "c", "escape", "o", "escape"):
            await pilot.press(key)
            await pilot.pause(0.1)
            assert not RAW.search(shown(pilot))
