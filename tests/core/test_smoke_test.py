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
    found = await smoke_test(project, db, "majority")
    assert (found.ok, found.decision, found.mode, found.tokens_per_s) == (True, "VALIDATED", Mode.DIRECT, None)


async def test_what_has_nothing_to_learn_from_says_so(project: Project, db: sqlite3.Connection) -> None:
    """And it answers once it has."""
    found = await smoke_test(project, db, "bag-of-words")
    assert not found.ok
    assert found.detail.startswith("bag-of-words needs accepted examples of two decisions")
    with transaction(db):
        for number, decision in enumerate(["VALIDATED", "REJECTED"]):
            one = example(hypothesis=f"{decision} {number}.", decision=decision, family=decision, split="train")
            examples.add(db, one.model_copy(update={"status": Status.ACCEPTED}))
    found = await smoke_test(project, db, "bag-of-words")
    # It is asked the newest example, which it has learnt from.
    assert (found.ok, found.decision) == (True, "REJECTED")


async def test_a_model_that_is_not_there_says_what_to_do(project: Project, db: sqlite3.Connection) -> None:
    """Its name is not said twice."""
    path = project.folder / FILE
    path.write_text(path.read_text(encoding="utf-8") + '\n[local.tiny]\npath = "tiny"\n', encoding="utf-8")
    found = await smoke_test(open_project(project.folder), db, "tiny")
    assert not found.ok
    assert found.detail.startswith("there is no model at")


async def test_a_model_of_this_machine_answers(project: Project, db: sqlite3.Connection) -> None:
    """With its speed, and what it computes in; one that rambles has answered, too."""
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from tests.tiny_model import save

    save(project.folder / "tiny", max_position_embeddings=4096)
    table = '\n[local.tiny]\npath = "tiny"\nprecision = "fp32"\nmax_output_tokens = 8\n'
    path = project.folder / FILE
    path.write_text(path.read_text(encoding="utf-8") + table, encoding="utf-8")
    found = await smoke_test(open_project(project.folder), db, "tiny")
    assert found.ok, found.detail
    assert (found.mode, found.outcome, found.decision) == (Mode.REASON, Outcome.TRUNCATED, None)
    assert found.runs_on.startswith("float32 on ")
    assert found.tokens_per_s is not None
    assert found.opened_s > 0
