"""Guesses by names and values which field of a record is which, and which label is which decision."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping as Dict
from collections.abc import Sequence
from typing import Any

from core.config.expressions import ExpressionError, compile_expression, search
from core.exchange.shape import field_paths
from core.exchange.values import NameTable, is_missing, looks_like_list

# Names of fields as data sets have them, the likeliest first.
NAMES = {
    "hypothesis": ("hypothesis", "claim", "statement", "question", "sentence2", "assertion", "query", "title"),
    "evidence": (
        *("evidence", "evidences", "facts", "premise", "contexts", "context", "passage", "passages", "abstract"),
        *("document", "documents", "main_text", "sentence1", "article", "body", "text", "content", "answer"),
    ),
    "decision": (
        *("decision", "label", "gold_label", "verdict", "claim_label", "final_decision", "veracity", "outcome"),
        *("rating", "class", "target", "answer", "is_impossible"),
    ),
    "reasoning": ("reasoning", "rationale", "explanation", "justification", "reason", "long_answer"),
    "confidence": ("confidence", "conf", "certainty", "probability", "prob", "score"),
    "domain": ("domain", "topic", "category", "area", "subject", "genre"),
    "level": ("level", "difficulty", "hops", "num_hops"),
    "split": ("split", "fold", "subset", "partition"),
    "family": ("family", "case_id", "claim_id", "group", "group_id", "ticket", "question_id", "uid", "id", "key"),
    "content": ("content", "text", "evidence", "sentence", "passage", "body", "snippet", "answer"),
    "source": ("source", "title", "document", "article", "page", "url", "src"),
    "relevance": ("relevance", "rel", "weight", "score"),
}
_MEANINGS = {
    "yes": r"support(s|ed)?|true|yes|y|entail(s|ed|ment)?|e|validated?|valid|correct|covered|agree[sd]?|confirmed",
    "no": r"(refut|contradict)(e|es|ed|s|ion)?|false|no|n0|c|reject(s|ed)?|invalid|incorrect|not (supported|covered|"
    r"entailed|entailment)|disagree[sd]?|wrong",
    "partly": r"part(ly|ial|ially)?( (supported|true))?|mixture|mixed|refined?|maybe|half true|conflicting.*",
}
_RESTARTING = re.compile(r"[A-Za-z]{0,5}[_-]?\d{1,5}")
_FEW_LABELS = 12
# Texts of a field that are shorter on average are no evidence.
EVIDENCE_LENGTH = 15


def values_of(records: Sequence[Any], expression: str) -> list[Any]:
    """What `expression` finds in those of `records` in which it finds something."""
    compiled = compile_expression(expression)
    values = []
    for record in records:
        try:
            value = None if compiled is None else search(compiled, record)
        except ExpressionError:
            continue
        if not is_missing(value) and value != []:
            values.append(value)
    return values


def find_field(records: Sequence[Any], name: str, taken: Sequence[str] = ()) -> str:
    """The expression of the field that is likeliest to be `name`, '' if none is; the outer ones first."""
    paths = [path for path in field_paths(records) if "[]" not in path and path not in taken]
    last_names = {path: path.rsplit(".", 1)[-1].strip('" ').lower() for path in paths}
    for wanted in NAMES[name]:
        for path in sorted(paths, key=lambda path: path.count(".")):
            if last_names[path] == wanted and _may_be(name, values_of(records, path)):
                return path
    return ""


def find_longest(records: Sequence[Any], taken: Sequence[str], least: int = 1) -> str:
    """The expression of the field with the longest texts, of `least` characters on average; '' if there is none."""
    lengths = {
        path: sum(len(value) for value in values_of(records, path) if isinstance(value, str))
        for path in field_paths(records)
        if "[]" not in path and path not in taken
    }
    longest = max(lengths, key=lambda path: lengths[path], default="")
    return longest if lengths.get(longest, 0) >= least * len(records) else ""


def find_labels(records: Sequence[Any], taken: Sequence[str]) -> str:
    """The expression of a field with few different short values, '' if there is none."""
    for path in field_paths(records):
        values = [value for value in values_of(records, path) if isinstance(value, str | int)]
        if "[]" not in path and path not in taken and len(values) == len(records) > 1:
            different = len({str(value) for value in values})
            if 1 < different <= min(_FEW_LABELS, len(values) - 1) and max(len(str(value)) for value in values) < 40:
                return path
    return ""


def are_lists_as_text(values: Sequence[Any]) -> bool:
    """Whether most of `values` are lists that were written as text."""
    written = sum(isinstance(value, str) and looks_like_list(value) for value in values)
    return written * 2 > len(values)


def guess_scale(values: Sequence[Any]) -> tuple[float, float] | None:
    """The scale that numbers seem to have, None for 0 to 1."""
    texts = [str(value).strip() for value in values]
    numbers = [float(text.rstrip("% ")) for text in texts if re.fullmatch(r"\d*\.?\d+ ?%?", text)]
    if any(text.endswith("%") for text in texts) or any(number > 10 for number in numbers):
        return (0.0, 100.0)
    highest = max(numbers, default=0)
    return None if highest <= 1 else (1.0, 5.0) if highest <= 5 else (0.0, 10.0)


def match_labels(labels: Counter[str], decisions: Sequence[str]) -> dict[str, str | None]:
    """The decision that each label seems to be, the most frequent first; None where nothing says so."""
    names = NameTable({name: name for name in decisions})
    by_meaning: dict[str, list[str]] = {}
    for decision in decisions:
        by_meaning.setdefault(_meaning(decision), []).append(decision)
    matched: dict[str, str | None] = {}
    for label, _ in labels.most_common():
        alike = by_meaning.get(_meaning(label), []) if _meaning(label) else []
        matched[label] = names.get(label) or (alike[0] if len(alike) == 1 else None)
    return matched


def restarts(values: Sequence[Any]) -> bool:
    """Whether the names look as if another file may have the same for something else: 'q1', 'id_7'."""
    names = [value for value in values if isinstance(value, str)]
    return bool(names) and all(_RESTARTING.fullmatch(name) for name in names)


def share_known(values: Sequence[Any], names: Dict[str, Any]) -> float:
    """The share of `values` that are one of `names`."""
    table = NameTable(names)
    return sum(table.get(str(value)) is not None for value in values) / len(values) if values else 0.0


def _meaning(label: str) -> str:
    plain = " ".join(re.split(r"[\s_-]+", label.strip().lower()))
    return next((meaning for meaning, pattern in _MEANINGS.items() if re.fullmatch(pattern, plain)), "")


def _may_be(name: str, values: Sequence[Any]) -> bool:
    """Whether `values` are of a kind that the field can have."""
    if not values:
        return False
    if name == "evidence":
        return all(isinstance(value, str | bytes) or (isinstance(value, list) and _readable(value)) for value in values)
    if name in {"hypothesis", "reasoning", "content"}:
        return all(isinstance(value, str | bytes) for value in values)
    return all(isinstance(value, str | int | float) for value in values)


def _readable(pieces: list[Any]) -> bool:
    return all(piece is None or isinstance(piece, str | bytes | dict) for piece in pieces)
