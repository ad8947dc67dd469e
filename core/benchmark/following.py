"""A benchmark as it goes: its answers in the order they come, counted as they come, read in pieces of bounded cost."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from core.benchmark.metrics import Tally
from core.benchmark.results import answer
from core.benchmark.scored import Scored
from storage import predictions
from storage.predictions import Told
from storage.schema import Question

# So many predictions are read at a time: some milliseconds.
PIECE = 1_000
# The course of the accuracy is kept at so many places.
PLACES = 256


@dataclass(frozen=True, slots=True)
class At:
    """How many were right after `n` answers."""

    n: int
    right: int


class Following:
    """One run. `read` takes in what is new; `tally`, `heard` and `course` are as of then."""

    def __init__(self, connection: sqlite3.Connection, run: str, labels: Sequence[str]) -> None:
        self.run = run
        self._db = connection
        self._questions: dict[str, Question] | None = None
        self._samples: dict[str, dict[int, Told]] = defaultdict(dict)
        self._cursor = 0
        self._every = 1
        self.heard: dict[str, Scored] = {}
        self.tally = Tally(labels)
        self.course: list[At] = []
        self._right = 0

    def read(self, most: int = PIECE) -> int:
        """Take in up to `most` new predictions; returns how many there were."""
        if self._questions is None:
            self._questions = {one.example: one for one in predictions.questions(self._db, self.run)}
        told = predictions.told(self._db, self.run, after=self._cursor, limit=most)
        for one in told:
            self._cursor = one.id
            question = self._questions[one.example]
            before = self.heard.get(one.example)
            samples = self._samples[one.example]
            samples[one.sample] = one
            now = answer(question, [samples[number] for number in sorted(samples)])
            if before is not None:
                self.tally.remove(before)
                self._right -= before.correct
            self.tally.add(now)
            self.heard[one.example] = now
            self._right += now.correct
            if before is None:
                self._remember()
        return len(told)

    def _remember(self) -> None:
        """Keep the course at evenly spaced places, half as many once they are too many."""
        n = len(self.heard)
        if n % self._every:
            return
        self.course.append(At(n, self._right))
        if len(self.course) > PLACES:
            self.course = self.course[1::2]
            self._every *= 2


@dataclass(frozen=True, slots=True)
class Pairs:
    """How two runs stand on the examples that both have answered."""

    both_right: int = 0
    only_first: int = 0
    only_second: int = 0
    both_wrong: int = 0

    @property
    def n(self) -> int:
        """How many there are."""
        return self.both_right + self.only_first + self.only_second + self.both_wrong


def pairs(first: Following, second: Following) -> Pairs:
    """The pairs so far."""
    counts = [[0, 0], [0, 0]]
    for example, one in first.heard.items():
        other = second.heard.get(example)
        if other is not None:
            counts[one.correct][other.correct] += 1
    return Pairs(counts[1][1], counts[1][0], counts[0][1], counts[0][0])
