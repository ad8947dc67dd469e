"""The gate's watch over a benchmark at work, and over the other run that it is paired with."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from core.benchmark.results import score_samples
from core.benchmark.scored import ScoredAnswer
from core.benchmark.sequential_gate import GateVerdict, SequentialGate
from core.runs.params import BenchmarkParams, params_of
from storage import predictions, runs
from storage.predictions import PredictionFigures, Target


class NewAnswers:
    """The answers of one run as they come in; of several samples, an answer is there once all of them are."""

    def __init__(self, connection: sqlite3.Connection, run: str, samples: int) -> None:
        self._db = connection
        self._run = run
        self._wanted = samples
        self._cursor = 0
        self._samples: dict[str, dict[int, PredictionFigures]] = {}
        self._targets = {one.example: one for one in predictions.targets(connection, run)}

    @property
    def targets(self) -> list[Target]:
        """What the run asks about, in its order."""
        return list(self._targets.values())

    def read_new(self) -> list[ScoredAnswer]:
        """The answers that have become whole since this was asked last; each example once."""
        found = []
        for one in predictions.prediction_figures(self._db, self._run, after=self._cursor):
            self._cursor = one.id
            samples = self._samples.setdefault(one.example, {})
            fresh = one.sample not in samples
            samples[one.sample] = one
            if fresh and len(samples) == self._wanted:
                found.append(score_samples(self._targets[one.example], [samples[number] for number in sorted(samples)]))
        return found


class GateMonitor:
    """The watch of one run: over its own answers, and those of the other run that its params name."""

    def __init__(self, connection: sqlite3.Connection, run: str, params: BenchmarkParams) -> None:
        self._own = NewAnswers(connection, run, params.samples)
        self._asked = {one.example for one in self._own.targets}
        self._is_reference = bool(params.student)
        other = params.student or params.reference
        self._other: NewAnswers | None = None
        if other:
            found = runs.get(connection, other)
            samples = params_of(found, BenchmarkParams).samples if found else 1
            self._other = NewAnswers(connection, other, samples)
        self._watch = SequentialGate(
            [(one.example, one.family) for one in self._own.targets],
            target=params.target,
            level=params.level,
            margin=params.margin,
            paired=None if self._other is None else {one.example for one in self._other.targets},
        )

    def update(self) -> GateVerdict:
        """Take what is new of both runs into account; the verdict as of now."""
        own = self._known(self._own.read_new())
        other = self._known(self._other.read_new()) if self._other else []
        student, reference = (other, own) if self._is_reference else (own, other)
        if student or reference:
            self._watch.update(student, reference)
        return self._watch.verdict()

    def _known(self, answers: Iterable[ScoredAnswer]) -> Sequence[ScoredAnswer]:
        return [one for one in answers if one.example in self._asked]
