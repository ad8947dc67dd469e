"""What every model has to beat: the most frequent decision, chance, and the words alone."""

from __future__ import annotations

import random
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.config.case import Case
from core.models.model import Reply
from storage.schema import Outcome, Usage

# A classifier answers so many cases at once.
_AT_A_TIME = 256


@dataclass(frozen=True, slots=True)
class LabelledCase:
    """A labelled case to learn from."""

    case: Case
    label: str


class Baseline(ABC):
    """What answers without a model of language; its probabilities are its only confidence."""

    prompt_version = ""
    max_in_flight = 1

    def __init__(self, name: str, labels: Sequence[str]) -> None:
        self.name = name
        self.labels = list(labels)

    def batches(self, cases: Sequence[Case]) -> list[list[Case]]:
        """As many at once as are worth committing together."""
        return [list(cases[start : start + _AT_A_TIME]) for start in range(0, len(cases), _AT_A_TIME)]

    async def answer(self, batch: Sequence[Case]) -> list[Reply]:
        """A reply for each case; the seconds are each one's share."""
        started = time.perf_counter()
        decided = self.decide(batch)
        usage = Usage(input_tokens=0, output_tokens=0, seconds=(time.perf_counter() - started) / max(1, len(batch)))
        return [
            Reply(Outcome.WRITTEN, raw=decision, probabilities=each, usage=usage, model=self.name)
            for decision, each in decided
        ]

    async def close(self) -> None:
        """Nothing is held."""
        return

    @abstractmethod
    def decide(self, batch: Sequence[Case]) -> list[tuple[str, dict[str, float]]]:
        """The decision about each case, with the probability of every decision."""


class Majority(Baseline):
    """Always decides for what is most frequent among `counts`; of as many, for the first of the labels."""

    def __init__(self, labels: Sequence[str], counts: Mapping[str, int]) -> None:
        super().__init__("majority", labels)
        total = sum(counts.get(label, 0) for label in labels)
        self._shares = {label: counts.get(label, 0) / total if total else 1 / len(labels) for label in labels}
        self._decision = max(labels, key=lambda label: self._shares[label])

    def decide(self, batch: Sequence[Case]) -> list[tuple[str, dict[str, float]]]:
        """The same for all."""
        return [(self._decision, dict(self._shares)) for _ in batch]


class Chance(Baseline):
    """Decides at random, the same for an example and sample whatever the order they are asked in."""

    def __init__(self, labels: Sequence[str], seed: int) -> None:
        super().__init__("random", labels)
        self._seed = seed

    def decide(self, batch: Sequence[Case]) -> list[tuple[str, dict[str, float]]]:
        """Each decision with the same probability."""
        even = {label: 1 / len(self.labels) for label in self.labels}
        return [
            (random.Random(f"{self._seed}/{case.example}/{case.sample}").choice(self.labels), even) for case in batch
        ]


class BagOfWords(Baseline):
    """Logistic regression on the words of hypothesis and evidence (tf-idf of one and two words, scikit-learn).

    What it gets right needs no understanding: a model has to be clearly better. Raises ValueError if `lessons` show
    fewer than two decisions.
    """

    def __init__(self, labels: Sequence[str], lessons: Sequence[LabelledCase]) -> None:
        super().__init__("bag-of-words", labels)
        if len({lesson.label for lesson in lessons}) < 2:
            raise ValueError("bag-of-words needs accepted examples of two decisions at least in the train split")
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline

        self._learned: Any = make_pipeline(
            TfidfVectorizer(ngram_range=(1, 2), min_df=2 if len(lessons) >= 100 else 1, sublinear_tf=True),
            LogisticRegression(max_iter=1000, C=10.0),
        )
        self._learned.fit([_words(lesson.case) for lesson in lessons], [lesson.label for lesson in lessons])

    def decide(self, batch: Sequence[Case]) -> list[tuple[str, dict[str, float]]]:
        """The likeliest decision of each; one that no lesson showed has the probability 0."""
        known = [str(label) for label in self._learned.classes_]
        found = []
        for row in self._learned.predict_proba([_words(case) for case in batch]):
            given = dict.fromkeys(self.labels, 0.0) | dict(zip(known, map(float, row), strict=True))
            found.append((max(given, key=lambda label: given[label]), given))
        return found


def label_counts(training_cases: Sequence[LabelledCase]) -> Counter[str]:
    """How often each label is there."""
    return Counter(lesson.label for lesson in training_cases)


def _words(case: Case) -> str:
    return "\n".join([case.hypothesis, *(f"{piece.source}: {piece.content}" for piece in case.evidence)])
