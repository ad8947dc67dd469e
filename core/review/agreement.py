"""How far people agree with the label, with the judge and with each other, from what they decided blind.

Only decisions made without seeing the label are independent evidence; each is compared with the label of the version
that the person saw. Chance-corrected by Cohen's kappa (1960) for a pair, and by Krippendorff's alpha (2004, nominal)
for any number of people. Intervals are percentile bootstraps over families, since examples of one hypothesis are
decided alike.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from core.statistics import wilson
from storage.blind_reviews import BlindReview

if TYPE_CHECKING:
    import numpy as np

RESAMPLES = 1000
CONFIDENCE = 0.95
LABEL, JUDGE = "the label", "the judge"
# The name of all people who gave none: nothing distinguishes them.
UNNAMED = "the unnamed reviewer"
# From this much agreement beyond chance, labels are called reliable, or fairly reliable (Landis and Koch, 1977).
RELIABLE, FAIR = 0.8, 0.6
# With fewer families nothing is concluded: resampling too few of them gives intervals that are too narrow.
MIN_FAMILIES = 20


@dataclass(frozen=True, slots=True)
class Coefficient:
    """A coefficient from -1 to 1 with its 95 % interval; undefined values are None, and `undefined` says why."""

    value: float | None
    low: float | None
    high: float | None
    undefined: str = ""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two who decided about the same `examples`; `confusion` counts by the decision of `who`, then that of `whom`."""

    who: str
    whom: str
    examples: int
    families: int
    agreed: int
    low: float
    high: float
    kappa: Coefficient
    alpha: Coefficient
    confusion: dict[str, dict[str, int]]


@dataclass(frozen=True, slots=True)
class GroupAgreement:
    """All people on the examples that at least two of them decided."""

    people: int
    examples: int
    alpha: Coefficient


@dataclass(frozen=True, slots=True)
class AgreementReport:
    """Each person with the label, the judge and each other; `together` only where there are three or more people."""

    decisions: int
    pairs: list[Agreement]
    together: GroupAgreement | None


def conclusion(pair: Agreement) -> str:
    """What the figures of a pair mean, in a sentence that claims no more than their intervals allow."""
    if pair.families < MIN_FAMILIES:
        start = f"{MIN_FAMILIES} examples that stem from different hypotheses are a start"
        return f"Too few to conclude anything yet: {start}."
    if pair.kappa.low is None or pair.kappa.high is None:
        return "Nearly all was decided one way, so chance would agree as well: other examples will tell more."
    if pair.kappa.low >= RELIABLE:
        return "They agree far beyond chance: what one decides, the other would too."
    if pair.kappa.low >= FAIR:
        return "They agree well beyond chance, with some differences."
    if pair.kappa.low > 0:
        addition = "; how well, more examples will tell" if pair.kappa.high >= RELIABLE else ", but not reliably"
        return f"They agree more than chance would{addition}."
    if pair.kappa.high < FAIR:
        return "This is no better than chance could give: look at what they decided differently."
    return "This may be chance: more examples will tell."


def agreement_report(blind_reviews: Iterable[BlindReview]) -> AgreementReport:
    """The agreement that `blind_reviews` show, in the order: label, judge, people."""
    decided = [review for review in blind_reviews if review.value]
    people = sorted({review.reviewer for review in decided})
    pairs = list[Agreement]()
    for whom, other_decisions in (
        (LABEL, [review.label for review in decided]),
        (JUDGE, [review.judge for review in decided]),
    ):
        for person in people:
            pairs_to_compare = zip(decided, other_decisions, strict=True)
            compared = [
                (review.value, other_decision, review.family)
                for review, other_decision in pairs_to_compare
                if review.reviewer == person and other_decision
            ]
            if compared:
                pairs.append(_agreement(person or UNNAMED, whom, compared))
    by_version: dict[tuple[str, int], dict[str, BlindReview]] = defaultdict(dict)
    for review in decided:
        by_version[review.example, review.version][review.reviewer] = review
    for first, second in combinations(people, 2):
        compared = [
            (by[first].value, by[second].value, by[first].family)
            for by in by_version.values()
            if first in by and second in by
        ]
        if compared:
            pairs.append(_agreement(first or UNNAMED, second or UNNAMED, compared))
    return AgreementReport(
        len(decided), pairs, _group_agreement(list(by_version.values())) if len(people) > 2 else None
    )


