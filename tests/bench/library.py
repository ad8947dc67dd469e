"""Projects of any size for the measurements, written fast and kept between runs.

The texts are those of the procedural source, a few thousand of them, each set in one of some hundred invented places;
what people and QA have done to them is drawn at random, from a fixed seed. All rows go through the schema's triggers.
A million examples take about five minutes and 8 GB; those of 100,000 half a minute.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.config.project import FILE, create, parse_task, template
from core.curriculum.cell import Cell
from core.generation.figures import GenerationFigures
from core.generation.procedural.source import write_example
from core.generation.source import Request
from storage import migrations, review_log, reviews
from storage.database import connect, transaction
from storage.rows import insert
from storage.schema import Example

BASE = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
# The last six characters of the ids here, by which an example is told on the screen; no word looks like them.
TOKEN = re.compile(r"\bZ[0-9A-HJKMNP-TV-Z]{5}\b")
# A word that three examples have, and one that half of them have.
RARE, COMMON = "quorvane", "control"
RARE_EXAMPLES = 3
PLACE = "@@"
RUNS, EVENTS = 20, 50
_CHUNK = 5000
_STATUS = ("pending", "accepted", "rejected")
_REASONS = ("label is wrong", "ambiguous", "evidence is unclear", "")
_MODEL = {"model": "", "prompt_version": "1"}
_USAGE = {"input_tokens": None, "output_tokens": None, "cost": 0.0, "seconds": 0.01}


@dataclass(frozen=True, slots=True)
class Draft:
    """A candidate of the procedural source as texts, with a mark where the place is named."""

    cell: Cell
    hypothesis: str
    evidence: str
    reasoning: str
    confidence: float
    version: str
    candidate: str


def project(count: int, folder: Path | None = None) -> Path:
    """The folder of a project with `count` examples, made in `folder` (else in the temporary one) if not there."""
    sources = [Path(__file__), Path(migrations.__file__)]
    made_by = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:8]
    kept = (folder or Path(tempfile.gettempdir()) / "sidequest-bench") / f"{count}-{made_by}"
    if not kept.exists():
        part = kept.with_suffix(".part")
        for stale in kept.parent.glob(f"{count}-*"):
            shutil.rmtree(stale)
        part.parent.mkdir(parents=True, exist_ok=True)
        want_all(part, count)
        connection = connect(part / "sidequest.db")
        fill(connection, count)
        check(connection, count)
        connection.close()
        part.rename(kept)
    return kept


def copy(count: int, folder: Path) -> Path:
    """A project with `count` examples in a new folder in `folder`, to be changed at will."""
    return Path(shutil.copytree(project(count), folder / "project"))


def want_all(folder: Path, count: int, settings: dict[str, str] | None = None) -> None:
    """A new project that wants a twentieth more than `count` examples, a third of each decision."""
    each = max(10, round(count * 1.05 / 3))
    path = create(folder)
    text = re.sub(r"min = \d+\nmax = \d+", f"min = {each}\nmax = {each}", path.read_text(encoding="utf-8"))
    for plain, wanted in (settings or {}).items():
        assert plain in text, plain
        text = text.replace(plain, wanted)
    (folder / FILE).write_text(text, encoding="utf-8")


def fill(connection: sqlite3.Connection, count: int) -> None:
    """Write `count` examples with what belongs to them into an empty database."""
    connection.execute("PRAGMA journal_mode = OFF")
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute("PRAGMA cache_size = -2000000")
    rng = random.Random(count)
    _write_runs(connection)
    rows: dict[str, list[dict[str, Any]]] = {}
    drafts, places = list(_drafts()), _places(rng)
    for number in range(count):
        for table, row in _rows(rng, number, count, drafts, places):
            rows.setdefault(table, []).append(row)
        if number % _CHUNK == _CHUNK - 1 or number == count - 1:
            with transaction(connection):
                for table in ("attempts", "verdicts", "examples", "versions", "reviews"):
                    _insert_all(connection, table, rows.get(table, []))
            rows.clear()
    connection.execute("PRAGMA journal_mode = WAL")


def check(connection: sqlite3.Connection, count: int) -> None:
    """Raise AssertionError unless there are `count` examples, with all that belongs to them."""
    found = connection.execute("SELECT count(*) FROM examples").fetchone()[0]
    assert found == count, (found, count)
    check_counts(connection)
    rare = connection.execute("SELECT count(*) FROM examples_text WHERE examples_text MATCH ?", (RARE,)).fetchone()[0]
    assert rare == RARE_EXAMPLES, rare
    for row in connection.execute("SELECT id, status, flagged FROM examples ORDER BY id LIMIT 200").fetchall():
        standing = review_log.derive_state(reviews.log(connection, row["id"]))
        assert (standing.status.value, int(standing.flagged)) == (row["status"], row["flagged"]), row["id"]


def check_counts(connection: sqlite3.Connection) -> None:
    """Raise AssertionError unless the derived tables say of the examples what they say themselves."""
    grouped = connection.execute(
        "SELECT domain, level, decision, status, flagged, split, count(*) FROM examples GROUP BY 1, 2, 3, 4, 5, 6"
    ).fetchall()
    kept = connection.execute("SELECT * FROM cell_counts WHERE examples <> 0").fetchall()
    assert {tuple(row) for row in grouped} == {tuple(row) for row in kept}, "cell_counts"
    outcomes = connection.execute("SELECT outcome, count(*) FROM attempts GROUP BY outcome").fetchall()
    counted = connection.execute("SELECT outcome, attempts FROM outcome_counts").fetchall()
    assert {tuple(row) for row in outcomes} == {tuple(row) for row in counted}, "outcome_counts"
    numbers = {row[0] for row in connection.execute("SELECT number FROM examples").fetchall()}
    searched = {row[0] for row in connection.execute("SELECT rowid FROM examples_text").fetchall()}
    assert numbers == searched, f"examples_text differs by {len(numbers ^ searched)}"
    unversioned = "SELECT count(*) FROM examples WHERE id NOT IN (SELECT example FROM versions)"
    assert not connection.execute(unversioned).fetchone()[0], "versions"


def newest_review(connection: sqlite3.Connection) -> int:
    """The position of the newest line of the log."""
    return int(connection.execute("SELECT coalesce(max(id), 0) FROM reviews").fetchone()[0])


def put_back(connection: sqlite3.Connection, newest: int) -> None:
    """Take what was decided after line `newest` out of the log again, which only a measurement may do."""
    guard = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'reviews_never_go'").fetchone()[0]
    with transaction(connection):
        touched = connection.execute("SELECT DISTINCT example FROM reviews WHERE id > ?", (newest,)).fetchall()
        connection.execute("DROP TRIGGER reviews_never_go")
        connection.execute("DELETE FROM reviews WHERE id > ?", (newest,))
        connection.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = 'reviews'", (newest,))
        connection.execute(guard)
        for (example,) in touched:
            standing = review_log.derive_state(reviews.log(connection, example))
            values = (standing.status.value, int(standing.flagged), example)
            connection.execute("UPDATE examples SET status = ?, flagged = ? WHERE id = ?", values)


def _drafts() -> Iterator[Draft]:
    task = parse_task(template())
    cells = [
        Cell(domain.name, level.level, decision)
        for domain in task.domains
        for level in task.levels
        for decision in task.labels
    ]
    for number in range(30 * len(cells)):
        cell = cells[number % len(cells)]
        written = write_example(task, Request(cell, number // len(cells), 0, 0, 7)).candidate
        assert written is not None
        first, *rest = written.evidence
        told = first.model_copy(update={"content": f"{first.content} It was counted in {PLACE}."})
        claim = f"In {PLACE}, {written.hypothesis[0].lower()}{written.hypothesis[1:]}"
        candidate = written.model_copy(update={"hypothesis": claim, "evidence": [told, *rest]})
        place = {"family": "", "source": "", "domain": cell.domain, "level": cell.level}
        example = Example.model_validate(candidate.model_dump() | place)
        content = {"hypothesis", "evidence", "reasoning", "decision", "confidence", "domain", "level"}
        yield Draft(
            cell,
            claim,
            json.dumps([piece.model_dump() for piece in candidate.evidence]),
            candidate.reasoning,
            candidate.confidence,
            example.model_dump_json(include=content),
            candidate.model_dump_json(),
        )


def _places(rng: random.Random) -> list[str]:
    """Invented names; what is drawn from them by rank has few frequent and many rare ones."""
    syllables = [consonant + vowel for consonant in "bdfglmnprstv" for vowel in "aeiou"]
    names = {"".join(rng.choices(syllables, k=3)).capitalize() for _ in range(3000)}
    return sorted(names)


def _write_runs(connection: sqlite3.Connection) -> None:
    with transaction(connection):
        for number in range(RUNS):
            day = f"2026-01-{1 + number:02d}T08:00:00.000000+00:00"
            end = day.replace("08:00", "09:00")
            finished = {
                "state": "finished",
                "pid": 1,
                "pid_started": 1.0,
                "heartbeat": end,
                "started": day,
                "ended": end,
            }
            figures = GenerationFigures(total=100, accepted=100, rejected=12).snapshot().model_dump_json()
            params = json.dumps({"source": "procedural", "judge": "solver"})
            plain = {"id": _run(number), "kind": "generate", "params": params, "progress": figures, "reason": ""}
            insert(connection, "runs", plain | finished | {"request": None, "created": day})
            for step in range(EVENTS):
                line = {"run": _run(number), "severity": "info", "message": f"{2 * step}/100 written", "data": "{}"}
                insert(connection, "events", line | {"created": day})


def _rows(
    rng: random.Random, number: int, count: int, drafts: list[Draft], places: list[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The rows of one example, each with its table."""
    draft = drafts[int(rng.random() * len(drafts))]
    place = places[int(rng.random() ** 3 * len(places))]
    if number in {count * part // (RARE_EXAMPLES + 1) for part in range(1, RARE_EXAMPLES + 1)}:
        place = RARE.capitalize()
    made = f"2026-02-{1 + number % 28:02d}T{number % 24:02d}:00:00.000000+00:00"
    run, identifier = _run(number * RUNS // count), _identifier(rng, number)
    status = rng.choices(_STATUS, (60, 25, 15))[0]
    flagged, reviewer = int(rng.random() < 0.02), rng.choice(("", "ann"))
    family = f"f{number // 3:06d}"
    where = {"domain": draft.cell.domain, "level": draft.cell.level, "decision": draft.cell.decision}
    certainty = None
    attempt = None
    if rng.random() < 1 / 3:
        certainty, attempt = round(rng.betavariate(6, 2), 4), f"{identifier[:-1]}A"
        candidate = draft.candidate.replace(PLACE, place)
        chain = ["rejected", "passed"] if rng.random() < 0.15 else ["passed"]
        for step, result in enumerate(chain):
            last = result == "passed"
            tried = attempt if last else f"{attempt[:-1]}B"
            yield (
                "attempts",
                where
                | _MODEL
                | _USAGE
                | {"id": tried, "run": run, "slot": number, "number": step, "idea": 0, "candidate": candidate}
                | {"parent": f"{attempt[:-1]}B" if step else None, "outcome": "written", "raw": "", "detail": ""}
                | {"family": family, "source": "procedural", "seed": number, "created": made},
            )
            scores = json.dumps({"clarity": certainty, "sufficiency": 0.9, "soundness": 0.8})
            yield (
                "verdicts",
                _MODEL
                | _USAGE
                | {"id": tried, "attempt": tried, "result": result, "stage": "judge", "outcome": "written"}
                | {"reason": "" if last else rng.choice(("ambiguous evidence", "decision does not follow"))}
                | {"critique": "" if last else "Two pieces speak against each other, and nothing weighs them."}
                | {"blind_decision": draft.cell.decision, "blind_confidence": certainty, "rubric": scores}
                | {"created": made},
            )
    yield (
        "examples",
        where
        | _MODEL
        | {"number": number + 1, "id": identifier, "version": 1, "family": family, "status": status}
        | {"flagged": flagged, "confidence": draft.confidence, "hypothesis": draft.hypothesis.replace(PLACE, place)}
        | {"evidence": draft.evidence.replace(PLACE, place), "reasoning": draft.reasoning, "source": "procedural"}
        | {"seed": number, "run": run, "attempt": attempt, "created": made, "certainty": certainty}
        | {"split": ("train", "dev", "", "", "test", "")[number // 3 % 6]},
    )
    version = {"example": identifier, "version": 1, "content": draft.version.replace(PLACE, place), "created": made}
    yield "versions", version | {"certainty": certainty}
    said = {"example": identifier, "note": "", "reviewer": reviewer, "created": made}
    if status != "pending":
        reason = rng.choice(_REASONS) if status == "rejected" else ""
        yield "reviews", said | {"action": status.removesuffix("ed"), "reason": reason}
    if flagged:
        yield "reviews", said | {"action": "flag", "reason": ""}


def _insert_all(connection: sqlite3.Connection, table: str, rows: list[dict[str, Any]]) -> None:
    if rows:
        names = list(rows[0])
        sql = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
        connection.executemany(sql, ([row[name] for name in names] for row in rows))


def _run(number: int) -> str:
    return f"01J0{number:022d}"


def _identifier(rng: random.Random, number: int) -> str:
    """Sorts by `number`, and ends as `TOKEN` says."""
    middle = "".join(rng.choices(BASE, k=10))
    return f"01J{_based(number, 7)}{middle}{'Z' + _based(number * 7919 % 32**5, 5)}"


def _based(number: int, digits: int) -> str:
    return "".join(BASE[number >> 5 * place & 31] for place in reversed(range(digits)))
