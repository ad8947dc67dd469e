"""What goes wrong for real: no room on the disk, no memory, no libraries; each with words and a way out."""

from __future__ import annotations

import multiprocessing
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("trl")

from core.config.project import Project
from core.runs.session import Ending
from core.training.run import job, start
from storage import runs, training
from storage.database import connect
from storage.schema import RunState
from tests.core.test_training_runs import RECIPES, carry_out, in_this_process, losses, trainable, weights

__all__ = ["in_this_process", "weights"]
pytestmark = pytest.mark.slow
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["core.entry.train_rank", "core.training.run.callback", "core.training.trainers.ppo"])


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MB."""
    mount_point = tmp_path / "disk"
    mount_point.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(mount_point)], capture_output=True)
    if mounted.returncode:
        pytest.skip("this user may not mount a disk")
    yield mount_point
    subprocess.run(["umount", "-l", str(mount_point)], check=True)


@pytest.mark.parametrize("room", [20_000, 120_000, 250_000])
async def test_no_room_for_a_checkpoint(
    project: Project, db: sqlite3.Connection, weights: Path, small_disk: Path, room: int
) -> None:
    """Wherever the disk gets full while a checkpoint is written: what was finished is kept, and the run goes on."""
    (project.folder / "runs").symlink_to(small_disk)
    project = trainable(project, db, weights, ppo=RECIPES["ppo"])
    calm = start.start_training(project, db, "ppo")
    assert (await carry_out(project, db, calm)).state is RunState.FINISHED
    expected_losses = losses(db, calm)
    for path in small_disk.iterdir():
        shutil.rmtree(path)
    run = start.start_training(project, db, "ppo")
    free = os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize
    filler = small_disk / "filler"
    filler.write_bytes(b"x" * (free - room))
    ending = await carry_out(project, db, run)
    assert ending.state is RunState.FAILED
    assert "No space left on device" in ending.reason
    assert "what was finished is kept" in ending.reason
    filler.unlink()
    assert await carry_out(project, db, run) == Ending(RunState.FINISHED, "")
    assert losses(db, run) == pytest.approx(expected_losses, rel=1e-4, abs=1e-6)


def starved(folder: Path, run_id: str, out: Path) -> None:
    """A worker that may have little more memory than it has already."""
    import asyncio

    from core.config.project import open_project
    from core.runs.session import Session

    os.chdir(folder)
    project, db = open_project(folder), connect(folder / "sidequest.db")
    run = runs.get(db, run_id)
    assert run is not None
    has = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (has + 200_000_000, resource.RLIM_INFINITY))

    async def train(session: Session) -> Ending:
        try:
            return await job.train(session)
        finally:  # to end, asyncio starts one thread more
            resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    with Session(project, db, run) as session:
        ending = asyncio.run(train(session))
    out.write_text(f"{ending.state.value} {ending.reason}")


async def test_out_of_memory(project: Project, db: sqlite3.Connection, weights: Path, tmp_path: Path) -> None:
    wide = RECIPES["sft"] | {"batch": 1024, "micro_batch": 1024, "steps": 2}
    project = trainable(project, db, weights, wide=wide)
    run = start.start_training(project, db, "wide")
    process = SERVER.Process(target=starved, args=(project.folder, run.id, tmp_path / "said"))
    process.start()
    process.join()
    message = (tmp_path / "said").read_text()
    assert message.startswith("failed out of memory: lower batch")
    assert "resume goes on from the last checkpoint" in message
    assert training.steps(db, run.id) == []


BLOCKED = """
import importlib.machinery, sys
found = importlib.machinery.PathFinder.find_spec
def find_spec(name, *rest):
    return None if name.partition(".")[0] in {"torch", "trl", "transformers", "peft"} else found(name, *rest)
importlib.machinery.PathFinder.find_spec = find_spec
from tui.cli import main
sys.exit(main(sys.argv[1:], prog_name="sidequest", standalone_mode=True))
"""


@pytest.mark.parametrize("verb", ["run", "estimate"])
def test_without_the_extra(project: Project, db: sqlite3.Connection, weights: Path, verb: str) -> None:
    trainable(project, db, weights, sft=RECIPES["sft"])
    completed = subprocess.run(
        [sys.executable, "-c", BLOCKED, "-C", str(project.folder), "train", verb, "sft"], capture_output=True, text=True
    )
    assert completed.returncode == 2
    assert "training needs the extra `train` (torch, transformers, peft, trl missing): pip install" in completed.stderr
    assert "Traceback" not in completed.stderr
    assert list(runs.newest(db)) == []
