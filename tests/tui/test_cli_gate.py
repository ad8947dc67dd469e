"""`sidequest gate`: which runs stand for the student and the reference, and what it says of them."""

from __future__ import annotations

import json
import sqlite3

from click.testing import CliRunner, Result

from core.config.project import Project
from storage import examples
from storage.database import transaction
from storage.schema import RunState, Status
from tests.conftest import example
from tests.tui.benchmark_pilot import RIGHT, WRONG, write_benchmark
from tui.cli import main


def gate(project: Project, *words: str) -> Result:
    return CliRunner().invoke(main, ["-C", str(project.folder), "gate", *words])


def test_a_run_that_was_stopped_at_its_start_does_not_stand_for_the_student(
    project: Project, db: sqlite3.Connection
) -> None:
    accepted = [example(id=f"01J{i:023d}", status=Status.ACCEPTED, family=f"f{i}") for i in range(60)]
    with transaction(db):
        for case in accepted:
            examples.add(db, case)
    early = write_benchmark(db, accepted, "smollm2-135m", [], run={"state": RunState.STOPPED})
    alone = gate(project)
    assert f"The student is run {early.id[-6:]}, smollm2-135m, mode direct, which is stopped:" in alone.stdout
    whole = write_benchmark(db, accepted, "smollm2-135m", [WRONG] * 50 + [RIGHT] * 10)
    written = write_benchmark(db, accepted, "smollm2-135m", [RIGHT] * 60, mode="reason", run={"id": "0" * 26})
    stopped = write_benchmark(db, accepted, "smollm2-135m", [], run={"state": RunState.STOPPED})
    assert early.id < stopped.id
    decided = json.loads(gate(project, "--json").stdout)
    assert (decided["student_run"], decided["student"]["right"], decided["student"]["n"]) == (whole.id, 10, 60)
    text = gate(project).stdout
    assert (
        f"The student is run {whole.id[-6:]}, smollm2-135m, mode direct. There is also reason "
        f"(run {written.id[-6:]}): --student RUN takes that." in text
    )
    assert "The reference is" not in text
