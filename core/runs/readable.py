"""Which stored runs can be read: a damaged run is one line in the list, and never the end of the app."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from core.runs.params import UnreadableRunError, parse_params
from core.runs.progress import RunProgress, parse_progress
from storage import runs
from storage.schema import Run


def problem_of(run: Run) -> str:
    """Why `run` cannot be read, as a sentence; '' if it can."""
    try:
        parse_params(run)
        parse_progress(run)
    except UnreadableRunError as error:
        return str(error)
    return ""


def progress_or_none(run: Run) -> RunProgress:
    """The progress of `run`; one without any figures, if it cannot be read."""
    try:
        return parse_progress(run)
    except UnreadableRunError:
        return RunProgress()


def readable_runs(stored: Iterable[Run]) -> list[Run]:
    """Those of the `stored` runs whose params and progress can be parsed, in their order."""
    return [run for run in stored if not problem_of(run)]


def readable_of_kind(connection: sqlite3.Connection, kind: str) -> list[Run]:
    """All runs of a kind that can be read, newest first."""
    return readable_runs(runs.of_kind(connection, kind))
