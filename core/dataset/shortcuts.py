"""Can the decision be predicted from one side alone? Then a model need not read the other, and will not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.statistics import wilson

FOLDS = 5
# With fewer examples or families the figure says nothing.
FEWEST, FEWEST_FAMILIES = 50, 10


@dataclass(frozen=True, slots=True)
class Shortcut:
    """How many of `examples` a classifier predicts correctly that reads only one side, hypothesis or evidence.

    `low` and `high` bound its accuracy (Wilson, 95 %); `majority` is the share of the most frequent decision, which
    needs no text at all. `problem` says why there is no figure, '' if there is one.
    """

    examples: int
    right: int = 0
    low: float = 0.0
    high: float = 1.0
    majority: float = 0.0
    problem: str = ""

    @property
    def exists(self) -> bool:
        """Whether it predicts the decision better than always giving the most frequent one."""
        return not self.problem and self.low > self.majority


def classifier() -> Any:
    """A logistic regression on words and pairs of words (tf-idf), not fitted yet."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    return make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True), LogisticRegression(max_iter=1000)
    )


def cross_validate(model: Any, features: Any, labels: Sequence[str], families: Sequence[str]) -> list[str]:
    """The label that `model` predicts for each example, fitted on the families of the four other folds."""
    import numpy as np
    from sklearn.model_selection import GroupKFold, cross_val_predict
    from threadpoolctl import threadpool_limits

    # The matrices are small: several threads would wait for one another more than they work.
    with threadpool_limits(1):
        predicted = cross_val_predict(
            model, features, np.array(labels), groups=np.array(families), cv=GroupKFold(FOLDS)
        )
    return [str(label) for label in predicted]


def side_alone(texts: Sequence[str], labels: Sequence[str], families: Sequence[str]) -> Shortcut:
    """The score of a classifier on words of `texts`, one side of each example, with whole families in each of 5 folds.

    `labels` and `families` are those of the examples.
    """
    if problem := too_little(labels, families):
        return Shortcut(len(labels), problem=problem)
    try:
        predicted = cross_validate(classifier(), list(texts), labels, families)
    except ValueError as error:
        # No word twice, or a fold of one decision only: there is nothing to learn from.
        return Shortcut(len(labels), problem=f"cannot be learnt from these: {str(error).splitlines()[0]}")
    return score(predicted, labels)


def too_little(labels: Sequence[str], families: Sequence[str]) -> str:
    """What is missing for a figure by five folds of families; '' if nothing is."""
    if len(labels) < FEWEST or len(set(families)) < FEWEST_FAMILIES or len(set(labels)) < 2:
        return f"needs {FEWEST} examples of {FEWEST_FAMILIES} families and two decisions at least"
    return ""


def score(predicted: Sequence[str], labels: Sequence[str]) -> Shortcut:
    """How many of `predicted` are right, with the interval, beside the most frequent of `labels`."""
    right = sum(prediction == label for prediction, label in zip(predicted, labels, strict=True))
    majority = max(Counter(labels).values()) / len(labels)
    return Shortcut(len(labels), right, *wilson(right, len(labels)), majority)
