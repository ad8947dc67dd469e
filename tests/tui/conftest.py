"""A project with examples, and the app on it."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import pytest
from textual.app import App
from textual.notifications import Notify
from textual.pilot import Pilot
from textual.widget import Widget

from core.config.project import Project
from storage import examples
from storage.database import transaction
from storage.schema import Evidence, Example, Status
from tests.conftest import example
from tui.app import SidequestApp
from tui.keymap import use

# What no rendered line may hold: C0 but newline, DEL, C1, bidi controls, lone surrogates.
RAW = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\u061c\ud800-\udfff]")


def put(db: sqlite3.Connection, *several: Example) -> None:
    """Insert examples."""
    with transaction(db):
        for one in several:
            examples.add(db, one)


def several(count: int) -> list[Example]:
    """So many examples with ids that sort in their order, over decisions, domains and levels."""
    return [
        example(
            id=f"01J{i:023d}",
            hypothesis=f"Claim number {i} about paid conversion.",
            decision=("VALIDATED", "REJECTED", "REFINED")[i % 3],
            domain=("market", "risk", "technical")[i % 3],
            level=1 + i % 5,
            created="2026-01-01T00:00:00Z",
            evidence=[
                Evidence(source=f"Report {i}", content=f"In period {i} sales rose by {i} %.", relevance=0.9),
                Evidence(source=f"Survey {i}", content="Customers said that they would pay.", relevance=0.4),
            ],
        )
        for i in range(count)
    ]


@pytest.fixture
def app(project: Project, db: sqlite3.Connection) -> SidequestApp:
    """The app on a project with twelve examples."""
    put(db, *several(12))
    return SidequestApp(project.folder)


def rendered(widget: Widget) -> str:
    """The text of all lines that a screen paints."""
    screen = widget.screen
    width, height = screen.size
    lines = screen._compositor.render_strips()
    assert width
    assert height
    return "\n".join("".join(segment.text for segment in strip) for strip in lines)


SIZE = (80, 24)


def status(db: sqlite3.Connection, number: int) -> Status:
    found = examples.get(db, f"01J{number:023d}")
    assert found is not None
    return found.status


def shown(pilot: Pilot[int]) -> str:
    return rendered(pilot.app.screen)


_HEARD: WeakKeyDictionary[App[Any], list[str]] = WeakKeyDictionary()


@pytest.fixture(autouse=True)
def keys_of_the_app() -> None:
    """Sentences call keys as they ship, whatever keymap a test before has used."""
    use({})


@pytest.fixture(autouse=True)
def heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write down every notice until a test clears them: the app itself lets the older ones go."""
    add, clear = App._on_notify, App.clear_notifications

    def hear(app: App[Any], event: Notify) -> None:
        _HEARD.setdefault(app, []).append(event.notification.message)
        add(app, event)

    def forget(app: App[Any]) -> None:
        _HEARD.pop(app, None)
        clear(app)

    monkeypatch.setattr(App, "_on_notify", hear)
    monkeypatch.setattr(App, "clear_notifications", forget)


def told(pilot: Pilot[int]) -> str:
    """What the app has told the person in notices since the test cleared them."""
    return "\n".join(_HEARD.get(pilot.app, []))


async def until(pilot: Pilot[int], condition: Callable[[], bool], seconds: float = 20.0, *, so: bool = True) -> None:
    """Wait until `condition` is `so`; fail with what the screen shows."""
    deadline = time.monotonic() + seconds
    while condition() is not so:
        assert time.monotonic() < deadline, shown(pilot)
        await pilot.pause(0.05)
