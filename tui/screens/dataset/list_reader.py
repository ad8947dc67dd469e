"""Reads which examples a list shows, in a thread, so that the person goes on meanwhile."""

from __future__ import annotations

import sqlite3
import threading
import time
from array import array
from functools import partial
from pathlib import Path

from textual.message import Message
from textual.widget import Widget

from storage import listing
from storage.database import connect
from storage.errors import UserError
from storage.examples import Filter
from storage.listing import SortOrder

# After a change the list is read again, but so seldom that reading takes at most a twentieth of the time.
SHARE = 20
# The thread waits until the first rows are painted, but at most FIRST_S. Painting takes about PAINTED_S after the
# layout. Then the thread sleeps for GAP_S between pieces, which leaves time for keys, and posts rows once in MORE_S at
# most, since each post lays the screen out anew.
FIRST_S, PAINTED_S, GAP_S, MORE_S = 1.0, 0.15, 0.001, 0.25
# The thread does not wait for the painting of a list that begins with fewer rows.
SHORT = 50


class RowsRead(Message, bubble=False):
    """The next numbers that a reading found. `last`: no more follow. `problem`: why the rest could not be read.

    `reading` counts the readings. `waited` is how many seconds the thread waited until the first rows were painted.
    """

    def __init__(
        self, reading: int, numbers: array[int], *, last: bool = False, problem: str = "", waited: float = 0.0
    ) -> None:
        super().__init__()
        self.reading, self.numbers, self.last, self.problem, self.waited = reading, numbers, last, problem, waited


class ListReader:
    """Reads the numbers of all examples that match, in a thread; posts them to `widget` in pieces, as `RowsRead`."""

    def __init__(self, widget: Widget) -> None:
        self._widget = widget
        # Counts the readings: what an earlier one posts is dropped.
        self._reading = 0
        # Whether the present reading is over.
        self.complete = False
        # When it began, and how many seconds the last complete one took without waiting.
        self._began = self._took = 0.0
        # The thread's connection, by which it can be interrupted.
        self._connection: sqlite3.Connection | None = None
        # Whether the first rows of the present reading are on the screen.
        self._painted = threading.Event()

    @property
    def started(self) -> bool:
        """Whether any reading has begun."""
        return self._reading > 0

    @property
    def rested(self) -> bool:
        """Whether the last reading is long enough ago to read again."""
        return time.monotonic() - self._began >= SHARE * self._took

    def start(self, database: Path, where: Filter, order: SortOrder, *, wait_for_paint: bool) -> None:
        """Stop the present reading and begin another; `wait_for_paint`: let the first rows be painted first."""
        self.stop()
        self.complete = False
        self._began, self._painted = time.monotonic(), threading.Event()
        if not wait_for_paint:
            self._painted.set()
        work = partial(self._read, self._reading, database, where, order, self._painted)
        self._widget.run_worker(work, thread=True, group="list", exit_on_error=False)

    def stop(self) -> None:
        """Let the thread go; what it still posts is dropped."""
        self._reading += 1
        self._painted.set()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.interrupt()

    def is_current(self, event: RowsRead) -> bool:
        """Whether the present reading has posted `event`."""
        return event.reading == self._reading

    def finish(self, event: RowsRead) -> None:
        """Note that `event` is the last one of the present reading."""
        self.complete = True
        self._took = time.monotonic() - self._began - event.waited

    def go_on_when_painted(self) -> None:
        """Let the thread go on as soon as the rows that the widget has by now are on the terminal."""
        if not self._painted.is_set():
            # After the refresh the rows are laid out; some time later they are on the terminal as well.
            self._widget.call_after_refresh(self._widget.set_timer, PAINTED_S, self._painted.set)

    def _read(self, reading: int, database: Path, where: Filter, order: SortOrder, painted: threading.Event) -> None:
        """Read the list, in the thread; each piece is a message, so that nothing waits for it."""
        problem, posted, waited, gathered = "", 0.0, 0.0, array("q")
        try:
            connection = connect(database)
        except UserError as error:
            self._widget.post_message(RowsRead(reading, array("q"), last=True, problem=str(error)))
            return
        try:
            self._connection = connection
            for piece in listing.numbers(connection, where, order):
                if reading != self._reading:
                    return
                gathered.extend(piece)
                if time.monotonic() < posted + MORE_S:
                    time.sleep(GAP_S)
                    continue
                self._widget.post_message(RowsRead(reading, gathered))
                began = posted = time.monotonic()
                if not waited and len(gathered) > SHORT:
                    painted.wait(FIRST_S)
                    posted = time.monotonic()
                    waited = posted - began
                gathered = array("q")
        except sqlite3.Error as error:
            problem = str(error)
        finally:
            if self._connection is connection:
                self._connection = None
            connection.close()
        self._widget.post_message(RowsRead(reading, gathered, last=True, problem=problem, waited=waited))
