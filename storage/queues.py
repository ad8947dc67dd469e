"""The queues that a person reviews: which examples, in which order, a page at a time.

A page costs the same however many examples there are: each queue walks an index from where the last page ended.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from storage import examples
from storage.blind_reviews import NEWEST
from storage.examples import Filter
from storage.review_log import DECIDES, IN_EFFECT, not_undone
from storage.schema import Status

PAGE = 50
# Size of the sample for audit, whatever the number of examples.
SAMPLE = 50
# Queues without a stored count are counted up to here.
COUNT_LIMIT = 1000


class Queue(StrEnum):
    """What a person can choose to review."""

    UNCERTAIN = "uncertain"
    NEWEST = "newest"
    OLDEST = "oldest"
    CELL = "cell"
    FLAGGED = "flagged"
    REFUSED = "refused"
    SAMPLE = "sample"
    SECOND = "second"
    DISPUTED = "disputed"


# The queues of examples that nobody has decided yet, unless the filter asks for another status.
UNDECIDED = frozenset({Queue.UNCERTAIN, Queue.NEWEST, Queue.OLDEST, Queue.CELL})

EVERYTHING = Filter()

# Up to this many examples are looked up by cell and sorted; more are found soon on a walk in the requested order.
FEW = 5000

Cursor = tuple[int, tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class QueuePage:
    """Ids of examples (of attempts in the queue REFUSED), the cursor of the next page, and whether this is the last."""

    keys: list[str]
    after: Cursor
    last: bool


@dataclass(frozen=True, slots=True)
class QueueSize:
    """How many items a queue holds; `more` if it holds more than were counted."""

    number: int
    more: bool = False


@dataclass(frozen=True, slots=True)
class _Walk:
    """A walk through an index. `source` stands after FROM; rows are sorted by `order`, which is unique."""

    source: str
    conditions: list[str]
    values: list[object]
    key: str = "examples.id"
    order: Sequence[str] = ("examples.id",)
    newest_first: bool = False
    group: str = ""

    def sql(self, after: tuple[object, ...]) -> tuple[str, list[object]]:
        order = ", ".join(self.order)
        conditions = list(self.conditions) or ["1"]
        if after:
            marks = ", ".join("?" * len(after))
            conditions.append(f"({order}) {'<' if self.newest_first else '>'} ({marks})")
        direction = " DESC" if self.newest_first else ""
        sorted_by = ", ".join(f"{column}{direction}" for column in self.order)
        text = (
            f"SELECT {self.key} AS key, {order} FROM {self.source} WHERE {' AND '.join(conditions)} "
            f"{self.group} ORDER BY {sorted_by} LIMIT ?"
        )
        return text, [*self.values, *after]


def page(
    connection: sqlite3.Connection,
    queue: Queue,
    where: Filter = EVERYTHING,
    *,
    reviewer: str = "",
    after: Cursor = (0, ()),
    limit: int = PAGE,
) -> QueuePage:
    """Up to `limit` items of the queue for `reviewer`, restricted by `where`, from the cursor `after`."""
    stages = _stages(connection, queue, where, reviewer)
    stage, position = after
    keys: list[str] = []
    while True:
        room = limit - len(keys)
        rows: list[sqlite3.Row] = []
        for walk in stages[stage]:
            text, values = walk.sql(position)
            rows += connection.execute(text, [*values, room]).fetchall()
        rows.sort(key=lambda row: tuple(row)[1:], reverse=stages[stage][0].newest_first)
        rows = rows[:room]
        keys += [row["key"] for row in rows]
        position = tuple(rows[-1])[1:] if rows else position
        if len(rows) == room:
            return QueuePage(keys, (stage, position), last=False)
        if stage + 1 == len(stages):
            return QueuePage(keys, (stage, position), last=True)
        stage, position = stage + 1, ()


def queue_size(
    connection: sqlite3.Connection, queue: Queue, where: Filter = EVERYTHING, *, reviewer: str = ""
) -> QueueSize:
    """How many items the queue holds, restricted by `where`."""
    if has_stored_count(queue, where):
        return QueueSize(examples.count(connection, _effective(queue, where)))
    number = 0
    for walks in _stages(connection, queue, where, reviewer):
        for walk in walks:
            text, values = walk.sql(())
            counted = f"SELECT count(*) FROM ({text})"
            number += int(connection.execute(counted, [*values, COUNT_LIMIT + 1 - number]).fetchone()[0])
    return QueueSize(min(number, COUNT_LIMIT), more=number > COUNT_LIMIT)


def has_stored_count(queue: Queue, where: Filter) -> bool:
    """Whether the database keeps the size of the queue up to date, so that it need not count."""
    return queue in UNDECIDED | {Queue.FLAGGED} and not _searched(where)


def _searched(where: Filter) -> bool:
    return not examples.has_stored_count(where)


def _effective(queue: Queue, where: Filter) -> Filter:
    if queue is Queue.FLAGGED:
        return replace(where, flagged=True)
    return replace(where, status=where.status or (Status.PENDING.value,)) if queue in UNDECIDED else where


def _stages(connection: sqlite3.Connection, queue: Queue, where: Filter, reviewer: str) -> list[list[_Walk]]:
    """The walks of a queue: stages one after another, each of walks side by side that share an order."""
    few = not _searched(where) and examples.count(connection, _effective(queue, where)) < FEW
    match queue:
        case Queue.REFUSED:
            return [[_refused(where)]]
        case Queue.SECOND:
            return [[_second(where, reviewer)]]
        case Queue.DISPUTED:
            return [[_disputed(where)]]
        case Queue.SAMPLE:
            return [[_sample(where, reviewer, few)]]
        case Queue.FLAGGED:
            conditions, values = examples.restrictions(replace(where, flagged=None))
            return [[_Walk("examples", ["examples.flagged = 1", *conditions], values)]]
    restricted = []
    for status in _effective(queue, where).status:
        skip_index = queue in {Queue.UNCERTAIN, Queue.CELL} and not few
        terms, values = (_unindexed_terms if skip_index else examples.restrictions)(replace(where, status=()))
        restricted.append((["examples.status = ?", *terms], [status, *values]))
    source = "examples INDEXED BY examples_by_place" if few else "examples"
    if queue is Queue.UNCERTAIN:
        return [
            [
                _Walk(source, [*conditions, f"examples.certainty IS {nullness}"], values, order=order)
                for conditions, values in restricted
            ]
            for nullness, order in (("NOT NULL", ("examples.certainty", "examples.id")), ("NULL", ("examples.id",)))
        ]
    by_cell = ("examples.domain", "examples.level", "examples.decision", "examples.id")
    order = by_cell if queue is Queue.CELL else ("examples.id",)
    return [
        [
            _Walk(source, conditions, values, order=order, newest_first=queue is Queue.NEWEST)
            for conditions, values in restricted
        ]
    ]


def _sample(where: Filter, reviewer: str, few: bool) -> _Walk:
    """A fixed sample of what QA passed, whatever its status, without the examples that `reviewer` has decided blind."""
    restrictions, values = (examples.restrictions if few else _unindexed_terms)(where)
    chance = "examples.number * 2654435761 % 4294967296"
    sample = f"SELECT * FROM examples WHERE {' AND '.join(['refused = 0', *restrictions])} ORDER BY {chance}"
    not_decided_blind = (
        "NOT EXISTS (SELECT 1 FROM reviews AS r WHERE r.example = examples.id AND r.reviewer = ? AND r.value <> '' "
        f"AND r.action <> 'split' AND {IN_EFFECT})"
    )
    return _Walk(f"({sample} LIMIT {SAMPLE}) AS examples", [not_decided_blind], [*values, reviewer], order=(chance,))


def _refused(where: Filter) -> _Walk:
    """Attempts that QA rejected and no person has decided about, newest first."""
    conditions = [
        "v.result = 'rejected'",
        "a.candidate IS NOT NULL",
        "NOT EXISTS (SELECT 1 FROM examples AS e WHERE e.attempt = a.id AND (e.status <> 'rejected' OR EXISTS "
        f"(SELECT 1 FROM reviews AS r WHERE r.example = e.id AND {DECIDES})))",
    ]
    terms, values = _of_attempts(where)
    source = "verdicts AS v CROSS JOIN attempts AS a ON a.id = v.attempt"
    return _Walk(source, conditions + terms, values, key="v.attempt", order=("v.attempt",), newest_first=True)


def inapplicable_to_attempts(where: Filter) -> list[str]:
    """The parts of `where` that do not apply to attempts; the queue REFUSED ignores them."""
    parts = {
        "status": bool(where.status),
        "flagged": where.flagged is not None,
        "split": bool(where.split),
        "reviewer": bool(where.reviewer),
        "edited": where.edited is not None,
        "stale": where.stale is not None,
        "certainty": where.certainty is not None or where.judged is not None,
        "refused": where.refused is False,
    }
    return list(dict.fromkeys([name for name, applies in parts.items() if applies] + _inner(where)))


def _inner(where: Filter) -> list[str]:
    return [name for excluded in where.without for name in inapplicable_to_attempts(excluded)]


def _of_attempts(where: Filter) -> tuple[list[str], list[object]]:
    """`where` as SQL terms over the attempts `a`; parts that apply only to examples are left out."""
    terms: list[str] = []
    values: list[object] = []
    for name in ("domain", "level", "decision", "source", "model"):
        if names := getattr(where, name):
            terms.append(f"a.{name} IN ({', '.join('?' * len(names))})")
            values += names
    for name in ("family", "run"):
        if value := getattr(where, name):
            terms.append(f"a.{name} = ?")
            values.append(value)
    if where.ids:
        marks = ", ".join("?" * len(where.ids))
        terms.append(f"(a.id IN ({marks}) OR substr(a.id, -{examples.TAIL}) IN ({marks}))")
        values += [*where.ids, *where.ids]
    if (span := where.confidence) is not None:
        confidence = "json_extract(a.candidate, '$.confidence')"
        low, high = (">" if span.low_open else ">="), ("<" if span.high_open else "<=")
        terms.append(f"({confidence} {low} ? AND {confidence} {high} ?)")
        values += [span.low, span.high]
    for phrase, word in re.findall(r'"([^"]*)"|([^\s"]+)', where.text):
        terms.append("instr(lower(a.candidate), lower(?))")
        values.append(phrase or word)
    for excluded in where.without:
        inner, inner_values = _of_attempts(excluded)
        if inner:
            terms.append(f"(({' AND '.join(inner)}) IS NOT TRUE)")
            values += inner_values
    return terms, values


def _unindexed_terms(where: Filter) -> tuple[list[str], list[object]]:
    """`where` as SQL terms, each with a plus, so that SQLite does not look rows up by it."""
    restrictions, values = examples.restrictions(where)
    return [f"+{term}" for term in restrictions], values


def _second(where: Filter, reviewer: str) -> _Walk:
    """Examples that somebody else has decided, and `reviewer` has not."""
    restrictions, values = _unindexed_terms(where)
    decided = "action IN ('accept', 'reject', 'label')"
    conditions = [
        f"r.{decided}",
        "r.reviewer <> ?",
        IN_EFFECT,
        "NOT EXISTS (SELECT 1 FROM reviews AS m INDEXED BY reviews_by_example WHERE m.example = r.example "
        f"AND m.reviewer = ? AND m.{decided} AND {not_undone('m')})",
        *restrictions,
    ]
    source = "reviews AS r INDEXED BY reviews_by_example CROSS JOIN examples ON examples.id = r.example"
    group = "GROUP BY r.example"
    return _Walk(source, conditions, [reviewer, reviewer, *values], "r.example", ("r.example",), group=group)


def _disputed(where: Filter) -> _Walk:
    """Examples whose blind decisions differ from the label, the judge or each other.

    Decisions made before a person accepted or rejected with the label in sight are settled, and do not count.
    """
    restrictions, values = _unindexed_terms(where)
    unsettled = (
        "NOT EXISTS (SELECT 1 FROM reviews AS d WHERE d.example = r.example AND d.id > r.id AND d.value = '' "
        f"AND d.action IN ('accept', 'reject') AND {not_undone('d')})"
    )
    source = (
        "reviews AS r INDEXED BY reviews_blind CROSS JOIN examples ON examples.id = r.example "
        "LEFT JOIN verdicts AS j ON j.attempt = examples.attempt AND j.result <> 'failed'"
    )
    group = (
        "GROUP BY r.example HAVING min(r.value) <> max(r.value) OR max(r.value <> examples.decision) "
        "OR max(r.version = 1 AND r.value <> coalesce(j.blind_decision, r.value))"
    )
    return _Walk(source, [NEWEST, unsettled, *restrictions], values, "r.example", ("r.example",), group=group)
