"""A learning curve on a tiny real model: cells trained and measured, stopped, killed and resumed, none twice."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

pytest.importorskip("trl")

from core.config.project import Project
from core.runs import control, launch
from core.runs.control import RunError
from core.runs.describe import describe_cells, describe_request
from core.runs.params import CurveParams, params_of
from core.runs.progress import CurveProgress, progress_of
from core.runs.session import Ending, Session
from core.training.curve import job
from core.training.curve.cells import planned_cells
from core.training.curve.results import curve_results, finished_cells
from core.training.curve.start import start_curve
from core.training.run import start
from storage import runs, training
from storage.schema import Run, RunState
from tests.core.test_training_kills import SERVER, at_work, until
from tests.core.test_training_runs import RECIPES, trainable, weights
from tui.cli import main

__all__ = ["weights"]
DIRECT: dict[str, Any] = {"algorithm": "sft", "mode": "direct", "loss": "labels", "steps": 2}
REASONING: dict[str, Any] = {"algorithm": "sft", "steps": 3}


@pytest.fixture
def unspawned(monkeypatch: pytest.MonkeyPatch) -> None:
    """No process is started: the test does the work itself."""
    monkeypatch.setattr("core.runs.launch.spawn", lambda *_: None)


async def carry_out(project: Project, db: sqlite3.Connection, run: Run, *, stop_in: str = "") -> Ending:
    """Do what a worker does; stop at the second step of the cell whose title begins with `stop_in`."""
    current = runs.get(db, run.id)
    assert current is not None
    with Session(project, db, current) as session:
        original = session.requested_action

        def requested_action(connection: sqlite3.Connection) -> str | None:
            progress = CurveProgress.model_validate(session.progress.model_dump())
            if stop_in and progress.cell.startswith(stop_in) and progress.step >= 1:
                session.stop()
            return original(connection)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(session, "requested_action", requested_action)
            ending = await job.measure_curve(session)
    runs.update(db, run.id, state=ending.state, reason=ending.reason, progress=session.progress)
    return ending


def begun(db: sqlite3.Connection, run: Run) -> list[str]:
    """The cells that training was begun for, in order, by the log."""
    names = {cell.name for cell in planned_cells(params_of(run, CurveParams))}
    heads = [event.message.split(":")[0] for event in runs.events_before(db, run.id, limit=1000)]
    return [head for head in heads if head in names]


def rights(db: sqlite3.Connection, run: Run) -> dict[str, tuple[int, int]]:
    cells = planned_cells(params_of(run, CurveParams))
    return {cell.name: (figures["right"], figures["n"]) for cell, figures in finished_cells(db, run.id, cells).items()}


@pytest.mark.slow
async def test_a_curve_to_its_end_and_one_that_is_stopped(
    project: Project, db: sqlite3.Connection, weights: Path, unspawned: None
) -> None:
    project = trainable(project, db, weights, reasoning=REASONING, direct=DIRECT)
    calm = start_curve(project, db, ["reasoning", "direct"], sizes=3, seeds=2)
    params = params_of(calm, CurveParams)
    assert (params.sizes, params.seeds, list(params.recipes)) == ([6, 12, 24], [0, 1], ["direct", "reasoning"])
    assert await carry_out(project, db, calm) == Ending(RunState.FINISHED, "")
    order = [f"{name}-{size}-s{seed}" for name in ("direct", "reasoning") for seed in (0, 1) for size in (6, 12, 24)]
    assert begun(db, calm) == order
    measured = rights(db, calm)
    assert list(measured) == [f"bag-of-words-{size}-s{seed}" for seed in (0, 1) for size in (6, 12, 24)] + order
    assert {n for _, n in measured.values()} == {6}, "each cell is measured on all of dev"
    run = start_curve(project, db, ["reasoning", "direct"], sizes=3, seeds=2)
    stopped = await carry_out(project, db, run, stop_in="reasoning, 12")
    assert stopped == Ending(RunState.STOPPED, "stopped on request at step 2; resume continues it")
    folder = project.run_folder(run.id)
    assert [path.name for path in folder.glob("*-s*")] == ["reasoning-12-s0"], "finished cells leave no files"
    current = runs.get(db, run.id)
    assert current is not None
    progress = progress_of(current, CurveProgress)
    assert (progress.done, progress.total) == (13, 18)
    assert describe_cells(progress.model_copy(update={"eta_s": 100.0})) == (
        f"cell 14 of 18: reasoning, 12 examples, seed 0, step 2 of 3 · eta 2 m · "
        f"last {100 * progress.right / 6:.1f} % ({progress.right}/6), reasoning, 6 examples, seed 0"
    )
    assert progress.eta_s is not None
    assert await carry_out(project, db, run) == Ending(RunState.FINISHED, "")
    assert begun(db, run) == [*order[:8], order[7], *order[8:]], "only the cell at work goes on, and none is repeated"
    assert rights(db, run) == measured
    assert list(folder.glob("*-s*")) == []
    again = await carry_out(project, db, run)
    assert (again.state, len(begun(db, run))) == (RunState.FINISHED, 13)
    assert [look.step for look in training.evaluations(db, run.id, phase="reasoning-24-s1")] == [3]
    results = curve_results(db, calm)
    assert [(curve.recipe, [row.size for row in curve.sizes]) for curve in results.recipes] == [
        (name, [6, 12, 24]) for name in ("bag-of-words", "direct", "reasoning")
    ]
    row = results.recipes[1].sizes[2]
    expected = [measured[f"direct-24-s{seed}"][0] / 6 for seed in (0, 1)]
    assert (row.seeds, row.n, row.right) == (2, 12, round(6 * sum(expected)))
    assert row.mean == pytest.approx(sum(expected) / 2)
    assert (row.low, row.high) == (min(expected), max(expected))


@pytest.mark.slow
async def test_killed_in_a_cell_and_resumed(
    project: Project, db: sqlite3.Connection, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever was finished is neither lost nor measured again, and the rest is what it would have been."""
    processes: list[Any] = []

    def opened(project: Project, run: str) -> None:
        processes.append(SERVER.Process(target=at_work, args=(run, project.folder)))
        processes[-1].start()

    monkeypatch.setattr(launch, "_open", opened)
    monkeypatch.setattr(control, "STALE_S", 0.0)
    project = trainable(project, db, weights, direct=DIRECT | {"steps": 6})

    def current(run: Run) -> Run:
        stored = runs.get(db, run.id)
        assert stored is not None
        return stored

    def ended(run: Run) -> bool:
        return control.visible_state(current(run)).ended

    calm = start_curve(project, db, ["direct"], sizes=2, seeds=2)
    await until(lambda: ended(calm))
    assert current(calm).state is RunState.FINISHED
    run = start_curve(project, db, ["direct"], sizes=2, seeds=2)

    async def finished(cells: int) -> None:
        await until(lambda: len(rights(db, run)) >= cells or ended(run))

    for cells in (5, 6):
        await finished(cells)
        kept = rights(db, run)
        os.kill(processes[-1].pid, signal.SIGKILL)
        processes[-1].join()
        await until(lambda: control.visible_state(current(run)) is RunState.LOST)
        assert kept.items() <= rights(db, run).items()
        launch.resume(project, db, run.id)
    await until(lambda: ended(run))
    assert current(run).state is RunState.FINISHED
    assert rights(db, run) == rights(db, calm)
    repeated = begun(db, run)
    assert len(repeated) <= 4 + 2, "a kill repeats the cell at work alone"
    assert repeated == sorted(repeated, key=repeated.index)


