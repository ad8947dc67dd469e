"""Writes one act about many examples in a thread, and says how far it is."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from textual.message import Message

from storage.database import connect_durably
from storage.errors import UserError
from tui.keymap import key
from tui.screens.project_screen import ProjectScreen
from tui.widgets.bars import bar

# Writes an act in pieces, a transaction each, and yields after each how many examples or families are done.
Write = Callable[[sqlite3.Connection], Iterator[int]]


class BulkProgress(Message):
    """How many are done; `over` says that no more will be, `problem` why."""

    def __init__(self, done: int, *, over: bool = False, problem: str = "") -> None:
        super().__init__()
        self.done, self.over, self.problem = done, over, problem


class BulkWork:
    """The act of many that is being written, if there is one. The thread posts `BulkProgress` to `screen`."""

    def __init__(self, screen: ProjectScreen) -> None:
        self._screen = screen
        # What has happened to those that are done, such as "accepted"; '' if nothing is being written.
        self._label = ""
        self._done = self._total = 0
        self._describe_result: Callable[[], str] = str
        self._stop_requested = False

    @property
    def running(self) -> bool:
        """Whether an act is being written."""
        return bool(self._label)

    def __str__(self) -> str:
        return f"{self._label} {self._done:,} of {self._total:,}"

    def draw(self) -> str:
        """A bar with figures, and how to stop."""
        return f"{bar(self._done / self._total if self._total else 0.0, 10)} {self} · escape stops"

    def start(self, label: str, total: int, write: Write, describe_result: Callable[[], str] = lambda: "") -> None:
        """Begin to write an act about `total` examples or families.

        `describe_result` is asked in the end for what else to say than how many are `label`, such as "accepted".
        """
        self._label, self._done, self._total, self._stop_requested = label, 0, total, False
        self._describe_result = describe_result
        work = partial(self._write, self._screen.project.database, write)
        self._screen.run_worker(work, thread=True, group="act", exit_on_error=False)

    def stop(self) -> None:
        """Let the act end after the piece that is being written; what is done can be undone."""
        self._stop_requested = True

    def _write(self, database: Path, write: Write) -> None:
        """Write the act, in the thread."""
        problem, done = "", 0
        connection = None
        try:
            connection = connect_durably(database)
            for done in write(connection):
                self._screen.post_message(BulkProgress(done))
                if self._stop_requested:
                    break
        except (UserError, sqlite3.Error) as error:
            problem = str(error)
        finally:
            if connection is not None:
                connection.close()
        self._screen.post_message(BulkProgress(done, over=True, problem=problem))

    def update(self, event: BulkProgress) -> None:
        """Note how many are done."""
        self._done = event.done

    def finish(self, event: BulkProgress) -> str:
        """Note that the act is over, and say what was done."""
        label, self._label = self._label, ""
        total = "" if event.done == self._total else f" of {self._total:,}"
        summary = f"{event.done:,}{total} {label}"
        if event.problem:
            return f"{event.problem} ({summary})" if event.done else event.problem
        if event.done:
            return f"{summary}{self._describe_result()}; {key('dataset.undo')} takes all of it back"
        return summary
