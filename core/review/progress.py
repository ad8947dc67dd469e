"""How far review has come."""

from __future__ import annotations

import sqlite3
from collections import deque

from core.config.task import Task
from core.curriculum.plan import Quota

# Decisions per minute are those of the last five minutes of work. Who makes none for longer than a while is away.
WINDOW_S, AWAY_S = 300.0, 120.0


def accepted_quotas(task: Task, connection: sqlite3.Connection) -> dict[str, Quota]:
    """The quotas, counting what a person has accepted; from counts that the database keeps."""
    rows = connection.execute(
        "SELECT decision, sum(examples) AS n FROM cell_counts WHERE status = 'accepted' GROUP BY decision"
    )
    have = {row["decision"]: row["n"] for row in rows}
    return {one.name: Quota(one.min, one.max, one.want, have.get(one.name, 0)) for one in task.decisions}


class ReviewPace:
    """Decisions per minute of work, from the times at which they were made, in seconds of a clock that only goes on."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=1000)

    def add(self, now: float) -> None:
        """A decision was made."""
        self._times.append(now)

    def undo(self) -> None:
        """The newest decision was undone."""
        if self._times:
            self._times.pop()

    def per_minute(self) -> float | None:
        """The pace, from the times between decisions; None before there is one. It stays while nobody decides."""
        times, decisions, span = list(self._times), 0, 0.0
        for earlier, later in zip(reversed(times[:-1]), reversed(times), strict=False):
            if later - earlier <= AWAY_S and span < WINDOW_S:
                decisions, span = decisions + 1, span + later - earlier
        return decisions / span * 60 if span > 1 else None
