"""What a model decided, out of what it said: thinking set aside, JSON, a form in words, prose, a bare word.

Pure functions of the text that is kept, so that a better reader reads old answers anew without asking again. A new
version of it gets the next `READER`.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from core.llm.answers import json_objects, split_thinking
from storage.schema import Outcome, PredictionOutcome

PARSER_VERSION = 1

_DECISION_KEYS = ("decision", "answer", "label", "verdict", "judgement", "judgment", "conclusion")
_CONFIDENCE_KEYS = ("confidence", "probability", "certainty")
_REASON_KEYS = ("reasoning", "rationale", "explanation", "reason", "justification")
_FORM = re.compile(
    r"(?:final|my|the|overall)?[ ]?\b(?:decision|answer|verdict|label|judge?ment|conclusion)\b"
    r"[*_`\"' ]*(?:is|would be|=|:|：|-|–|—|→)+[*_`\"':\s]*(?:that|to)?[ ]?(?:the hypothesis is)?[*_`\"'\s]*"
    r"(?:\\boxed\{|\\text\{|\[|\(|<)*",
    re.IGNORECASE,
)
_BOXED = re.compile(r"\\boxed\{(?:\\text\{)?\s*")
_TAGGED = re.compile(r"<(?:answer|decision|verdict|label)>\s*", re.IGNORECASE)
_NUMBER = r"(\d+(?:[.,]\d+)?)\s*(%|percent|/\s*100?\b)?"
_SURE = re.compile(
    r"\b(?:confidence|probability|certainty)\b(?: (?:level|score|is|of))*[^\d\n]{0,20}?" + _NUMBER, re.IGNORECASE
)
_AS_SURE = re.compile(_NUMBER + r"\s*(?:confiden|certain|sure)", re.IGNORECASE)
_REASONED = re.compile(r"\b(?:reasoning|rationale|explanation)\b[*_`\"']*\s*[:：]\s*[*_]*", re.IGNORECASE)
_REFUSED = re.compile(
    r"^\W*(?:i['’]?m sorry|i am sorry|sorry|i apologi[sz]e|i (?:can ?not|can['’]t|am unable|won['’]t|will not)|"
    r"i['’]m (?:unable|not able)|as an ai)\b",
    re.IGNORECASE,
)
_NEGATED = re.compile(
    r"\b(?:not|n['’]t|neither|nor|never|than|cannot be|rather than|instead of)\W+(?:(?!but\b)\w+\W+){0,2}$", re.I
)
_FILLING = " \t\r\n*_`\"'“”‘’.,;:!?()[]{}<>#-–—|\\"


@dataclass(frozen=True, slots=True)
class ParsedAnswer:
    """What an answer says; `decision` is one of the task's labels and only there if `outcome` is ANSWERED."""

    outcome: PredictionOutcome
    decision: str | None = None
    confidence: float | None = None
    rationale: str = ""


