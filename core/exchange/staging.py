"""The records of a file on their way into a project: on the disk, so that a file of any length fits into memory.

What is new, what is there already and what contradicts what is found by a few statements over all of them.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from core.config.case import fingerprint
from storage import imported
from storage.imported import NewExample
from storage.schema import Example

_BATCH_SIZE = 1000
_TABLES = """
CREATE TABLE records (
    number INTEGER PRIMARY KEY, place TEXT, record TEXT, reason TEXT, fate TEXT, doubt TEXT,
    id TEXT, family TEXT, split TEXT, decision TEXT, content BLOB, question BLOB, example TEXT
);
CREATE TABLE stored (content BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE stored_questions (question BLOB, decision TEXT, id TEXT, PRIMARY KEY (question, decision)) WITHOUT ROWID;
CREATE TABLE stored_ids (id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE families (family TEXT PRIMARY KEY, split TEXT, stored INTEGER) WITHOUT ROWID;
CREATE TABLE frozen (split TEXT PRIMARY KEY) WITHOUT ROWID;
"""
# A record without a fate so far is new.
_RESOLVE = """
UPDATE records SET fate = 'rejected' WHERE reason IS NOT NULL;
UPDATE records SET fate = 'stored' WHERE fate IS NULL AND (content IN (SELECT content FROM stored)
    OR id IN (SELECT id FROM stored_ids));
CREATE INDEX by_content ON records (content, number) WHERE fate IS NULL;
UPDATE records SET fate = 'repeated' WHERE fate IS NULL AND number NOT IN
    (SELECT min(number) FROM records WHERE fate IS NULL GROUP BY content);
UPDATE records SET fate = 'repeated' WHERE fate IS NULL AND number NOT IN
    (SELECT min(number) FROM records WHERE fate IS NULL GROUP BY id);
DROP INDEX by_content;

UPDATE records SET fate = 'elsewhere', reason = 'split: its family is in '
    || (SELECT coalesce(nullif(f.split, ''), 'no split') FROM families AS f WHERE f.family = records.family)
    || ' already, not in ' || split
    WHERE fate IS NULL AND split <> ''
    AND split <> (SELECT f.split FROM families AS f WHERE f.family = records.family);
UPDATE records SET fate = 'frozen', reason = 'split ' || coalesce(nullif(split, ''),
    (SELECT f.split FROM families AS f WHERE f.family = records.family)) || ' is frozen: a benchmark has used it'
    WHERE fate IS NULL AND coalesce(nullif(split, ''),
    (SELECT f.split FROM families AS f WHERE f.family = records.family)) IN (SELECT split FROM frozen);
INSERT OR IGNORE INTO families SELECT family, split, 0 FROM records WHERE fate IS NULL ORDER BY number;
UPDATE records SET fate = 'elsewhere', reason = 'split: its family is in '
    || (SELECT coalesce(nullif(f.split, ''), 'no split') FROM families AS f WHERE f.family = records.family)
    || ' already, not in ' || split
    WHERE fate IS NULL AND split <> ''
    AND split <> (SELECT f.split FROM families AS f WHERE f.family = records.family);

CREATE INDEX by_question ON records (question, decision) WHERE fate IS NULL;
UPDATE records SET doubt = (SELECT o.place || ' says ' || o.decision FROM records AS o WHERE o.fate IS NULL
    AND o.question = records.question AND o.decision <> records.decision ORDER BY o.number LIMIT 1)
    WHERE fate IS NULL AND question IN
    (SELECT question FROM records WHERE fate IS NULL GROUP BY question HAVING count(DISTINCT decision) > 1);
UPDATE records SET doubt = (SELECT 'example ' || s.id || ' says ' || s.decision FROM stored_questions AS s
    WHERE s.question = records.question AND s.decision <> records.decision LIMIT 1)
    WHERE fate IS NULL AND doubt IS NULL AND question IN (SELECT question FROM stored_questions);
"""


@dataclass(frozen=True, slots=True)
class RejectedRecord:
    """A record that is no example: its place in the file, the reason, and the record as it was."""

    place: str
    reason: str
    record: Any = None


@dataclass(frozen=True, slots=True)
class Conflict:
    """A record whose hypothesis and evidence have another decision elsewhere: its place, its decision, and where."""

    place: str
    decision: str
    other: str


class Staging:
    """The records of one file in a temporary database. Close it, and it is gone."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.executescript(_TABLES)
        self._pending: list[tuple[Any, ...]] = []
        self._number = 0

    def close(self) -> None:
        """Remove the temporary database."""
        self._db.close()

    def reject(self, place: str, record: Any, reason: str) -> None:
        """Add a record that is no example."""
        self._append(place, _dump(record), json.dumps(reason), *[None] * 7)

    def add(self, place: str, record: Any, example: Example) -> None:
        """Add a record with its example."""
        evidence = [(piece.source, piece.content) for piece in example.evidence]
        content = fingerprint(example.hypothesis, evidence, example.decision)
        question = question_key(example.hypothesis, (text for _, text in evidence))
        cell = (example.id, example.family, example.split, example.decision)
        self._append(place, _dump(record), None, *cell, content, question, example.model_dump_json())

    def resolve(self, connection: sqlite3.Connection, frozen: Iterable[str]) -> None:
        """Find out what becomes of each record, given what the project has, and which splits are `frozen`."""
        self._flush()
        stored = imported.contents(connection)
        self._insert(
            "INSERT OR IGNORE INTO stored VALUES (?)",
            ((fingerprint(content.hypothesis, content.pieces, content.decision),) for content in stored),
        )
        current = (content for content in imported.contents(connection) if content.current)
        self._insert(
            "INSERT OR IGNORE INTO stored_questions VALUES (?, ?, ?)",
            (
                (question_key(content.hypothesis, (text for _, text in content.pieces)), content.decision, content.id)
                for content in current
            ),
        )
        self._insert("INSERT INTO stored_ids VALUES (?)", ((name,) for name in imported.ids(connection)))
        self._insert("INSERT INTO families VALUES (?, ?, 1)", imported.splits(connection))
        self._insert("INSERT INTO frozen VALUES (?)", ((name,) for name in frozen))
        self._db.executescript(f"BEGIN; {_RESOLVE} COMMIT;")

    def count(self, *fates: str) -> int:
        """How many records have one of these fates: 'rejected', 'stored', 'repeated', 'elsewhere' or 'frozen'."""
        marks = ", ".join("?" * len(fates))
        return int(self._db.execute(f"SELECT count(*) FROM records WHERE fate IN ({marks})", fates).fetchone()[0])

    def count_joining(self) -> tuple[int, int]:
        """How many new examples are of a family that the project has already, and how many families these are."""
        row = self._db.execute(
            "SELECT count(*), count(DISTINCT r.family) FROM records AS r JOIN families AS f ON f.family = r.family "
            "WHERE r.fate IS NULL AND f.stored"
        ).fetchone()
        return int(row[0]), int(row[1])

    def rejections(self) -> Iterator[RejectedRecord]:
        """The records that do not come in for what they are, in the order of the file."""
        for place, reason, own, record in self._db.execute(
            "SELECT place, reason, fate = 'rejected', record FROM records WHERE reason IS NOT NULL ORDER BY number"
        ):
            yield RejectedRecord(place, json.loads(reason) if own else reason, json.loads(record))

    def conflicts(self) -> Iterator[Conflict]:
        """The new examples whose hypothesis and evidence have another decision elsewhere, in the order of the file."""
        rows = self._db.execute(
            "SELECT place, decision, doubt FROM records WHERE fate IS NULL AND doubt IS NOT NULL ORDER BY number"
        )
        return (Conflict(*row) for row in rows)

    def new_examples(self) -> Iterator[NewExample]:
        """The examples that the project does not have, in the order of the file."""
        for example, doubt in self._db.execute("SELECT example, doubt FROM records WHERE fate IS NULL ORDER BY number"):
            reason = f"the same hypothesis and evidence with another decision: {doubt}" if doubt else ""
            yield NewExample(Example.model_validate_json(example), reason)

    def _append(self, *values: Any) -> None:
        self._number += 1
        self._pending.append((self._number, *values))
        if len(self._pending) >= _BATCH_SIZE:
            self._flush()

    def _flush(self) -> None:
        names = "number, place, record, reason, id, family, split, decision, content, question, example"
        self._insert(f"INSERT INTO records ({names}) VALUES ({', '.join('?' * 11)})", self._pending)
        self._pending = []

    def _insert(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        self._db.execute("BEGIN")
        self._db.executemany(statement, rows)
        self._db.execute("COMMIT")


def question_key(hypothesis: str, contents: Iterable[str]) -> bytes:
    """A hash that two examples share whose hypothesis and evidence differ in case, blanks, order and sources alone."""
    plain = [" ".join(text.casefold().split()) for text in (hypothesis, *contents)]
    text = json.dumps([plain[0], *sorted(plain[1:])], ensure_ascii=False)
    return sha256(text.encode(errors="replace")).digest()[:16]


def _dump(record: Any) -> str:
    """A record as JSON, null if it is nested too deeply for that."""
    with suppress(RecursionError, ValueError):
        return json.dumps(record, default=_written)
    return "null"


def _written(value: object) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
