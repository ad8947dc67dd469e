"""The pictures of the README: `make screenshots` lets the app itself export them into docs/.

    python -m tests.screenshots [--training PROJECT]

With --training only that of Training is exported, from a project that has trained: that takes too long to be made here.
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import tempfile
import time
from pathlib import Path

from core.benchmark.start import start_benchmark as ask
from core.config.case import Mode
from core.config.project import Project, create, open_project
from core.dataset.splits import plan_splits
from core.generation.start import start_generation
from core.runs.control import run_status, stop
from core.runs.params import BenchmarkParams, GenerateParams
from storage import runs, splits
from storage.database import connect
from storage.schema import ReviewAction
from tests.stored import decide, read_all
from tui.app import SidequestApp

DOCS = Path(__file__).parent.parent / "docs"


async def picture(folder: Path, name: str, keys: list[str], wait_s: float) -> None:
    """Export one screen of the project in `folder`."""
    app = SidequestApp(folder)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press(*keys)
        await pilot.pause(wait_s)
        app.clear_notifications()
        await pilot.pause(0.3)
        (DOCS / f"{name}.svg").write_text(app.export_screenshot(title="Sidequest"), encoding="utf-8")


def _measured(project: Project, db: sqlite3.Connection) -> None:
    """Share the accepted examples out, and ask two models that need nothing but this machine about some of them."""
    list(splits.assign(db, plan_splits(project.task, db).family_splits))
    for model in ("majority", "bag-of-words"):
        asked = ask(project, db, BenchmarkParams(model=model, mode=Mode.DIRECT, split="test"))
        while not run_status(runs.get(db, asked.id) or asked).state.ended:
            time.sleep(0.1)


def main() -> None:
    """Export all pictures but one, or that one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--training", type=Path)
    trained = parser.parse_args().training
    if trained is None:
        sample()
    else:
        asyncio.run(picture(trained, "training", ["7"], 3.0))


def sample() -> None:
    """A sample project, half made and in part reviewed, then its screens."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "demo"
        create(folder)
        project = open_project(folder)
        db = connect(project.database)
        params = GenerateParams.of(project.task).model_copy(update={"n": 300, "flaws": 0.12})
        run = start_generation(project, db, params)
        while not run_status(runs.get(db, run.id) or run).state.ended:
            time.sleep(0.1)
        for number, one in enumerate(read_all(db)[:90]):
            decide(db, one.id, ReviewAction.REJECT if number % 17 == 5 else ReviewAction.ACCEPT)
        slow = GenerateParams.of(project.task).model_copy(update={"attempts_per_minute": 240, "flaws": 0.12})
        start_generation(project, db, slow)
        DOCS.mkdir(exist_ok=True)
        asyncio.run(picture(folder, "generate", ["2"], 4.0))
        asyncio.run(picture(folder, "home", [], 1.5))
        asyncio.run(picture(folder, "review", ["3"], 0.5))
        asyncio.run(picture(folder, "rejections", ["4"], 0.5))
        asyncio.run(picture(folder, "dataset", ["5"], 0.5))
        _measured(project, db)
        asyncio.run(picture(folder, "benchmark", ["6"], 3.0))
        for left in runs.newest(db):
            if not run_status(left).state.ended:
                stop(db, left.id)
        while any(not run_status(one).state.ended for one in runs.newest(db)):
            time.sleep(0.1)


if __name__ == "__main__":
    main()
