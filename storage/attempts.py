"""Attempts with their verdicts: what a run tried, what QA said about it, and the counts that follow."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from storage import examples
from storage.database import transaction
from storage.review_log import DECIDES, NOT_UNDONE
from storage.rows import columns, fields, insert
from storage.runs import write_event
from storage.schema import Attempt, Event, Example, Flaw, Outcome, Result, Status, Verdict

_ATTEMPT = frozenset({"candidate"})
_VERDICT = frozenset({"rubric"})


@dataclass(frozen=True, slots=True)
class JudgedAttempt:
    """An attempt with its verdicts, oldest first."""

    attempt: Attempt
    verdicts: tuple[Verdict, ...]

    @property
    def final(self) -> Verdict | None:
        """The verdict that passed or rejected it; None while there is none."""
        return next((verdict for verdict in self.verdicts if verdict.result is not Result.FAILED), None)


@dataclass(frozen=True, slots=True)
class ReasonCount:
    """How many attempts of a cell QA passed or rejected, for one reason ('' where it passed)."""

    domain: str
    level: int
    decision: str
    result: Result
    reason: str
    attempts: int


@dataclass(frozen=True, slots=True)
class FlawRecord:
    """How many attempts with this planted flaw (None: a sound attempt) QA decided on, by result and reason."""

    flaw: Flaw | None
    result: Result
    reason: str
    attempts: int


@dataclass(frozen=True, slots=True)
class ReviewedCount:
    """How many judged examples have a status. `refused`: QA had rejected them."""

    refused: bool
    status: Status
    examples: int


@dataclass(frozen=True, slots=True)
class AttemptTally:
    """Totals of one run or of all: attempts by outcome, verdicts by result, rejections by reason, and the cost."""

    attempts: int
    outcomes: dict[str, int]
    results: dict[str, int]
    reasons: dict[str, int]
    cost: float | None


def add_attempt(
    connection: sqlite3.Connection, attempt: Attempt, flaw: Flaw | None, event: Event | None = None
) -> None:
    """Store an attempt as soon as it is written, before it is judged, so that nothing paid for is lost.

    `event` is appended to the run's log in the same transaction.
    """
    with transaction(connection):
        insert(connection, "attempts", columns(attempt))
        if flaw is not None:
            connection.execute("INSERT INTO planted VALUES (?, ?)", (attempt.id, flaw.value))
        if event is not None:
            write_event(connection, event)


def add_verdict(
    connection: sqlite3.Connection, verdict: Verdict, example: Example | None, event: Event | None = None
) -> None:
    """Store a verdict, the example if the attempt passed, and the run's event, in one transaction."""
    with transaction(connection):
        insert(connection, "verdicts", columns(verdict))
        if example is not None:
            examples.add(connection, example)
        if event is not None:
            write_event(connection, event)


def of_run(connection: sqlite3.Connection, run: str) -> list[JudgedAttempt]:
    """All attempts of a run with their verdicts, by cell, slot and number."""
    attempts = connection.execute(
        "SELECT * FROM attempts WHERE run = ? ORDER BY domain, level, decision, slot, number", (run,)
    ).fetchall()
    verdicts = connection.execute(
        "SELECT v.* FROM attempts AS a JOIN verdicts AS v ON v.attempt = a.id WHERE a.run = ? ORDER BY v.id", (run,)
    ).fetchall()
    return _join(attempts, verdicts)


def chain(connection: sqlite3.Connection, attempt: str) -> list[JudgedAttempt]:
    """The lineage of an attempt: all attempts at its slot in its run, oldest first, with their verdicts.

    If the slot revises an attempt of another slot, that attempt and its own lineage come first.
    """
    rows: list[sqlite3.Row] = []
    attempt_id: str | None = attempt
    while attempt_id is not None:
        slot = connection.execute(
            "SELECT s.* FROM attempts AS a JOIN attempts AS s USING (run, domain, level, decision, slot) "
            "WHERE a.id = ? ORDER BY s.number",
            (attempt_id,),
        ).fetchall()
        if rows:
            slot = [row for row in slot if row["id"] <= attempt_id]
        rows = [*slot, *rows]
        attempt_id = slot[0]["parent"] if slot else None
    return _join(rows, _verdicts_of(connection, [row["id"] for row in rows]))


def get(connection: sqlite3.Connection, attempt: str) -> JudgedAttempt | None:
    """The attempt with this id, with its verdicts."""
    rows = connection.execute("SELECT * FROM attempts WHERE id = ?", (attempt,)).fetchall()
    return next(iter(_join(rows, _verdicts_of(connection, [attempt]))), None)


