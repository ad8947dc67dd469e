"""Proposes a mapping from the shape of a file, and reads the first records by it; stores nothing."""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from core.config.expressions import join_names, missing_fields, toml_text
from core.config.mapping import EXPRESSIONS, Mapping
from core.config.task import Task
from core.exchange import guess
from core.exchange.faults import FileError, RejectedError
from core.exchange.files import DELIMITERS, file_kind, file_stem, read_columns, read_document, read_records
from core.exchange.mappings import inline_table, ready_mappings, toml_key
from core.exchange.reading import ExampleReader, record_expressions
from core.exchange.record_reader import SPLIT_NAMES, RecordReader, TaskNames
from core.exchange.shape import field_paths
from core.exchange.values import NameTable, as_text
from storage.schema import Example
from storage.splits import SPLITS

SHOWN = 5
_SAMPLE = 500
# The fields that an example cannot be without.
_NATIVE = {name for name, field in Example.model_fields.items() if field.is_required()}
_KEYED = "items(@)[*].merge({key: [0]}, [1])"


@dataclass(slots=True)
class Suggestion:
    """A mapping for a file: the TOML that says it, what to look at in it, and the first records as it reads them."""

    name: str
    toml: str = ""
    notes: list[str] = field(default_factory=list)
    examples: list[tuple[str, Example | RejectedError]] = field(default_factory=list)


def suggest_mapping(task: Task, path: Path, join_file: str = "") -> Suggestion:
    """The mapping that fits the shape of a file best, by what its fields are called and hold; raises FileError.

    `join_file` is the second file, if a ready mapping needs one.
    """
    suggestion = Suggestion(_table_name(path))
    settings = _layout(path)
    options = {name: str(settings[name]) for name in ("delimiter",) if name in settings}
    sample = list(islice(read_records(path, str(settings.get("records", "")), **options), _SAMPLE))
    records = [record for _, record in sample if isinstance(record, dict)]
    if records and all(_NATIVE.issubset(record) for record in records):
        suggestion.notes.append("its records are whole examples, as `export` writes them: import it without --map")
        reader = islice(ExampleReader(task, path, None), SHOWN)
        suggestion.examples = [(place, example) for place, _, example in reader]
        return suggestion
    base = _find_ready(task, path)
    if base:
        suggestion.notes.append(f"it has the shape of the ready mapping {base}")
        settings = {"base": base} | ({"join": {"file": join_file}} if join_file else {})
        labels: dict[str, str | None] = {}
        counts: Counter[str] = Counter()
    else:
        if not records:
            raise FileError(f"{path}: its records are no objects with named fields: write the mapping by hand")
        settings |= _fields(task, records, suggestion.notes)
        counts = _labels(records, str(settings["decision"]))
        labels = guess.match_labels(counts, task.labels)
    settings["defaults"] = _defaults(task, settings, suggestion.notes)
    suggestion.toml = _toml(suggestion.name, settings, labels, counts, task)
    mapping = Mapping.model_validate(tomllib.loads(suggestion.toml)["import"][suggestion.name])
    try:
        reader = islice(ExampleReader(task, path, mapping), SHOWN)
        suggestion.examples = [(place, example) for place, _, example in reader]
    except FileError as error:
        suggestion.notes.append(str(error))
    return suggestion


def _table_name(path: Path) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "-", file_stem(path)).strip("-")[:40] or "mine"


def _layout(path: Path) -> dict[str, Any]:
    """Where the records are in the file, as settings of a mapping."""
    kind = file_kind(path)
    if kind in DELIMITERS:
        return _delimiter(path, DELIMITERS[kind])
    if kind != "json":
        return {}
    document = read_document(path)
    if isinstance(document, list):
        return {}
    members = document if isinstance(document, dict) else {}
    lists = {name: value for name, value in members.items() if isinstance(value, list) and value}
    if lists:
        longest = max(lists, key=lambda name: len(lists[name]))
        return {"records": longest if longest.isidentifier() else json.dumps(longest, ensure_ascii=False)}
    if members and all(isinstance(value, dict) for value in members.values()):
        return {"records": _KEYED}
    raise FileError(f"{path}: there is no list of records in it")


def _delimiter(path: Path, usual: str) -> dict[str, Any]:
    """The delimiter that makes the most columns, if it is not the usual one."""
    columns: dict[str, int] = {}
    for mark in dict.fromkeys((usual, ",", "\t", ";", "|")):
        try:
            columns[mark] = len(read_columns(path, delimiter=mark) or [])
        except FileError as error:
            if mark == usual and "one column" not in str(error):
                raise
    best = max(columns, key=lambda mark: columns[mark], default=usual)
    return {} if best == usual else {"delimiter": best}


def _find_ready(task: Task, path: Path) -> str:
    """The ready mapping whose fields the records have, and whose labels they use; '' if there is none."""
    best, most = "", 0
    samples: dict[str, list[Any]] = {}
    for name, mapping in ready_mappings().items():
        if mapping.records not in samples:
            samples[mapping.records] = _sample(path, mapping.records)
        records = samples[mapping.records]
        fields = {key for record in records for key in record}
        expressions = [expression for _, expression in record_expressions(mapping) if not _inside(mapping, expression)]
        if any(missing_fields(expression, fields) for expression in expressions):
            continue
        used = len({word for expression in expressions for word in re.findall(r"\w+", expression)})
        if used > most and _fits(task, mapping, records):
            best, most = name, used
    return best


