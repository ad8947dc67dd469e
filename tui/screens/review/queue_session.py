"""The queue under review: which one it is, what narrows it, and the round through it."""

from __future__ import annotations

import sqlite3

from core.config.task import Task
from core.review.item import ReviewItem
from core.review.round import Round
from storage import queues
from storage.database import data_version
from storage.errors import UserError
from storage.queues import Queue
from storage.search import parse_query


class QueueSession:
    """The chosen `queue`, narrowed by `query`, and a round through it, begun when it is first needed."""

    def __init__(self, connection: sqlite3.Connection, reviewer: str) -> None:
        self.queue = Queue.UNCERTAIN
        self.query = ""
        self._connection = connection
        self._reviewer = reviewer
        self._round: Round | None = None
        # The version of the database at the last look for new examples.
        self._version = -1

    @property
    def round(self) -> Round:
        """The pass through the narrowed queue."""
        if self._round is None:
            self._round = Round(self._connection, self.queue, parse_query(self.query), self._reviewer)
        return self._round

    def choose(self, queue: Queue) -> None:
        """Begin a round through the whole of `queue`."""
        self.queue, self.query, self._round = queue, "", None

    def narrow(self, task: Task, query: str) -> str:
        """Begin a round through what matches `query`; returns what is wrong with it, '' if nothing is."""
        try:
            where = parse_query(query)
        except UserError as error:
            return str(error)
        unknown = task.find_unknown_names(where.domain, where.level, where.decision)
        if unknown:
            return "; ".join(unknown)
        if self.queue is Queue.REFUSED and (parts := queues.inapplicable_to_attempts(where)):
            return (
                f"what QA rejected has no {', '.join(parts)}: narrow it by words, domain, level, decision, source ..."
            )
        self.query, self._round = query, None
        return ""

    def read(self) -> ReviewItem | None:
        """Look for new examples if there may be some; returns what is in front, None behind the end of the queue."""
        version = data_version(self._connection)
        if version != self._version or self.round.key is None:
            self._version = version
            self.round.refresh()
        self.round.load_more()
        return self.round.item()

    def step(self, step: int) -> bool:
        """Go on or back; returns whether that led from behind the end to the beginning of a new round."""
        at_end = self.round.key is None
        self.round.move(step)
        begins_anew = step > 0 and at_end and self.round.remaining().number > 0
        if begins_anew:
            # What was skipped, and what came in before the position of the round, waits at the beginning.
            self._round = None
        return begins_anew
