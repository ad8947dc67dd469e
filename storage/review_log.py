"""How the append-only log of reviews is read: which lines are in effect, and what they say about an example.

The rules stand here in both forms: as functions of a log that was read, and as SQL over `reviews AS r`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from storage.schema import Review, ReviewAction, Status


def not_undone(alias: str) -> str:
    """The SQL condition that the line of the log called `alias` was not undone."""
    return f"NOT EXISTS (SELECT 1 FROM reviews AS u WHERE u.undoes = {alias}.id)"


NOT_UNDONE = not_undone("r")
IN_EFFECT = f"r.action <> 'undo' AND {NOT_UNDONE}"
# The line is a person's decision about the example, see `is_undecided`.
DECIDES = f"r.action IN ('accept', 'reject') AND {NOT_UNDONE}"


@dataclass(frozen=True, slots=True)
class ReviewState:
    """What the log says about one example. `version` is the newest that was not undone."""

    status: Status = Status.PENDING
    flagged: bool = False
    version: int = 1


def effective_reviews(log: Iterable[Review]) -> list[Review]:
    """The lines of a log that are in effect, in its order: neither undone nor an undo."""
    entries = list(log)
    undone = {entry.undoes for entry in entries if entry.action is ReviewAction.UNDO}
    return [entry for entry in entries if entry.action is not ReviewAction.UNDO and entry.id not in undone]


def derive_state(log: Iterable[Review], *, refused: bool = False) -> ReviewState:
    """The state of one example from its reviews, in the order of the log; undone lines do not count.

    An example that QA had `refused` is rejected until a person says otherwise.
    """
    status, flagged, version = Status.REJECTED if refused else Status.PENDING, False, 1
    for entry in effective_reviews(log):
        match entry.action:
            case ReviewAction.ACCEPT:
                status = Status.ACCEPTED
            case ReviewAction.REJECT:
                status = Status.REJECTED
            case ReviewAction.FLAG:
                flagged = True
            case ReviewAction.UNFLAG:
                flagged = False
            case ReviewAction.EDIT:
                version = entry.version or version
            case ReviewAction.OVERRULE:
                status = Status.PENDING
            case ReviewAction.LABEL | ReviewAction.SPLIT | ReviewAction.UNDO:
                pass
    return ReviewState(status, flagged, version)


def is_undecided(log: Iterable[Review]) -> bool:
    """Whether no person has accepted or rejected the example, or whoever did has undone it."""
    return not any(entry.action in {ReviewAction.ACCEPT, ReviewAction.REJECT} for entry in effective_reviews(log))


def needs_overrule(status: Status, log: Iterable[Review]) -> bool:
    """Whether accepting an example that QA refused has to overrule QA first: nobody has decided about it yet."""
    return status is Status.REJECTED and is_undecided(log)


def overrule_line(accepting: Review) -> Review:
    """The line that overrules QA before the line `accepting`, by the same person and in the same batch."""
    return accepting.model_copy(
        update={"action": ReviewAction.OVERRULE, "reason": "", "note": "", "value": "", "version": None}
    )
