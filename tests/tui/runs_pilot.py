"""What the tests of the Runs screen share."""

from __future__ import annotations

from textual.pilot import Pilot

from tests.tui.conftest import until
from tui.screens.runs.event_log import EventLog
from tui.screens.runs.screen import RunsScreen


async def opened(pilot: Pilot[int]) -> RunsScreen:
    await pilot.press("8")
    await until(pilot, lambda: isinstance(pilot.app.screen, RunsScreen))
    await pilot.pause()
    screen = pilot.app.screen
    assert isinstance(screen, RunsScreen)
    return screen


def log_of(pilot: Pilot[int]) -> EventLog:
    return pilot.app.screen.query_one("#log", EventLog)
