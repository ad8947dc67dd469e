"""A benchmark as it comes in: read by cursor, so that each look costs only what is new."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from core.benchmark.metrics import CONFIDENCE
from core.benchmark.results import answer
from core.benchmark.scored import Scored
from core.benchmark.start import BenchParams
from core.config.project import Project
from core.config.task import Task
from core.models.resolve import known
from core.statistics import wilson
from storage.predictions import Target, Told
from storage.schema import PredictionOutcome, Run

# So many places along a run are enough for a line on a terminal.
PLACES = 200


class Live:
    """The answers of one run about `targets` so far, in the order in which they came; each example has one."""

    def __init__(self, run: str, samples: int, targets: Iterable[Target]) -> None:
        self.run, self.samples = run, samples
        self._targets = {one.example: one for one in targets}
        # The id of the newest prediction that was heard.
        self.cursor = 0
        self.answers: dict[str, Scored] = {}
        # What later predictions may replace or join, by example and sample.
        self._open: dict[str, dict[int, Told]] = {}

    def hear(self, told: Iterable[Told]) -> None:
        """Take new predictions into account, oldest first."""
        for one in told:
            self.cursor = one.id
            final = self.samples == 1 and one.outcome is PredictionOutcome.ANSWERED
            if final and one.example not in self._open:
                self.answers[one.example] = answer(self._targets[one.example], (one,))
                continue
            samples = self._open.setdefault(one.example, {})
            samples[one.sample] = one
            voting = [samples[number] for number in sorted(samples)]
            self.answers[one.example] = answer(self._targets[one.example], voting)
            if final:
                del self._open[one.example]


@dataclass(frozen=True, slots=True)
class Curve:
    """The accuracy after each of some counts of answers, with its 95 % Wilson interval; all in percent."""

    counts: list[int]
    accuracy: list[float]
    low: list[float]
    high: list[float]


def curve(answers: Iterable[Scored], n: int, places: int = PLACES) -> Curve:
    """How the accuracy of `answers`, `n` in all, narrows as they come in, at about so many evenly spaced `places`."""
    step = max(1, n // places)
    counts, rates, lows, highs = [], [], [], []
    right = 0
    for count, one in enumerate(answers, start=1):
        right += one.correct
        if count % step == 0 or count == n:
            low, high = wilson(right, count, CONFIDENCE)
            counts.append(count)
            rates.append(100 * right / count)
            lows.append(100 * low)
            highs.append(100 * high)
    return Curve(counts, rates, lows, highs)


def in_order(answers: Mapping[str, Scored], asked: Sequence[tuple[str, str]]) -> list[Scored]:
    """The answers in the order of `asked`, (example, family)."""
    return [answers[example] for example, _ in asked if example in answers]


class Kind(StrEnum):
    """Who is right: of a pair the student and the reference, of a run alone its model."""

    ONLY_REFERENCE = "only reference right"
    ONLY_STUDENT = "only student right"
    BOTH_WRONG = "both wrong"
    BOTH_RIGHT = "both right"
    WRONG = "wrong"
    RIGHT = "right"


# The kinds that there are, those worth reading first: with a reference, and without.
PAIRED = (Kind.ONLY_REFERENCE, Kind.ONLY_STUDENT, Kind.BOTH_WRONG, Kind.BOTH_RIGHT)
ALONE = (Kind.WRONG, Kind.RIGHT)


def pairs(student: Live, reference: Live | None) -> dict[Kind, list[Scored]]:
    """The student's answers to what both were asked, by kind; without a reference, all of them."""
    found: dict[Kind, list[Scored]] = {kind: [] for kind in (ALONE if reference is None else PAIRED)}
    for one in student.answers.values():
        if reference is None:
            found[Kind.RIGHT if one.correct else Kind.WRONG].append(one)
        elif (other := reference.answers.get(one.example)) is not None:
            found[_kind(one.correct, other.correct)].append(one)
    return found


def _kind(student: bool, reference: bool) -> Kind:
    if student:
        return Kind.BOTH_RIGHT if reference else Kind.ONLY_STUDENT
    return Kind.ONLY_REFERENCE if reference else Kind.BOTH_WRONG


def shown(task: Task, every: Sequence[Run], going: Callable[[Run], bool]) -> tuple[Run | None, Run | None]:
    """The two of `every` benchmark, newest first, that say most together: the student's, and the reference's.

    The student's is one that is going, else the newest of the model in that role that is no smoke test, else the
    newest of any model but the reference. The reference's is the one that the student's is paired with, if it is, else
    found in the same way.
    """
    by_id = {run.id: run for run in every}
    big = [run for run in every if run.params.get("model") == task.roles.reference or run.params.get("student")]
    small = [run for run in every if run not in big]

    def best(found: Sequence[Run], model: str) -> Run | None:
        def rank(run: Run) -> tuple[bool, bool, bool, str]:
            return going(run), run.params.get("model") == model, not run.params.get("sniff"), run.id

        return max(found, key=rank, default=None)

    student = best(small, task.roles.student)
    if student is None:
        return None, best(big, task.roles.reference)
    paired = by_id.get(str(student.params.get("reference") or ""))
    paired = paired or next((run for run in every if run.params.get("student") == student.id), None)
    return student, paired or best(big, task.roles.reference)


def in_role(task: Task, params: BenchParams) -> str:
    """Whether a run of these params is the 'reference', or the 'student'."""
    return "reference" if params.student or params.model == task.roles.reference else "student"


def models(project: Project, connection: sqlite3.Connection) -> list[str]:
    """The models that can be asked, the student's first, then the reference's."""
    there, roles = known(project, connection), project.task.roles
    first = [roles.student, roles.reference]
    return list(dict.fromkeys([*(name for name in first if name in there), *there]))


def outcomes_without(counts: Mapping[str, int]) -> dict[str, int]:
    """Of the counts of all outcomes, those that are no answer."""
    return {name: number for name, number in counts.items() if name != PredictionOutcome.ANSWERED.value and number}
