"""Edits of an example as a person writes them: checked, with what is wrong in plain words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from core.config.task import Task
from core.curriculum.cell import Cell
from core.qa import rules
from storage.examples import CONTENT
from storage.schema import Example

# More than this in one example, and a form is no place for it.
FORM_CHARACTERS = 50_000
FORM_PIECES = 30

Values = dict[str, Any]


def fits_form(example: Example) -> bool:
    """Whether the example is short enough to be edited in a form."""
    texts = [example.hypothesis, example.reasoning, *(piece.source + piece.content for piece in example.evidence)]
    return sum(map(len, texts)) <= FORM_CHARACTERS and len(example.evidence) <= FORM_PIECES


def form_values(example: Example) -> Values:
    """What a form of the example says before anybody types: numbers as text."""
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
    }


def validate_edit(task: Task, example: Example, values: Mapping[str, Any]) -> tuple[Example | None, list[str]]:
    """The example with `values`, or None and what is wrong with them, a sentence a field."""
    try:
        edited = Example.model_validate(example.model_dump() | dict(values))
    except ValidationError as error:
        return None, [_sentence(detail) for detail in error.errors()]
    problems = task.cell_problems(edited.domain, edited.level, edited.decision)
    return (None, problems) if problems else (edited, [])


def doubts(task: Task, edited: Example) -> list[str]:
    """What the rules of QA would say of an edit; a person may know better."""
    cell = Cell(edited.domain, edited.level, edited.decision)
    return [problem.critique for problem in rules.broken_rules(task, cell, edited)]


def parse_json(text: str) -> tuple[Values, str]:
    """The fields of an example that a JSON document gives, or what is wrong with it ('' if nothing is)."""
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        return {}, f"line {error.lineno}, column {error.colno}: not JSON: {error.msg}"
    if not isinstance(found, dict):
        return {}, "an object with the fields of the example is needed"
    unknown = sorted(set(found) - CONTENT)
    if unknown:
        return {}, f"no field {', '.join(unknown)}: there are {', '.join(sorted(CONTENT))}"
    return found, ""


def format_json(values: Mapping[str, Any]) -> str:
    """What a form says as a JSON document; numbers as numbers, where they are some."""
    pieces = [piece | {"relevance": _number(piece["relevance"])} for piece in values["evidence"]]
    numbers = {name: _number(values[name]) for name in ("confidence", "level")}
    return json.dumps({**values, **numbers, "evidence": pieces}, indent=2, ensure_ascii=False) + "\n"


def _number(text: str) -> float | str:
    try:
        number = json.loads(text)
    except ValueError:
        return text
    return number if isinstance(number, int | float) else text


def _sentence(detail: ErrorDetails) -> str:
    place = " ".join(str(part + 1) if isinstance(part, int) else part for part in detail["loc"])
    given = str(detail["input"])[:40]
    fraction = detail["loc"][-1] in {"confidence", "relevance"}
    match detail["type"]:
        case "string_too_short":
            return f"{place}: is empty"
        case "too_short":
            return f"{place}: one piece at least is needed"
        case "missing":
            return f"{place}: is missing"
        case _ if fraction:
            return f"{place}: {given or 'nothing'} is no number from 0 to 1"
    return f"{place}: {detail['msg'][:1].lower()}{detail['msg'][1:]}"
