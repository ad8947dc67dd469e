"""The reasoning that a student writes: a line for each step, compiled from an example's steps, and parsed back."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from core.config.steps import StepRule, StepWording
from storage.schema import Finding, Holds, Step

# An answer with longer lines holds no steps; no pattern is tried on them.
_LONGEST_LINE = 1_000


@dataclass(frozen=True, slots=True)
class ParsedStep:
    """A step as a student wrote it. `holds` is None where the word is none of the task's.

    `spans` are where its fields stand in the answer, from and to, in characters.
    """

    part: str
    grounds: str
    found: str
    claimed: str
    holds: Holds | None
    spans: Mapping[str, tuple[int, int]] = field(default_factory=dict, compare=False)


def write_steps(steps: Sequence[Step], wording: StepWording) -> str:
    """The steps as lines, in their order."""
    return "\n".join(_write_step(step, wording) for step in steps)


def parse_steps(text: str, wording: StepWording) -> list[ParsedStep]:
    """The steps that an answer holds, in their order; lines that are none are left out."""
    pattern = _step_pattern(wording)
    steps, start = [], 0
    for line in text.splitlines(keepends=True):
        if len(line) <= _LONGEST_LINE and (match := pattern.fullmatch(line.strip())) is not None:
            steps.append(_parsed(match, wording, start + len(line) - len(line.lstrip())))
        start += len(line)
    return steps


def as_parsed(steps: Sequence[Step], wording: StepWording) -> list[ParsedStep]:
    """The steps of an example as they would be parsed from a student's answer that is right in all."""
    return parse_steps(write_steps(steps, wording), wording)


def decision_of(written: Sequence[ParsedStep], rule: StepRule) -> str | None:
    """The decision that steps lead to, as they were written; None if there are none or one is not understood."""
    holds = [step.holds for step in written]
    return rule.decide_holds([value for value in holds if value is not None]) if None not in holds else None


def contradicts(written: Sequence[ParsedStep], decision: str | None, rule: StepRule | None) -> bool:
    """Whether an answer decides otherwise than its own steps do."""
    if rule is None or decision is None:
        return False
    follows = decision_of(written, rule)
    return follows is not None and follows != decision


def _parsed(match: re.Match[str], wording: StepWording, start: int) -> ParsedStep:
    """The step of a line that begins at `start`."""
    words = {wording.word(holds): holds for holds in Holds}
    fields = {name: " ".join((value or "").split()) for name, value in match.groupdict().items()}
    return ParsedStep(
        part=fields["part"],
        grounds=fields["grounds"],
        found=fields["found"],
        claimed=fields["claimed"],
        holds=words.get(fields["holds"]),
        spans={name: (start + match.start(name), start + match.end(name)) for name in fields},
    )


def _write_step(step: Step, wording: StepWording) -> str:
    separators = _separators(wording)

    def clean(value: str) -> str:
        """`value` on one line, without what separates the fields."""
        for separator in separators:
            value = value.replace(separator, " ")
        return " ".join(value.split()).rstrip(".,")

    def ground(finding: Finding) -> str:
        return wording.ground.format(source=clean(finding.source), says=clean(finding.says)).lstrip()

    grounds = ""
    if step.against or len(step.findings) > 1:
        pieces = sorted([*step.findings, *step.against], key=lambda finding: finding.piece)
        grounds = "".join(map(ground, pieces))
    if step.against and step.findings:
        grounds += wording.counts.format(source=clean(step.findings[-1].source), why=step.why or "figures").lstrip()
    return wording.step.format(
        part=clean(step.part),
        grounds=grounds,
        found=clean(step.found),
        claimed=clean(step.claimed),
        holds=wording.word(step.holds),
    )


@cache
def _separators(wording: StepWording) -> tuple[str, ...]:
    """What no value may contain: the text between the fields of the formats, single full stops and commas aside."""
    texts = [
        literal.strip()
        for form in (wording.step, wording.ground, wording.counts)
        for literal, *_ in string.Formatter().parse(form)
    ]
    return tuple(sorted({text for text in texts if text not in {"", ".", ","}}, key=len, reverse=True))


@cache
def _step_pattern(wording: StepWording) -> re.Pattern[str]:
    """The pattern of a line. Grounds end with what their formats end with, so that they are told from `found`."""
    ends = {form.rstrip()[-1:] for form in (wording.ground, wording.counts)} - {"", "}"}
    end = "|".join(map(re.escape, sorted(ends)))
    patterns = {
        "part": "(?P<part>.+?)",
        "grounds": rf"(?P<grounds>(?:.*(?:{end}))?)\s*" if ends else "(?P<grounds>)",
        "found": "(?P<found>.+?)",
        "claimed": "(?P<claimed>.+?)",
        "holds": "(?P<holds>[^,;:]+?)",
    }
    pieces = []
    for literal, name, *_ in string.Formatter().parse(wording.step):
        pieces.append(re.escape(literal) + (patterns[name] if name else ""))
    return re.compile("".join(pieces))