def _agreement(who: str, whom: str, compared: Sequence[tuple[str, str, str]]) -> Agreement:
    first, second, families = zip(*compared, strict=True)
    agreed = sum(a == b for a, b, _ in compared)
    confusion: dict[str, dict[str, int]] = {}
    for a, b, _ in sorted(compared):
        row = confusion.setdefault(a, {})
        row[b] = row.get(b, 0) + 1
    ratings = [[a, b] for a, b, _ in compared]
    return Agreement(
        who,
        whom,
        len(compared),
        len(set(families)),
        agreed,
        *wilson(agreed, len(compared), CONFIDENCE),
        kappa=_kappa(first, second, families),
        alpha=_alpha(ratings, families),
        confusion=confusion,
    )


def _group_agreement(by_version: list[dict[str, BlindReview]]) -> GroupAgreement:
    shared = [by for by in by_version if len(by) > 1]
    ratings = [[review.value for review in by.values()] for by in shared]
    families = [next(iter(by.values())).family for by in shared]
    return GroupAgreement(len({person for by in shared for person in by}), len(shared), _alpha(ratings, families))


def _kappa(first: Sequence[str], second: Sequence[str], families: Sequence[str]) -> Coefficient:
    import numpy as np
    from sklearn.metrics import cohen_kappa_score

    labels = sorted({*first, *second})
    first_codes, second_codes = (np.array([labels.index(value) for value in values]) for values in (first, second))

    def statistic(weights: np.ndarray) -> float | None:
        drawn = weights > 0
        if (
            np.array_equal(np.unique(first_codes[drawn]), np.unique(second_codes[drawn]))
            and len(np.unique(first_codes[drawn])) == 1
        ):
            return None
        return float(cohen_kappa_score(first_codes, second_codes, labels=range(len(labels)), sample_weight=weights))

    return _coefficient(len(labels), families, statistic)


def _alpha(ratings: Sequence[Sequence[str]], families: Sequence[str]) -> Coefficient:
    import krippendorff
    import numpy as np

    labels = sorted({value for values in ratings for value in values})
    counts = np.array([[list(values).count(label) for label in labels] for values in ratings])

    def statistic(weights: np.ndarray) -> float | None:
        drawn = np.repeat(counts, weights, axis=0)
        if np.count_nonzero(drawn.sum(axis=0)) < 2:
            return None
        return float(krippendorff.alpha(value_counts=drawn, level_of_measurement="nominal"))

    return _coefficient(len(labels), families, statistic)


def _coefficient(labels: int, families: Sequence[str], statistic: Callable[[np.ndarray], float | None]) -> Coefficient:
    """`statistic` of how often each example counts, with its interval over resampled families."""
    import numpy as np

    if len(families) < 2:
        return Coefficient(None, None, None, "not defined: fewer than two examples")
    if labels < 2:
        return Coefficient(None, None, None, "not defined: all decided the same way, so chance would agree as well")
    value = statistic(np.ones(len(families), dtype=int))
    groups, group = np.unique(np.array(families), return_inverse=True)
    if len(groups) < 2:
        return Coefficient(value, None, None, "no interval: all examples are of one family")
    random = np.random.default_rng(0)
    draws = (np.bincount(random.integers(0, len(groups), len(groups)), minlength=len(groups)) for _ in range(RESAMPLES))
    drawn = [coefficient for draw in draws if (coefficient := statistic(draw[group])) is not None]
    if len(drawn) < RESAMPLES / 2:
        return Coefficient(value, None, None, "no interval: too few examples differ")
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    if low == high != 1:
        return Coefficient(value, None, None, "no interval: too few examples differ")
    return Coefficient(value, float(low), float(high))
