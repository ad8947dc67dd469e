"""A benchmark as it comes in: read by cursor, so that each look costs only what is new."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from core.benchmark.metrics import CONFIDENCE
from core.benchmark.results import score_samples
from core.benchmark.scored import ScoredAnswer
from core.config.project import Project
from core.config.task import Task
from core.models.resolve import known_models
from core.runs.params import BenchmarkParams, params_of
from core.statistics import wilson
from storage.predictions import PredictionFigures, Target
from storage.schema import PredictionOutcome, Run

# So many places along a run are enough for a line on a terminal.
CURVE_POINTS = 200


class AnswerStream:
    """The answers of one run about `targets` so far, in the order in which they came; each example has one."""

    def __init__(self, run: str, samples: int, targets: Iterable[Target]) -> None:
        self.run, self.samples = run, samples
        self._targets = {one.example: one for one in targets}
        # The id of the newest prediction that was heard.
        self.cursor = 0
        self.answers: dict[str, ScoredAnswer] = {}
        # What later predictions may replace or join, by example and sample.
        self._open: dict[str, dict[int, PredictionFigures]] = {}

    def update(self, predictions: Iterable[PredictionFigures]) -> None:
        """Take new predictions into account, oldest first."""
        for one in predictions:
            self.cursor = one.id
            final = self.samples == 1 and one.outcome is PredictionOutcome.ANSWERED
            if final and one.example not in self._open:
                self.answers[one.example] = score_samples(self._targets[one.example], (one,))
                continue
            samples = self._open.setdefault(one.example, {})
            samples[one.sample] = one
            voting = [samples[number] for number in sorted(samples)]
            self.answers[one.example] = score_samples(self._targets[one.example], voting)
            if final:
                del self._open[one.example]


@dataclass(frozen=True, slots=True)
class AccuracyCurve:
    """The accuracy after each of some counts of answers, with its 95 % Wilson interval; all in percent."""

    counts: list[int]
    accuracy: list[float]
    low: list[float]
    high: list[float]


def accuracy_curve(answers: Iterable[ScoredAnswer], n: int, points: int = CURVE_POINTS) -> AccuracyCurve:
    """How the accuracy of `answers`, `n` in all, narrows as they come in, at about so many evenly spaced `places`."""
    step = max(1, n // points)
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
    return AccuracyCurve(counts, rates, lows, highs)


def in_sampling_order(answers: Mapping[str, ScoredAnswer], order: Sequence[tuple[str, str]]) -> list[ScoredAnswer]:
    """The answers in the order of `asked`, (example, family)."""
    return [answers[example] for example, _ in order if example in answers]


class PairKind(StrEnum):
    """Who is right: of a pair the student and the reference, of a run alone its model."""

    ONLY_REFERENCE = "only reference right"
    ONLY_STUDENT = "only student right"
    BOTH_WRONG = "both wrong"
    BOTH_RIGHT = "both right"
    WRONG = "wrong"
    RIGHT = "right"


# The kinds that there are, those worth reading first: with a reference, and without.
PAIRED_KINDS = (PairKind.ONLY_REFERENCE, PairKind.ONLY_STUDENT, PairKind.BOTH_WRONG, PairKind.BOTH_RIGHT)
UNPAIRED_KINDS = (PairKind.WRONG, PairKind.RIGHT)


def pairs_by_kind(student: AnswerStream, reference: AnswerStream | None) -> dict[PairKind, list[ScoredAnswer]]:
    """The student's answers to what both were asked, by kind; without a reference, all of them."""
    found: dict[PairKind, list[ScoredAnswer]] = {
        kind: [] for kind in (UNPAIRED_KINDS if reference is None else PAIRED_KINDS)
    }
    for one in student.answers.values():
        if reference is None:
            found[PairKind.RIGHT if one.correct else PairKind.WRONG].append(one)
        elif (other := reference.answers.get(one.example)) is not None:
            found[_kind(one.correct, other.correct)].append(one)
    return found


def _kind(student: bool, reference: bool) -> PairKind:
    if student:
        return PairKind.BOTH_RIGHT if reference else PairKind.ONLY_STUDENT
    return PairKind.ONLY_REFERENCE if reference else PairKind.BOTH_WRONG


def select_runs(
    task: Task, benchmarks: Sequence[Run], is_going: Callable[[Run], bool]
) -> tuple[Run | None, Run | None]:
    """The two of `every` readable benchmark, newest first, that say most together: the student's, and the reference's.

    The student's is one that is going, else the newest of the model in that role that is no smoke test, else the
    newest of any model but the reference. The reference's is the one that the student's is paired with, if it is, else
    found in the same way.
    """
    params = {run.id: params_of(run, BenchmarkParams) for run in benchmarks}
    by_id = {run.id: run for run in benchmarks}
    big = [run for run in benchmarks if role_of(task, params[run.id]) == "reference"]
    small = [run for run in benchmarks if run not in big]

    def best(found: Sequence[Run], model: str) -> Run | None:
        def rank(run: Run) -> tuple[bool, bool, bool, str]:
            return is_going(run), params[run.id].model == model, not params[run.id].sniff, run.id

        return max(found, key=rank, default=None)

    student = best(small, task.roles.student)
    if student is None:
        return None, best(big, task.roles.reference)
    paired = by_id.get(params[student.id].reference)
    paired = paired or next((run for run in benchmarks if params[run.id].student == student.id), None)
    return student, paired or best(big, task.roles.reference)


def role_of(task: Task, params: BenchmarkParams) -> str:
    """Whether a run of these params is the 'reference', or the 'student'."""
    return "reference" if params.student or params.model == task.roles.reference else "student"


def askable_models(project: Project, connection: sqlite3.Connection) -> list[str]:
    """The models that can be asked, the student's first, then the reference's."""
    there, roles = known_models(project, connection), project.task.roles
    first = [roles.student, roles.reference]
    return list(dict.fromkeys([*(name for name in first if name in there), *there]))


def unanswered_outcomes(counts: Mapping[str, int]) -> dict[str, int]:
    """Of the counts of all outcomes, those that are no answer."""
    return {name: number for name, number in counts.items() if name != PredictionOutcome.ANSWERED.value and number}
