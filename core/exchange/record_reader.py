"""Makes examples out of foreign records, by the expressions of a mapping."""

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

# Where a record says no more than its label.
NO_REASONING = "No reasoning was given."
# What counts from 1 again in the next file.
_BARE_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
SPLIT_NAMES = {"validation": "dev", "valid": "dev", "val": "dev", "development": "dev"}


class RejectedError(ValueError):
    """A record is no example; `str()` of it says why."""


@dataclass(frozen=True, slots=True)
class TaskNames:
    """The names that a project knows."""

    decisions: tuple[str, ...]
    domains: tuple[str, ...]
    levels: tuple[int, ...]


class RecordReader:
    """Makes examples out of the records of one file; `stem` is its name, for families that are only numbers in it."""

    def __init__(self, mapping: Mapping, names: TaskNames, stem: str) -> None:
        self._mapping = mapping
        self._names = names
        self._stem = stem
        self._found = {name: compile_expression(getattr(mapping, name), name) for name in EXPRESSIONS}

    def read(self, record: Any) -> Example:
        """The example that `record` (decoded JSON, or a row by the names of its columns) stands for.

        Raises RejectedError with every reason why it is none.
        """
        problems: list[str] = []
        fields: dict[str, Any] = {"hypothesis": self._text(record, "hypothesis", problems)}
        fields["evidence"] = self._evidence(record, problems)
        fields["decision"] = self._decision(record, problems)
        fields["domain"] = self._known(record, "domain", self._names.domains, problems)
        fields["level"] = self._level(record, problems)
        fields["confidence"] = self._number(self._value(record, "confidence"), "confidence", problems)
        fields["reasoning"] = _words(self._value(record, "reasoning")) or NO_REASONING
        fields["split"] = self._split(record, problems)
        if problems:
            raise RejectedError("; ".join(problems))
        fields["family"] = self._family(record) or family_of(fields["hypothesis"])
        return validate_example(fields | {"source": "import"})

    def _family(self, record: Any) -> str:
        """What the record says; of two files that both count from 1, the families 1 are not the same one."""
        said = _words(self._value(record, "family"))
        return f"{self._stem}-{said}" if _BARE_NUMBER.fullmatch(said) else said

    def _value(self, record: Any, name: DefaultField | Literal["hypothesis", "evidence", "content"]) -> Any:
        expression = self._found[name]
        value = search_record(expression, record) if expression is not None else None
        if value is None or (isinstance(value, str) and not value.strip()):
            return self._mapping.defaults.get(cast("DefaultField", name))
        return value

    def _text(self, record: Any, name: Literal["hypothesis"], problems: list[str]) -> str:
        text = _words(self._value(record, name))
        if not text:
            problems.append(f"{name} is empty")
        return text

    def _evidence(self, record: Any, problems: list[str]) -> list[dict[str, Any]]:
        value = self._value(record, "evidence")
        pieces = value if isinstance(value, list) else [value]
        found: list[dict[str, Any]] = []
        for piece in pieces:
            if isinstance(piece, dict) and self._found["content"] is None:
                problems.append("evidence: its pieces are objects: `content` has to say where their text is")
                return []
            content = _words(self._value(piece, "content") if isinstance(piece, dict) else piece)
            if not content:
                continue
            source = _words(self._value(piece, "source")) or f"piece {len(found) + 1}"
            relevance = self._value(piece, "relevance")
            number = 1.0 if relevance is None else self._number(relevance, "relevance", problems)
            found.append({"source": source, "content": content, "relevance": number})
        if not found:
            problems.append("evidence is empty")
        return found

    def _decision(self, record: Any, problems: list[str]) -> str:
        label = _words(self._value(record, "decision"))
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

    def _known(self, record: Any, name: Literal["domain"], known: tuple[str, ...], problems: list[str]) -> str:
        value = _words(self._value(record, name))
        if not value:
            problems.append(f"{name} is empty: give an expression, or one for all in defaults")
        elif value not in known:
            problems.append(f"{name}: the task has no {value[:60]!r}, only {', '.join(known)}")
        return value

    def _level(self, record: Any, problems: list[str]) -> int:
        value = self._value(record, "level")
        level = next((one for one in self._names.levels if _words(value) in {str(one), f"{one}.0"}), 0)
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
            said = "is empty: give an expression, or one for all in defaults" if value is None else "is no number"
            problems.append(f"{name} {said}")
            return 0.0
        if not 0 <= number <= 1:
            problems.append(f"{name}: {number:g} is not between 0 and 1")
        return number

    def _split(self, record: Any, problems: list[str]) -> str:
        name = _words(self._value(record, "split")).lower()
        split = SPLIT_NAMES.get(name, name)
        if split not in {"", *SPLITS}:
            problems.append(f"split: {name[:20]!r} is none of {', '.join(SPLITS)}")
        return split


def search_record(expression: ParsedResult, value: Any) -> Any:
    """What `expression` finds in `value`; nothing where its types do not fit. Raises RejectedError with the mistake."""
    from jmespath.exceptions import JMESPathError

    try:
        return expression.search(value)
    except JMESPathError as error:
        raise RejectedError(f"{expression.expression}: {' '.join(str(error).split())[:200]}") from None


def validate_example(fields: Dict[str, Any]) -> Example:
    """The example that `fields` are; raises RejectedError with what the schema says."""
    try:
        return Example.model_validate(fields)
    except ValidationError as error:
        found = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_url=False)]
        raise RejectedError("; ".join(found[:3])) from None


def family_of(hypothesis: str) -> str:
    """The family of what has none of its own: the same for the same hypothesis, whatever its case and spacing."""
    plain = " ".join(hypothesis.casefold().split())
    return f"import-{sha256(plain.encode(errors='replace')).hexdigest()[:16]}"


def _words(value: Any) -> str:
    """A text without blanks around it; numbers and truth values as text; what is neither, as JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value.strip()
    return json.dumps(value, ensure_ascii=False, default=str)
