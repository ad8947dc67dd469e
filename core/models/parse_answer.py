"""Finds the decision in the answer of a model: in JSON, a form in words, prose or a bare word, but not in its thinking.

These are pure functions of the stored text, so a better parser can parse old answers again without asking again. Each
new version of the parser gets the next `PARSER_VERSION`.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from core.llm.answers import json_objects, split_thinking
from storage.schema import Outcome, PredictionOutcome

PARSER_VERSION = 1

_DECISION_KEYS = ("decision", "answer", "label", "verdict", "judgement", "judgment", "conclusion")
_CONFIDENCE_KEYS = ("confidence", "probability", "certainty")
_REASON_KEYS = ("reasoning", "rationale", "explanation", "reason", "justification")
_DECISION_FORM = re.compile(
    r"(?:final|my|the|overall)?[ ]?\b(?:decision|answer|verdict|label|judge?ment|conclusion)\b"
    r"[*_`\"' ]*(?:is|would be|=|:|：|-|–|—|→)+[*_`\"':\s]*(?:that|to)?[ ]?(?:the hypothesis is)?[*_`\"'\s]*"
    r"(?:\\boxed\{|\\text\{|\[|\(|<)*",
    re.IGNORECASE,
)
_BOXED = re.compile(r"\\boxed\{(?:\\text\{)?\s*")
_TAGGED = re.compile(r"<(?:answer|decision|verdict|label)>\s*", re.IGNORECASE)
_NUMBER = r"(\d+(?:[.,]\d+)?)\s*(%|percent|/\s*100?\b)?"
_CONFIDENCE_FORM = re.compile(
    r"\b(?:confidence|probability|certainty)\b(?: (?:level|score|is|of))*[^\d\n]{0,20}?" + _NUMBER, re.IGNORECASE
)
_CONFIDENCE_BEFORE = re.compile(_NUMBER + r"\s*(?:confiden|certain|sure)", re.IGNORECASE)
_REASONING_HEADING = re.compile(r"\b(?:reasoning|rationale|explanation)\b[*_`\"']*\s*[:：]\s*[*_]*", re.IGNORECASE)
_REFUSED = re.compile(
    r"^\W*(?:i['’]?m sorry|i am sorry|sorry|i apologi[sz]e|i (?:can ?not|can['’]t|am unable|won['’]t|will not)|"
    r"i['’]m (?:unable|not able)|as an ai)\b",
    re.IGNORECASE,
)
_NEGATED = re.compile(
    r"\b(?:not|n['’]t|neither|nor|never|than|cannot be|rather than|instead of)\W+(?:(?!but\b)\w+\W+){0,2}$", re.I
)
_PUNCTUATION = " \t\r\n*_`\"'“”‘’.,;:!?()[]{}<>#-–—|\\"


@dataclass(frozen=True, slots=True)
class ParsedAnswer:
    """The content of an answer; `decision` is one of the task's labels, and None unless `outcome` is ANSWERED."""

    outcome: PredictionOutcome
    decision: str | None = None
    confidence: float | None = None
    rationale: str = ""


_UNANSWERED = {
    Outcome.REFUSED: PredictionOutcome.REFUSED,
    Outcome.TRUNCATED: PredictionOutcome.TRUNCATED,
    Outcome.TIMEOUT: PredictionOutcome.TIMEOUT,
    Outcome.CONNECTION: PredictionOutcome.ERROR,
    Outcome.RATE_LIMITED: PredictionOutcome.ERROR,
    Outcome.SERVER_ERROR: PredictionOutcome.ERROR,
    Outcome.BAD_REQUEST: PredictionOutcome.ERROR,
    Outcome.QUOTA_EXHAUSTED: PredictionOutcome.ERROR,
    Outcome.BAD_KEY: PredictionOutcome.ERROR,
}


def parse_answer(raw: str, thought: str, ended: Outcome, labels: Sequence[str]) -> ParsedAnswer:
    """Find the decision among `labels` in `raw`; `thought` is separate thinking, `ended` how the request ended.

    An answer that was cut off or refused is never searched for a decision, and neither is thinking. Of several
    decisions in words the last counts: a model that corrects itself means the correction.
    """
    if ended in _UNANSWERED:
        return ParsedAnswer(_UNANSWERED[ended])
    split = split_thinking(raw, thought)
    if split.cut:
        return ParsedAnswer(PredictionOutcome.TRUNCATED, rationale=split.thinking)
    text, names = split.text, tuple(labels)
    parsed = _parse_json(text, names) or _parse_form(text, names) or _parse_prose(text, names)
    if parsed is not None:
        return parsed if parsed.rationale else replace(parsed, rationale=split.thinking)
    refused = _REFUSED.match(text) is not None
    return ParsedAnswer(
        PredictionOutcome.REFUSED if refused else PredictionOutcome.UNPARSEABLE, rationale=split.thinking
    )


def is_complete(text: str, labels: Sequence[str]) -> bool:
    """Whether an answer in words that is still being written has both a decision and a confidence.

    Generation may stop there. Something has to follow the number, as more digits may come otherwise.
    """
    decision = _last_match(_DECISION_FORM.finditer(text))
    if decision is None or _label_at(text, decision.end(), tuple(labels)) is None:
        return False
    confidence = _CONFIDENCE_FORM.search(text, decision.end())
    return confidence is not None and text[confidence.end(1) :] not in {"", ".", ","}


