"""Whether a label is hidden from the person who decides."""

from __future__ import annotations

from core.review.item import ReviewItem
from storage.examples import Filter
from storage.queues import Queue


def why_not_blind(queue: Queue, where: Filter) -> str:
    """Why no label can be hidden in this queue; '' if it can."""
    if queue is Queue.CELL:
        return "the order by cell tells it"
    if queue is Queue.DISPUTED:
        return "who settles a disagreement must see it"
    return "the filter tells it" if where.decision else ""


class Blindness:
    """What `reviewer` wants hidden (`on`), and which labels they were shown since the app began."""

    def __init__(self, reviewer: str) -> None:
        self.enabled = True
        self._reviewer = reviewer
        self._seen: set[str] = set()

    def mark_seen(self, example: str) -> None:
        """The person is shown the label of this example."""
        self._seen.add(example)

    def why_not_hidden(self, item: ReviewItem, queue: Queue, where: Filter) -> str:
        """Why the label of `case` is no secret, whatever the person wants; '' if it is one."""
        if why := why_not_blind(queue, where):
            return why
        if item.has_seen_label(self._reviewer):
            return "you have decided this one"
        return "you have seen it" if item.example.id in self._seen else ""
