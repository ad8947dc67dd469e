"""A project on disk with a real database, and examples made by code."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from core.config.project import Project, create, open_project
from storage.database import connect
from storage.schema import Candidate, Evidence, Example

# The suite's workers share the machine: with several threads of torch each, they would wait for one another.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# How long an example takes is for the measurements: here it depends on what else the machine does.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# Everything that a terminal would act on, that markup would eat, or that a store cannot hold.
HOSTILE = [
    "[/",
    "[red]not red[/red]",
    "a[i]=b[j]",
    "[tag=value: x]",
    "\x1b]52;c;cm0gLXJmIC8=\x07",
    "\x1b[2J\x1b[31mred",
    "C1: \x9b31m \x9d52;c;x\x9c \x85",
    "bidi: \u202eevil\u202c \u2066x\u2069 \u200f",
    "lone: \ud800 \udfff",
    "nul \x00 bel \x07 del \x7f",
    "emoji 👩‍👩‍👧‍👦 🏳️‍🌈 CJK 漢字カナ 한글 wide",
    "new\nline\ttab\r return",
]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Hold a test that is marked as pure to it: no database, no connection, no process, no app, no torch."""
    if item.get_closest_marker("pure") is None:
        return (yield)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a pure test needs no database, no network, no process and no app: take the mark away")

    loaded = "torch" in sys.modules
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite3, "connect", refuse)
        patch.setattr(socket.socket, "connect", refuse)
        patch.setattr(subprocess, "Popen", refuse)
        if (textual := sys.modules.get("textual.app")) is not None:
            patch.setattr(textual.App, "run_test", refuse)
        result = yield
    assert loaded or "torch" not in sys.modules, "a pure test does without torch: take the mark away"
    return result


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A new project of the hypothesis task."""
    create(tmp_path / "project")
    return open_project(tmp_path / "project")


@pytest.fixture
def db(project: Project) -> Iterator[sqlite3.Connection]:
    """A connection to the project's database."""
    connection = connect(project.database)
    yield connection
    connection.close()


def candidate(**change: Any) -> Candidate:
    """A candidate that fits market, level 1, VALIDATED, but for `change`."""
    plain: dict[str, Any] = {
        "hypothesis": "A lower free-tier limit raises paid conversion.",
        "evidence": [
            Evidence(source="Cohort analysis", content="Conversion rose from 4.1 % to 6.0 %.", relevance=0.95),
            Evidence(source="Trial, spring", content="In the trial, conversion rose by half.", relevance=0.9),
        ],
        "reasoning": "Both sources show the rise.",
        "decision": "VALIDATED",
        "confidence": 0.95,
    }
    return Candidate.model_validate(plain | change)


def example(**change: Any) -> Example:
    """A pending example of market, level 1, VALIDATED, but for `change`."""
    plain = candidate().model_dump() | {"family": "f1", "domain": "market", "level": 1, "source": "import"}
    return Example.model_validate(plain | change)