_ENDED = {
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
    """What `raw` decides among `labels`; `thought` is what came apart from it, `ended` how the request did.

    An answer that was cut off or refused is never searched for a decision, and neither is thinking. Of several
    decisions in words the last one counts: a model that corrects itself means the correction.
    """
    if ended in _ENDED:
        return ParsedAnswer(_ENDED[ended])
    said = split_thinking(raw, thought)
    if said.cut:
        return ParsedAnswer(PredictionOutcome.TRUNCATED, rationale=said.thinking)
    text, names = said.text, tuple(labels)
    found = _of_json(text, names) or _of_form(text, names) or _of_prose(text, names)
    if found is not None:
        return (
            found if found.rationale else ParsedAnswer(found.outcome, found.decision, found.confidence, said.thinking)
        )
    refused = _REFUSED.match(text) is not None
    return ParsedAnswer(
        PredictionOutcome.REFUSED if refused else PredictionOutcome.UNPARSEABLE, rationale=said.thinking
    )


def is_complete(text: str, labels: Sequence[str]) -> bool:
    """Whether an answer in words that is still being written says all that is asked for: decision and confidence.

    Generation may end there. The number has to be followed by something, else its digits may still be coming.
    """
    last = _last(_FORM.finditer(text))
    if last is None or _label_at(text, last.end(), tuple(labels)) is None:
        return False
    sure = _SURE.search(text, last.end())
    return sure is not None and text[sure.end(1) :] not in {"", ".", ","}


def match_label(word: str, labels: Sequence[str]) -> str | None:
    """The label that `word` stands for, whatever its case, its marks and its blanks; None if it is none of them."""
    return _by_plain(tuple(labels)).get(_plain(word))


def _of_json(text: str, labels: tuple[str, ...]) -> ParsedAnswer | None:
    for found in json_objects(text):
        fields = {str(name).strip().lower(): value for name, value in found.items()}
        named = next((fields[key] for key in _DECISION_KEYS if isinstance(fields.get(key), str)), None)
        decision = None if named is None else match_label(named, labels)
        if decision is not None:
            sure = next((_fraction(fields[key]) for key in _CONFIDENCE_KEYS if key in fields), None)
            why = next((fields[key] for key in _REASON_KEYS if isinstance(fields.get(key), str)), "")
            return ParsedAnswer(PredictionOutcome.ANSWERED, decision, sure, why.strip())
    return None


def _of_form(text: str, labels: tuple[str, ...]) -> ParsedAnswer | None:
    """The last 'Decision: X', in the words and marks that models use for it."""
    last: tuple[int, int, str] | None = None
    for pattern in (_FORM, _BOXED, _TAGGED):
        for form in pattern.finditer(text):
            label = _label_at(text, form.end(), labels)
            if label is not None and (last is None or form.start() > last[0]):
                last = (form.start(), form.end(), label)
    if last is None:
        return None
    start, end, label = last
    return ParsedAnswer(PredictionOutcome.ANSWERED, label, _stated(text, end), _reasoning(text, start))


def _of_prose(text: str, labels: tuple[str, ...]) -> ParsedAnswer | None:
    """A first or last line that is a label, else the one label that is named at all, and not denied."""
    lines = [line for line in text.splitlines() if line.strip()]
    for line in (*lines[:1], *lines[-1:]):
        label = match_label(line, labels)
        if label is not None:
            rest = text.replace(line, "", 1) if len(lines) > 1 else ""
            return ParsedAnswer(PredictionOutcome.ANSWERED, label, _stated(text, 0), _without_confidence(rest))
    named = {}
    for match in _names(labels).finditer(text):
        if not _NEGATED.search(text, max(0, match.start() - 60), match.start()):
            named[match.group()] = match.start()
    if len(named) != 1:
        return None
    return ParsedAnswer(PredictionOutcome.ANSWERED, next(iter(named)), _stated(text, 0), _without_confidence(text))


def _label_at(text: str, position: int, labels: tuple[str, ...]) -> str | None:
    """The label that the text goes on with at `position`; the longest, where one begins another."""
    ahead = _names(labels, insensitive=True).match(text, position)
    return None if ahead is None else match_label(ahead.group(), labels)


@lru_cache(maxsize=32)
def _names(labels: tuple[str, ...], insensitive: bool = False) -> re.Pattern[str]:
    ordered = sorted(labels, key=len, reverse=True)
    spaced = [r"[\s_-]+".join(re.escape(part) for part in re.split(r"[\s_-]+", label)) for label in ordered]
    return re.compile(rf"(?<!\w)(?:{'|'.join(spaced)})(?!\w)", re.IGNORECASE if insensitive else 0)


@lru_cache(maxsize=32)
def _by_plain(labels: tuple[str, ...]) -> dict[str, str]:
    return {_plain(label): label for label in labels}


def _plain(word: str) -> str:
    return re.sub(r"[\s_-]+", " ", word.strip(_FILLING)).casefold()


def _stated(text: str, after: int) -> float | None:
    """The confidence in words: behind the decision if there is one, else the last before it."""
    behind = _SURE.search(text, after) or _AS_SURE.search(text, after)
    if behind is None:
        behind = _last(_SURE.finditer(text, 0, after)) or _last(_AS_SURE.finditer(text, 0, after))
    return None if behind is None else _scaled(behind[1], behind[2] or "")


def _last(matches: Iterable[re.Match[str]]) -> re.Match[str] | None:
    return next(iter(deque(matches, maxlen=1)), None)


def _scaled(number: str, unit: str) -> float | None:
    value = float(number.replace(",", "."))
    if unit.startswith("/"):
        value /= 100 if unit.replace(" ", "") == "/100" else 10
    elif unit or 1 < value <= 100:
        value /= 100
    return value if 0 <= value <= 1 else None


def _fraction(value: Any) -> float | None:
    """A confidence of JSON: a number from 0 to 1, one of a hundred, or a text that holds either."""
    if isinstance(value, bool) or value is None:
        return None
    match = re.fullmatch(rf"\s*{_NUMBER}\s*", str(value))
    return None if match is None else _scaled(match[1], match[2] or "")


def _reasoning(text: str, decided: int) -> str:
    """What stands before the decision, without its heading; else what comes after it."""
    before = text[:decided].strip(" \t\r\n*#_->")
    begun = _REASONED.match(before)
    if before:
        return (before[begun.end() :] if begun else before).strip()
    late = _REASONED.search(text, decided)
    return text[late.end() :].strip() if late else ""


def _without_confidence(text: str) -> str:
    kept = [line for line in text.splitlines() if not _SURE.match(line.strip(" *_#-"))]
    return "\n".join(kept).strip()
