"""Writes a benchmark of a student that writes its steps: procedural examples, answered in its own wording."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from core.config.project import Project
from core.curriculum.cell import Cell
from core.generation.procedural.source import write_example
from core.generation.source import Request
from core.models.parse_answer import PARSER_VERSION, parse_answer
from core.models.step_lines import write_steps
from storage import predictions, runs
from storage.database import transaction
from storage.schema import Example, Outcome, Prediction, Question, Run, RunState
from tests.conftest import example

# Of a case of two parts, the student names the direction of each the wrong way round.
SWAPPED = {"up": "down", "down": "up"}


def stepped_examples(project: Project, levels: Sequence[int], count: int) -> list[Example]:
    """`count` procedural examples of each decision at each of `levels`, accepted for the test split."""
    made: list[Example] = []
    for level in levels:
        for decision in project.task.labels:
            for slot in range(count):
                cell = Cell("market", level, decision)
                written = write_example(project.task, Request(cell, slot, 0, 0, 1))
                assert written.candidate is not None
                fields: dict[str, Any] = written.candidate.model_dump()
                fields |= {"id": f"01J{len(made):023d}", "family": written.family, "domain": "market", "level": level}
                made.append(example(**fields, split="test"))
    return made


def write_stepped_benchmark(
    project: Project,
    db: sqlite3.Connection,
    cases: Sequence[Example],
    *,
    wrong_from: int = 3,
    raw: dict[str, str] | None = None,
    mode: str = "reason",
) -> Run:
    """A finished benchmark whose student misreads each piece of evidence from level `wrong_from` on.

    `raw` are other answers, by example. A misreading is carried on: whether a part holds, and the decision, follow.
    """
    run = Run(kind="benchmark", state=RunState.FINISHED, params={"model": "own", "mode": mode, "split": "test"})
    questions = [
        Question(
            run=run.id,
            position=position,
            example=case.id,
            label=case.decision,
            domain=case.domain,
            level=case.level,
            family=case.family,
        )
        for position, case in enumerate(cases)
    ]
    progress = {"total": len(cases), "done": len(cases), "n": len(cases), "right": 0, "low": 0.0, "high": 1.0}
    with transaction(db):
        runs.write(db, run.model_copy(update={"progress": progress | {"accuracy": 0.0}}))
        predictions.add_questions(db, zip(questions, cases, strict=True))
    answered = [
        _prediction(project, question, (raw or {}).get(case.id) or _answer(project, case, wrong_from))
        for question, case in zip(questions, cases, strict=True)
    ]
    predictions.add(db, answered)
    return run


def _answer(project: Project, case: Example, wrong_from: int) -> str:
    steps = case.steps
    if case.level >= wrong_from:
        steps = [step.model_copy(update={"found": SWAPPED.get(step.found, "unclear")}) for step in steps]
    lines = write_steps(steps, project.task.steps.wording)
    return f"{lines}\nDecision: {case.decision}\nConfidence: 0.9"


def _prediction(project: Project, question: Question, raw: str) -> Prediction:
    parsed = parse_answer(raw, "", Outcome.WRITTEN, project.task.labels)
    return Prediction(
        run=question.run,
        example=question.example,
        ended=Outcome.WRITTEN,
        raw=raw,
        reader=PARSER_VERSION,
        outcome=parsed.outcome,
        decision=parsed.decision,
        confidence=parsed.confidence,
        rationale=parsed.rationale,
        probabilities={parsed.decision: 0.5 + question.position / 1000} if parsed.decision else None,
        model="own",
    )
