"""One pass through a queue: its position, the item in front, and how many are left."""

from __future__ import annotations

import sqlite3

from core.review.item import ReviewItem, read_item
from storage import queues
from storage.examples import Filter
from storage.queues import PAGE, Cursor, Queue, QueueSize
from storage.schema import Example, Review, ReviewAction

# A search finds all matches before it returns the first: its pages are long, so that this happens seldom.
SEARCH_PAGE = 500


class Round:
    """The queue as `reviewer` goes through it. Decided items stay in it, so that one can go back."""

    def __init__(self, connection: sqlite3.Connection, queue: Queue, where: Filter, reviewer: str) -> None:
        self._connection = connection
        self.queue = queue
        self.where = where
        self._reviewer = reviewer
        self._keys: list[str] = []
        self._key_set: set[str] = set()
        self._after: Cursor = (0, ())
        self._exhausted = False
        self._initial_size: QueueSize | None = None
        # Keys that are no longer in the queue, since this round decided about them.
        self._decided: set[str] = set()
        self.position = 0

    def load_more(self) -> None:
        """Load the next page if the position is near the end of the loaded keys."""
        while not self._exhausted and len(self._keys) - self.position < PAGE // 2:
            limit = SEARCH_PAGE if self.where.text else PAGE
            page = queues.page(
                self._connection, self.queue, self.where, reviewer=self._reviewer, after=self._after, limit=limit
            )
            new_keys = [key for key in page.keys if key not in self._key_set]
            self._keys += new_keys
            self._key_set |= set(new_keys)
            self._after, self._exhausted = page.after, page.last

    def refresh(self) -> None:
        """Others have written: there may be more behind the end, or, if nothing is in front, anywhere."""
        self._exhausted = False
        if self.key is None:
            self._after, self._initial_size = (0, ()), None

    @property
    def key(self) -> str | None:
        """The key in front; None behind the end."""
        return self._keys[self.position] if self.position < len(self._keys) else None

    @property
    def has_items(self) -> bool:
        """Whether the round has any items."""
        return bool(self._keys)

    def item(self) -> ReviewItem | None:
        """The item in front, as it is now."""
        return read_item(self._connection, self.key) if self.key else None

    def move(self, step: int) -> None:
        """Move forward or back by `step`."""
        self.position = max(0, min(self.position + step, len(self._keys)))

    def bring_to_front(self, example: Example) -> None:
        """Put this example in front."""
        key = (example.attempt or example.id) if self.queue is Queue.REFUSED else example.id
        if key in self._key_set:
            self.position = self._keys.index(key)
        else:
            self._keys.insert(self.position, key)
            self._key_set.add(key)
        self._decided.discard(key)

    def mark_decided(self, review: Review) -> None:
        """Note the decision `review` about the item in front, which may take it out of the queue."""
        accepts_or_rejects = review.action in {ReviewAction.ACCEPT, ReviewAction.REJECT}
        leaves = {
            Queue.FLAGGED: review.action is ReviewAction.UNFLAG,
            Queue.SAMPLE: bool(review.value),
            Queue.SECOND: accepts_or_rejects or bool(review.value),
        }.get(self.queue, accepts_or_rejects)
        if leaves and self.key is not None:
            self._decided.add(self.key)

    def remaining(self) -> QueueSize:
        """How many items the queue holds now."""
        if queues.has_stored_count(self.queue, self.where):
            return queues.queue_size(self._connection, self.queue, self.where)
        if self._initial_size is None:
            size = queues.queue_size(self._connection, self.queue, self.where, reviewer=self._reviewer)
            self._initial_size = QueueSize(size.number + len(self._decided), size.more)
        return QueueSize(max(0, self._initial_size.number - len(self._decided)), self._initial_size.more)

    def size(self, remaining: QueueSize) -> int:
        """The size of this round: items that were decided, and those `remaining`."""
        return max(remaining.number + len(self._decided), len(self._keys))
