"""The schema of the database as an ordered list of small steps, each one transaction, recorded in the file.

To add one: append a function, and raise `storage.database.VERSION` by one. Never change a step that was released.
"""

from __future__ import annotations

import sqlite3

from sqlite_utils import Database, Migrations

from storage.migrate_staleness import add_staleness

migrations = Migrations("sidequest")


def apply(connection: sqlite3.Connection) -> int:
    """Bring the database to the newest version, one transaction per step; returns how many steps this call took.

    Two processes that migrate at once take turns.
    """
    database, steps_taken = Database(connection, execute_plugins=False), 0
    pending = True
    while pending:
        connection.execute("BEGIN EXCLUSIVE")
        try:
            steps = [step.name for step in migrations.pending(database)]
            migrations.apply(database, stop_before=steps[1:])
            connection.execute(f"PRAGMA user_version = {len(migrations.applied(database))}")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
        pending = len(steps) > 1
        steps_taken += bool(steps)
    return steps_taken


@migrations()
def first(database: Database) -> None:
    """Examples with their versions and reviews, attempts with their verdicts, runs with their events."""
    for statement in _FIRST.split("\n\n"):
        database.conn.execute(statement)


@migrations()
def curation(database: Database) -> None:
    """Splits, certainty, blind labels, acts of many lines, drafts of edits, and shelved cells."""
    for statement in _CURATION.split("\n\n"):
        database.conn.execute(statement)


@migrations()
def benchmark(database: Database) -> None:
    """The questions of benchmarks, and the answers of models."""
    for statement in _BENCHMARK.split("\n\n"):
        database.conn.execute(statement)


@migrations()
def judged_versions(database: Database) -> None:
    """The judge's certainty belongs to the version that it read: an edit has none."""
    for statement in _JUDGED_VERSIONS.split("\n\n"):
        database.conn.execute(statement)


@migrations()
def training(database: Database) -> None:
    """Steps, dev evaluations, answers and notes of training runs."""
    for statement in _TRAINING.split("\n\n"):
        database.conn.execute(statement)


@migrations()
def steps(database: Database) -> None:
    """The reasoning of an example, part by part; those of before have none."""
    database.conn.execute("ALTER TABLE examples ADD COLUMN steps TEXT NOT NULL DEFAULT '[]'")
    database.conn.execute("ALTER TABLE cases ADD COLUMN steps TEXT NOT NULL DEFAULT '[]'")


@migrations()
def staleness(database: Database) -> None:
    """Which fields argue for an earlier decision, for each version that was made so far; and their repairs."""
    add_staleness(database.conn)


@migrations()
def fills(database: Database) -> None:
    """Runs that write the steps of examples that have none."""
    database.conn.execute(_FILLS)