def resolve(connection: sqlite3.Connection, part: str) -> str | None:
    """The id of the one attempt whose id equals, starts with or ends with `part`; None if there is none or several."""
    if not part.isalnum() or not part.isascii():
        return None
    for pattern in (f"{part.upper()}%", f"%{part.upper()}"):
        rows = connection.execute("SELECT id FROM attempts WHERE id LIKE ? LIMIT 2", (pattern,)).fetchall()
        if rows:
            return str(rows[0]["id"]) if len(rows) == 1 else None
    return None


def of_cell(
    connection: sqlite3.Connection,
    domain: str,
    level: int,
    *,
    decision: str = "",
    reason: str = "",
    before: str = "",
    limit: int = 50,
) -> list[JudgedAttempt]:
    """Attempts of a domain at a level that QA rejected or that could not be parsed, newest first, up to `limit`.

    `decision`, `reason` and `before` (an id: only older attempts) restrict the list where they are given.
    """
    rows = connection.execute(
        "SELECT a.* FROM attempts AS a LEFT JOIN verdicts AS v ON v.attempt = a.id AND v.result <> 'failed' "
        "WHERE a.domain = ? AND a.level = ? AND (? = '' OR a.decision = ?) AND (? = '' OR a.id < ?) "
        f"AND (v.result = 'rejected' OR a.outcome IN ({_marks(CONTENT_FAULTS)})) "
        "AND (? = '' OR coalesce(v.reason, a.outcome) = ?) ORDER BY a.id DESC LIMIT ?",
        (
            *(domain, level, decision, decision, before, before),
            *(outcome.value for outcome in CONTENT_FAULTS),
            *(reason, reason, limit),
        ),
    ).fetchall()
    return _join(rows, _verdicts_of(connection, [row["id"] for row in rows]))


def newest(
    connection: sqlite3.Connection, *, run: str = "", result: Result | None = None, limit: int = 50
) -> list[JudgedAttempt]:
    """The newest attempts, newest first, optionally only of one run or with one result."""
    conditions, values = ["1"], list[object]()
    if run:
        conditions.append("run = ?")
        values.append(run)
    if result is not None:
        conditions.append("EXISTS (SELECT 1 FROM verdicts AS v WHERE v.attempt = attempts.id AND v.result = ?)")
        values.append(result.value)
    rows = connection.execute(
        f"SELECT * FROM attempts WHERE {' AND '.join(conditions)} ORDER BY id DESC LIMIT ?", [*values, limit]
    ).fetchall()
    return _join(rows, _verdicts_of(connection, [row["id"] for row in rows]))


def reason_counts(connection: sqlite3.Connection) -> list[ReasonCount]:
    """QA decisions by cell and reason. An attempt that could not be written counts as rejected for its outcome."""
    rows = connection.execute("SELECT * FROM qa_counts ORDER BY domain, level, decision, result, reason")
    return [
        ReasonCount(row["domain"], row["level"], row["decision"], Result(row["result"]), row["reason"], row["attempts"])
        for row in rows
    ]


