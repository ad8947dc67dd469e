"""A running benchmark, read by cursor: each update costs only what is new."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from core.benchmark.metrics import CONFIDENCE
from core.benchmark.results import score_samples
from core.benchmark.scored import ScoredAnswer
from core.config.project import Project
from core.models.resolve import known_models
from core.statistics import wilson
from storage.predictions import PredictionFigures, Target
from storage.schema import PredictionOutcome

# The points of a curve: enough for a line on a terminal.
CURVE_POINTS = 200


class AnswerStream:
    """The answers of one run so far, one for each example of `targets`, in the order in which they came."""

    def __init__(self, run: str, samples: int, targets: Iterable[Target]) -> None:
        self.run, self.samples = run, samples
        self._targets = {target.example: target for target in targets}
        # The id of the newest prediction that was read.
        self.cursor = 0
        self.answers: dict[str, ScoredAnswer] = {}
        # Predictions that later ones may replace or join, by example and sample.
        self._open: dict[str, dict[int, PredictionFigures]] = {}

    def update(self, predictions: Iterable[PredictionFigures]) -> None:
        """Add new predictions, oldest first."""
        for prediction in predictions:
            self.cursor = prediction.id
            final = self.samples == 1 and prediction.outcome is PredictionOutcome.ANSWERED
            if final and prediction.example not in self._open:
                self.answers[prediction.example] = score_samples(self._targets[prediction.example], (prediction,))
                continue
            samples = self._open.setdefault(prediction.example, {})
            samples[prediction.sample] = prediction
            voting = [samples[number] for number in sorted(samples)]
            self.answers[prediction.example] = score_samples(self._targets[prediction.example], voting)
            if final:
                del self._open[prediction.example]


@dataclass(frozen=True, slots=True)
class AccuracyCurve:
    """The accuracy after each of `counts` answers, with its 95 % Wilson interval; all in percent."""

    counts: list[int]
    accuracy: list[float]
    low: list[float]
    high: list[float]


def accuracy_curve(answers: Iterable[ScoredAnswer], n: int, points: int = CURVE_POINTS) -> AccuracyCurve:
    """The accuracy of `answers` (`n` in all) as they come in, at about `points` evenly spaced counts."""
    step = max(1, n // points)
    counts, rates, lows, highs = [], [], [], []
    right = 0
    for count, answer in enumerate(answers, start=1):
        right += answer.correct
        if count % step == 0 or count == n:
            low, high = wilson(right, count, CONFIDENCE)
            counts.append(count)
            rates.append(100 * right / count)
            lows.append(100 * low)
            highs.append(100 * high)
    return AccuracyCurve(counts, rates, lows, highs)


def in_sampling_order(answers: Mapping[str, ScoredAnswer], order: Sequence[tuple[str, str]]) -> list[ScoredAnswer]:
    """The answers in `order`, a sequence of (example, family); examples without an answer are left out."""
    return [answers[example] for example, _ in order if example in answers]


class PairKind(StrEnum):
    """Who is right: the student, the reference, both or none; for a run without a reference, whether its model is."""

    ONLY_REFERENCE = "only reference right"
    ONLY_STUDENT = "only student right"
    BOTH_WRONG = "both wrong"
    BOTH_RIGHT = "both right"
    WRONG = "wrong"
    RIGHT = "right"


# The kinds with a reference and without one, those that are worth reading first.
PAIRED_KINDS = (PairKind.ONLY_REFERENCE, PairKind.ONLY_STUDENT, PairKind.BOTH_WRONG, PairKind.BOTH_RIGHT)
UNPAIRED_KINDS = (PairKind.WRONG, PairKind.RIGHT)


def pairs_by_kind(student: AnswerStream, reference: AnswerStream | None) -> dict[PairKind, list[ScoredAnswer]]:
    """The student's answers by kind: to what both were asked, or all of them if there is no reference."""
    by_kind: dict[PairKind, list[ScoredAnswer]] = {
        kind: [] for kind in (UNPAIRED_KINDS if reference is None else PAIRED_KINDS)
    }
    for answer in student.answers.values():
        if reference is None:
            by_kind[PairKind.RIGHT if answer.correct else PairKind.WRONG].append(answer)
        elif (reference_answer := reference.answers.get(answer.example)) is not None:
            by_kind[_pair_kind(answer.correct, reference_answer.correct)].append(answer)
    return by_kind


def _pair_kind(student: bool, reference: bool) -> PairKind:
    if student:
        return PairKind.BOTH_RIGHT if reference else PairKind.ONLY_STUDENT
    return PairKind.ONLY_REFERENCE if reference else PairKind.BOTH_WRONG


def askable_models(project: Project, connection: sqlite3.Connection) -> list[str]:
    """The models that can be asked: first the student, then the reference, then all others."""
    known, roles = known_models(project, connection), project.task.roles
    first = [roles.student, roles.reference]
    return list(dict.fromkeys([*(name for name in first if name in known), *known]))


def unanswered_outcomes(counts: Mapping[str, int]) -> dict[str, int]:
    """The outcomes in `counts` that are no answer and occurred."""
    return {name: count for name, count in counts.items() if name != PredictionOutcome.ANSWERED.value and count}
