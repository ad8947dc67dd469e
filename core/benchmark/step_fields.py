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


def judge_fields(
    expected: Sequence[ParsedStep], written: Sequence[ParsedStep], decision: str | None, rule: StepRule | None
) -> list[tuple[str, bool]]:
    """Which fields of an answer are right, against the steps that were `expected`, both as parsed.

    Steps are matched by their part, and where it was misnamed, by their place. A step that was not written has all of
    its fields wrong. Whether a part holds is judged by what was written as found and claimed, so that one mistake
    counts once.
    """
    by_part = {_plain(step.part): step for step in reversed(written)}
    judged: list[tuple[str, bool]] = []
    for position, step in enumerate(expected):
        named = _plain(step.part) in by_part
        answer = by_part.get(_plain(step.part)) or (written[position] if position < len(written) else None)
        judged.append(("part", named))
        if step.grounds:
            judged.append(("grounds", answer is not None and _plain(answer.grounds) == _plain(step.grounds)))
        judged.append(("found", answer is not None and _plain(answer.found) == _plain(step.found)))
        judged.append(("claimed", answer is not None and _plain(answer.claimed) == _plain(step.claimed)))
        if answer is None:
            judged.append(("holds", False))
        elif (_plain(answer.found), _plain(answer.claimed)) == (_plain(step.found), _plain(step.claimed)):
            judged.append(("holds", answer.holds is step.holds))
    if rule is not None and (follows := decision_of(written, rule)) is not None:
        judged.append(("concludes", decision == follows))
    return judged


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
