"""The check of a data set on a real database: each kind of finding, its severity, and the examples concerned."""

from __future__ import annotations

import sqlite3
import subprocess
from typing import Any

import pytest

from core.benchmark import start
from core.benchmark.leak_check import LeakError
from core.config.case import Mode
from core.config.project import Project
from core.curriculum.cell import Cell
from core.dataset.check import Check, CheckFinding, FindingKind, Severity, check_dataset
from core.dataset.measure import CHECK, command
from core.dataset.splits import plan_splits
from core.generation.procedural.source import write_example
from core.generation.source import Request
from core.runs.child_process import safe_environment
from storage import splits
from storage.database import transaction
from storage.examples import add
from storage.schema import Evidence, Example, Status
from storage.search import parse_query
from tests.conftest import HOSTILE, example
from tests.core.judged_runs import fill, params

CUES = {"VALIDATED": "rose", "REJECTED": "fell"}


def cued(number: int, decision: str, said: str = "", **change: Any) -> Example:
    """An accepted example, the only one of its family, whose evidence names its decision, or another one, by a cue."""
    noise = " ".join(f"n{number}w{position}" for position in range(12))
    piece = Evidence(source="A paper", content=f"{noise} {CUES[said or decision]}.", relevance=0.9)
    fields = {"hypothesis": f"Claim {number} is right of q{number}.", "evidence": [piece], "decision": decision}
    return example(**{"family": f"f{number}", "status": Status.ACCEPTED, **fields, **change})


def store(db: sqlite3.Connection, *several: Example) -> None:
    with transaction(db):
        for new_example in several:
            add(db, new_example)


def checked(project: Project, db: sqlite3.Connection, query: str = "") -> Check:
    steps = list(check_dataset(project.task, db, parse_query(query or "-status:rejected")))
    assert [bool(step.doing) for step in steps] == [True] * (len(steps) - 1) + [False]
    return steps[-1]


def findings(check: Check) -> dict[FindingKind, CheckFinding]:
    return {finding.kind: finding for finding in check.findings}


def test_two_labels_of_one_case_stop_if_both_are_accepted(project: Project, db: sqlite3.Connection) -> None:
    first, second, third = cued(1, "VALIDATED"), cued(1, "REJECTED", "VALIDATED"), cued(2, "VALIDATED")
    pending = cued(2, "REJECTED", "VALIDATED", status=Status.PENDING)
    store(db, third, pending)
    (finding,) = checked(project, db).findings
    assert (finding.kind, finding.severity, finding.count) == (FindingKind.TWO_LABELS, Severity.ADVISES, 1)
    store(db, first, second)
    check = checked(project, db)
    (finding,) = check.findings
    assert check.stops
    assert (finding.severity, finding.count) == (Severity.STOPS, 2)
    assert [(concern.severity.value, sorted(concern.ids)) for concern in finding.concerns] == [
        ("stops", sorted([first.id, second.id])),
        ("advises", sorted([third.id, pending.id])),
    ]
    assert finding.concerns[0].detail == "REJECTED 1, VALIDATED 1"
    assert finding.concerns[0].hypothesis == first.hypothesis


def test_leaks_are_findings_with_their_splits(project: Project, db: sqlite3.Connection) -> None:
    store(db, cued(1, "VALIDATED", split="train", family="f"), cued(2, "REJECTED", split="test", family="f"))
    twin = cued(3, "VALIDATED", split="dev")
    store(db, twin, cued(3, "VALIDATED", split="test", family="g"))
    check = checked(project, db)
    found = findings(check)
    assert set(found) == {FindingKind.FAMILY, FindingKind.CASE}
    assert found[FindingKind.FAMILY].concerns[0].detail == "test 1, train 1, family f"
    assert found[FindingKind.CASE].summary == "1 case in two splits, in different families"
    assert twin.id in found[FindingKind.CASE].concerns[0].ids
    assert [finding.severity for finding in check.findings] == [Severity.STOPS, Severity.STOPS]
    assert not checked(project, db, "split:test").stops


def test_a_cue_in_the_evidence_is_told_and_wrong_labels_are_suspected(project: Project, db: sqlite3.Connection) -> None:
    decisions = ["VALIDATED", "REJECTED"]
    store(db, *(cued(number, decisions[number % 2]) for number in range(120)))
    wrong = [cued(300 + number, decisions[number % 2], decisions[1 - number % 2]) for number in range(6)]
    store(db, *wrong)
    check = checked(project, db)
    found = findings(check)
    assert set(found) == {FindingKind.EVIDENCE_ALONE, FindingKind.LABEL_ERROR}
    assert not check.stops
    assert check.sides["evidence"].exists
    assert not check.sides["hypothesis"].exists
    assert "the most frequent decision: 50.0%" in found[FindingKind.EVIDENCE_ALONE].summary
    suspects = found[FindingKind.LABEL_ERROR].concerns
    assert {suspect.ids[0] for suspect in suspects[:6]} == {mistaken.id for mistaken in wrong}
    assert "labelled VALIDATED (0." in suspects[0].detail or "labelled REJECTED (0." in suspects[0].detail
    assert "its words say" in suspects[0].detail
    assert check.baseline is not None
    assert check.baseline.right >= 115


