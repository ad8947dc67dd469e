"""A project with a test split, and models at a loopback server, for tests of benchmarks."""

from __future__ import annotations

import json
import sqlite3
import zlib

from core.config.case import Mode
from core.config.project import FILE, Project, open_project
from core.runs.params import BenchmarkParams
from storage import examples
from storage.database import transaction
from storage.schema import Evidence, Run, Status
from tests.conftest import example
from tests.loopback import Body, Reaction

LABELS = ("VALIDATED", "REJECTED", "REFINED")


def fill(db: sqlite3.Connection, number: int, *, split: str = "test", family: str = "f") -> None:
    """Accepted examples of all labels, domains market and risk and levels 1 to 3, each a family of its own."""
    with transaction(db):
        for i in range(number):
            evidence = [Evidence(source=f"Source {i}", content=f"Figure {i} {'x' * (i % 7 * 20)}", relevance=0.9)]
            examples.add(
                db,
                example(
                    hypothesis=f"Hypothesis {split} {family} {i} of {split}{i}.",
                    evidence=evidence,
                    decision=LABELS[i % 3],
                    family=f"{family}{split}{i}",
                    split=split,
                    status=Status.ACCEPTED,
                    domain=("market", "risk")[i % 2],
                    level=1 + i % 3,
                ),
            )


def with_model(project: Project, url: str, **settings: object) -> Project:
    """The project with the model 'big' at `url`."""
    lines = {"model": "big", "base_url": url, "key_env": "", **settings}
    settings_lines = "\n".join(f"{name} = {json.dumps(value)}" for name, value in lines.items())
    path = project.folder / FILE
    path.write_text(f"{path.read_text()}\n[models.big]\n{settings_lines}\n")
    return open_project(project.folder)


def opinionated(body: Body) -> Reaction:
    """Decides by the words of the prompt: the same for the same case, and not always the same."""
    prompt = body["messages"][-1]["content"]
    decision = LABELS[zlib.crc32(prompt.encode()) % 3]
    return Reaction(content=json.dumps({"reasoning": "So.", "decision": decision, "confidence": 0.8}))


def params(model: str = "big", mode: Mode = Mode.SCHEMA, **change: object) -> BenchmarkParams:
    """Over the split test, unless `change` says otherwise."""
    return BenchmarkParams.model_validate({"model": model, "mode": mode, "split": "test"} | change)


def counted(db: sqlite3.Connection, run: Run) -> dict[str, int]:
    """How many predictions of a run have each outcome."""
    rows = db.execute("SELECT outcome, count(*) AS n FROM predictions WHERE run = ? GROUP BY 1", (run.id,))
    return {row["outcome"]: row["n"] for row in rows}
