"""The item in front of a reviewer, and the lines that a decision writes to the log."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass

from storage import attempts, examples, reviews
from storage.attempts import JudgedAttempt
from storage.review_log import effective_reviews, is_undecided, needs_overrule, overrule_line
from storage.schema import Candidate, Example, Review, ReviewAction, Status, Verdict

_DECISIONS = frozenset({ReviewAction.ACCEPT, ReviewAction.REJECT, ReviewAction.LABEL})


@dataclass(frozen=True, slots=True)
class ReviewItem:
    """An example with its whole log and the attempts at its slot, oldest first.

    An attempt that QA rejected and nobody brought in yet is presented as an example that is not `stored`.
    """

    example: Example
    stored: bool
    log: list[Review]
    lineage: list[JudgedAttempt]

    @property
    def verdict(self) -> Verdict | None:
        """QA's verdict on the attempt that became the example."""
        return next((judged.final for judged in self.lineage if judged.attempt.id == self.example.attempt), None)

    @property
    def undecided(self) -> bool:
        """Whether no person has accepted or rejected it."""
        if not self.example.refused:
            return self.example.status is Status.PENDING
        return is_undecided(self.log)

    def blind_decisions(self) -> list[Review]:
        """The newest effective blind decision of each person, in the order of the log."""
        lines = [line for line in effective_reviews(self.log) if line.value and line.action in _DECISIONS]
        return list({line.reviewer: line for line in lines}.values())

    def has_seen_label(self, reviewer: str) -> bool:
        """Whether the person has decided blind already, or was shown the label because they decided otherwise.

        Undoing the decision does not change that.
        """
        return any(line.reviewer == reviewer for line in self.blind_decisions()) or any(
            line.action is ReviewAction.LABEL and line.reviewer == reviewer for line in self.log
        )


def read_item(connection: sqlite3.Connection, key: str) -> ReviewItem | None:
    """The item for the `key` of a queue (an example or a rejected attempt); None if it no longer exists."""
    example = examples.get(connection, key)
    if example is None:
        row = connection.execute("SELECT id FROM examples WHERE attempt = ?", (key,)).fetchone()
        example = examples.get(connection, row["id"]) if row else None
    if example is not None:
        lineage = attempts.chain(connection, example.attempt) if example.attempt else []
        return ReviewItem(example, True, reviews.log(connection, example.id), lineage)
    # Imported late: it loads the search for near-duplicates, and few items need it.
    from core.qa.verdicts import example_of_attempt

    lineage = attempts.chain(connection, key)
    own = next((judged for judged in lineage if judged.attempt.id == key and judged.attempt.candidate), None)
    # The example gets the id of the attempt, which stays the same each time it is read.
    return (
        ReviewItem(example_of_attempt(own.attempt, own.final).model_copy(update={"id": key}), False, [], lineage)
        if own
        else None
    )


def decision_lines(item: ReviewItem, line: Review) -> list[Review]:
    """The lines that a decision writes: accepting an example that QA rejected also overrules QA."""
    example = item.example
    if line.action is ReviewAction.ACCEPT and example.refused and needs_overrule(example.status, item.log):
        return [overrule_line(line), line]
    return [line]


def blind_decision_line(item: ReviewItem, value: str, *, note: str = "", reviewer: str = "") -> Review:
    """The line for a blind decision: it accepts if it agrees with the label and nobody has decided yet."""
    agrees = value == item.example.decision and item.undecided
    return Review(
        example=item.example.id,
        action=ReviewAction.ACCEPT if agrees else ReviewAction.LABEL,
        value=value,
        version=item.example.version,
        note=note,
        reviewer=reviewer,
    )


def changes(connection: sqlite3.Connection, item: ReviewItem) -> list[tuple[str, Candidate, Candidate, str]]:
    """The changes that led to the example, newest first: (heading, before, after, critique between them, '' if none).

    These are its last edit, and the rewrite that its attempt was.
    """
    found_changes: list[tuple[str, Candidate, Candidate, str]] = []
    example = item.example
    original: Candidate = example
    if example.version > 1:
        rows = connection.execute(
            "SELECT version, content FROM versions WHERE example = ? AND version IN (1, ?) ORDER BY version",
            (example.id, example.version - 1),
        ).fetchall()
        versions = [Example.model_validate(example.model_dump() | json.loads(row["content"])) for row in rows]
        original = versions[0]
        found_changes.append((f"version {example.version} against {example.version - 1}", versions[-1], example, ""))
    own_attempt = next((judged.attempt for judged in item.lineage if judged.attempt.id == example.attempt), None)
    parent = next((judged for judged in item.lineage if own_attempt and judged.attempt.id == own_attempt.parent), None)
    if own_attempt and parent and parent.attempt.candidate:
        critique = parent.final.critique if parent.final else ""
        heading = f"attempt {own_attempt.number + 1} against {parent.attempt.number + 1}"
        found_changes.append(
            (heading, parent.attempt.candidate, Candidate.model_validate(_written(original)), critique)
        )
    return found_changes


def _written(candidate: Candidate) -> dict[str, object]:
    return {name: getattr(candidate, name) for name in Candidate.model_fields}
