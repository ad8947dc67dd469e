"""A learning curve at work: a line on Training, one in Runs, and what the command line says of it."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest
from click.testing import CliRunner

from core.config.project import Project
from storage import runs
from storage.schema import Run, RunState, now
from tests.tui.conftest import SIZE, shown, until
from tests.tui.runs_pilot import opened
from tests.tui.training_pilot import add_training_run, open_training
from tui.app import SidequestApp
from tui.cli import main

RECIPE = {"algorithm": "sft", "steps": 9}
PARAMS = {"recipes": {"sft": RECIPE}, "students": {"sft": "tiny"}, "sizes": [10, 20], "seeds": [0, 1]}
PROGRESS = {
    "done": 5, "total": 8, "cell": "sft, 20 examples, seed 0", "step": 3, "steps": 9,
    "last": "sft, 10 examples, seed 0", "right": 33, "n": 60, "eta_s": 300.0,
    "eta_basis": "the steps of sft in this cell",
}  # fmt: skip
WORDS = "cell 6 of 8: sft, 20 examples, seed 0, step 3 of 9 · eta 5 m · last 55.0 % (33/60)"


@pytest.fixture
def going(db: sqlite3.Connection) -> Iterator[Run]:
    """A learning curve whose process is alive, and hears nothing."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        started = psutil.Process(process.pid).create_time()
        run = Run(
            kind="curve", state=RunState.RUNNING, pid=process.pid, pid_started=started, heartbeat=now(),
            params=PARAMS, progress=PROGRESS,
        )  # fmt: skip
        runs.add(db, run)
        yield run
        process.kill()


async def test_training_has_a_line_for_it(project: Project, db: sqlite3.Connection, going: Run) -> None:
    add_training_run(db)
    async with SidequestApp(project.folder).run_test(size=SIZE) as pilot:
        await open_training(pilot)
        await until(pilot, lambda: f"learning curve {going.id[-6:]}, running · {WORDS}"[: SIZE[0] - 6] in shown(pilot))
        assert "what it wrote" in shown(pilot)
        runs.update(db, going.id, state=RunState.FINISHED)
        await until(pilot, lambda: "learning curve" not in shown(pilot))


async def test_training_without_a_run_has_it_too(project: Project, going: Run) -> None:
    async with SidequestApp(project.folder).run_test(size=(140, 40)) as pilot:
        await open_training(pilot)
        await until(pilot, lambda: f"{WORDS}, sft, 10 examples" in shown(pilot))
        assert "Nothing was trained yet" in shown(pilot)


async def test_runs_says_where_it_is(project: Project, going: Run) -> None:
    async with SidequestApp(project.folder).run_test(size=(180, 40)) as pilot:
        await opened(pilot)
        await until(pilot, lambda: "cell 6 of 8: sft, 20 examples, seed 0" in shown(pilot))
        assert "5/8" in shown(pilot)


def test_the_command_line_says_where_it_is(project: Project, going: Run) -> None:
    completed = CliRunner().invoke(main, ["-C", str(project.folder), "runs", "show", going.id])
    assert f"at           {WORDS}, sft, 10 examples, seed 0" in completed.stdout
    assert "asked        recipes sft · examples 10, 20 · seeds 2" in completed.stdout
    of_curve = CliRunner().invoke(main, ["-C", str(project.folder), "train", "show", going.id])
    assert "0 of 8 cells, on dev" in of_curve.stdout
    assert "sft: too few sizes to tell: a curve takes 3, and 0 are measured" in of_curve.stdout
    assert WORDS in of_curve.stderr
    stopped = CliRunner().invoke(main, ["-C", str(project.folder), "runs", "stop", going.id])
    assert f"run {going.id[-6:]} stops after what is in flight" in stopped.stderr


def test_what_is_no_curve_or_wrongly_asked_is_said(project: Project, db: sqlite3.Connection) -> None:
    nothing = CliRunner().invoke(main, ["-C", str(project.folder), "train", "curve"])
    assert (nothing.exit_code, "[train.steps] draws fresh examples: say up to how many" in nothing.stderr) == (2, True)
    for options in (["--target", "1"], ["--sizes", "0"], ["--seeds", "0"], ["--fresh", "0"]):
        assert CliRunner().invoke(main, ["-C", str(project.folder), "train", "curve", *options]).exit_code == 2