_FIRST = """
CREATE TABLE runs (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, state TEXT NOT NULL, params TEXT NOT NULL, progress TEXT NOT NULL,
    reason TEXT NOT NULL, request TEXT, pid INTEGER, pid_started REAL, heartbeat TEXT,
    created TEXT NOT NULL, started TEXT, ended TEXT
) STRICT

CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL REFERENCES runs(id), severity TEXT NOT NULL,
    message TEXT NOT NULL, data TEXT NOT NULL, created TEXT NOT NULL
) STRICT

CREATE INDEX events_by_run ON events (run, id)

CREATE TABLE attempts (
    id TEXT PRIMARY KEY, run TEXT NOT NULL REFERENCES runs(id), domain TEXT NOT NULL, level INTEGER NOT NULL,
    decision TEXT NOT NULL, slot INTEGER NOT NULL, number INTEGER NOT NULL, idea INTEGER NOT NULL,
    parent TEXT REFERENCES attempts(id), outcome TEXT NOT NULL, candidate TEXT, raw TEXT NOT NULL,
    detail TEXT NOT NULL, family TEXT NOT NULL, source TEXT NOT NULL, model TEXT NOT NULL,
    prompt_version TEXT NOT NULL, seed INTEGER NOT NULL, input_tokens INTEGER, output_tokens INTEGER,
    cost REAL, seconds REAL NOT NULL, created TEXT NOT NULL,
    UNIQUE (run, domain, level, decision, slot, number)
) STRICT

CREATE INDEX attempts_by_cell ON attempts (domain, level, decision, id)

CREATE TABLE verdicts (
    id TEXT PRIMARY KEY, attempt TEXT NOT NULL REFERENCES attempts(id), result TEXT NOT NULL, stage TEXT NOT NULL,
    reason TEXT NOT NULL, critique TEXT NOT NULL, blind_decision TEXT, blind_confidence REAL, rubric TEXT NOT NULL,
    model TEXT NOT NULL, prompt_version TEXT NOT NULL, outcome TEXT NOT NULL, input_tokens INTEGER,
    output_tokens INTEGER, cost REAL, seconds REAL NOT NULL, created TEXT NOT NULL
) STRICT

CREATE INDEX verdicts_by_attempt ON verdicts (attempt)

CREATE UNIQUE INDEX one_final_verdict ON verdicts (attempt) WHERE result <> 'failed'

CREATE TABLE planted (
    attempt TEXT PRIMARY KEY REFERENCES attempts(id), flaw TEXT NOT NULL
) STRICT

CREATE TABLE examples (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, version INTEGER NOT NULL, family TEXT NOT NULL,
    domain TEXT NOT NULL, level INTEGER NOT NULL, decision TEXT NOT NULL, status TEXT NOT NULL,
    flagged INTEGER NOT NULL, confidence REAL NOT NULL, hypothesis TEXT NOT NULL, evidence TEXT NOT NULL,
    reasoning TEXT NOT NULL, source TEXT NOT NULL, model TEXT NOT NULL, prompt_version TEXT NOT NULL, seed INTEGER,
    run TEXT REFERENCES runs(id), attempt TEXT UNIQUE REFERENCES attempts(id), created TEXT NOT NULL
) STRICT

CREATE INDEX examples_by_status ON examples (status, id)

CREATE INDEX examples_by_cell ON examples (domain, level, decision, status, id)

CREATE INDEX examples_by_family ON examples (family, id)

CREATE INDEX examples_by_flag ON examples (flagged, id) WHERE flagged = 1

CREATE TABLE versions (
    example TEXT NOT NULL REFERENCES examples(id), version INTEGER NOT NULL, content TEXT NOT NULL,
    created TEXT NOT NULL, PRIMARY KEY (example, version)
) STRICT

CREATE TABLE reviews (
    id INTEGER PRIMARY KEY AUTOINCREMENT, example TEXT NOT NULL REFERENCES examples(id), action TEXT NOT NULL,
    reason TEXT NOT NULL, note TEXT NOT NULL, reviewer TEXT NOT NULL, version INTEGER,
    undoes INTEGER UNIQUE REFERENCES reviews(id), created TEXT NOT NULL
) STRICT

CREATE INDEX reviews_by_example ON reviews (example, id)

CREATE TRIGGER reviews_never_change BEFORE UPDATE ON reviews BEGIN
    SELECT RAISE(ABORT, 'the log of reviews is append-only');
END

CREATE TRIGGER reviews_never_go BEFORE DELETE ON reviews BEGIN
    SELECT RAISE(ABORT, 'the log of reviews is append-only');
END

CREATE TABLE cell_counts (
    domain TEXT NOT NULL, level INTEGER NOT NULL, decision TEXT NOT NULL, status TEXT NOT NULL,
    flagged INTEGER NOT NULL, examples INTEGER NOT NULL, PRIMARY KEY (domain, level, decision, status, flagged)
) STRICT, WITHOUT ROWID

CREATE VIRTUAL TABLE examples_text USING fts5 (hypothesis, evidence, tokenize = "unicode61 remove_diacritics 2")

CREATE TRIGGER examples_added AFTER INSERT ON examples BEGIN
    INSERT INTO cell_counts VALUES (new.domain, new.level, new.decision, new.status, new.flagged, 1)
        ON CONFLICT DO UPDATE SET examples = examples + 1;
    INSERT INTO examples_text (rowid, hypothesis, evidence) VALUES (new.number, new.hypothesis, (
        SELECT group_concat(json_extract(value, '$.source') || char(10) || json_extract(value, '$.content'), char(10))
        FROM json_each(new.evidence)));
END

CREATE TRIGGER examples_moved AFTER UPDATE OF domain, level, decision, status, flagged ON examples BEGIN
    UPDATE cell_counts SET examples = examples - 1 WHERE domain = old.domain AND level = old.level
        AND decision = old.decision AND status = old.status AND flagged = old.flagged;
    INSERT INTO cell_counts VALUES (new.domain, new.level, new.decision, new.status, new.flagged, 1)
        ON CONFLICT DO UPDATE SET examples = examples + 1;
END

CREATE TRIGGER examples_reworded AFTER UPDATE OF hypothesis, evidence ON examples BEGIN
    UPDATE examples_text SET hypothesis = new.hypothesis, evidence = (
        SELECT group_concat(json_extract(value, '$.source') || char(10) || json_extract(value, '$.content'), char(10))
        FROM json_each(new.evidence)) WHERE rowid = new.number;
END

CREATE TABLE capabilities (
    base_url TEXT NOT NULL, model TEXT NOT NULL, data TEXT NOT NULL, probed TEXT NOT NULL,
    PRIMARY KEY (base_url, model)
) STRICT
"""

