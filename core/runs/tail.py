"""A window on the log of a run: the newest lines as they come, older ones on demand, never more than so many."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from core.runs.control import run_status
from storage import runs
from storage.schema import Event

PAGE = 300
# So many lines are held: at the far end of the window others go.
LIMIT = 1500
# So often whoever follows a log looks for new lines.
FOLLOW_S = 0.5


@dataclass
class Tail:
    """Lines of one run's log in their order; `of_note`: only warnings and errors.

    `at_end`, `at_start`: whether the window reaches the newest line, and the oldest.
    """

    run: str
    of_note: bool = False
    events: list[Event] = field(default_factory=list)
    at_end: bool = True
    at_start: bool = False

    def to_end(self, connection: sqlite3.Connection) -> None:
        """Show the newest lines."""
        self.events = runs.events_before(connection, self.run, limit=PAGE, of_note=self.of_note)
        self.at_end, self.at_start = True, len(self.events) < PAGE

    def to_start(self, connection: sqlite3.Connection) -> None:
        """Show the oldest lines."""
        self.events = runs.events(connection, self.run, limit=PAGE, of_note=self.of_note)
        self.at_start, self.at_end = True, len(self.events) < PAGE

    def to(self, connection: sqlite3.Connection, event: int) -> None:
        """Show the lines around an event."""
        older = runs.events_before(connection, self.run, before=event, limit=PAGE // 2, of_note=self.of_note)
        newer = runs.events(connection, self.run, after=event - 1, limit=PAGE // 2, of_note=self.of_note)
        self.events = [*older, *newer]
        self.at_start, self.at_end = len(older) < PAGE // 2, len(newer) < PAGE // 2

    def follow(self, connection: sqlite3.Connection) -> int:
        """Read all lines that came after the newest one; returns how many there are."""
        more = self.down(connection)
        if not self.at_end:  # far behind: what lies between can be read by going up
            self.to_end(connection)
        return more

    def down(self, connection: sqlite3.Connection) -> int:
        """Read lines that follow the last one; returns how many came."""
        last = self.events[-1].id if self.events else 0
        more = runs.events(connection, self.run, after=last, limit=PAGE, of_note=self.of_note)
        self.at_end = len(more) < PAGE
        self.at_start = self.at_start and len(self.events) + len(more) <= LIMIT
        self.events = [*self.events, *more][-LIMIT:]
        return len(more)

    def up(self, connection: sqlite3.Connection) -> int:
        """Read lines that come before the first one; returns how many there were."""
        first = self.events[0].id if self.events else 1
        more = runs.events_before(connection, self.run, before=first, limit=PAGE, of_note=self.of_note)
        self.at_start = len(more) < PAGE
        self.at_end = self.at_end and len(self.events) + len(more) <= LIMIT
        self.events = [*more, *self.events][:LIMIT]
        return len(more)


def follow(connection: sqlite3.Connection, run: str, after: int, *, of_note: bool = False) -> Iterator[Event]:
    """Lines of a run with an id above `after` as they come, until it has ended; `of_note`: only warnings and errors."""
    while True:
        # Asked before the lines are read: all that came until the end is among them.
        found = runs.get(connection, run)
        over = found is None or run_status(found).state.ended
        while more := runs.events(connection, run, after=after, of_note=of_note):
            yield from more
            after = more[-1].id
        if over:
            return
        time.sleep(FOLLOW_S)
