"""Waiting for a run, with its progress in sight."""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Callable

from core.runs.control import run_status, stop
from core.runs.describe import format_duration
from core.runs.progress import RunProgress, parse_progress
from storage import runs
from storage.schema import Run
from tui.commands.context import RefusedError
from tui.commands.output import say

POLL_S = 0.25
LINE_S = 2.0
# What has not changed is said again now and then: it is still at work.
SAME_LINE_S = 60.0

# What a run does and has found, in a few words.
Tell = Callable[[Run], str]


def wait(connection: sqlite3.Connection, run: Run, tell: Tell, *, quiet: bool) -> Run:
    """Wait for a run to end, with what `tell` makes of its figures on stderr; Ctrl-C asks it to stop."""
    if quiet:
        return _poll(connection, run.id, lambda _: None)
    if sys.stderr.isatty():
        return _wait_with_bar(connection, run, tell)
    last_text, last_time = "", 0.0

    def line(current: Run) -> None:
        nonlocal last_text, last_time
        progress = parse_progress(current)
        if progress.total is None or time.monotonic() - last_time < LINE_S:
            return
        text = f"{progress.done}/{progress.total} · {tell(current)} · {_pace(progress)}"
        if text != last_text or time.monotonic() - last_time >= SAME_LINE_S:
            last_text, last_time = text, time.monotonic()
            say(text)

    return _poll(connection, run.id, line)


def _wait_with_bar(connection: sqlite3.Connection, run: Run, tell: Tell) -> Run:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True, markup=False)) as progress:
        bar = progress.add_task("starting", total=None)

        def draw(current: Run) -> None:
            figures = parse_progress(current)
            if figures.total is not None:
                text = f"{current.state} · {tell(current)}"
                progress.update(bar, total=figures.total, completed=figures.done, description=text)

        return _poll(connection, run.id, draw)


def _poll(connection: sqlite3.Connection, run_id: str, draw: Callable[[Run], None]) -> Run:
    while True:
        try:
            run = runs.get(connection, run_id)
            if run is None:
                raise RefusedError(f"run {run_id} is gone from the database")
            draw(run)
            if run_status(run).state.ended:
                return run
            time.sleep(POLL_S)
        except KeyboardInterrupt:
            say(stop(connection, run_id))


def _pace(progress: RunProgress) -> str:
    rate = progress.per_minute
    pace = "rate unknown" if rate is None else f"{rate:.0f}/min"
    return f"{pace} · eta {format_duration(progress.eta_s)}"
