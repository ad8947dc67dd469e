"""The progress of review."""

from __future__ import annotations

import sqlite3
from collections import deque

from core.config.task import Task
from core.curriculum.plan import Quota

# The pace is that of the last five minutes of work. A reviewer who makes no decision for longer than AWAY_S is away.
WINDOW_S, AWAY_S = 300.0, 120.0


def accepted_quotas(task: Task, connection: sqlite3.Connection) -> dict[str, Quota]:
    """The quotas, counting what people have accepted; from counts that the database keeps."""
    rows = connection.execute(
        "SELECT decision, sum(examples) AS n FROM cell_counts WHERE status = 'accepted' GROUP BY decision"
    )
    have = {row["decision"]: row["n"] for row in rows}
    return {
        decision.name: Quota(decision.min, decision.max, decision.want, have.get(decision.name, 0))
        for decision in task.decisions
    }


class ReviewPace:
    """Decisions per minute of work, from the times at which they were made, in seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=1000)

    def add(self, now: float) -> None:
        """Count a decision made at `now`."""
        self._times.append(now)

    def undo(self) -> None:
        """Drop the newest decision, which was undone."""
        if self._times:
            self._times.pop()

    def per_minute(self) -> float | None:
        """The pace, from the times between decisions; None until there is one. It holds while nobody decides."""
        times, decisions, span = list(self._times), 0, 0.0
        for earlier, later in zip(reversed(times[:-1]), reversed(times), strict=False):
            if later - earlier <= AWAY_S and span < WINDOW_S:
                decisions, span = decisions + 1, span + later - earlier
        return decisions / span * 60 if span > 1 else None
