"""Turns foreign records into examples by the expressions of a mapping."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from collections.abc import Mapping as Dict
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, TypeVar, cast

from pydantic import ValidationError

from core.config.expressions import compile_expression
from core.config.mapping import EXPRESSIONS, DefaultField, Mapping
from core.exchange.evidence_reader import EvidenceReader, JoinedText, find
from core.exchange.faults import RejectedError as RejectedError
from core.exchange.values import NameTable, as_number, as_text, is_missing
from storage.schema import Example
from storage.splits import SPLITS

R = TypeVar("R")
V = TypeVar("V")

# The reasoning of a record that has none.
NO_REASONING = "No reasoning was given."
# A number that starts from 1 again in the next file.
_BARE_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
SPLIT_NAMES = {"validation": "dev", "valid": "dev", "val": "dev", "development": "dev"}
PARENT, VALUE = "parent", "value"
# A longer name of a family, such as a text that its examples share, is replaced by a hash.
_FAMILY_LENGTH = 100
# So many different labels that no table has are counted.
_COUNTED_LABELS = 100


@dataclass(frozen=True, slots=True)
class TaskNames:
    """The decisions, domains and levels of a project."""

    decisions: tuple[str, ...]
    domains: tuple[str, ...]
    levels: tuple[int, ...]


class RecordReader:
    """Turns the records of one file into examples; `stem` is its name, for families that are the file's own.

    `hits` holds the names of the expressions that have found something so far, `unknown_labels` counts labels that
    the table of the mapping, or the task, does not have.
    """

    def __init__(self, mapping: Mapping, names: TaskNames, stem: str) -> None:
        self._mapping = mapping
        self._names = names
        self._stem = stem
        self.hits: set[str] = set()
        self.unknown_labels: Counter[str] = Counter()
        self._steps = [compile_expression(step) for step in mapping.steps]
        self._expressions = {name: compile_expression(getattr(mapping, name)) for name in EXPRESSIONS}
        self._evidence_reader = EvidenceReader(mapping, self.hits)
        self._decisions: NameTable[str] = NameTable(mapping.decisions)
        self._domains: NameTable[str] = NameTable(mapping.domains)
        self._levels: NameTable[int] = NameTable(mapping.levels)
        self._confidences: NameTable[float] = NameTable(mapping.confidences)
        self._splits: NameTable[str] = NameTable(dict(mapping.splits))
        self._task_decisions = NameTable({name: name for name in names.decisions})
        self._task_domains = NameTable({name: name for name in names.domains})
        self._task_levels = NameTable({str(level): level for level in names.levels})
        self._split_names = NameTable({name: name for name in SPLITS} | SPLIT_NAMES)

    def expand(self, record: Any) -> Iterator[tuple[str, Any]]:
        """Yield the members of `record` that are to become examples, each with its place within the record.

        Without `each` that is the record itself. A member is an object with the `parent` that holds it. Raises
        RejectedError if there are none.
        """
        yield from self._descend(record, 0, "")

    def references(self, record: Any) -> list[str]:
        """The keys of the second file that a member of `expand` needs; none if it cannot be read."""
        try:
            return self._evidence_reader.references(record)
        except RejectedError:
            return []

    def label(self, record: Any) -> str:
        """The label of a member of `expand` that has a hypothesis and evidence, as the file says it; else ''."""
        try:
            evidence = self.references(record) if self._mapping.join else self._evidence_reader.read(record, {})
            complete = bool(evidence) and bool(as_text(self._value(record, "hypothesis")))
            return as_text(self._value(record, "decision"), fraction=True) if complete else ""
        except RejectedError:
            return ""

    def read(self, record: Any, texts: Dict[str, JoinedText] | None = None) -> Example:
        """Turn `record` (decoded JSON, or a row by the names of its columns) into an example.

        `texts` holds what the second file says by the keys of `references`. Raises RejectedError with every reason why
        the record is none.
        """
        problems: list[str] = []
        fields: dict[str, Any] = {"hypothesis": self._hypothesis(record, problems)}
        fields["evidence"] = _collect(problems, list, lambda: self._evidence_reader.read(record, texts or {}))
        if not fields["evidence"] and not any("evidence" in problem for problem in problems):
            problems.append("evidence is empty")
        fields["decision"] = self._decision(record, problems)
        fields["domain"] = self._domain(record, problems)
        fields["level"] = self._level(record, problems)
        fields["confidence"] = self._confidence(record, problems)
        fields["reasoning"] = self._text(record, "reasoning", problems) or NO_REASONING
        fields["split"] = self._split(record, problems)
        family = self._family(record, problems)
        if problems:
            raise RejectedError("; ".join(problems))
        fields["family"] = family or family_of(fields["hypothesis"])
        return validate_example(fields | {"source": "import"})

    def _descend(self, record: Any, depth: int, place: str) -> Iterator[tuple[str, Any]]:
        if depth == len(self._steps):
            yield place, record
            return
        members = find(self._steps[depth], record)
        if not isinstance(members, list) or not members:
            kind = "nothing" if members is None or members == [] else "no list"
            raise RejectedError(f"each: {self._mapping.steps[depth][:60]} finds {kind} in it")
        for number, member in enumerate(members, start=1):
            if isinstance(member, dict) and PARENT in member:
                raise RejectedError(f"each: a member has a field {PARENT!r} of its own: rename one that it holds")
            fields = member if isinstance(member, dict) else {VALUE: member}
            yield from self._descend(fields | {PARENT: record}, depth + 1, f"{place}, item {number}")

    def _value(self, record: Any, name: str) -> Any:
        """What the expression finds, or what holds for all; None if neither says anything."""
        value = find(self._expressions[name], record)
        if value is not None:
            self.hits.add(name)
        return self._mapping.defaults.get(cast("DefaultField", name)) if is_missing(value) else value

    def _text(self, record: Any, name: str, problems: list[str], *, fraction: bool = False) -> str:
        try:
            return as_text(self._value(record, name), fraction=fraction)
        except RejectedError as error:
            problems.append(f"{name} {error}")
            return ""

    def _hypothesis(self, record: Any, problems: list[str]) -> str:
        problem_count = len(problems)
        text = self._text(record, "hypothesis", problems)
        if not text and len(problems) == problem_count:
            problems.append("hypothesis is empty")
        return text

    def _decision(self, record: Any, problems: list[str]) -> str:
        problem_count = len(problems)
        label = self._text(record, "decision", problems, fraction=True)
        if not label:
            if len(problems) == problem_count:
                problems.append("decision is empty")
            return ""
        name = self._decisions.get(label) if self._decisions else label
        decision = None if name is None else self._task_decisions.get(name)
        if decision is None:
            if name == label or name is None:
                self._count_label(label)
            table = f"the table has no {label[:60]!r}, only {self._decisions}"
            task = f"the task has no {str(name)[:60]!r}, only {self._task_decisions}"
            problems.append(f"decision: {table if name is None else task}")
        return decision or ""

    def _count_label(self, label: str) -> None:
        if label in self.unknown_labels or len(self.unknown_labels) < _COUNTED_LABELS:
            self.unknown_labels[label] += 1

    def _domain(self, record: Any, problems: list[str]) -> str:
        return self._named(record, "domain", self._domains, self._task_domains, problems) or ""

    def _level(self, record: Any, problems: list[str]) -> int:
        return self._named(record, "level", self._levels, self._task_levels, problems) or 0

    def _named(
        self, record: Any, name: str, table: NameTable[Any], of_task: NameTable[V], problems: list[str]
    ) -> V | None:
        """The task's domain or level that the record names, by the table or by itself; None if there is none."""
        problem_count = len(problems)
        label = self._text(record, name, problems, fraction=True)
        if not label:
            if len(problems) == problem_count:
                problems.append(f"{name} is empty: give an expression, or one for all in defaults")
            return None
        mapped = table.get(label)
        value = of_task.get(label if mapped is None else str(mapped))
        if value is None and table and mapped is None:
            problems.append(f"{name}: the table has no {label[:60]!r}, only {table}")
        elif value is None:
            missing = label if mapped is None else str(mapped)
            hint = "" if table else f"; a table {name}s = {{ … }} says which is which"
            problems.append(f"{name}: the task has no {missing[:60]!r}, only {of_task}{hint}")
        return value

    def _confidence(self, record: Any, problems: list[str]) -> float:
        value = find(self._expressions["confidence"], record)
        if value is not None:
            self.hits.add("confidence")
        if not is_missing(value):
            scale = self._mapping.confidence_scale
            return _collect(problems, float, lambda: as_number(value, "confidence", self._confidences, scale))
        default = self._mapping.defaults.get("confidence")
        if default is None:
            problems.append("confidence is empty: give an expression, or one for all in defaults")
            return 0.0
        return _collect(problems, float, lambda: as_number(default, "confidence", self._confidences, None))

    def _split(self, record: Any, problems: list[str]) -> str:
        name = self._text(record, "split", problems)
        split = self._splits.get(name) or self._split_names.get(name)
        if name and split is None:
            own_names = f"{self._splits}, " if self._splits else ""
            problems.append(f"split: {name[:20]!r} is none of {own_names}{', '.join(SPLITS)}")
        return split or ""

    def _family(self, record: Any, problems: list[str]) -> str:
        """The family that the record names; with the name of the file where it is one of the file.

        A mere number is, unless the mapping says otherwise: another file may use it too.
        """
        family = self._text(record, "family", problems, fraction=True)
        if len(family) > _FAMILY_LENGTH:
            family = _digest(family)
        scope = self._mapping.family_scope or ("file" if _BARE_NUMBER.fullmatch(family) else "project")
        return f"{self._stem}-{family}" if family and scope == "file" else family


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
    return f"import-{_digest(hypothesis)}"


def _digest(text: str) -> str:
    plain = " ".join(text.casefold().split())
    return sha256(plain.encode(errors="replace")).hexdigest()[:16]


def _collect(problems: list[str], empty: Callable[[], R], read: Callable[[], R]) -> R:
    """What `read` returns; if it rejects the record, `empty()`, and its reason joins the `problems`."""
    try:
        return read()
    except RejectedError as error:
        problems.append(str(error))
        return empty()