_CURATION = """
ALTER TABLE examples ADD COLUMN refused INTEGER NOT NULL DEFAULT 0

ALTER TABLE examples ADD COLUMN split TEXT NOT NULL DEFAULT ''

ALTER TABLE examples ADD COLUMN certainty REAL

UPDATE examples SET certainty = (
    SELECT min(CASE WHEN v.blind_decision = examples.decision THEN v.blind_confidence ELSE 1 - v.blind_confidence END,
        coalesce((SELECT min(value) FROM json_each(v.rubric)), 1))
    FROM verdicts AS v WHERE v.attempt = examples.attempt AND v.result <> 'failed' AND v.blind_confidence IS NOT NULL)
WHERE attempt IS NOT NULL

CREATE INDEX examples_by_certainty ON examples (status, certainty, id)

CREATE INDEX examples_by_place ON examples (status, domain, level, decision, id)

CREATE INDEX examples_by_chance ON examples (number * 2654435761 % 4294967296)

CREATE INDEX examples_by_confidence ON examples (confidence)

CREATE INDEX examples_by_sureness ON examples (certainty)

CREATE INDEX examples_by_tail ON examples (substr(id, -6))

CREATE INDEX examples_listed ON examples (number, status, flagged, domain, level, decision, split, refused, version,
    confidence, certainty, source, model, run, family)

CREATE INDEX examples_by_split ON examples (split, id)

CREATE INDEX verdicts_by_result ON verdicts (result, attempt)

CREATE INDEX attempts_by_place ON attempts (domain, level, id)

CREATE TABLE qa_counts (
    domain TEXT NOT NULL, level INTEGER NOT NULL, decision TEXT NOT NULL, result TEXT NOT NULL, reason TEXT NOT NULL,
    attempts INTEGER NOT NULL, PRIMARY KEY (domain, level, decision, result, reason)
) STRICT, WITHOUT ROWID

INSERT INTO qa_counts SELECT a.domain, a.level, a.decision, coalesce(v.result, 'rejected'),
    CASE WHEN v.id IS NULL THEN a.outcome ELSE v.reason END, count(*)
    FROM attempts AS a LEFT JOIN verdicts AS v ON v.attempt = a.id AND v.result <> 'failed'
    WHERE v.id IS NOT NULL OR a.outcome IN ('refused', 'truncated', 'invalid_json', 'schema_violation')
    GROUP BY 1, 2, 3, 4, 5

CREATE TRIGGER verdicts_counted AFTER INSERT ON verdicts WHEN new.result <> 'failed' BEGIN
    INSERT INTO qa_counts SELECT domain, level, decision, new.result, new.reason, 1 FROM attempts WHERE id = new.attempt
        ON CONFLICT DO UPDATE SET attempts = attempts + 1;
END

CREATE TABLE outcome_counts (outcome TEXT PRIMARY KEY, attempts INTEGER NOT NULL) STRICT, WITHOUT ROWID

INSERT INTO outcome_counts SELECT outcome, count(*) FROM attempts GROUP BY outcome

CREATE TRIGGER attempts_counted AFTER INSERT ON attempts BEGIN
    INSERT INTO outcome_counts VALUES (new.outcome, 1) ON CONFLICT DO UPDATE SET attempts = attempts + 1;
    INSERT INTO qa_counts SELECT new.domain, new.level, new.decision, 'rejected', new.outcome, 1
        WHERE new.outcome IN ('refused', 'truncated', 'invalid_json', 'schema_violation')
        ON CONFLICT DO UPDATE SET attempts = attempts + 1;
END

CREATE INDEX events_of_note ON events (run, id) WHERE severity <> 'info'

ALTER TABLE reviews ADD COLUMN value TEXT NOT NULL DEFAULT ''

ALTER TABLE reviews ADD COLUMN batch TEXT

CREATE INDEX reviews_by_batch ON reviews (batch) WHERE batch IS NOT NULL

CREATE INDEX reviews_by_reviewer ON reviews (reviewer, id)

CREATE INDEX reviews_blind ON reviews (example, reviewer) WHERE value <> '' AND action <> 'split'

CREATE TABLE drafts (
    example TEXT NOT NULL REFERENCES examples(id), reviewer TEXT NOT NULL, version INTEGER NOT NULL,
    content TEXT NOT NULL, saved TEXT NOT NULL, PRIMARY KEY (example, reviewer)
) STRICT

CREATE TABLE shelved (
    domain TEXT NOT NULL, level INTEGER NOT NULL, decision TEXT NOT NULL, reason TEXT NOT NULL, created TEXT NOT NULL,
    PRIMARY KEY (domain, level, decision)
) STRICT

CREATE TABLE frozen_splits (
    split TEXT PRIMARY KEY, run TEXT REFERENCES runs(id), created TEXT NOT NULL
) STRICT

DROP TRIGGER examples_added

DROP TRIGGER examples_moved

DROP TABLE cell_counts

CREATE TABLE cell_counts (
    domain TEXT NOT NULL, level INTEGER NOT NULL, decision TEXT NOT NULL, status TEXT NOT NULL,
    flagged INTEGER NOT NULL, split TEXT NOT NULL, examples INTEGER NOT NULL,
    PRIMARY KEY (domain, level, decision, status, flagged, split)
) STRICT, WITHOUT ROWID

INSERT INTO cell_counts SELECT domain, level, decision, status, flagged, split, count(*) FROM examples
    GROUP BY 1, 2, 3, 4, 5, 6

CREATE TRIGGER examples_added AFTER INSERT ON examples BEGIN
    INSERT INTO cell_counts VALUES (new.domain, new.level, new.decision, new.status, new.flagged, new.split, 1)
        ON CONFLICT DO UPDATE SET examples = examples + 1;
    INSERT INTO examples_text (rowid, hypothesis, evidence) VALUES (new.number, new.hypothesis, (
        SELECT group_concat(json_extract(value, '$.source') || char(10) || json_extract(value, '$.content'), char(10))
        FROM json_each(new.evidence)));
END

CREATE TRIGGER examples_moved AFTER UPDATE OF domain, level, decision, status, flagged, split ON examples BEGIN
    UPDATE cell_counts SET examples = examples - 1 WHERE domain = old.domain AND level = old.level
        AND decision = old.decision AND status = old.status AND flagged = old.flagged AND split = old.split;
    INSERT INTO cell_counts VALUES (new.domain, new.level, new.decision, new.status, new.flagged, new.split, 1)
        ON CONFLICT DO UPDATE SET examples = examples + 1;
END
"""

