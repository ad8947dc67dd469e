"""What the bag-of-words baseline says of examples that it has not learned from, with whole families in each fold."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Sequence

from core.config.case import Case
from core.models.baselines import BagOfWords, LabelledCase

FOLDS = 5
# A fold is fitted to at most this many examples of the others: more take minutes, and tell little more.
FITTED = 3000
_CHUNK = 1000

Read = Callable[[Sequence[int]], list[Case]]


def folds_by_family(families: Sequence[str], folds: int = FOLDS) -> list[int]:
    """The fold of each example: the same for a family, whatever other families there are."""
    return [zlib.crc32(family.encode(errors="replace")) % folds for family in families]


def out_of_fold_probabilities(
    labels: Sequence[str], decisions: Sequence[str], families: Sequence[str], read: Read, *, seed: int = 1
) -> list[tuple[float, ...]]:
    """The probability of each of `labels` for each example, by a baseline fitted on families of other folds.

    `decisions` and `families` are those of the examples. `read` gives the cases at some positions, so that they need
    not all be held. Raises ValueError if the other folds of one show fewer than two decisions.
    """
    from threadpoolctl import threadpool_limits

    fold_of = folds_by_family(families)
    probabilities: list[tuple[float, ...]] = [()] * len(decisions)
    rng = random.Random(seed)
    for fold in sorted(set(fold_of)):
        others = [position for position, number in enumerate(fold_of) if number != fold]
        if len(others) > FITTED:
            others = sorted(rng.sample(others, FITTED))
        lessons = [LabelledCase(case, decisions[position]) for position, case in zip(others, read(others), strict=True)]
        # The matrices are small: several threads would wait for one another more than they work.
        with threadpool_limits(1):
            model = BagOfWords(labels, lessons)
        held_out = [position for position, number in enumerate(fold_of) if number == fold]
        for start in range(0, len(held_out), _CHUNK):
            chunk = held_out[start : start + _CHUNK]
            for position, (_, predicted) in zip(chunk, model.decide(read(chunk)), strict=True):
                probabilities[position] = tuple(predicted[label] for label in labels)
    return probabilities
