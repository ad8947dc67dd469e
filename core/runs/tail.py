"""A window on the log of a run: new lines as they come, older ones on demand, never more than a limit."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from core.runs.control import run_status
from storage import runs
from storage.schema import Event

PAGE = 300
# The most lines in the window: further ones push lines out at its other end.
LIMIT = 1500
# How often `follow` reads new lines.
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
        new_lines = self.down(connection)
        if not self.at_end:  # far behind: the lines between can be read by going up
            self.to_end(connection)
        return new_lines

    def down(self, connection: sqlite3.Connection) -> int:
        """Read the lines after the last one; returns how many came."""
        last = self.events[-1].id if self.events else 0
        newer = runs.events(connection, self.run, after=last, limit=PAGE, of_note=self.of_note)
        self.at_end = len(newer) < PAGE
        self.at_start = self.at_start and len(self.events) + len(newer) <= LIMIT
        self.events = [*self.events, *newer][-LIMIT:]
        return len(newer)

    def up(self, connection: sqlite3.Connection) -> int:
        """Read the lines before the first one; returns how many came."""
        first = self.events[0].id if self.events else 1
        older = runs.events_before(connection, self.run, before=first, limit=PAGE, of_note=self.of_note)
        self.at_start = len(older) < PAGE
        self.at_end = self.at_end and len(self.events) + len(older) <= LIMIT
        self.events = [*older, *self.events][:LIMIT]
        return len(older)


def follow(connection: sqlite3.Connection, run: str, after: int, *, of_note: bool = False) -> Iterator[Event]:
    """Yield the events of a run with an id above `after` as they come, until it has ended.

    `of_note`: only warnings and errors.
    """
    while True:
        # Read before the events, so that all events until the end are among them.
        current = runs.get(connection, run)
        has_ended = current is None or run_status(current).state.ended
        while new_events := runs.events(connection, run, after=after, of_note=of_note):
            yield from new_events
            after = new_events[-1].id
        if has_ended:
            return
        time.sleep(FOLLOW_S)
