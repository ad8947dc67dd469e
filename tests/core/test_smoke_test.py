"""One question to a model of this machine, or to a baseline."""

from __future__ import annotations

import sqlite3

import pytest

from core.config.case import Mode
from core.config.project import FILE, Project, open_project
from core.models.smoke_test import smoke_test
from storage import examples
from storage.database import transaction
from storage.schema import Outcome, Status
from tests.conftest import example


async def test_a_baseline_answers(project: Project, db: sqlite3.Connection) -> None:
    """Also where there is no example yet."""
    result = await smoke_test(project, db, "majority")
    assert (result.ok, result.decision, result.mode, result.tokens_per_s) == (True, "VALIDATED", Mode.DIRECT, None)


async def test_what_has_nothing_to_learn_from_says_so(project: Project, db: sqlite3.Connection) -> None:
    """And it answers once it has."""
    result = await smoke_test(project, db, "bag-of-words")
    assert not result.ok
    assert result.detail.startswith("bag-of-words needs accepted examples of two decisions")
    with transaction(db):
        for number, decision in enumerate(["VALIDATED", "REJECTED"]):
            training_example = example(
                hypothesis=f"{decision} {number}.", decision=decision, family=decision, split="train"
            )
            examples.add(db, training_example.model_copy(update={"status": Status.ACCEPTED}))
    result = await smoke_test(project, db, "bag-of-words")
    # It is asked the newest example, which it has learnt from.
    assert (result.ok, result.decision) == (True, "REJECTED")


async def test_a_model_that_is_not_there_says_what_to_do(project: Project, db: sqlite3.Connection) -> None:
    """Its name is not said twice."""
    path = project.folder / FILE
    path.write_text(path.read_text(encoding="utf-8") + '\n[local.tiny]\npath = "tiny"\n', encoding="utf-8")
    result = await smoke_test(open_project(project.folder), db, "tiny")
    assert not result.ok
    assert result.detail.startswith("there is no model at")


async def test_a_model_of_this_machine_answers(project: Project, db: sqlite3.Connection) -> None:
    """With its speed, and what it computes in; one that rambles has answered, too."""
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from tests.tiny_model import save

    save(project.folder / "tiny", max_position_embeddings=4096)
    table = '\n[local.tiny]\npath = "tiny"\nprecision = "fp32"\nmax_output_tokens = 8\n'
    path = project.folder / FILE
    path.write_text(path.read_text(encoding="utf-8") + table, encoding="utf-8")
    result = await smoke_test(open_project(project.folder), db, "tiny")
    assert result.ok, result.detail
    assert (result.mode, result.outcome, result.decision) == (Mode.REASON, Outcome.TRUNCATED, None)
    assert result.runs_on.startswith("float32 on ")
    assert result.tokens_per_s is not None
    assert result.opened_s > 0