def match_label(word: str, labels: Sequence[str]) -> str | None:
    """The label that `word` stands for, whatever its case, punctuation and spaces; None if it is no label."""
    return _labels_by_normal_form(tuple(labels)).get(_normalize(word))


def _parse_json(text: str, labels: tuple[str, ...]) -> ParsedAnswer | None:
    for document in json_objects(text):
        fields = {str(name).strip().lower(): value for name, value in document.items()}
        word = next((fields[key] for key in _DECISION_KEYS if isinstance(fields.get(key), str)), None)
        decision = None if word is None else match_label(word, labels)
        if decision is not None:
            confidence = next((_json_confidence(fields[key]) for key in _CONFIDENCE_KEYS if key in fields), None)
            reasoning = next((fields[key] for key in _REASON_KEYS if isinstance(fields.get(key), str)), "")
            return ParsedAnswer(PredictionOutcome.ANSWERED, decision, confidence, reasoning.strip())
    return None


def _parse_form(text: str, labels: tuple[str, ...]) -> ParsedAnswer | None:
    """The last 'Decision: X', in the forms that models use for it."""
    last: tuple[int, int, str] | None = None
    for pattern in (_DECISION_FORM, _BOXED, _TAGGED):
        for form in pattern.finditer(text):
            label = _label_at(text, form.end(), labels)
            if label is not None and (last is None or form.start() > last[0]):
                last = (form.start(), form.end(), label)
    if last is None:
        return None
    start, end, label = last
    return ParsedAnswer(PredictionOutcome.ANSWERED, label, _stated_confidence(text, end), _reasoning(text, start))


def _parse_prose(text: str, labels: tuple[str, ...]) -> ParsedAnswer | None:
    """A first or last line that is a label; else the only label that is named and not negated."""
    lines = [line for line in text.splitlines() if line.strip()]
    for line in (*lines[:1], *lines[-1:]):
        label = match_label(line, labels)
        if label is not None:
            rest = text.replace(line, "", 1) if len(lines) > 1 else ""
            return ParsedAnswer(
                PredictionOutcome.ANSWERED, label, _stated_confidence(text, 0), _without_confidence(rest)
            )
    named = {}
    for match in _label_pattern(labels).finditer(text):
        if not _NEGATED.search(text, max(0, match.start() - 60), match.start()):
            named[match.group()] = match.start()
    if len(named) != 1:
        return None
    return ParsedAnswer(
        PredictionOutcome.ANSWERED, next(iter(named)), _stated_confidence(text, 0), _without_confidence(text)
    )


def _label_at(text: str, position: int, labels: tuple[str, ...]) -> str | None:
    """The label that starts at `position`; the longest, where one label is the beginning of another."""
    match = _label_pattern(labels, insensitive=True).match(text, position)
    return None if match is None else match_label(match.group(), labels)


@lru_cache(maxsize=32)
def _label_pattern(labels: tuple[str, ...], insensitive: bool = False) -> re.Pattern[str]:
    ordered = sorted(labels, key=len, reverse=True)
    spaced = [r"[\s_-]+".join(re.escape(part) for part in re.split(r"[\s_-]+", label)) for label in ordered]
    return re.compile(rf"(?<!\w)(?:{'|'.join(spaced)})(?!\w)", re.IGNORECASE if insensitive else 0)


@lru_cache(maxsize=32)
def _labels_by_normal_form(labels: tuple[str, ...]) -> dict[str, str]:
    return {_normalize(label): label for label in labels}


def _normalize(word: str) -> str:
    return re.sub(r"[\s_-]+", " ", word.strip(_PUNCTUATION)).casefold()


def _stated_confidence(text: str, after: int) -> float | None:
    """The confidence in words: the first one after the decision, else the last one before it."""
    match = _CONFIDENCE_FORM.search(text, after) or _CONFIDENCE_BEFORE.search(text, after)
    if match is None:
        match = _last_match(_CONFIDENCE_FORM.finditer(text, 0, after)) or _last_match(
            _CONFIDENCE_BEFORE.finditer(text, 0, after)
        )
    return None if match is None else _to_fraction(match[1], match[2] or "")


def _last_match(matches: Iterable[re.Match[str]]) -> re.Match[str] | None:
    return next(iter(deque(matches, maxlen=1)), None)


def _to_fraction(number: str, unit: str) -> float | None:
    value = float(number.replace(",", "."))
    if unit.startswith("/"):
        value /= 100 if unit.replace(" ", "") == "/100" else 10
    elif unit or 1 < value <= 100:
        value /= 100
    return value if 0 <= value <= 1 else None


def _json_confidence(value: Any) -> float | None:
    """A confidence in JSON: a number from 0 to 1 or up to 100, or a text with either."""
    if isinstance(value, bool) or value is None:
        return None
    match = re.fullmatch(rf"\s*{_NUMBER}\s*", str(value))
    return None if match is None else _to_fraction(match[1], match[2] or "")


def _reasoning(text: str, decided: int) -> str:
    """The reasoning before the decision, without its heading; else the one after it."""
    before = text[:decided].strip(" \t\r\n*#_->")
    heading = _REASONING_HEADING.match(before)
    if before:
        return (before[heading.end() :] if heading else before).strip()
    heading = _REASONING_HEADING.search(text, decided)
    return text[heading.end() :].strip() if heading else ""


def _without_confidence(text: str) -> str:
    lines = [line for line in text.splitlines() if not _CONFIDENCE_FORM.match(line.strip(" *_#-"))]
    return "\n".join(lines).strip()