def flaw_records(connection: sqlite3.Connection) -> list[FlawRecord]:
    """QA decisions on procedural attempts, by planted flaw (None: a sound attempt), result and reason."""
    rows = connection.execute(
        "SELECT p.flaw, v.result, v.reason, count(*) AS attempts FROM attempts AS a "
        "JOIN verdicts AS v ON v.attempt = a.id AND v.result <> 'failed' LEFT JOIN planted AS p ON p.attempt = a.id "
        "WHERE a.source = 'procedural' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    )
    return [
        FlawRecord(Flaw(row["flaw"]) if row["flaw"] else None, Result(row["result"]), row["reason"], row["attempts"])
        for row in rows
    ]


def planted_flaws(connection: sqlite3.Connection, attempt_ids: Sequence[str]) -> dict[str, Flaw]:
    """The flaw planted in each of these attempts; attempts without one are left out."""
    rows = connection.execute(f"SELECT * FROM planted WHERE attempt IN ({_marks(attempt_ids)})", list(attempt_ids))
    return {row["attempt"]: Flaw(row["flaw"]) for row in rows}


def reviewed_counts(connection: sqlite3.Connection) -> list[ReviewedCount]:
    """Examples that came from attempts and that a person has decided on, by QA result and status.

    An example that QA rejected, and whose overruling was undone, counts as undecided.
    """
    rows = connection.execute(
        "SELECT e.refused, e.status, count(*) AS examples FROM examples AS e "
        "WHERE e.attempt IS NOT NULL AND e.status <> 'pending' AND (e.refused = 0 OR EXISTS "
        f"(SELECT 1 FROM reviews AS r WHERE r.example = e.id AND {DECIDES})) GROUP BY 1, 2"
    )
    return [ReviewedCount(bool(row["refused"]), Status(row["status"]), row["examples"]) for row in rows]


def overruled_statuses(connection: sqlite3.Connection, attempt_ids: Sequence[str]) -> dict[str, Status]:
    """The current status of those of these attempts that QA rejected and a person brought in all the same."""
    rows = connection.execute(
        f"SELECT attempt, status FROM examples AS e WHERE attempt IN ({_marks(attempt_ids)}) AND refused = 1 "
        f"AND EXISTS (SELECT 1 FROM reviews AS r WHERE r.example = e.id AND r.action IN ('accept', 'overrule') "
        f"AND {NOT_UNDONE})",
        list(attempt_ids),
    )
    return {row["attempt"]: Status(row["status"]) for row in rows}


def tally(connection: sqlite3.Connection, run: str = "") -> AttemptTally:
    """The totals of one run, or of all runs. The cost is None where nothing had a price."""
    where, values = ("WHERE a.run = ?", [run]) if run else ("", [])
    outcomes = dict[str, int]()
    cost: float | None = None
    for row in connection.execute(
        f"SELECT outcome, count(*) AS n, sum(cost) AS cost FROM attempts AS a {where} GROUP BY outcome", values
    ):
        outcomes[row["outcome"]] = row["n"]
        cost = _add_cost(cost, row["cost"])
    results: dict[str, int] = defaultdict(int)
    reasons: dict[str, int] = defaultdict(int)
    for row in connection.execute(
        "SELECT v.result, v.reason, count(*) AS n, sum(v.cost) AS cost FROM attempts AS a "
        f"JOIN verdicts AS v ON v.attempt = a.id {where} GROUP BY v.result, v.reason",
        values,
    ):
        results[row["result"]] += row["n"]
        if row["result"] != Result.PASSED.value:
            reasons[row["reason"]] += row["n"]
        cost = _add_cost(cost, row["cost"])
    return AttemptTally(sum(outcomes.values()), outcomes, dict(results), dict(reasons), cost)


# Outcomes that depend on the request, and so on the cell; all others are faults of the endpoint.
CONTENT_FAULTS = (Outcome.REFUSED, Outcome.TRUNCATED, Outcome.INVALID_JSON, Outcome.SCHEMA_VIOLATION)


def _add_cost(total: float | None, cost: float | None) -> float | None:
    return total if cost is None else (total or 0.0) + cost


def _marks(items: Sequence[object]) -> str:
    return ", ".join("?" * len(items))


def _attempt(row: sqlite3.Row) -> Attempt:
    return Attempt.model_validate(fields(row, nested=_ATTEMPT))


def _verdicts_of(connection: sqlite3.Connection, attempts: list[str]) -> list[sqlite3.Row]:
    rows: list[sqlite3.Row] = []
    for start in range(0, len(attempts), 500):
        chunk = attempts[start : start + 500]
        rows += connection.execute(
            f"SELECT * FROM verdicts WHERE attempt IN ({_marks(chunk)}) ORDER BY id", chunk
        ).fetchall()
    return rows


def _join(attempts: list[sqlite3.Row], verdicts: list[sqlite3.Row]) -> list[JudgedAttempt]:
    grouped: dict[str, list[Verdict]] = defaultdict(list)
    for row in verdicts:
        grouped[row["attempt"]].append(Verdict.model_validate(fields(row, nested=_VERDICT)))
    return [JudgedAttempt(_attempt(row), tuple(grouped[row["id"]])) for row in attempts]


def next_slots(connection: sqlite3.Connection) -> dict[tuple[str, int, str], int]:
    """The first slot index that no run has used yet, by cell (domain, level, decision)."""
    rows = connection.execute(
        "SELECT domain, level, decision, max(slot) + 1 AS first FROM attempts GROUP BY domain, level, decision"
    )
    return {(row["domain"], row["level"], row["decision"]): row["first"] for row in rows}


def count_written(connection: sqlite3.Connection) -> int:
    """How many candidates have been written in all runs together."""
    return int(
        connection.execute(
            "SELECT coalesce(sum(attempts), 0) FROM outcome_counts WHERE outcome = 'written'"
        ).fetchone()[0]
    )
