"""The questions of benchmarks and the answers of models, each committed as it arrives."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pydantic import TypeAdapter

from storage.database import transaction, write_in_chunks
from storage.rows import columns, fields, insert
from storage.schema import Candidate, Evidence, Prediction, PredictionOutcome, Question, Step

_NESTED = frozenset({"probabilities"})


@dataclass(frozen=True, slots=True)
class StoredQuestion:
    """A question with the case as it was when the run began."""

    question: Question
    hypothesis: str
    evidence: tuple[Evidence, ...]

    @property
    def length(self) -> int:
        """The characters that a model has to read."""
        return len(self.hypothesis) + sum(len(piece.source) + len(piece.content) for piece in self.evidence)


class Target(NamedTuple):
    """The example that a question is about, as it was when the run began.

    A tuple, since a screen may hold 100,000 of them.
    """

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
    """Store the questions of a run with their cases as they are now. Call it in the transaction that adds the run."""
    for question, case in questions:
        connection.execute(
            "INSERT OR IGNORE INTO cases (example, version, hypothesis, evidence, steps) VALUES (?, ?, ?, ?, ?)",
            (
                question.example,
                question.version,
                case.hypothesis,
                json.dumps([piece.model_dump() for piece in case.evidence]),
                json.dumps([step.model_dump() for step in case.steps]),
            ),
        )
        insert(connection, "questions", columns(question))


def copy_questions(connection: sqlite3.Connection, run: str, source_run: str) -> None:
    """Give `run` the questions of `source_run`, with their cases. Call it in the transaction that adds the run."""
    connection.execute(
        "INSERT INTO questions (run, position, example, version, label, domain, level, family) "
        "SELECT ?, position, example, version, label, domain, level, family FROM questions WHERE run = ?",
        (run, source_run),
    )


def target(question: Question) -> Target:
    """The target of `question`."""
    return Target(question.example, question.label, question.domain, question.level, question.family)


def targets(connection: sqlite3.Connection, run: str) -> list[Target]:
    """The targets of a run's questions, in order of position."""
    rows = connection.cursor()
    rows.row_factory = None
    rows.execute("SELECT example, label, domain, level, family FROM questions WHERE run = ? ORDER BY position", (run,))
    return list(map(Target._make, rows))


def read_questions(connection: sqlite3.Connection, run: str, examples: Sequence[str] = ()) -> list[StoredQuestion]:
    """The questions of a run with their cases, in order of position; only about these `examples` if some are given."""
    restricted = f" AND q.example IN ({', '.join('?' * len(examples))})" if examples else ""
    rows = connection.execute(
        "SELECT q.*, c.hypothesis, c.evidence FROM questions AS q "
        f"JOIN cases AS c ON c.example = q.example AND c.version = q.version WHERE q.run = ?{restricted} "
        "ORDER BY q.position",
        (run, *examples),
    )
    questions = []
    for row in rows:
        columns = dict(row)
        hypothesis = columns.pop("hypothesis")
        evidence = tuple(Evidence.model_validate(piece) for piece in json.loads(columns.pop("evidence")))
        questions.append(StoredQuestion(Question.model_construct(**columns), hypothesis, evidence))
    return questions


def add(connection: sqlite3.Connection, predictions: Sequence[Prediction]) -> None:
    """Store a batch of predictions in one transaction."""
    with transaction(connection):
        for prediction in predictions:
            insert(connection, "predictions", columns(prediction, without=frozenset({"id"})))


def unanswered(connection: sqlite3.Connection, run: str, samples: int, number: int) -> set[tuple[str, int]]:
    """The (example, sample) pairs that round `number` of a run has still to ask.

    These have no answer yet, and were not asked in this round.
    """
    pairs = {
        (row["example"], sample)
        for row in connection.execute("SELECT example FROM questions WHERE run = ?", (run,))
        for sample in range(samples)
    }
    rows = connection.execute(
        "SELECT example, sample FROM predictions INDEXED BY predictions_scored "
        "WHERE run = ? AND (outcome = ? OR number >= ?)",
        (run, PredictionOutcome.ANSWERED.value, number),
    )
    return pairs - {(row["example"], row["sample"]) for row in rows}


def count_failed(connection: sqlite3.Connection, run: str) -> int:
    """How many (example, sample) pairs of a run were asked and have no answer."""
    row = connection.execute(
        "SELECT count(*) FROM (SELECT max(outcome = ?) AS answered FROM predictions INDEXED BY predictions_scored "
        "WHERE run = ? GROUP BY example, sample) WHERE NOT answered",
        (PredictionOutcome.ANSWERED.value, run),
    ).fetchone()
    return int(row[0])


def prediction_figures(
    connection: sqlite3.Connection, run: str, *, after: int = 0, limit: int = -1
) -> list[PredictionFigures]:
    """The figures of up to `limit` predictions of a run (failed ones, too) with an id above `after`, in order."""
    rows = connection.cursor()
    rows.row_factory = None
    rows.execute(
        "SELECT id, example, sample, number, outcome, decision, confidence, probabilities, seconds, input_tokens, "
        "output_tokens, cost FROM predictions INDEXED BY predictions_scored WHERE run = ? AND id > ? "
        "ORDER BY id LIMIT ?",
        (run, after, limit),
    )
    outcomes = {outcome_name.value: outcome_name for outcome_name in PredictionOutcome}
    return [
        PredictionFigures(
            key,
            example,
            sample,
            number,
            outcomes[outcome],
            decision,
            confidence,
            json.loads(distribution) if distribution else None,
            *usage,
        )
        for key, example, sample, number, outcome, decision, confidence, distribution, *usage in rows
    ]


