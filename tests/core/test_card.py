"""The card of an exported data set."""

from __future__ import annotations

import sqlite3

import pytest

from core.config.project import Project
from core.exchange.card import COLUMNS, ExportCounts, dataset_card, known_limits
from core.exchange.record_reader import NO_REASONING
from storage import attempts, examples, runs
from storage.database import transaction
from storage.examples import Filter
from storage.schema import Attempt, Example, Flaw, Outcome, Result, Run, Status, Verdict
from tests.conftest import HOSTILE, candidate, example


def store_and_count(db: sqlite3.Connection, *examples_: Example) -> ExportCounts:
    """These examples, stored and counted."""
    with transaction(db):
        for stored_example in examples_:
            examples.add(db, stored_example)
    counted = ExportCounts()
    counted.add(examples_)
    return counted


def accepted(number: int, **change: object) -> Example:
    """An accepted example of the train split with a family of its own, but for `change`."""
    usual = {"hypothesis": f"It is {number}.", "family": f"f{number}", "split": "train", "status": Status.ACCEPTED}
    return example(**usual | change)


def row(text: str, first: str) -> list[str]:
    """The cells of the first table row that begins with `first`."""
    line = next(candidate for candidate in text.splitlines() if candidate.startswith(f"| {first} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_it_counts_what_is_there(project: Project, db: sqlite3.Connection) -> None:
    """By split with its families, by level and by domain; each with its decisions."""
    counted = store_and_count(
        db,
        accepted(1),
        accepted(2, family="f1", decision="REJECTED"),
        accepted(3, level=10, domain="risk"),
        accepted(4, split="test"),
        accepted(5, split="", source="procedural", model="m", prompt_version="p-1"),
    )
    text = dataset_card(project.task, db, Filter(), counted, "CC-BY-4.0")
    assert row(text, "split") == ["split", "VALIDATED", "REJECTED", "all", "families"]
    assert row(text, "train") == ["train", "2", "1", "3", "2"]
    assert row(text, "test") == ["test", "1", "0", "1", "1"]
    assert row(text, "unassigned") == ["unassigned", "1", "0", "1", "1"]
    assert row(text, "10") == ["10", "1", "0", "1"]
    assert row(text, "risk") == ["risk", "1", "0", "1"]
    assert row(text, "procedural") == ["procedural", "m", "p-1", "1"]
    assert row(text, "REFINED")[1] == project.task.decisions[2].meaning
    header = text.split("---\n")[1]
    assert "license: cc-by-4.0\n" in header
    assert "  - split: train\n    path: train.parquet\n  - split: test\n    path: test.parquet\n" in header
    assert "dev.parquet" not in header


def test_it_tells_every_column() -> None:
    """A field that is added to an example is explained."""
    assert set(COLUMNS) == {*Example.model_fields, "licence"}


def test_it_tells_what_qa_and_people_said(project: Project, db: sqlite3.Connection) -> None:
    """With counts and intervals; what is not known is not said."""
    assert "QA caught" not in dataset_card(project.task, db, Filter(), store_and_count(db, accepted(1)), "")
    runs.add(db, Run(id="r", kind="generate"))
    for number in range(4):
        attempt = Attempt(
            run="r", domain="market", level=1, decision="VALIDATED", slot=number, number=0, idea=0, seed=0,
            outcome=Outcome.WRITTEN, candidate=candidate(), family="a", source="procedural",
        )  # fmt: skip
        attempts.add_attempt(db, attempt, Flaw.AMBIGUOUS if number == 0 else None)
        rejected = number < 2
        verdict = Verdict(attempt=attempt.id, stage="judge", result=Result.REJECTED if rejected else Result.PASSED)
        accepted_example = accepted(10 + number, attempt=attempt.id, run="r", family="a")
        attempts.add_verdict(db, verdict, None if rejected else accepted_example)
    text = dataset_card(project.task, db, Filter(), ExportCounts(), "")
    assert "- QA rejected 2 of 4 (15.0–85.0 %) of the attempts that it decided on." in text
    assert "- QA caught 1 of 1 (20.7–100.0 %) of the flaws that were planted to measure it." in text
    assert "- QA refused 1 of 3 (6.1–79.2 %) of the attempts without a planted flaw." in text
    assert "- Of what QA passed and people decided on, they accepted 2 of 2 (34.2–100.0 %)." in text


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"status": Status.PENDING}, "1 of 1 are not accepted"),
        ({"refused": True}, "1 were rejected by QA"),
        ({"flagged": True}, "1 are flagged"),
        ({"reasoning": NO_REASONING}, "1 came without reasoning"),
        ({"split": ""}, "1 are in no split"),
        ({"source": "procedural"}, "synthetic English"),
        ({"split": "test"}, "`test` has 1 families"),
        ({"certainty": None}, "Of 1 of 1 no judge of QA has read"),
    ],
)
def test_limits_that_hold_are_told(change: dict[str, object], sentence: str) -> None:
    """And only those."""
    plain, other = ExportCounts(), ExportCounts()
    plain.add([accepted(1, certainty=0.9)])
    other.add([accepted(1, **{"certainty": 0.9} | change)])
    assert any(sentence in limit for limit in known_limits(other, {"test": 1} if change == {"split": "test"} else {}))
    assert not any(sentence in limit for limit in known_limits(plain, {}))


@pytest.mark.parametrize("text", [*HOSTILE, "a | b <script>", "![x](http://y)", "--- \n---\nlicense: mit"])
def test_no_name_breaks_it(project: Project, db: sqlite3.Connection, text: str) -> None:
    """Whatever a file or an endpoint called a source, a model or a domain: it is one cell, and shown as it is."""
    counted = store_and_count(db, accepted(1, source=text, model=text, domain=text))
    markdown = dataset_card(project.task, db, Filter(), counted, "")
    assert markdown.count("\n---\n") == 1
    assert all(character.isprintable() for line in markdown.splitlines() for character in line)
    assert "<script>" not in markdown
    assert "[x](" not in markdown
    assert len([line for line in markdown.splitlines() if line.endswith(" | 1 |")]) == 4
    assert "license: unknown" in markdown.split("---\n")[1]
