"""What a model decided, out of what it said. One grammar with three ranks, and what is ambiguous is not guessed at.

A decision is read from structured output (a JSON object with a field for it) or from a stated form at the start of a
line or sentence ("Decision: X", "\\boxed{X}", "<answer>X</answer>", "X: yes"); of these the last one counts, as a model
that corrects itself means the correction. Where nothing is stated, prose that names one decision, and does not deny
it, decides. Where two decisions stand side by side, or the one that is named is denied, the answer is unparseable.

Pure functions of the text that is kept, so that a better parser reads old answers anew without asking again. A new
version of it gets the next `PARSER_VERSION`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from core.config.label_names import MARKS, is_ordinary_word, label_pattern, match_label, stands_out
from core.llm.answers import json_spans, split_thinking
from core.models.answer_text import normalized, plain_text
from core.models.stated_confidence import confidence_end, confidence_value, stated_confidence
from storage.schema import Outcome, PredictionOutcome

PARSER_VERSION = 2

_DECISION_KEYS = ("decision", "answer", "label", "verdict", "judgement", "judgment", "conclusion", "final_decision")
_CONFIDENCE_KEYS = ("confidence", "probability", "certainty")
_REASON_KEYS = ("reasoning", "rationale", "explanation", "reason", "justification")
# Possessive, as all classes of marks here: no text may cost more than its length.
_GAP = r"[ \t*_`\"'“”„«»#>|-]*+"
_MARKS = r"[ \t*_`\"'“”„«»]*+"
_KEY = (
    r"(?:(?:so|thus|therefore|hence|overall|in conclusion|in summary|finally)[, ]+)?(?:(?:my|the|our)\s+)?"
    r"(?:(?:final|overall|resulting|correct)\s+)?"
    r"(?:decision|answer|verdict|label|judge?ment|conclusion|entscheidung|urteil|décision|decisión|decisione|вердикт|решение|"
    r"вывод|结论|决定|判断|答案|結論|判定|決定|결론|판정|정답)"
)
# At the start of a line or of a sentence: what stands within one speaks of something else ("the auditor's verdict is").
_START = (
    r"(?:^|(?<=[.!?;。！？；，]))(?>[ \t]*+(?:[#>*+-][ \t]*+|\d{1,3}[.)][ \t]++)*+)"
    r"|(?<=, )(?:but|so|thus|hence|therefore|and) (?=the |my )"
)
_LINK = (
    rf"(?:\s?\((?:final|mine)\))?{_MARKS}"
    r"(?:(?:is|would be|was|=>|[=:：–—→|]|-+>?|は|是|为|為)\s*+|\n\s*+)"
    rf"{_GAP}(?:(?:that|to|as)\s++)?(?:(?:the|this)\s++(?:hypothesis|claim|statement)\s++(?:is|was|be|should be)\s++)?"
    rf"(?:\s*+(?:\\boxed\s*+\{{|[$\[(<{{]))*+{_GAP}"
)
_FORM = re.compile(rf"(?:{_START}){_GAP}{_KEY}{_LINK}", re.IGNORECASE | re.MULTILINE)
_BOXED = re.compile(r"\\(?:boxed|fbox)\s*\{[\s$*_`\"']*")
_TAGGED = re.compile(r"<(?:answer|decision|verdict|label|final)>[\s*_`\"']*", re.IGNORECASE)
_SIDE_BY_SIDE = re.compile(
    r"[\s*_`\"'“”)\]]*+(?:/|\||,|;|\bor\b|\band\b|\bvs\.?|oder|или|或|ou\b)[\s*_`\"'“”(\[]*+(?:(?:or|and)\s++)?", re.I
)
_DENIED_BEHIND = re.compile(
    r"[\s*_`\"'“”)\]}]*+(?:,\s*+)?(?:is|was|are|has been|can be|would be|seems|:)?+\s*+"
    r"(?:not\b|n['’]t\b|no\b|false\b|wrong\b|incorrect\b|ruled out|excluded|impossible|untenable|out of the question|"
    r"unlikely|不成立|不是|并非|不对|不正确|ではない|아니|cannot\b|can not\b|can['’]t\b|would\b|could\b|might\b|may\b|"
    r"isn['’]t|wasn['’]t|if\b|only if\b|unless\b|requires\b|needs\b)",
    re.IGNORECASE,
)
_DENIED_BEFORE = re.compile(
    r"(?:\b(?:not|neither|nor|never|than|cannot be|can['’]t be|instead of|rules? out|excludes?|against|without|unless|"
    r"if|would be|could be|might be|may be|tempting to say)|n['’]t)\W+(?:(?!but\b)\w+\W+){0,2}$",
    re.IGNORECASE,
)
_TABLE = re.compile(
    r"^[ \t*_`#>|-]*+(?P<label>[^\n:=|]{1,80}?)[\s*_`]*[:=|]\s*[*_`]*"
    r"(?P<value>yes|no|true|false|✓|✔|✗|✘|1|0)[*_`\s.|]*$",
    re.I | re.M,
)
_AFFIRMED = frozenset({"yes", "true", "✓", "✔", "1"})
# What a model writes when it goes on with a case of its own behind its answer.
_NEXT_CASE = re.compile(
    r"^[ \t#*_>]*+(?:hypothesis|claim|evidence|question|case|example|user|human|input|<data>)\b"
    r"[*_ ]*\d*[*_ ]*(?:[:：]|\n|$)",
    re.I | re.M,
)
_REASONED = re.compile(r"\b(?:reasoning|rationale|explanation)\b[*_`\"']*\s*[:：]?\s*[*_]*", re.IGNORECASE)
_CONFIDENCE_LINE = re.compile(r"[\s*_#>-]*(?:confidence|probability|certainty)\b", re.IGNORECASE)
_REFUSED = re.compile(
    r"^\W*(?:i['’]?m sorry|i am sorry|sorry|i apologi[sz]e|as an ai\b|i['’]m (?:unable|not able) to\b|"
    r"i (?:can ?not|can['’]t|am unable to|won['’]t|will not|must decline)(?: to)?\s+"
    r"(?:help|assist|comply|provide|answer|do|fulfill?|continue|engage|discuss|make|evaluate|judge|process|share|this)\b)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class ParsedAnswer:
    """What an answer says; `decision` is one of the task's labels and only there if `outcome` is ANSWERED."""

    outcome: PredictionOutcome
    decision: str | None = None
    confidence: float | None = None
    rationale: str = ""


