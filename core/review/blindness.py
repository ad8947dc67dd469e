"""Whether a label is hidden from the person who decides."""

from __future__ import annotations

from core.review.item import ReviewItem
from storage.examples import Filter
from storage.queues import Queue


def why_not_blind(queue: Queue, where: Filter) -> str:
    """Why the label cannot be hidden in this queue; '' if it can."""
    if queue is Queue.CELL:
        return "the order by cell tells it"
    if queue is Queue.DISPUTED:
        return "who settles a disagreement must see it"
    return "the filter tells it" if where.decision else ""


class Blindness:
    """Whether `reviewer` wants labels hidden (`enabled`), and which labels they have seen since the app started."""

    def __init__(self, reviewer: str) -> None:
        self.enabled = True
        self._reviewer = reviewer
        self._seen: set[str] = set()

    def mark_seen(self, example: str) -> None:
        """Remember that the person has seen the label of this example."""
        self._seen.add(example)

    def why_not_hidden(self, item: ReviewItem, queue: Queue, where: Filter) -> str:
        """Why the label of `item` is not hidden from the person, if they want it hidden; '' if it is."""
        if reason := why_not_blind(queue, where):
            return reason
        if item.has_seen_label(self._reviewer):
            return "you have decided this one"
        return "you have seen it" if item.example.id in self._seen else ""
