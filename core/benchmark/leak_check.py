"""Whether the examples of a benchmark measure anything: none may be in another split as well, or have two labels."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence

from core.config.task import Task
from core.dataset.check import FindingKind, count_of, find_contradictions
from core.dataset.fingerprints import ComparedExample, read_compared, splits_of
from core.dataset.leaks import Leak, find_leaks
from core.dataset.splits import ACCEPTED
from storage.errors import UserError
from storage.schema import Example

# The splits that are measured; what a model gets right of the train split proves nothing anyway.
_MEASURED = ("dev", "test")


class LeakError(UserError):
    """A benchmark over examples of which another split knows something. `findings` says what, without a way out."""

    def __init__(self, findings: str) -> None:
        super().__init__(
            f"{findings}: `sidequest dataset check` lists all such. `sidequest splits put none id:... --yes` and "
            "`sidequest splits assign --yes` put what belongs together into one split; "
            "`sidequest bench run --allow-leaks` goes on all the same"
        )
        self.findings = findings


def refuse_leaks(task: Task, connection: sqlite3.Connection, asked: Sequence[Example]) -> None:
    """Raise LeakError if an accepted example leaks into another split, or has another label elsewhere.

    Only the stored, accepted examples among `asked` count, and for leaks those in dev and test.
    """
    ids = frozenset(example.id for example in asked)
    measured = frozenset(example.id for example in asked if example.split in _MEASURED)
    compared = read_compared(connection, ACCEPTED)
    leaks = find_leaks(compared, task.limits.near_duplicate, asked=measured) if measured else []
    described = describe_leaks([leak for leak in leaks if leak.stops])
    two_labels = [
        contradiction.members
        for contradiction in find_contradictions(compared)
        if any(member.id in ids for member in contradiction.members)
    ]
    if two_labels:
        described.append(f"{count_of(FindingKind.TWO_LABELS, len(two_labels))} ({_name(two_labels[0])})")
    if described:
        raise LeakError(f"what is asked is not clean: {'; '.join(described)}")


def describe_leaks(leaks: Sequence[Leak]) -> list[str]:
    """How many leaks of each kind there are, with the examples of the first: '1 family in two splits (...)'."""
    counts = Counter(leak.kind for leak in leaks)
    firsts = {leak.kind: leak for leak in reversed(leaks)}
    return [
        f"{count_of(FindingKind(kind.value), count)} in two splits ({_name(firsts[kind].members)})"
        for kind, count in counts.items()
    ]


def _name(members: Sequence[ComparedExample]) -> str:
    """One example of each split by the end of its id; of two labels in one split, the first two."""
    by_split = {member.split: member for member in reversed(members) if member.accepted}
    named = list(by_split.values()) if len(splits_of(list(by_split.values()))) > 1 else list(members[:2])
    return ", ".join(f"{member.split} {member.id[-6:]}".strip() for member in named)
