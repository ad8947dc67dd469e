"""What benchmarks ask, and what models said, each committed as it arrives."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from storage.database import transaction, write_in_chunks
from storage.rows import columns, fields, insert
from storage.schema import Candidate, Evidence, Prediction, PredictionOutcome, Question

_NESTED = frozenset({"probabilities"})


@dataclass(frozen=True, slots=True)
class StoredQuestion:
    """A question with the case as it was when the run began."""

    question: Question
    hypothesis: str
    evidence: tuple[Evidence, ...]

    @property
    def length(self) -> int:
        """The characters that a model has to read of it."""
        return len(self.hypothesis) + sum(len(piece.source) + len(piece.content) for piece in self.evidence)


class Target(NamedTuple):
    """An example that a run asks about, as it was then; a tuple, since there may be 100,000 of them on the screen."""

    example: str
    label: str
    domain: str
    level: int
    family: str


class PredictionFigures(NamedTuple):
    """The figures of one prediction, without its texts; a tuple, like `Target`."""

    id: int
    example: str
    sample: int
    number: int
    outcome: PredictionOutcome
    decision: str | None
    confidence: float | None
    probabilities: dict[str, float] | None
    seconds: float
    input_tokens: int | None
    output_tokens: int | None
    cost: float | None


def add_questions(connection: sqlite3.Connection, questions: Iterable[tuple[Question, Candidate]]) -> None:
    """Keep what a run asks, with the cases as they are now. Call it inside the transaction that adds the run."""
    for question, case in questions:
        connection.execute(
            "INSERT OR IGNORE INTO cases (example, version, hypothesis, evidence) VALUES (?, ?, ?, ?)",
            (
                question.example,
                question.version,
                case.hypothesis,
                json.dumps([piece.model_dump() for piece in case.evidence]),
            ),
        )
        insert(connection, "questions", columns(question))


def copy_questions(connection: sqlite3.Connection, run: str, source_run: str) -> None:
    """Let a run ask what the run `like` asks, with the cases as they were. Call it inside the run's transaction."""
    connection.execute(
        "INSERT INTO questions (run, position, example, version, label, domain, level, family) "
        "SELECT ?, position, example, version, label, domain, level, family FROM questions WHERE run = ?",
        (run, source_run),
    )


def target(question: Question) -> Target:
    """What `question` is about."""
    return Target(question.example, question.label, question.domain, question.level, question.family)


def targets(connection: sqlite3.Connection, run: str) -> list[Target]:
    """What a run asks about, in its order."""
    rows = connection.cursor()
    rows.row_factory = None
    rows.execute("SELECT example, label, domain, level, family FROM questions WHERE run = ? ORDER BY position", (run,))
    return list(map(Target._make, rows))


def read_questions(connection: sqlite3.Connection, run: str, examples: Sequence[str] = ()) -> list[StoredQuestion]:
    """What a run asks, with the cases, in its order; only of these `examples` if some are given."""
    restricted = f" AND q.example IN ({', '.join('?' * len(examples))})" if examples else ""
    rows = connection.execute(
        "SELECT q.*, c.hypothesis, c.evidence FROM questions AS q "
        f"JOIN cases AS c ON c.example = q.example AND c.version = q.version WHERE q.run = ?{restricted} "
        "ORDER BY q.position",
        (run, *examples),
    )
    found = []
    for row in rows:
        plain = dict(row)
        hypothesis = plain.pop("hypothesis")
        evidence = tuple(Evidence.model_validate(piece) for piece in json.loads(plain.pop("evidence")))
        found.append(StoredQuestion(Question.model_construct(**plain), hypothesis, evidence))
    return found


def add(connection: sqlite3.Connection, predictions: Sequence[Prediction]) -> None:
    """Keep what a model said to the questions of one batch, in one transaction."""
    with transaction(connection):
        for one in predictions:
            insert(connection, "predictions", columns(one, without=frozenset({"id"})))


def unanswered(connection: sqlite3.Connection, run: str, samples: int, number: int) -> set[tuple[str, int]]:
    """The (example, sample) that round `number` of a run has still to ask: no answer yet, and not asked in it."""
    wanted = {
        (row["example"], sample)
        for row in connection.execute("SELECT example FROM questions WHERE run = ?", (run,))
        for sample in range(samples)
    }
    rows = connection.execute(
        "SELECT example, sample FROM predictions INDEXED BY predictions_scored "
        "WHERE run = ? AND (outcome = ? OR number >= ?)",
        (run, PredictionOutcome.ANSWERED.value, number),
    )
    return wanted - {(row["example"], row["sample"]) for row in rows}