@pytest.mark.slow
async def test_other_examples_than_it_was_begun_with(
    project: Project, db: sqlite3.Connection, weights: Path, unspawned: None
) -> None:
    project = trainable(project, db, weights, direct=DIRECT)
    run = start_curve(project, db, ["direct"], sizes=1, seeds=1)
    db.execute("UPDATE examples SET status = 'rejected' WHERE split = 'dev' AND level = 1")
    ending = await carry_out(project, db, run)
    assert ending.state is RunState.FAILED
    assert "accepted examples of train or dev have changed" in ending.reason
    assert rights(db, run) == {}


@pytest.mark.slow
async def test_fresh_examples_and_the_command_line(
    project: Project, db: sqlite3.Connection, weights: Path, unspawned: None
) -> None:
    """Each is seen once: as many steps as they fill batches. Longer prompts than the student takes are left out."""
    project = trainable(project, db, weights, direct=DIRECT | {"fresh": True, "batch": 4, "max_prompt_tokens": 2000})
    with pytest.raises(RunError, match="draws fresh examples: say up to how many, for example `--fresh 640`"):
        start_curve(project, db, ["direct"])
    run = start_curve(project, db, ["direct"], sizes=3, seeds=1, fresh=24, dev=4)
    cells = [cell for cell in planned_cells(params_of(run, CurveParams)) if cell.recipe == "direct"]
    assert [(cell.size, cell.steps) for cell in cells] == [(6, 2), (12, 3), (24, 6)]
    assert await carry_out(project, db, run) == Ending(RunState.FINISHED, "")
    assert {n for _, n in rights(db, run).values()} == {4}
    shown = CliRunner().invoke(main, ["-C", str(project.folder), "train", "show", run.id, "--json", "--target", "0.6"])
    document = json.loads(shown.stdout)
    assert (document["done"], document["total"], document["target"], document["fresh"]) == (6, 6, 0.6, 24)
    assert [curve["recipe"] for curve in document["recipes"]] == ["bag-of-words", "direct"]
    assert [size["size"] for size in document["recipes"][1]["sizes"]] == [6, 12, 24]
    request = describe_request(control.run_status(run))
    assert request == "recipes direct · examples 6, 12, 24 · seeds 1"