def procedural(project: Project, places: int) -> list[Example]:
    written = []
    for number in range(places):
        domain = project.task.domains[number % len(project.task.domains)].name
        level = project.task.levels[number % len(project.task.levels)].level
        for decision in project.task.labels:
            for slot in range(2):
                draft = write_example(project.task, Request(Cell(domain, level, decision), slot, 0, 0, 1 + number))
                assert draft.candidate is not None
                fields = {"family": draft.family, "domain": domain, "level": level, "source": "procedural"}
                written.append(
                    Example.model_validate(draft.candidate.model_dump() | fields | {"status": Status.ACCEPTED})
                )
    return written


def test_the_procedural_source_passes(project: Project, db: sqlite3.Connection) -> None:
    store(db, *procedural(project, 35))
    list(splits.assign(db, plan_splits(project.task, db).family_splits))
    check = checked(project, db)
    assert check.total == 210
    assert check.findings == []
    assert check.baseline is not None
    assert not check.baseline.exists


def test_nothing_and_little_have_no_figures(project: Project, db: sqlite3.Connection) -> None:
    check = checked(project, db)
    assert (check.total, check.findings) == (0, [])
    assert "needs 50 examples" in check.sides["hypothesis"].problem
    store(db, *(example(hypothesis=text, family=text) for text in HOSTILE))
    check = checked(project, db)
    assert check.baseline is not None
    assert "needs 50 examples" in check.baseline.problem


def test_one_query_reads_all_and_not_one_a_row(project: Project, db: sqlite3.Connection) -> None:
    def queries(count: int) -> int:
        seen: list[str] = []
        store(db, *(cued(1000 * count + number, "VALIDATED", split="train") for number in range(count)))
        db.set_trace_callback(seen.append)
        list(check_dataset(project.task, db))
        db.set_trace_callback(None)
        return sum(statement.lstrip().startswith("SELECT") for statement in seen)

    assert queries(60) == queries(240)


def test_the_process_prints_a_line_for_each_step(project: Project, db: sqlite3.Connection) -> None:
    store(db, cued(1, "VALIDATED"), cued(1, "REJECTED", "VALIDATED"))
    words = command("check", project.folder, "status:accepted")
    done = subprocess.run(words, env=safe_environment(), capture_output=True, text=True, check=True)
    checks = [CHECK.validate_json(output_line) for output_line in done.stdout.splitlines()]
    assert [check.doing == "" for check in checks] == [False, False, False, False, True]
    assert checks[-1] == checked(project, db, "status:accepted")
    wrong = subprocess.run(
        command("check", project.folder, "colour:red"), env=safe_environment(), capture_output=True, text=True
    )
    assert (wrong.returncode, "no field colour" in wrong.stderr) == (2, True)


# ------------------------------------------------------------------ what a benchmark does about it


@pytest.fixture
def no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """No process is started."""
    monkeypatch.setattr(start, "spawn", lambda *_: None)


def majority(**change: object) -> Any:
    return params("majority", Mode.DIRECT, **change)


def test_a_benchmark_over_leaks_is_refused_or_told_to_go_on(
    no_worker: None, project: Project, db: sqlite3.Connection
) -> None:
    learned, asked = cued(1, "VALIDATED", split="train"), cued(1, "VALIDATED", split="test", family="g")
    store(db, learned, asked)
    fill(db, 9)
    with pytest.raises(LeakError) as refused:
        start.start_benchmark(project, db, majority())
    message = str(refused.value)
    for words in ("1 case in two splits", learned.id[-6:], asked.id[-6:], "splits assign", "--allow-leaks"):
        assert words in message
    assert splits.frozen(db) == {}
    with pytest.raises(LeakError):
        start.start_benchmark(project, db, majority(split="", where="claim"))
    run = start.start_benchmark(project, db, majority(allow_leaks=True))
    assert start.benchmark_title(majority(allow_leaks=True)).endswith("leaks allowed")
    # What was asked once may be asked again, for the comparison.
    start.start_benchmark(project, db, majority(split="", like=run.id))


def test_what_is_not_asked_or_not_accepted_stops_nothing(
    no_worker: None, project: Project, db: sqlite3.Connection
) -> None:
    store(db, cued(1, "VALIDATED", split="train"), cued(1, "VALIDATED", split="dev", family="g"))
    store(
        db, cued(2, "VALIDATED", split="test"), cued(2, "VALIDATED", split="train", family="h", status=Status.PENDING)
    )
    start.start_benchmark(project, db, majority())
    start.start_benchmark(project, db, majority(split="train"))
    with pytest.raises(LeakError, match="1 case in two splits"):
        start.start_benchmark(project, db, majority(split="dev"))


def test_a_case_with_two_labels_is_refused(no_worker: None, project: Project, db: sqlite3.Connection) -> None:
    store(db, cued(1, "VALIDATED", split="test"), cued(1, "REJECTED", "VALIDATED", split="test"))
    with pytest.raises(LeakError, match="1 case with two labels"):
        start.start_benchmark(project, db, majority())
    start.start_benchmark(project, db, majority(allow_leaks=True))
