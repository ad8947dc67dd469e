"""How well QA works: on planted flaws, which are known, and in the judgement of the people who reviewed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from core.statistics import wilson
from storage.attempts import FlawRecord, ReviewedCount
from storage.schema import Flaw, Result, Status


@dataclass(frozen=True, slots=True)
class FlawScore:
    """QA on one kind of planted flaw; the interval (95 %, Wilson) is that of the rate caught."""

    flaw: str
    planted: int
    caught: int
    low: float
    high: float
    reasons: dict[str, int]


@dataclass(frozen=True, slots=True)
class Scorecard:
    """QA measured on known flaws: caught and missed, also by kind, and sound examples that it refused."""

    planted: int
    caught: int
    missed: int
    good: int
    refused: int
    refused_low: float
    refused_high: float
    by_flaw: list[FlawScore]


def scorecard(records: Iterable[FlawRecord]) -> Scorecard:
    """The scorecard over attempts of the procedural source."""
    planted: Counter[Flaw] = Counter()
    caught: Counter[Flaw] = Counter()
    reasons: dict[Flaw, Counter[str]] = defaultdict(Counter)
    good = refused = 0
    for record in records:
        if record.flaw is None:
            good += record.attempts
            refused += record.attempts * (record.result is Result.REJECTED)
            continue
        planted[record.flaw] += record.attempts
        if record.result is Result.REJECTED:
            caught[record.flaw] += record.attempts
            reasons[record.flaw][record.reason] += record.attempts
    by_flaw = [
        FlawScore(
            flaw.value,
            planted[flaw],
            caught[flaw],
            *wilson(caught[flaw], planted[flaw]),
            dict(reasons[flaw].most_common()),
        )
        for flaw in Flaw
        if planted[flaw]
    ]
    total, caught_in_all = sum(planted.values()), sum(caught.values())
    return Scorecard(total, caught_in_all, total - caught_in_all, good, refused, *wilson(refused, good), by_flaw)


@dataclass(frozen=True, slots=True)
class ReviewedVerdicts:
    """Examples that QA passed (or rejected) and people decided on; the rate of agreement has a 95 % Wilson interval."""

    decided: int
    agreed: int
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class PeopleRecord:
    """What people decided about QA's verdicts: `passed` ones that they accepted, `rejected` ones that they rejected."""

    passed: ReviewedVerdicts
    rejected: ReviewedVerdicts


def people_record(counts: Iterable[ReviewedCount]) -> PeopleRecord:
    """People's decisions about QA's verdicts; pending examples are not counted."""

    def reviewed(refused: bool, side: Status) -> ReviewedVerdicts:
        of = [row for row in rows if row.refused is refused and row.status is not Status.PENDING]
        agreed = sum(row.examples for row in of if row.status is side)
        decided = sum(row.examples for row in of)
        return ReviewedVerdicts(decided, agreed, *wilson(agreed, decided))

    rows = list(counts)
    return PeopleRecord(reviewed(False, Status.ACCEPTED), reviewed(True, Status.REJECTED))
