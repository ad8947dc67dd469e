"""Where a student that writes its steps goes wrong: accuracy by field over a run, with the worst answers of each."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from core.benchmark.field_cells import FieldCell, slice_field, weakest_slice
from core.benchmark.step_fields import FIELDS, FieldCounts, FieldScore, judge_fields, match_fields
from core.config.project import Project
from core.config.steps import StepRule, StepWording
from core.generation.procedural.rebuild import inference_of
from core.models.step_lines import ParsedStep, as_parsed, contradicts, decision_of, parse_steps
from core.models.student_format import StudentFormatError, load_format
from core.models.trained import trained_models
from core.runs.params import BenchmarkParams, params_of
from storage import predictions
from storage.schema import Run

# Examples that are named for each field.
WORST = 3
_NUMBERS = {1: "one", 2: "two", 3: "three", 4: "four", 5: "five"}

MEANINGS = {
    "part": "names the parts of the claim",
    "grounds": "weighs what disagrees",
    "found": "reads the evidence",
    "claimed": "reads the claim",
    "holds": "compares the two",
    "concludes": "concludes from its own steps",
}
_FAILINGS = {
    "part": "misnames the parts of the claim",
    "grounds": "misjudges which piece counts",
    "found": "misreads the evidence",
    "claimed": "misreads the claim",
    "holds": "miscompares the two",
    "concludes": "decides otherwise than its own steps",
}


@dataclass(frozen=True, slots=True)
class FieldMistake:
    """A field of an answer that is wrong: what it should be, and what the student wrote ('' for nothing)."""

    example: str
    domain: str
    level: int
    hypothesis: str
    expected: str
    written: str


@dataclass(frozen=True, slots=True)
class FieldReport:
    """Accuracy by field of the answers in words to examples that have steps.

    `asked` examples have steps; `answers` to them were read; `without_steps` of these held none; `contradictions` are
    examples whose answer decides otherwise than its own steps; `worst` are, by field, the examples that were wrong
    though the student was surest, and `mistakes` what it wrote there; `cells` count by level, parts of the claim and
    kind of inference.
    """

    asked: int
    answers: int
    without_steps: int
    scores: list[FieldScore]
    contradictions: list[str]
    worst: dict[str, list[str]]
    mistakes: dict[str, list[FieldMistake]]
    cells: list[FieldCell]

    @property
    def weakest(self) -> FieldScore | None:
        """The field with the lowest share; None without fields."""
        return min(reversed(self.scores), key=lambda score: score.share, default=None)


def field_report(project: Project, connection: sqlite3.Connection, run: Run) -> FieldReport:
    """The accuracy by field of a run, so far."""
    wording = wording_of(project, connection, params_of(run, BenchmarkParams).model)
    rule = project.task.steps.rule
    counts = FieldCounts()
    cells: dict[tuple[str, int, int, str], list[int]] = defaultdict(lambda: [0, 0])
    answers = without_steps = 0
    contradictions: list[str] = []
    wrong: dict[str, list[tuple[float, FieldMistake]]] = defaultdict(list)
    for answer in predictions.answers_to_steps(connection, run.id):
        answers += 1
        written = parse_steps(answer.raw, wording)
        if not written:
            without_steps += 1
            continue
        expected = as_parsed(answer.steps, wording)
        judged = judge_fields(expected, written, answer.decision, rule)
        counts.add(judged)
        inference = inference_of(project.task, answer.domain, answer.level, answer.family, answer.hypothesis) or ""
        for field, is_right in judged:
            count = cells[field, answer.level, len(answer.steps), str(inference)]
            count[0] += is_right
            count[1] += 1
        if contradicts(written, answer.decision, rule):
            contradictions.append(answer.example)
        for field, (right_value, value) in _wrong_values(expected, written, answer.decision, rule, wording).items():
            mistake = FieldMistake(answer.example, answer.domain, answer.level, answer.hypothesis, right_value, value)
            wrong[field].append((answer.probability or 0.0, mistake))
    mistakes = {
        field: [mistake for _, mistake in sorted(wrong[field], key=lambda pair: (-pair[0], pair[1].example))[:WORST]]
        for field in FIELDS
        if wrong[field]
    }
    return FieldReport(
        asked=predictions.count_with_steps(connection, run.id),
        answers=answers,
        without_steps=without_steps,
        scores=counts.scores(),
        contradictions=contradictions,
        worst={field: [mistake.example for mistake in listed] for field, listed in mistakes.items()},
        mistakes=mistakes,
        cells=[FieldCell(*key, *count) for key, count in sorted(cells.items())],
    )


def _wrong_values(
    expected: Sequence[ParsedStep],
    written: Sequence[ParsedStep],
    decision: str | None,
    rule: StepRule | None,
    wording: StepWording,
) -> dict[str, tuple[str, str]]:
    """For each field that is wrong, of the first step where it is: what it should be, and what was written."""

    def value(step: ParsedStep, field: str) -> str:
        if field != "holds":
            return str(getattr(step, field))
        return wording.word(step.holds) if step.holds else ""

    wrong: dict[str, tuple[str, str]] = {}
    for match in match_fields(expected, written):
        if not match.is_right:
            own = "" if match.written is None else value(written[match.written], match.field)
            wrong.setdefault(match.field, (value(expected[match.position], match.field), own))
    follows = decision_of(written, rule) if rule is not None else None
    if follows is not None and follows != decision:
        wrong["concludes"] = (follows, decision or "")
    return wrong


def describe_fields(report: FieldReport) -> str:
    """What the student does well and what worst, as one sentence; '' if no answer holds steps.

    It names the cases in which a field goes wrong where they are surely worse than the rest.
    """
    weakest = report.weakest
    if weakest is None:
        return ""
    if weakest.right == weakest.n:
        return f"Every field of its steps is right, in {report.answers - report.without_steps:,} answers."
    best = sorted((score for score in report.scores if score is not weakest), key=lambda score: -score.share)[:2]
    failing, share = _FAILINGS[weakest.field], weakest.share
    if (slice_ := weakest_slice(slice_field(report.cells, weakest.field))) is not None:
        kind, value, figures = slice_
        failing, share = _where(failing, kind, value), figures.right / figures.n
    weak = f"{failing} ({_percent(share)} right)"
    strengths = [f"{MEANINGS[score.field]} ({_percent(score.share)})" for score in best]
    return f"It {', '.join(strengths)}, but {weak}." if strengths else f"It {weak}."


def _percent(share: float) -> str:
    """A share in whole per cent, of which only all is 100."""
    return "over 99 %" if 0.995 <= share < 1 else f"{100 * share:.0f} %"


def _where(failing: str, kind: str, value: int | str) -> str:
    """`failing`, in the cases of one level, of so many parts, or of one kind of inference."""
    if kind == "parts":
        claims = f"claims of {_NUMBERS.get(int(value), str(value))} part{'s' if value != 1 else ''}"
        return failing.replace("the claim", claims) if failing.endswith("the claim") else f"{failing} in {claims}"
    return f"{failing} at level {value}" if kind == "level" else f"{failing} in cases of {value}"


def wording_of(project: Project, connection: sqlite3.Connection, model: str) -> StepWording:
    """How a model writes its steps: as it was trained, else as the task has it."""
    trained = trained_models(project, connection).get(model)
    try:
        kept = load_format(project.folder / trained.adapter) if trained else None
    except StudentFormatError:  # asking the model says so
        kept = None
    return kept.wording if kept else project.task.steps.wording
