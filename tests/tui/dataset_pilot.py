"""Steps that the tests of Dataset share."""

from __future__ import annotations

import sqlite3

from textual.pilot import Pilot
from textual.widgets import Input

from storage import examples
from storage.search import parse_query
from tests.tui.conftest import shown, until
from tui.screens.dataset.screen import DatasetScreen


def front(pilot: Pilot[int]) -> DatasetScreen:
    found = next(screen for screen in pilot.app.screen_stack if isinstance(screen, DatasetScreen))
    assert isinstance(found, DatasetScreen)
    return found


async def opened(pilot: Pilot[int]) -> None:
    """Wait for the list, read to its end."""
    await pilot.press("5")
    await until(pilot, lambda: isinstance(pilot.app.screen, DatasetScreen))
    await until(pilot, lambda: front(pilot).example_list.complete)
    await pilot.pause()


async def narrowed(pilot: Pilot[int], query: str) -> None:
    """Filter, and wait for the answer."""
    await pilot.press("slash")
    front(pilot).query_one("#filter", Input).value = query
    await pilot.press("enter")
    await until(pilot, lambda: front(pilot).example_list.complete)
    await pilot.pause()


async def over(pilot: Pilot[int]) -> None:
    """Wait until nothing lies over the screen, and no act of many goes on."""
    await until(pilot, lambda: len(pilot.app.screen_stack) == 1 and "escape stops" not in shown(pilot))
    await until(pilot, lambda: front(pilot).example_list.complete)
    await pilot.pause()


def count(db: sqlite3.Connection, query: str) -> int:
    return examples.count(db, parse_query(query))
