"""Turns foreign records into examples by the expressions of a mapping."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping as Dict
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal, cast

from pydantic import ValidationError

from core.config.mapping import EXPRESSIONS, DefaultField, Mapping, compile_expression
from storage.schema import Example
from storage.splits import SPLITS

if TYPE_CHECKING:
    from jmespath.parser import ParsedResult

# The reasoning of a record that has none.
NO_REASONING = "No reasoning was given."
# A number that starts from 1 again in the next file.
_BARE_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
SPLIT_NAMES = {"validation": "dev", "valid": "dev", "val": "dev", "development": "dev"}


class RejectedError(ValueError):
    """A record is no example; `str()` of it says why."""


@dataclass(frozen=True, slots=True)
class TaskNames:
    """The decisions, domains and levels of a project."""

    decisions: tuple[str, ...]
    domains: tuple[str, ...]
    levels: tuple[int, ...]


class RecordReader:
    """Turns the records of one file into examples; `stem` is its name, for families that are mere numbers in it."""

    def __init__(self, mapping: Mapping, names: TaskNames, stem: str) -> None:
        self._mapping = mapping
        self._names = names
        self._stem = stem
        self._expressions = {name: compile_expression(getattr(mapping, name), name) for name in EXPRESSIONS}

    def read(self, record: Any) -> Example:
        """Turn `record` (decoded JSON, or a row by the names of its columns) into an example.

        Raises RejectedError with every reason why it is none.
        """
        problems: list[str] = []
        fields: dict[str, Any] = {"hypothesis": self._hypothesis(record, problems)}
        fields["evidence"] = self._evidence(record, problems)
        fields["decision"] = self._decision(record, problems)
        fields["domain"] = self._domain(record, problems)
        fields["level"] = self._level(record, problems)
        fields["confidence"] = self._number(self._value(record, "confidence"), "confidence", problems)
        fields["reasoning"] = _as_text(self._value(record, "reasoning")) or NO_REASONING
        fields["split"] = self._split(record, problems)
        if problems:
            raise RejectedError("; ".join(problems))
        fields["family"] = self._family(record) or family_of(fields["hypothesis"])
        return validate_example(fields | {"source": "import"})

    def _family(self, record: Any) -> str:
        """The family that the record names. A mere number gets the name of the file: another file may use it too."""
        family = _as_text(self._value(record, "family"))
        return f"{self._stem}-{family}" if _BARE_NUMBER.fullmatch(family) else family

    def _value(self, record: Any, name: DefaultField | Literal["hypothesis", "evidence", "content"]) -> Any:
        expression = self._expressions[name]
        value = search_record(expression, record) if expression is not None else None
        if value is None or (isinstance(value, str) and not value.strip()):
            return self._mapping.defaults.get(cast("DefaultField", name))
        return value

    def _hypothesis(self, record: Any, problems: list[str]) -> str:
        text = _as_text(self._value(record, "hypothesis"))
        if not text:
            problems.append("hypothesis is empty")
        return text

    def _evidence(self, record: Any, problems: list[str]) -> list[dict[str, Any]]:
        value = self._value(record, "evidence")
        pieces = value if isinstance(value, list) else [value]
        evidence: list[dict[str, Any]] = []
        for piece in pieces:
            if isinstance(piece, dict) and self._expressions["content"] is None:
                problems.append("evidence: its pieces are objects: `content` has to say where their text is")
                return []
            content = _as_text(self._value(piece, "content") if isinstance(piece, dict) else piece)
            if not content:
                continue
            source = _as_text(self._value(piece, "source")) or f"piece {len(evidence) + 1}"
            relevance = self._value(piece, "relevance")
            number = 1.0 if relevance is None else self._number(relevance, "relevance", problems)
            evidence.append({"source": source, "content": content, "relevance": number})
        if not evidence:
            problems.append("evidence is empty")
        return evidence

    def _decision(self, record: Any, problems: list[str]) -> str:
        label = _as_text(self._value(record, "decision"))
        table = self._mapping.decisions
        if not label:
            problems.append("decision is empty")
        elif table and label not in table:
            problems.append(f"decision: the table has no {label[:60]!r}, only {', '.join(table)}")
        else:
            label = table.get(label, label)
            if label not in self._names.decisions:
                problems.append(f"decision: the task has no {label[:60]!r}, only {', '.join(self._names.decisions)}")
        return label

    def _domain(self, record: Any, problems: list[str]) -> str:
        domain = _as_text(self._value(record, "domain"))
        if not domain:
            problems.append("domain is empty: give an expression, or one for all in defaults")
        elif domain not in self._names.domains:
            problems.append(f"domain: the task has no {domain[:60]!r}, only {', '.join(self._names.domains)}")
        return domain

    def _level(self, record: Any, problems: list[str]) -> int:
        value = self._value(record, "level")
        level = next((known for known in self._names.levels if _as_text(value) in {str(known), f"{known}.0"}), 0)
        if value is None:
            problems.append("level is empty: give an expression, or one for all in defaults")
        elif not level:
            problems.append(
                f"level: the task has no {str(value)[:20]!r}, only {', '.join(map(str, self._names.levels))}"
            )
        return level

    def _number(self, value: Any, name: str, problems: list[str]) -> float:
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            problem = "is empty: give an expression, or one for all in defaults" if value is None else "is no number"
            problems.append(f"{name} {problem}")
            return 0.0
        if not 0 <= number <= 1:
            problems.append(f"{name}: {number:g} is not between 0 and 1")
        return number

    def _split(self, record: Any, problems: list[str]) -> str:
        name = _as_text(self._value(record, "split")).lower()
        split = SPLIT_NAMES.get(name, name)
        if split not in {"", *SPLITS}:
            problems.append(f"split: {name[:20]!r} is none of {', '.join(SPLITS)}")
        return split


def search_record(expression: ParsedResult, value: Any) -> Any:
    """The result of `expression` in `value`; raises RejectedError with the mistake if types do not fit."""
    from jmespath.exceptions import JMESPathError

    try:
        return expression.search(value)
    except JMESPathError as error:
        raise RejectedError(f"{expression.expression}: {' '.join(str(error).split())[:200]}") from None


def validate_example(fields: Dict[str, Any]) -> Example:
    """The example with these `fields`; raises RejectedError with the messages of the schema."""
    try:
        return Example.model_validate(fields)
    except ValidationError as error:
        mistakes = error.errors(include_url=False)[:3]
        messages = [f"{'.'.join(map(str, mistake['loc']))}: {mistake['msg']}" for mistake in mistakes]
        raise RejectedError("; ".join(messages)) from None


def family_of(hypothesis: str) -> str:
    """The family of an example without one: the same for the same hypothesis, whatever its case and spacing."""
    plain = " ".join(hypothesis.casefold().split())
    return f"import-{sha256(plain.encode(errors='replace')).hexdigest()[:16]}"


def _as_text(value: Any) -> str:
    """A value as text: a string without spaces around it, None as '', anything else as JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value.strip()
    return json.dumps(value, ensure_ascii=False, default=str)
