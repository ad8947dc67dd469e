"""The verbs of review: labels, queues, agreement, notes, and who decides."""

from __future__ import annotations

import sqlite3

from core.config.project import Project
from storage import reviews
from storage.schema import Result, ReviewAction
from tests.conftest import HOSTILE, example
from tests.stored import decide
from tests.tui.conftest import put, several
from tests.tui.test_cli import data, run
from tests.tui.test_review_queues import attempt


def test_a_label_accepts_where_it_agrees_and_is_kept_where_not(project: Project, db: sqlite3.Connection) -> None:
    put(db, *several(3))
    first, second = (f"01J{number:023d}" for number in range(2))
    agreed = data("--as", "ann", "review", "label", first, "VALIDATED", cwd=project.folder)
    assert (agreed["agrees"], agreed["example"]["status"]) == (True, "accepted")
    other = data("review", "label", second, "REFINED", "--note", "half true", "--as", "ben", cwd=project.folder)
    assert (other["agrees"], other["example"]["status"]) == (False, "pending")
    said = [(one.reviewer, one.action, one.value, one.note) for one in reviews.newest(db, 2)]
    assert said == [("ben", ReviewAction.LABEL, "REFINED", "half true"), ("ann", ReviewAction.ACCEPT, "VALIDATED", "")]
    plain = run("review", "label", second, "REJECTED", cwd=project.folder)
    assert "you decided REJECTED, as the label says" in plain.stdout
    wrong = run("review", "label", second, "SPORTS", cwd=project.folder)
    assert (wrong.returncode, "no decision SPORTS" in wrong.stderr) == (2, True)
    listed = run("review", "list", cwd=project.folder)
    assert "half true" in listed.stdout


def test_queues_are_listed_as_the_app_shows_them(project: Project, db: sqlite3.Connection) -> None:
    put(db, *several(4), example(id="01Z" + "0" * 23, certainty=0.2))
    found = data("review", "queue", "uncertain", "--limit", "2", cwd=project.folder)
    assert [one["id"] for one in found] == ["01Z" + "0" * 23, f"01J{0:023d}"]
    text = run("review", "queue", "newest", "--limit", "1", cwd=project.folder)
    assert "1 of 5" in text.stderr
    assert "unknown" in run("review", "queue", "oldest", "--narrow", "level:1", cwd=project.folder).stdout
    assert "the queue is empty" in run("review", "queue", "second", cwd=project.folder).stderr
    wrong = run("review", "queue", "newest", "--narrow", "colour:red", cwd=project.folder)
    assert (wrong.returncode, "no field colour" in wrong.stderr) == (2, True)
    data("--as", "ann", "review", "accept", f"01J{1:023d}", cwd=project.folder)
    assert len(data("--as", "ben", "review", "queue", "second", cwd=project.folder)) == 1
    assert data("--as", "ann", "review", "queue", "second", cwd=project.folder) == []


def test_what_the_judge_rejected_can_be_accepted_by_its_attempt(project: Project, db: sqlite3.Connection) -> None:
    made = attempt(db, 0, result=Result.REJECTED)
    [one] = data("review", "queue", "refused", cwd=project.folder)
    assert one["id"] == made.id
    assert data("review", "accept", made.id, cwd=project.folder)["example"]["status"] == "accepted"
    assert [line.action for line in reviews.newest(db, 5)] == [ReviewAction.ACCEPT, ReviewAction.OVERRULE]
    undone = data("review", "undo", cwd=project.folder)
    assert undone["example"]["status"] == "rejected"
    assert len(data("review", "queue", "refused", cwd=project.folder)) == 1


def test_agreement_is_printed_with_intervals(project: Project, db: sqlite3.Connection) -> None:
    assert data("review", "agreement", cwd=project.folder) == {"decisions": 0, "pairs": [], "together": None}
    assert "nothing to compare yet" in run("review", "agreement", cwd=project.folder).stderr
    put(db, *several(6), example(id="01Z" + "0" * 23, hypothesis="x"))
    for number in range(6):
        value = ("VALIDATED", "REJECTED", "REFINED")[number % 3] if number else "REJECTED"
        decide(db, f"01J{number:023d}", ReviewAction.LABEL, value=value, version=1, reviewer=HOSTILE[4])
    [pair] = data("review", "agreement", cwd=project.folder)["pairs"]
    assert (pair["agreed"], pair["examples"], pair["whom"]) == (5, 6, "the label")
    assert 0 < pair["kappa"]["value"] < 1
    text = run("review", "agreement", cwd=project.folder).stdout
    assert "5/6" in text
    assert "\x1b" not in text


def test_undo_is_ones_own_where_one_has_a_name(project: Project, db: sqlite3.Connection) -> None:
    put(db, *several(2))
    data("--as", "ann", "review", "accept", f"01J{0:023d}", cwd=project.folder)
    data("--as", "ben", "review", "accept", f"01J{1:023d}", "--note", "fine", cwd=project.folder)
    assert data("--as", "ann", "review", "undo", cwd=project.folder)["undone"]["reviewer"] == "ann"
    assert run("--as", "ann", "review", "undo", cwd=project.folder).returncode == 2
    assert data("review", "undo", cwd=project.folder)["undone"]["note"] == "fine"
