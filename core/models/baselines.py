"""Baselines that every model has to beat: the most frequent decision, chance, and a bag of words."""

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

# A baseline answers so many cases at once.
_BATCH_SIZE = 256


@dataclass(frozen=True, slots=True)
class LabelledCase:
    """A labelled case to learn from."""

    case: Case
    label: str


class Baseline(ABC):
    """Answers without a language model; its probabilities are its only confidence."""

    prompt_version = ""
    max_in_flight = 1

    def __init__(self, name: str, labels: Sequence[str]) -> None:
        self.name = name
        self.labels = list(labels)

    def batches(self, cases: Sequence[Case]) -> list[list[Case]]:
        """Batches of a size that is worth committing at once."""
        return [list(cases[start : start + _BATCH_SIZE]) for start in range(0, len(cases), _BATCH_SIZE)]

    async def answer(self, batch: Sequence[Case]) -> list[Reply]:
        """A reply for each case; the seconds of a case are its share of the batch."""
        started = time.perf_counter()
        decisions = self.decide(batch)
        usage = Usage(input_tokens=0, output_tokens=0, seconds=(time.perf_counter() - started) / max(1, len(batch)))
        return [
            Reply(Outcome.WRITTEN, raw=decision, probabilities=probabilities, usage=usage, model=self.name)
            for decision, probabilities in decisions
        ]

    async def close(self) -> None:
        """Do nothing: no resource is held."""
        return

    @abstractmethod
    def decide(self, batch: Sequence[Case]) -> list[tuple[str, dict[str, float]]]:
        """The decision about each case, with the probability of every decision."""


class Majority(Baseline):
    """Always decides for the most frequent label in `counts`; between equals, for the first of `labels`."""

    def __init__(self, labels: Sequence[str], counts: Mapping[str, int]) -> None:
        super().__init__("majority", labels)
        total = sum(counts.get(label, 0) for label in labels)
        self._shares = {label: counts.get(label, 0) / total if total else 1 / len(labels) for label in labels}
        self._decision = max(labels, key=lambda label: self._shares[label])

    def decide(self, batch: Sequence[Case]) -> list[tuple[str, dict[str, float]]]:
        """The same decision for all cases."""
        return [(self._decision, dict(self._shares)) for _ in batch]


class Chance(Baseline):
    """Decides at random; an example and sample always get the same decision, in whatever order they are asked."""

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

    What it gets right needs no understanding: a model has to be clearly better. Raises ValueError if the training
    cases show fewer than two decisions.
    """

    def __init__(self, labels: Sequence[str], training_cases: Sequence[LabelledCase]) -> None:
        super().__init__("bag-of-words", labels)
        if len({labelled.label for labelled in training_cases}) < 2:
            raise ValueError("bag-of-words needs accepted examples of two decisions at least in the train split")
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline

        self._pipeline: Any = make_pipeline(
            TfidfVectorizer(ngram_range=(1, 2), min_df=2 if len(training_cases) >= 100 else 1, sublinear_tf=True),
            LogisticRegression(max_iter=1000, C=10.0),
        )
        self._pipeline.fit(
            [_text_of(labelled.case) for labelled in training_cases], [labelled.label for labelled in training_cases]
        )

    def decide(self, batch: Sequence[Case]) -> list[tuple[str, dict[str, float]]]:
        """The likeliest decision about each case; a label that no training case showed has the probability 0."""
        classes = [str(label) for label in self._pipeline.classes_]
        decisions = []
        for row in self._pipeline.predict_proba([_text_of(case) for case in batch]):
            predicted = dict(zip(classes, map(float, row), strict=True))
            probabilities = dict.fromkeys(self.labels, 0.0) | predicted
            decisions.append((max(probabilities, key=lambda label: probabilities[label]), probabilities))
        return decisions


def label_counts(training_cases: Sequence[LabelledCase]) -> Counter[str]:
    """How often each label occurs."""
    return Counter(labelled.label for labelled in training_cases)


def _text_of(case: Case) -> str:
    return "\n".join([case.hypothesis, *(f"{piece.source}: {piece.content}" for piece in case.evidence)])
