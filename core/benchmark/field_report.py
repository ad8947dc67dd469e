"""Where a student that writes its steps goes wrong: accuracy by field over a run, with the worst answers of each."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from dataclasses import dataclass

from core.benchmark.step_fields import FIELDS, FieldCounts, FieldScore, judge_fields
from core.config.project import Project
from core.config.steps import StepWording
from core.models.step_lines import as_parsed, contradicts, parse_steps
from core.models.student_format import StudentFormatError, load_format
from core.models.trained import trained_models
from core.runs.params import BenchmarkParams, params_of
from storage import predictions
from storage.schema import Run

# Examples that are named for each field.
WORST = 3

_MEANINGS = {
    "part": "names the parts of the claim",
    "grounds": "weighs what disagrees",
    "found": "reads the evidence",
    "claimed": "reads the claim",
    "holds": "compares the two",
    "concludes": "concludes from its own steps",
}


@dataclass(frozen=True, slots=True)
class FieldReport:
    """Accuracy by field of the answers in words to examples that have steps.

    `answers` were read; `without_steps` of them held none; `contradictions` are examples whose answer decides otherwise
    than its own steps; `worst` are, by field, the examples that were wrong though the student was surest.
    """

    answers: int
    without_steps: int
    scores: list[FieldScore]
    contradictions: list[str]
    worst: dict[str, list[str]]


def field_report(project: Project, connection: sqlite3.Connection, run: Run) -> FieldReport:
    """The accuracy by field of a run, so far."""
    wording = wording_of(project, connection, params_of(run, BenchmarkParams).model)
    rule = project.task.steps.rule
    counts = FieldCounts()
    answers = without_steps = 0
    contradictions: list[str] = []
    wrong: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for answer in predictions.answers_to_steps(connection, run.id):
        answers += 1
        written = parse_steps(answer.raw, wording)
        if not written:
            without_steps += 1
            continue
        judged = judge_fields(as_parsed(answer.steps, wording), written, answer.decision, rule)
        counts.add(judged)
        if contradicts(written, answer.decision, rule):
            contradictions.append(answer.example)
        for field in {name for name, is_right in judged if not is_right}:
            wrong[field].append((answer.probability or 0.0, answer.example))
    worst = {
        field: [example for _, example in sorted(wrong[field], key=lambda pair: (-pair[0], pair[1]))[:WORST]]
        for field in FIELDS
        if wrong[field]
    }
    return FieldReport(answers, without_steps, counts.scores(), contradictions, worst)


def describe_fields(report: FieldReport) -> str:
    """What the student does well and what worst, as one sentence; '' if no answer holds steps."""
    if not report.scores:
        return ""
    ordered = sorted(report.scores, key=lambda score: -score.share)
    best, weakest = ordered[:-1][:2], ordered[-1]
    parts = [f"{_MEANINGS[score.field]} ({score.share:.0%})" for score in best]
    weak = f"{_MEANINGS[weakest.field]} in {weakest.share:.0%} only"
    return f"It {', '.join(parts)}, but {weak}." if parts else f"It {weak}."


def wording_of(project: Project, connection: sqlite3.Connection, model: str) -> StepWording:
    """How a model writes its steps: as it was trained, else as the task has it."""
    trained = trained_models(project, connection).get(model)
    try:
        kept = load_format(project.folder / trained.adapter) if trained else None
    except StudentFormatError:  # asking the model says so
        kept = None
    return kept.wording if kept else project.task.steps.wording