@dataclass(frozen=True, slots=True)
class _Statement:
    """A place that states a decision, from `start` to `end`; `label` is None where it is ambiguous."""

    start: int
    end: int
    label: str | None
    # Of JSON: what its fields say besides.
    confidence: float | None = None
    rationale: str = ""
    structured: bool = False


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

    An answer that was cut off or refused is never searched for a decision, and neither is thinking.
    """
    if ended in _ENDED:
        return ParsedAnswer(_ENDED[ended])
    parts = split_thinking(normalized(raw), normalized(thought))
    if parts.cut:
        return ParsedAnswer(PredictionOutcome.TRUNCATED, rationale=parts.thinking)
    names = tuple(labels)
    answer = _read(parts.text, names)
    if answer.outcome is PredictionOutcome.ANSWERED or _REFUSED.match(parts.text) is None:
        return answer if answer.rationale else replace(answer, rationale=parts.thinking)
    return ParsedAnswer(PredictionOutcome.REFUSED, rationale=parts.thinking)


def is_complete(text: str, labels: Sequence[str]) -> bool:
    """Whether an answer in words that is still being written says all that is asked for: decision and confidence.

    Generation may end there. The number has to be followed by something, else its digits may still be coming. What the
    model thinks before its answer does not count.
    """
    # Thinking is looked for last: most texts state nothing yet, and this is asked for each token.
    return _states_all(text, labels) and _states_all(_behind_thinking(text), labels)


def states_decision(text: str, labels: Sequence[str]) -> bool:
    """Whether an answer that is still being written states its decision, and has ended the line that does."""
    stated = [statement for statement in _forms(text, tuple(labels)) if statement.label is not None]
    return bool(stated) and "\n" in text[stated[-1].end :]


def _states_all(text: str, labels: Sequence[str]) -> bool:
    stated = [statement for statement in _forms(text, tuple(labels)) if statement.label is not None]
    if not stated:
        return False
    end = confidence_end(text, stated[-1].end)
    return end is not None and text[end:] not in {"", ".", ","}


def _behind_thinking(text: str) -> str:
    """The answer in `text` with the blanks that end it; empty while the model thinks."""
    parts = split_thinking(text)
    if not parts.thinking:
        return text
    start = text.rfind(parts.text) if parts.text else len(text)
    return text[start:] if start >= 0 else parts.text


def _read(text: str, labels: tuple[str, ...]) -> ParsedAnswer:
    structured = list(_structured(text, labels))
    plain = text if structured else plain_text(text)
    statements = sorted(
        [*structured, *_outside(_forms(plain, labels), structured)], key=lambda statement: statement.start
    )
    if not statements:
        statements = list(_table(plain, labels))
    statements = _before_next_case(plain, statements)
    if statements:
        last = statements[-1]
        if last.label is None:
            return ParsedAnswer(PredictionOutcome.UNPARSEABLE)
        if last.structured:
            return ParsedAnswer(PredictionOutcome.ANSWERED, last.label, last.confidence, last.rationale)
        confidence = stated_confidence(plain, last.end)
        return ParsedAnswer(PredictionOutcome.ANSWERED, last.label, confidence, _rationale(plain, last.start, last.end))
    return _prose(plain, labels)


def _structured(text: str, labels: tuple[str, ...]) -> Iterator[_Statement]:
    """Every JSON object that names a decision, in the order of the text."""
    for start, end, value in json_spans(text):
        fields = {str(name).strip().lower(): field for name, field in value.items()}
        named = next((fields[key] for key in _DECISION_KEYS if isinstance(fields.get(key), str)), None)
        label = None if named is None else match_label(named, labels)
        if label is not None:
            confidence = next((confidence_value(fields[key]) for key in _CONFIDENCE_KEYS if key in fields), None)
            rationale = next((fields[key] for key in _REASON_KEYS if isinstance(fields.get(key), str)), "")
            yield _Statement(start, end, label, confidence, rationale.strip(), structured=True)


def _forms(text: str, labels: tuple[str, ...]) -> Iterator[_Statement]:
    """Every 'Decision: X', in the words and marks that models use for it, in the order of the text."""
    places = sorted(
        (form.start(), form.end()) for pattern in (_FORM, _BOXED, _TAGGED) for form in pattern.finditer(text)
    )
    for start, end in places:
        match = label_pattern(labels).match(text, end)
        if match is None:
            continue
        beside = _SIDE_BY_SIDE.match(text, match.end())
        if beside is not None and label_pattern(labels).match(text, beside.end()):
            yield _Statement(start, match.end(), None)
        elif not _DENIED_BEHIND.match(text, match.end()):
            yield _Statement(start, match.end(), match_label(match.group(), labels))


def _table(text: str, labels: tuple[str, ...]) -> Iterator[_Statement]:
    """A line for each label with yes or no: the one that is affirmed, ambiguous if several are."""
    rows = [(match, match_label(match["label"], labels)) for match in _TABLE.finditer(text)]
    known = [(match, label) for match, label in rows if label is not None]
    affirmed = [(match, label) for match, label in known if match["value"].lower() in _AFFIRMED]
    if len(known) < 2:
        return
    if len(affirmed) == 1:
        _, label = affirmed[0]
        yield _Statement(known[0][0].start(), known[-1][0].end(), label)
    else:
        yield _Statement(known[0][0].start(), known[-1][0].end(), None)


def _outside(statements: Iterator[_Statement], structured: Sequence[_Statement]) -> Iterator[_Statement]:
    """Those of `statements` that do not stand inside a JSON object: there they are part of a reasoning."""
    for statement in statements:
        if not any(outer.start <= statement.start < outer.end for outer in structured):
            yield statement


def _before_next_case(text: str, statements: list[_Statement]) -> list[_Statement]:
    """Without what stands behind the answer, where the model goes on with a case of its own."""
    if len(statements) < 2:
        return statements
    further = _NEXT_CASE.search(text, statements[0].end)
    return statements if further is None else [each for each in statements if each.start < further.start()]


def _prose(text: str, labels: tuple[str, ...]) -> ParsedAnswer:
    """A first or last line that is a label, else the one label that is named at all, and not denied."""
    unparseable = ParsedAnswer(PredictionOutcome.UNPARSEABLE)
    lines = [line for line in text.splitlines() if line.strip(MARKS)]
    ends = {label for line in (*lines[:1], *lines[-1:]) if (label := match_label(line, labels)) is not None}
    if len(ends) > 1:
        return unparseable
    named: set[str] = set()
    for match in label_pattern(labels).finditer(text):
        label = match_label(match.group(), labels)
        if label is None or not (match.group() == label or stands_out(match.group(), label)):
            continue
        beside = _SIDE_BY_SIDE.match(text, match.end())
        if beside is not None and label_pattern(labels).match(text, beside.end()):
            return unparseable
        before = _DENIED_BEFORE.search(text, max(0, match.start() - 60), match.start())
        if before is None and not _DENIED_BEHIND.match(text, match.end()):
            named.add(label)
    if ends:
        line = next(line for line in (*lines[:1], *lines[-1:]) if match_label(line, labels))
        rest = text.replace(line, "", 1) if len(lines) > 1 else ""
        return ParsedAnswer(PredictionOutcome.ANSWERED, ends.pop(), stated_confidence(text), _without_confidence(rest))
    # A word of ordinary prose may not be meant as a label; and where it might be, the other is not the only one.
    if len(named) != 1 or any(is_ordinary_word(label) for label in named):
        return unparseable
    return ParsedAnswer(PredictionOutcome.ANSWERED, named.pop(), stated_confidence(text), _without_confidence(text))


def _rationale(text: str, start: int, end: int) -> str:
    """What stands before the decision, without its heading; else what comes after it."""
    before = text[:start].strip(" \t\r\n*#_->")
    begun = _REASONED.match(before)
    if before:
        return (before[begun.end() :] if begun else before).strip()
    late = _REASONED.search(text, end)
    return text[late.end() :].strip() if late else ""


def _without_confidence(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not _CONFIDENCE_LINE.match(line)).strip()
