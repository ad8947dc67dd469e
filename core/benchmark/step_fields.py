"""Accuracy by field: where a student that writes its steps goes wrong, in reading, in comparing, or in concluding."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from core.config.steps import StepRule
from core.models.step_lines import ParsedStep, decision_of
from core.statistics import wilson

# In the order in which a student writes them. `grounds`: several findings, or those that disagree, and which counts;
# `holds`: given what it wrote as found and claimed itself; `concludes`: the decision given its own steps.
FIELDS = ("part", "grounds", "found", "claimed", "holds", "concludes")


@dataclass(frozen=True, slots=True)
class FieldScore:
    """How often a field was right, with a 95 % Wilson interval."""

    field: str
    n: int
    right: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """The share that was right, 0 to 1; there is at least one."""
        return self.right / self.n


@dataclass
class FieldCounts:
    """Counts of the fields that were right, gathered answer by answer."""

    right: Counter[str] = field(default_factory=Counter)
    n: Counter[str] = field(default_factory=Counter)

    def add(self, judged: Iterable[tuple[str, bool]]) -> None:
        """Count the fields of one answer."""
        for name, is_right in judged:
            self.n[name] += 1
            self.right[name] += is_right

    def scores(self) -> list[FieldScore]:
        """A score for each field that occurred, in the order in which they are written."""
        return [
            FieldScore(name, self.n[name], self.right[name], *wilson(self.right[name], self.n[name]))
            for name in FIELDS
            if self.n[name]
        ]


@dataclass(frozen=True, slots=True)
class JudgedField:
    """Whether a field of an answer is right: of the expected step at `position`, and the written one at `written`.

    `written` is None where the student wrote no such step.
    """

    field: str
    position: int
    written: int | None
    is_right: bool


def match_fields(expected: Sequence[ParsedStep], written: Sequence[ParsedStep]) -> list[JudgedField]:
    """Which fields of the steps that were `expected` are right in those that were `written`, both as parsed.

    Steps are matched by their part, and where it was misnamed, by their place. A step that was not written has all of
    its fields wrong. Whether a part holds is judged only where found and claimed are right, so that one mistake counts
    once.
    """
    by_part = {_plain(written[number].part): number for number in reversed(range(len(written)))}
    judged: list[JudgedField] = []
    for position, step in enumerate(expected):
        number = by_part.get(_plain(step.part), position if position < len(written) else None)
        answer = None if number is None else written[number]
        is_found = answer is not None and _plain(answer.found) == _plain(step.found)
        is_claimed = answer is not None and _plain(answer.claimed) == _plain(step.claimed)
        rights = {"part": _plain(step.part) in by_part, "found": is_found, "claimed": is_claimed}
        if step.grounds:
            rights["grounds"] = answer is not None and _plain(answer.grounds) == _plain(step.grounds)
        if answer is None or (is_found and is_claimed):
            rights["holds"] = answer is not None and answer.holds is step.holds
        judged += [JudgedField(name, position, number, rights[name]) for name in FIELDS if name in rights]
    return judged


def judge_fields(
    expected: Sequence[ParsedStep], written: Sequence[ParsedStep], decision: str | None, rule: StepRule | None
) -> list[tuple[str, bool]]:
    """Which fields of an answer are right, by name, and whether its `decision` follows from its own steps."""
    judged = [(field.field, field.is_right) for field in match_fields(expected, written)]
    if rule is not None and (follows := decision_of(written, rule)) is not None:
        judged.append(("concludes", decision == follows))
    return judged


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
