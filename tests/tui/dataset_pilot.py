"""Steps that the tests of Dataset share."""

from __future__ import annotations

import sqlite3

from textual.pilot import Pilot
from textual.widgets import Input

from storage import examples
from storage.search import parse_query
from tests.tui.conftest import shown, until
from tui.screens.dataset.screen import DatasetScreen


def dataset_screen(pilot: Pilot[int]) -> DatasetScreen:
    """The screen, also while another lies over it."""
    return next(screen for screen in pilot.app.screen_stack if isinstance(screen, DatasetScreen))


async def open_dataset(pilot: Pilot[int]) -> None:
    """Go to Dataset, and wait until the list has been read."""
    await pilot.press("5")
    await until(pilot, lambda: isinstance(pilot.app.screen, DatasetScreen))
    await until(pilot, lambda: dataset_screen(pilot).example_list.complete)
    await pilot.pause()


async def apply_filter(pilot: Pilot[int], query: str) -> None:
    """Filter by `query`, and wait until the list has been read."""
    await pilot.press("slash")
    dataset_screen(pilot).query_one("#filter", Input).value = query
    await pilot.press("enter")
    await until(pilot, lambda: dataset_screen(pilot).example_list.complete)
    await pilot.pause()


async def wait_until_idle(pilot: Pilot[int]) -> None:
    """Wait until nothing lies over the screen, no act of many is being written, and the list has been read."""
    await until(pilot, lambda: len(pilot.app.screen_stack) == 1 and "escape stops" not in shown(pilot))
    await until(pilot, lambda: dataset_screen(pilot).example_list.complete)
    await pilot.pause()


def count(db: sqlite3.Connection, query: str) -> int:
    """How many examples match."""
    return examples.count(db, parse_query(query))
