"""A person's edits of an example: validated, with problems in plain words."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from core.config.task import Task
from core.curriculum.cell import Cell
from core.qa import rules
from storage.examples import CONTENT
from storage.schema import Example

# Examples with more than this are not edited in a form.
FORM_CHARACTERS = 50_000
FORM_PIECES = 30

Values = dict[str, Any]


def fits_form(example: Example) -> bool:
    """Whether the example is short enough to be edited in a form."""
    texts = [example.hypothesis, example.reasoning, *(piece.source + piece.content for piece in example.evidence)]
    findings = [finding for step in example.steps for finding in [*step.findings, *step.against]]
    texts += [step.part + step.found + step.claimed for step in example.steps]
    texts += [finding.quote + finding.source + finding.says for finding in findings]
    pieces = max(len(example.evidence), len(example.steps) + len(findings))
    return sum(map(len, texts)) <= FORM_CHARACTERS and pieces <= FORM_PIECES


def form_values(example: Example) -> Values:
    """The initial values of a form for the example: numbers as text."""
    return {
        "hypothesis": example.hypothesis,
        "evidence": [
            {"source": piece.source, "relevance": str(piece.relevance), "content": piece.content}
            for piece in example.evidence
        ],
        "reasoning": example.reasoning,
        "decision": example.decision,
        "confidence": str(example.confidence),
        "domain": example.domain,
        "level": str(example.level),
        "steps": [_with_pieces(step.model_dump(mode="json"), str) for step in example.steps],
    }


def validate_edit(task: Task, example: Example, values: Mapping[str, Any]) -> tuple[Example | None, list[str]]:
    """The example with `values`, or None and the problems, a sentence per field."""
    try:
        edited = Example.model_validate(example.model_dump() | dict(values))
    except ValidationError as error:
        return None, [_sentence(detail) for detail in error.errors()]
    problems = task.cell_problems(edited.domain, edited.level, edited.decision)
    return (None, problems) if problems else (edited, [])


def rule_violations(task: Task, edited: Example) -> list[str]:
    """What QA's rules say about an edit; a person may know better. Nothing, of a cell that the task does not have."""
    if task.cell_problems(edited.domain, edited.level, edited.decision):
        return []
    cell = Cell(edited.domain, edited.level, edited.decision)
    return [problem.critique for problem in rules.broken_rules(task, cell, edited)]


def parse_json(text: str) -> tuple[Values, str]:
    """The fields of an example in a JSON document, and what is wrong with the document ('' if nothing is)."""
    try:
        fields = json.loads(text)
    except json.JSONDecodeError as error:
        return {}, f"line {error.lineno}, column {error.colno}: not JSON: {error.msg}"
    if not isinstance(fields, dict):
        return {}, "an object with the fields of the example is needed"
    unknown = sorted(set(fields) - CONTENT)
    if unknown:
        return {}, f"no field {', '.join(unknown)}: there are {', '.join(sorted(CONTENT))}"
    return fields, ""


def format_json(values: Mapping[str, Any]) -> str:
    """The values of a form as a JSON document, with numbers as numbers where possible."""
    pieces = [piece | {"relevance": _number(piece["relevance"])} for piece in values["evidence"]]
    numbers = {name: _number(values[name]) for name in ("confidence", "level")}
    steps = [_with_pieces(step, lambda piece: _number(str(piece))) for step in values.get("steps", [])]
    document = {**values, **numbers, "evidence": pieces} | ({"steps": steps} if "steps" in values else {})
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _with_pieces(step: Values, convert: Callable[[object], object]) -> Values:
    """A step with the numbers of the pieces of its findings converted."""

    def converted(findings: Any) -> Any:
        return [finding | {"piece": convert(finding["piece"])} for finding in findings]

    return step | {name: converted(step[name]) for name in ("findings", "against")}


def _number(text: str) -> float | str:
    try:
        number = json.loads(text)
    except ValueError:
        return text
    return number if isinstance(number, int | float) else text


def _sentence(detail: ErrorDetails) -> str:
    field = " ".join(str(part + 1) if isinstance(part, int) else part for part in detail["loc"])
    value = str(detail["input"])[:40]
    fraction = detail["loc"][-1] in {"confidence", "relevance"}
    match detail["type"]:
        case "string_too_short":
            return f"{field}: is empty"
        case "too_short":
            return f"{field}: one piece at least is needed"
        case _ if detail["loc"][-1] == "piece":
            return f"{field}: {value or 'nothing'} is no number of a piece"
        case "missing":
            return f"{field}: is missing"
        case _ if fraction:
            return f"{field}: {value or 'nothing'} is no number from 0 to 1"
    return f"{field}: {detail['msg'][:1].lower()}{detail['msg'][1:]}"