_BENCHMARK = """
CREATE TABLE cases (
    example TEXT NOT NULL, version INTEGER NOT NULL, hypothesis TEXT NOT NULL, evidence TEXT NOT NULL,
    PRIMARY KEY (example, version)
) STRICT

CREATE TABLE questions (
    run TEXT NOT NULL REFERENCES runs(id), position INTEGER NOT NULL, example TEXT NOT NULL, version INTEGER NOT NULL,
    label TEXT NOT NULL, domain TEXT NOT NULL, level INTEGER NOT NULL, family TEXT NOT NULL,
    PRIMARY KEY (run, position), UNIQUE (run, example)
) STRICT, WITHOUT ROWID

CREATE TABLE predictions (
    id INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL REFERENCES runs(id), example TEXT NOT NULL,
    sample INTEGER NOT NULL, number INTEGER NOT NULL, ended TEXT NOT NULL, raw TEXT NOT NULL, thought TEXT NOT NULL,
    detail TEXT NOT NULL, probabilities TEXT, reader INTEGER NOT NULL, outcome TEXT NOT NULL, decision TEXT,
    confidence REAL, rationale TEXT NOT NULL, model TEXT NOT NULL, prompt_version TEXT NOT NULL, input_tokens INTEGER,
    output_tokens INTEGER, cost REAL, seconds REAL NOT NULL, created TEXT NOT NULL,
    UNIQUE (run, example, sample, number)
) STRICT

CREATE INDEX predictions_scored ON predictions (run, id, example, sample, number, outcome, decision, confidence,
    probabilities, seconds, input_tokens, output_tokens, cost)
"""

