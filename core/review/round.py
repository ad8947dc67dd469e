"""One pass through a queue: where it stands, what is in front, what is left."""

from __future__ import annotations

import sqlite3

from core.review.item import ReviewItem, read_item
from storage import queues
from storage.examples import Filter
from storage.queues import PAGE, Cursor, Queue, QueueSize
from storage.schema import Example, Review, ReviewAction

# A search finds all before it gives the first: its pages are long, so that this is seldom done.
SEARCH_PAGE = 500


class Round:
    """The queue as `reviewer` goes through it. What was decided stays in it, so that one can go back."""

    def __init__(self, connection: sqlite3.Connection, queue: Queue, where: Filter, reviewer: str) -> None:
        self._connection = connection
        self.queue = queue
        self.where = where
        self._reviewer = reviewer
        self._keys: list[str] = []
        self._known: set[str] = set()
        self._after: Cursor = (0, ())
        self._exhausted = False
        self._counted: QueueSize | None = None
        # Of these the queue would not hold a round that began now.
        self._gone: set[str] = set()
        self.position = 0

    def load_more(self) -> None:
        """Fetch the next page while the one in front is near the end of what is known."""
        while not self._exhausted and len(self._keys) - self.position < PAGE // 2:
            limit = SEARCH_PAGE if self.where.text else PAGE
            page = queues.page(
                self._connection, self.queue, self.where, reviewer=self._reviewer, after=self._after, limit=limit
            )
            found = [key for key in page.keys if key not in self._known]
            self._keys += found
            self._known |= set(found)
            self._after, self._exhausted = page.after, page.last

    def refresh(self) -> None:
        """Others have written: there may be more behind the end, or, if nothing is in front, anywhere."""
        self._exhausted = False
        if self.key is None:
            self._after, self._counted = (0, ()), None

    @property
    def key(self) -> str | None:
        """The key in front; None behind the end."""
        return self._keys[self.position] if self.position < len(self._keys) else None

    @property
    def has_items(self) -> bool:
        """Whether there is anything in the round."""
        return bool(self._keys)

    def item(self) -> ReviewItem | None:
        """What is in front, as it now is."""
        return read_item(self._connection, self.key) if self.key else None

    def move(self, step: int) -> None:
        """Go on or back."""
        self.position = max(0, min(self.position + step, len(self._keys)))

    def bring_to_front(self, example: Example) -> None:
        """Show this example now."""
        key = (example.attempt or example.id) if self.queue is Queue.REFUSED else example.id
        if key in self._known:
            self.position = self._keys.index(key)
        else:
            self._keys.insert(self.position, key)
            self._known.add(key)
        self._gone.discard(key)

    def done(self, review: Review) -> None:
        """What is in front was decided: it may be none of the queue's any more."""
        accepts_or_rejects = review.action in {ReviewAction.ACCEPT, ReviewAction.REJECT}
        leaves = {
            Queue.FLAGGED: review.action is ReviewAction.UNFLAG,
            Queue.SAMPLE: bool(review.value),
            Queue.SECOND: accepts_or_rejects or bool(review.value),
        }.get(self.queue, accepts_or_rejects)
        if leaves and self.key is not None:
            self._gone.add(self.key)

    def remaining(self) -> QueueSize:
        """How many the queue holds now."""
        if queues.has_stored_count(self.queue, self.where):
            return queues.queue_size(self._connection, self.queue, self.where)
        if self._counted is None:
            found = queues.queue_size(self._connection, self.queue, self.where, reviewer=self._reviewer)
            self._counted = QueueSize(found.number + len(self._gone), found.more)
        return QueueSize(max(0, self._counted.number - len(self._gone)), self._counted.more)

    def size(self, remaining: QueueSize) -> int:
        """How many this round has: what it held that is gone, and what is `left`."""
        return max(remaining.number + len(self._gone), len(self._keys))