def count_failed(connection: sqlite3.Connection, run: str) -> int:
    """How many (example, sample) of a run have been asked, and have no answer."""
    row = connection.execute(
        "SELECT count(*) FROM (SELECT max(outcome = ?) AS answered FROM predictions INDEXED BY predictions_scored "
        "WHERE run = ? GROUP BY example, sample) WHERE NOT answered",
        (PredictionOutcome.ANSWERED.value, run),
    ).fetchone()
    return int(row[0])


def prediction_figures(
    connection: sqlite3.Connection, run: str, *, after: int = 0, limit: int = -1
) -> list[PredictionFigures]:
    """The figures of up to `limit` predictions of a run with an id above `after`, oldest first; failed ones too."""
    rows = connection.cursor()
    rows.row_factory = None
    rows.execute(
        "SELECT id, example, sample, number, outcome, decision, confidence, probabilities, seconds, input_tokens, "
        "output_tokens, cost FROM predictions INDEXED BY predictions_scored WHERE run = ? AND id > ? "
        "ORDER BY id LIMIT ?",
        (run, after, limit),
    )
    outcomes = {one.value: one for one in PredictionOutcome}
    return [
        PredictionFigures(
            key, example, sample, number, outcomes[outcome], decision, sure, json.loads(each) if each else None, *took
        )
        for key, example, sample, number, outcome, decision, sure, each, *took in rows
    ]


def families(connection: sqlite3.Connection, run: str) -> list[tuple[str, str]]:
    """What a run asks as (example, family), in its order."""
    rows = connection.execute("SELECT example, family FROM questions WHERE run = ? ORDER BY position", (run,))
    return [(row[0], row[1]) for row in rows]


def count_questions(connection: sqlite3.Connection, run: str) -> int:
    """How many examples a run asks in all."""
    return int(connection.execute("SELECT count(*) FROM questions WHERE run = ?", (run,)).fetchone()[0])


def question_versions(connection: sqlite3.Connection, run: str) -> frozenset[tuple[str, int]]:
    """What a run asks in all, as (example, version)."""
    rows = connection.execute("SELECT example, version FROM questions WHERE run = ?", (run,))
    return frozenset((row[0], row[1]) for row in rows)


def mean_output_tokens(connection: sqlite3.Connection, model: str) -> float | None:
    """How many tokens an answer had in the newest run that asked `model` and knows it; None if none does."""
    rows = connection.execute(
        "SELECT id FROM runs WHERE kind = 'benchmark' AND json_extract(params, '$.model') = ? ORDER BY id DESC",
        (model,),
    ).fetchall()
    for row in rows:
        mean = connection.execute(
            "SELECT avg(output_tokens) FROM predictions INDEXED BY predictions_scored WHERE run = ?", (row["id"],)
        ).fetchone()[0]
        if mean is not None:
            return float(mean)
    return None


def newest(connection: sqlite3.Connection, run: str, limit: int) -> list[Prediction]:
    """The newest predictions of a run, newest first."""
    rows = connection.execute("SELECT * FROM predictions WHERE run = ? ORDER BY id DESC LIMIT ?", (run, limit))
    return [_prediction(row) for row in rows]


def of_example(connection: sqlite3.Connection, run: str, example: str) -> list[Prediction]:
    """All that a run was told about one example, oldest first."""
    rows = connection.execute("SELECT * FROM predictions WHERE run = ? AND example = ? ORDER BY id", (run, example))
    return [_prediction(row) for row in rows]


def reparse(
    connection: sqlite3.Connection, run: str, reader: int, parse: Callable[[Prediction], Prediction]
) -> Iterator[int]:
    """Let `read` make the answers anew out of what former readers kept; yields how many predictions are done."""
    old = connection.execute("SELECT id FROM predictions WHERE run = ? AND reader <> ?", (run, reader)).fetchall()
    names = ("reader", "outcome", "decision", "confidence", "rationale")

    def write(piece: Sequence[int]) -> None:
        marks = ", ".join("?" * len(piece))
        rows = connection.execute(f"SELECT * FROM predictions WHERE id IN ({marks})", list(piece)).fetchall()
        for row in rows:
            values = columns(parse(_prediction(row)))
            connection.execute(
                f"UPDATE predictions SET {', '.join(f'{name} = ?' for name in names)} WHERE id = ?",
                [*(values[name] for name in names), row["id"]],
            )

    yield from write_in_chunks(connection, [row["id"] for row in old], write)


def _prediction(row: sqlite3.Row) -> Prediction:
    return Prediction.model_validate(fields(row, nested=_NESTED))
