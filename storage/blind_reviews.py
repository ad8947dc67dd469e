"""What people decided without seeing the label, to compare with the label, the judge and each other."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from storage.review_log import IN_EFFECT, not_undone

# A person's newest blind decision about an example. The first two terms are those of the index reviews_blind.
NEWEST = (
    f"r.value <> '' AND r.action <> 'split' AND {IN_EFFECT} AND NOT EXISTS (SELECT 1 FROM reviews AS n "
    "WHERE n.example = r.example AND n.reviewer = r.reviewer AND n.value <> '' AND n.action <> 'split' "
    f"AND n.id > r.id AND {not_undone('n')})"
)


@dataclass(frozen=True, slots=True)
class BlindReview:
    """A decision that a person made blind, with the label of the version that they saw.

    `judge` is the judge's own blind decision, if it judged the same version.
    """

    example: str
    family: str
    reviewer: str
    version: int
    value: str
    label: str
    judge: str | None


def read_current(connection: sqlite3.Connection) -> list[BlindReview]:
    """The newest blind decision of each person about each example that was not undone, by example and person."""
    rows = connection.execute(
        "SELECT r.example, e.family, r.reviewer, r.version, r.value, json_extract(v.content, '$.decision') AS label, "
        "CASE WHEN r.version = 1 THEN j.blind_decision END AS judge FROM reviews AS r "
        "JOIN examples AS e ON e.id = r.example JOIN versions AS v ON v.example = r.example AND v.version = r.version "
        "LEFT JOIN verdicts AS j ON j.attempt = e.attempt AND j.result <> 'failed' "
        f"WHERE {NEWEST} ORDER BY r.example, r.reviewer"
    )
    return [BlindReview(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class BlindVote:
    """A decision about an example as it is now, made without seeing the label; a person's has the confidence 1."""

    example: str
    decision: str
    confidence: float


def read_votes(connection: sqlite3.Connection) -> list[BlindVote]:
    """What judges and people decided blind about the examples as they are now, by example.

    A judge has read the first version only. Decisions that were taken back do not count.
    """
    rows = connection.execute(
        "SELECT e.id AS example, j.blind_decision AS decision, coalesce(j.blind_confidence, 1.0) AS confidence "
        "FROM examples AS e JOIN verdicts AS j ON j.attempt = e.attempt "
        "WHERE e.version = 1 AND j.result <> 'failed' AND j.blind_decision IS NOT NULL "
        "UNION ALL SELECT r.example, r.value, 1.0 FROM reviews AS r JOIN examples AS e ON e.id = r.example "
        f"WHERE r.version = e.version AND {NEWEST} ORDER BY 1"
    )
    return [BlindVote(**row) for row in rows]