class AnswerToSteps(NamedTuple):
    """An answer in words to an example that has steps; `probability` is that of its decision, where it is known.

    The example is given as it was when the run began.
    """

    example: str
    domain: str
    level: int
    family: str
    hypothesis: str
    raw: str
    decision: str | None
    probability: float | None
    steps: list[Step]


def answers_to_steps(connection: sqlite3.Connection, run: str) -> Iterator[AnswerToSteps]:
    """The newest answer of a run to each of its examples that has steps, in order of position."""
    rows = connection.execute(
        "SELECT q.example, q.domain, q.level, q.family, c.hypothesis, p.raw, p.decision, p.probabilities, c.steps "
        "FROM questions AS q "
        "JOIN cases AS c ON c.example = q.example AND c.version = q.version "
        "JOIN predictions AS p ON p.run = q.run AND p.example = q.example AND p.sample = 0 "
        "WHERE q.run = ? AND c.steps <> '[]' AND NOT EXISTS (SELECT 1 FROM predictions AS later "
        "WHERE later.run = p.run AND later.example = p.example AND later.sample = 0 AND later.number > p.number) "
        "ORDER BY q.position",
        (run,),
    )
    adapter = TypeAdapter(list[Step])
    for row in rows:
        distribution = json.loads(row["probabilities"]) if row["probabilities"] else {}
        yield AnswerToSteps(
            row["example"],
            row["domain"],
            row["level"],
            row["family"],
            row["hypothesis"],
            row["raw"],
            row["decision"],
            distribution.get(row["decision"]),
            adapter.validate_json(row["steps"]),
        )


def count_with_steps(connection: sqlite3.Connection, run: str) -> int:
    """How many of the examples that a run asks about have steps."""
    row = connection.execute(
        "SELECT count(*) FROM questions AS q JOIN cases AS c ON c.example = q.example AND c.version = q.version "
        "WHERE q.run = ? AND c.steps <> '[]'",
        (run,),
    ).fetchone()
    return int(row[0])


def families(connection: sqlite3.Connection, run: str) -> list[tuple[str, str]]:
    """(example, family) of each question of a run, in order of position."""
    rows = connection.execute("SELECT example, family FROM questions WHERE run = ? ORDER BY position", (run,))
    return [(row[0], row[1]) for row in rows]


def count_questions(connection: sqlite3.Connection, run: str) -> int:
    """How many examples a run asks about."""
    return int(connection.execute("SELECT count(*) FROM questions WHERE run = ?", (run,)).fetchone()[0])


def question_versions(connection: sqlite3.Connection, run: str) -> frozenset[tuple[str, int]]:
    """The (example, version) pairs that a run asks about."""
    rows = connection.execute("SELECT example, version FROM questions WHERE run = ?", (run,))
    return frozenset((row[0], row[1]) for row in rows)


def mean_output_tokens(connection: sqlite3.Connection, model: str) -> float | None:
    """The mean tokens of an answer in the newest run of `model` that reports them; None if none does."""
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
    """All predictions of a run about one example, oldest first."""
    rows = connection.execute("SELECT * FROM predictions WHERE run = ? AND example = ? ORDER BY id", (run, example))
    return [_prediction(row) for row in rows]


def has_outdated(connection: sqlite3.Connection, run: str, reader: int) -> bool:
    """Whether any stored answer of a run was parsed by another reader than `reader`, the current version."""
    query = "SELECT 1 FROM predictions WHERE run = ? AND reader <> ? LIMIT 1"
    return connection.execute(query, (run, reader)).fetchone() is not None


def reparse(
    connection: sqlite3.Connection, run: str, reader: int, parse: Callable[[Prediction], Prediction]
) -> Iterator[int]:
    """Parse the stored answers again that an older reader parsed; yields how many predictions are done.

    `reader` is the current version; `parse` returns the prediction with the parsed fields renewed.
    """
    outdated = connection.execute("SELECT id FROM predictions WHERE run = ? AND reader <> ?", (run, reader)).fetchall()
    names = ("reader", "outcome", "decision", "confidence", "rationale")

    def write(chunk: Sequence[int]) -> None:
        marks = ", ".join("?" * len(chunk))
        rows = connection.execute(f"SELECT * FROM predictions WHERE id IN ({marks})", list(chunk)).fetchall()
        for row in rows:
            values = columns(parse(_prediction(row)))
            connection.execute(
                f"UPDATE predictions SET {', '.join(f'{name} = ?' for name in names)} WHERE id = ?",
                [*(values[name] for name in names), row["id"]],
            )

    yield from write_in_chunks(connection, [row["id"] for row in outdated], write)


def _prediction(row: sqlite3.Row) -> Prediction:
    return Prediction.model_validate(fields(row, nested=_NESTED))