def test_what_cannot_be_started_is_said(
    project: Project, db: sqlite3.Connection, weights: Path, unspawned: None
) -> None:
    with pytest.raises(RunError, match=r"\[train.steps\] draws fresh examples: say up to how many"):
        start_curve(project, db)
    recipes = {"direct": DIRECT, "fresh": DIRECT | {"fresh": True}, "grpo": RECIPES["grpo"]}
    project = trainable(project, db, weights, **recipes)
    db.execute("UPDATE examples SET status = 'pending' WHERE split = 'train'")
    with pytest.raises(RunError, match="no accepted example is in the split train"):
        start_curve(project, db)
    db.execute("UPDATE examples SET status = 'accepted'")
    with pytest.raises(RunError, match=r"grpo learns by rewards \(grpo\)"):
        start_curve(project, db, ["grpo"])
    with pytest.raises(RunError, match="no recipe 'other'"):
        start_curve(project, db, ["other"])
    run = start_curve(project, db)
    assert list(params_of(run, CurveParams).recipes) == ["direct"], "all that learn from what was accepted"
    with pytest.raises(RunError, match=f"curve run {run.id[-6:]} is queued"):
        start_curve(project, db)
    with pytest.raises(RunError, match=f"curve run {run.id[-6:]} is queued"):
        start.start_training(project, db, "direct")
    db.execute("UPDATE examples SET split = 'train'")
    runs.update(db, run.id, state=RunState.STOPPED)
    with pytest.raises(RunError, match="no accepted example is in the split dev"):
        start_curve(project, db)


async def test_the_baseline_alone(project: Project, db: sqlite3.Connection, weights: Path, unspawned: None) -> None:
    """Without any recipe, bag-of-words alone is measured, in a moment."""
    project = trainable(project, db, weights)
    run = start_curve(project, db, sizes=5, seeds=3)
    assert params_of(run, CurveParams).sizes == [6, 8, 12, 17, 24]
    assert await carry_out(project, db, run) == Ending(RunState.FINISHED, "")
    assert len(rights(db, run)) == 15
    completed = CliRunner().invoke(main, ["-C", str(project.folder), "train", "show", run.id[-6:]])
    assert completed.exit_code == 0, completed.output
    assert "15 of 15 cells, on dev" in completed.stdout
    results = curve_results(db, run)
    rows = [line for line in completed.stdout.splitlines() if line.startswith("bag-of-words  ")]
    assert len(rows) == 5
    assert f"{100 * results.recipes[0].sizes[0].mean:.1f} % ±" in rows[0]
    assert f"bag-of-words: {results.recipes[0].forecast.sentence}" in completed.stdout