def _sample(path: Path, where: str) -> list[Any]:
    try:
        return [record for _, record in islice(read_records(path, where), _SAMPLE) if isinstance(record, dict)]
    except FileError:
        return []


def _inside(mapping: Mapping, expression: str) -> bool:
    """Whether an expression looks into a member that `each` finds, and not into the record."""
    return bool(mapping.steps) and expression != mapping.steps[0]


def _fits(task: Task, mapping: Mapping, records: list[Any]) -> bool:
    """Whether most of `records` are whole by a ready mapping, and some have a label of its table."""
    reader = RecordReader(mapping, TaskNames(tuple(task.labels), (), ()), "")
    table = NameTable(mapping.decisions)
    whole, labelled = 0, 0
    for record in records:
        try:
            labels = [reader.label(view) for _, view in reader.expand(record)]
        except RejectedError:
            continue
        whole += any(labels)
        labelled += any(table.get(label) is not None for label in labels)
    return bool(labelled) and whole * 2 >= len(records)


def _plain(value: Any) -> str:
    try:
        return as_text(value, fraction=True)
    except RejectedError:
        return ""


def _fields(task: Task, records: list[Any], notes: list[str]) -> dict[str, Any]:
    """The expressions of a mapping, in its order, with scales and the like."""
    settings: dict[str, Any] = {}
    taken: list[str] = []

    def take(name: str, path: str) -> str:
        if path:
            settings[name] = path
            taken.append(path)
        return path

    take("decision", guess.find_field(records, "decision") or guess.find_labels(records, taken))
    take("hypothesis", guess.find_field(records, "hypothesis", taken))
    evidence = take(
        "evidence",
        guess.find_field(records, "evidence", taken) or guess.find_longest(records, taken, guess.EVIDENCE_LENGTH),
    )
    if "hypothesis" not in settings:
        take("hypothesis", guess.find_longest(records, taken))
    missing = [name for name in ("hypothesis", "evidence", "decision") if name not in settings]
    if missing:
        listed = join_names(field_paths(records))
        raise FileError(
            f"no field looks like the {' or the '.join(missing)}: write the mapping by hand; the fields are {listed}"
        )
    values = guess.values_of(records, evidence)
    pieces = [piece for value in values if isinstance(value, list) for piece in value if isinstance(piece, dict)]
    if pieces:
        for name in ("content", "source", "relevance"):
            path = guess.find_field(pieces, name, [settings.get("content", "")])
            if path:
                settings[name] = path
        if "content" not in settings:
            settings["content"] = guess.find_longest(pieces, []) or "text"
        scale = guess.guess_scale(guess.values_of(pieces, settings.get("relevance", "")))
        settings |= {"relevance_scale": list(scale)} if scale else {}
    elif guess.are_lists_as_text(values):
        settings["parse_lists"] = True
    take("reasoning", guess.find_field(records, "reasoning", taken))
    family = take("family", guess.find_field(records, "family", taken))
    if family and guess.restarts(guess.values_of(records, family)):
        settings["family_scope"] = "file"
    confidence = take("confidence", guess.find_field(records, "confidence", taken))
    scale = guess.guess_scale(guess.values_of(records, confidence))
    settings |= {"confidence_scale": list(scale)} if scale else {}
    names_by_field: dict[str, dict[str, Any]] = {
        "domain": {domain.name: True for domain in task.domains},
        "level": {str(level.level): True for level in task.levels},
        "split": dict.fromkeys((*SPLITS, *SPLIT_NAMES), True),
    }
    for name, names in names_by_field.items():
        path = guess.find_field(records, name, taken)
        values = guess.values_of(records, path) if path else []
        if path and guess.share_known(values, names) > 0.5:
            take(name, path)
        elif path and name != "split":
            seen = ", ".join(list(dict.fromkeys(str(value)[:30] for value in values))[:8])
            notes.append(f"{name} = {toml_text(path)} is possible, with a table {name}s for {seen}")
    order = {name: number for number, name in enumerate(EXPRESSIONS)}
    return dict(sorted(settings.items(), key=lambda item: order.get(item[0], len(order))))


def _defaults(task: Task, settings: dict[str, Any], notes: list[str]) -> dict[str, Any]:
    defaults: dict[str, Any] = {}
    if "domain" not in settings:
        defaults["domain"] = task.domains[0].name
    if "level" not in settings:
        defaults["level"] = task.levels[0].level
    chosen = ", ".join(f"{name} {value}" for name, value in defaults.items())
    if chosen:
        notes.append(f"choose in defaults what holds for all: {chosen} only stands first in the project file")
    return defaults if "base" in settings else defaults | {"confidence": 1.0}


def _labels(records: list[Any], expression: str) -> Counter[str]:
    return Counter(label for value in guess.values_of(records, expression) if (label := _plain(value)))


def _toml(name: str, settings: dict[str, Any], labels: dict[str, str | None], counts: Counter[str], task: Task) -> str:
    lines = [f"[import.{name}]"]
    for key, value in settings.items():
        lines.append(f"{key} = {inline_table(value) if isinstance(value, dict) else _value(value)}")
    if labels and any(label != decision for label, decision in labels.items()):
        lines += ["", f"[import.{name}.decisions]"]
        for label, decision in list(labels.items())[:30]:
            entry = f"{toml_key(label)} = {_value(decision or ' or '.join(task.labels))}"
            lines.append(entry if decision else f"# {entry}  # {counts[label]:,} of {counts.total():,}")
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    return toml_text(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