_JUDGED_VERSIONS = """
ALTER TABLE versions ADD COLUMN certainty REAL

UPDATE versions SET certainty = (SELECT certainty FROM examples WHERE id = versions.example) WHERE version = 1

UPDATE examples SET certainty = NULL WHERE version > 1

CREATE INDEX examples_by_refusal ON examples (status, id) WHERE refused = 1
"""

_TRAINING = """
CREATE TABLE training_steps (
    run TEXT NOT NULL REFERENCES runs(id), phase TEXT NOT NULL, step INTEGER NOT NULL, figures TEXT NOT NULL,
    created TEXT NOT NULL, PRIMARY KEY (run, phase, step)
) STRICT

CREATE TABLE training_looks (
    run TEXT NOT NULL REFERENCES runs(id), phase TEXT NOT NULL, step INTEGER NOT NULL, figures TEXT NOT NULL,
    created TEXT NOT NULL, PRIMARY KEY (run, phase, step)
) STRICT

CREATE TABLE training_answers (
    id INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL REFERENCES runs(id), phase TEXT NOT NULL,
    step INTEGER NOT NULL, place INTEGER NOT NULL, answer TEXT NOT NULL, UNIQUE (run, phase, step, place)
) STRICT

CREATE TABLE training_notes (
    id INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL REFERENCES runs(id), phase TEXT NOT NULL,
    step INTEGER NOT NULL, note TEXT NOT NULL, created TEXT NOT NULL
) STRICT
"""

_FILLS = """
CREATE TABLE fills (
    run TEXT NOT NULL REFERENCES runs(id), example TEXT NOT NULL REFERENCES examples(id), version INTEGER NOT NULL,
    tries INTEGER NOT NULL, outcome TEXT, steps TEXT, reason TEXT NOT NULL, detail TEXT NOT NULL, judged TEXT,
    stored INTEGER, done INTEGER NOT NULL, model TEXT NOT NULL, prompt_version TEXT NOT NULL,
    input_tokens INTEGER, output_tokens INTEGER, cost REAL, seconds REAL NOT NULL, created TEXT NOT NULL,
    PRIMARY KEY (run, example)
) STRICT
"""
