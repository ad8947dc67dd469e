"""What is in front of a person, and what a decision of theirs writes into the log."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass

from storage import attempts, examples, reviews
from storage.attempts import JudgedAttempt
from storage.schema import Candidate, Example, Review, ReviewAction, Status, Verdict

_DECISIONS = frozenset({ReviewAction.ACCEPT, ReviewAction.REJECT, ReviewAction.LABEL})


@dataclass(frozen=True, slots=True)
class ReviewItem:
    """An example with its whole log and the attempts at its slot, oldest first.

    One that QA rejected and nobody brought in yet is shown like an example, and is not `stored`.
    """

    example: Example
    stored: bool
    log: list[Review]
    lineage: list[JudgedAttempt]

    @property
    def verdict(self) -> Verdict | None:
        """What QA said of the attempt that became the example."""
        return next((one.final for one in self.lineage if one.attempt.id == self.example.attempt), None)

    @property
    def undecided(self) -> bool:
        """Whether no person has accepted or rejected it."""
        if not self.example.refused:
            return self.example.status is Status.PENDING
        lines = {line.action for line in reviews.review_state(self.log)}
        return not lines & {ReviewAction.ACCEPT, ReviewAction.REJECT}

    def blind_decisions(self) -> list[Review]:
        """The newest blind decision of each person that stands, in the order of the log."""
        lines = [line for line in reviews.review_state(self.log) if line.value and line.action in _DECISIONS]
        return list({line.reviewer: line for line in lines}.values())

    def has_seen_label(self, reviewer: str) -> bool:
        """Whether the person has decided blind already, or was shown the label because they had decided otherwise.

        Taking that back unsees nothing.
        """
        return any(line.reviewer == reviewer for line in self.blind_decisions()) or any(
            line.action is ReviewAction.LABEL and line.reviewer == reviewer for line in self.log
        )


def read_item(connection: sqlite3.Connection, key: str) -> ReviewItem | None:
    """What the `key` of a queue stands for, an example or a rejected attempt; None if it is there no more."""
    example = examples.get(connection, key)
    if example is None:
        row = connection.execute("SELECT id FROM examples WHERE attempt = ?", (key,)).fetchone()
        example = examples.get(connection, row["id"]) if row else None
    if example is not None:
        lineage = attempts.chain(connection, example.attempt) if example.attempt else []
        return ReviewItem(example, True, reviews.log(connection, example.id), lineage)
    # Late: what finds near-duplicates comes along, and few cases need it.
    from core.qa.verdicts import example_of_attempt

    lineage = attempts.chain(connection, key)
    mine = next((one for one in lineage if one.attempt.id == key and one.attempt.candidate), None)
    # The id of the attempt: it stays the same from one look to the next.
    return (
        ReviewItem(example_of_attempt(mine.attempt, mine.final).model_copy(update={"id": key}), False, [], lineage)
        if mine
        else None
    )


def decision_lines(item: ReviewItem, line: Review) -> list[Review]:
    """The lines that `line` takes: who accepts what QA rejected also brings it in."""
    if line.action is ReviewAction.ACCEPT and item.example.refused and item.undecided:
        return [
            line.model_copy(update={"action": ReviewAction.OVERRULE, "value": "", "version": None, "note": ""}),
            line,
        ]
    return [line]


def blind_decision_line(item: ReviewItem, value: str, *, note: str = "", reviewer: str = "") -> Review:
    """The line for what was decided without seeing the label: it accepts where it agrees and nobody has decided yet."""
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
    """What the example was made of, newest first: a heading, before, after, and the critique in between ('' if none).

    Its last edit, and the rewrite that its attempt was.
    """
    found: list[tuple[str, Candidate, Candidate, str]] = []
    example = item.example
    original: Candidate = example
    if example.version > 1:
        rows = connection.execute(
            "SELECT version, content FROM versions WHERE example = ? AND version IN (1, ?) ORDER BY version",
            (example.id, example.version - 1),
        ).fetchall()
        versions = [Example.model_validate(example.model_dump() | json.loads(row["content"])) for row in rows]
        original = versions[0]
        found.append((f"version {example.version} against {example.version - 1}", versions[-1], example, ""))
    mine = next((one.attempt for one in item.lineage if one.attempt.id == example.attempt), None)
    parent = next((one for one in item.lineage if mine and one.attempt.id == mine.parent), None)
    if mine and parent and parent.attempt.candidate:
        critique = parent.final.critique if parent.final else ""
        heading = f"attempt {mine.number + 1} against {parent.attempt.number + 1}"
        found.append((heading, parent.attempt.candidate, Candidate.model_validate(_written(original)), critique))
    return found


def _written(candidate: Candidate) -> dict[str, object]:
    return {name: getattr(candidate, name) for name in Candidate.model_fields}
