"""Keeps the gate up to date over a running benchmark, and over the other run that it is paired with."""

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
    """The answers of one run as they come in; an answer of several samples is complete once all of them are there."""

    def __init__(self, connection: sqlite3.Connection, run: str, samples: int) -> None:
        self._db = connection
        self._run = run
        self._sample_count = samples
        self._cursor = 0
        self._samples: dict[str, dict[int, PredictionFigures]] = {}
        self._targets = {target.example: target for target in predictions.targets(connection, run)}

    @property
    def targets(self) -> list[Target]:
        """The examples that the run asks about, in its order."""
        return list(self._targets.values())

    def read_new(self) -> list[ScoredAnswer]:
        """The answers that have become complete since the last call; each example comes once."""
        answers = []
        for prediction in predictions.prediction_figures(self._db, self._run, after=self._cursor):
            self._cursor = prediction.id
            samples = self._samples.setdefault(prediction.example, {})
            is_new = prediction.sample not in samples
            samples[prediction.sample] = prediction
            if is_new and len(samples) == self._sample_count:
                voting = [samples[number] for number in sorted(samples)]
                answers.append(score_samples(self._targets[prediction.example], voting))
        return answers


class GateMonitor:
    """The gate of one run: over its own answers, and those of the other run that its params name."""

    def __init__(self, connection: sqlite3.Connection, run: str, params: BenchmarkParams) -> None:
        self._own_answers = NewAnswers(connection, run, params.samples)
        self._examples = {target.example for target in self._own_answers.targets}
        self._is_reference = bool(params.student)
        other = params.student or params.reference
        self._other_answers: NewAnswers | None = None
        if other:
            other_run = runs.get(connection, other)
            samples = params_of(other_run, BenchmarkParams).samples if other_run else 1
            self._other_answers = NewAnswers(connection, other, samples)
        self._gate = SequentialGate(
            [(target.example, target.family) for target in self._own_answers.targets],
            target=params.target,
            level=params.level,
            margin=params.margin,
            reference_examples=None
            if self._other_answers is None
            else {target.example for target in self._other_answers.targets},
        )

    def update(self) -> GateVerdict:
        """Add the new answers of both runs; returns the verdict as of now."""
        own = self._only_own(self._own_answers.read_new())
        other = self._only_own(self._other_answers.read_new()) if self._other_answers else []
        student, reference = (other, own) if self._is_reference else (own, other)
        if student or reference:
            self._gate.update(student, reference)
        return self._gate.verdict()

    def _only_own(self, answers: Iterable[ScoredAnswer]) -> Sequence[ScoredAnswer]:
        return [answer for answer in answers if answer.example in self._examples]
