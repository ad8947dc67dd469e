"""What people decided without seeing the label, to be held against the label, the judge and each other."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

# A line of the log that was not taken back.
STANDS = "r.action <> 'undo' AND NOT EXISTS (SELECT 1 FROM reviews AS u WHERE u.undoes = r.id)"
# A person's newest blind decision about an example. The first two terms are those of the index reviews_blind.
NEWEST = (
    f"r.value <> '' AND r.action <> 'split' AND {STANDS} AND NOT EXISTS (SELECT 1 FROM reviews AS n "
    "WHERE n.example = r.example AND n.reviewer = r.reviewer AND n.value <> '' AND n.action <> 'split' "
    "AND n.id > r.id AND NOT EXISTS (SELECT 1 FROM reviews AS w WHERE w.undoes = n.id))"
)


@dataclass(frozen=True, slots=True)
class BlindReview:
    """What a person decided blind, beside the label of the version that they saw.

    `judge` is what the judge decided blind, if it read the same version.
    """

    example: str
    family: str
    reviewer: str
    version: int
    value: str
    label: str
    judge: str | None


def read_current(connection: sqlite3.Connection) -> list[BlindReview]:
    """All that stand, the newest of each person about each example, by example and person."""
    rows = connection.execute(
        "SELECT r.example, e.family, r.reviewer, r.version, r.value, json_extract(v.content, '$.decision') AS label, "
        "CASE WHEN r.version = 1 THEN j.blind_decision END AS judge FROM reviews AS r "
        "JOIN examples AS e ON e.id = r.example JOIN versions AS v ON v.example = r.example AND v.version = r.version "
        "LEFT JOIN verdicts AS j ON j.attempt = e.attempt AND j.result <> 'failed' "
        f"WHERE {NEWEST} ORDER BY r.example, r.reviewer"
    )
    return [BlindReview(**row) for row in rows]
