"""How far review has come."""

from __future__ import annotations

import sqlite3
from collections import deque

from core.curriculum.plan import Quota
from core.task import Task

# Decisions per minute are those of the last five minutes.
WINDOW_S = 300.0


def accepted(task: Task, connection: sqlite3.Connection) -> dict[str, Quota]:
    """The quotas, counting what a person has accepted; from counts that the database keeps."""
    rows = connection.execute(
        "SELECT decision, sum(examples) AS n FROM cell_counts WHERE status = 'accepted' GROUP BY decision"
    )
    have = {row["decision"]: row["n"] for row in rows}
    return {one.name: Quota(one.min, one.max, one.want, have.get(one.name, 0)) for one in task.decisions}


class Pace:
    """Decisions per minute, from the times at which they were made, in seconds of any clock that only goes on."""

    def __init__(self) -> None:
        self._times: deque[float] = deque()

    def add(self, now: float) -> None:
        """A decision was made."""
        self._times.append(now)

    def take_back(self) -> None:
        """The newest decision was undone."""
        if self._times:
            self._times.pop()

    def per_minute(self, now: float) -> float | None:
        """The pace; None before there is one."""
        while self._times and now - self._times[0] > WINDOW_S:
            self._times.popleft()
        span = now - self._times[0] if len(self._times) > 1 else 0.0
        return (len(self._times) - 1) / span * 60 if span > 1 else None
