"""Where the student stands to the target, and the reference to the student: judged once, or watched all along."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.benchmark.families import effective_sample_size, wilson_of_families
from core.benchmark.paired import compare, mcnemar
from core.benchmark.scored import ScoredAnswer
from core.benchmark.sequential import smallest_sufficient
from core.benchmark.sequential_gate import SequentialGate
from core.statistics import wilson


@dataclass(frozen=True, slots=True)
class TargetProgress:
    """The student's accuracy on the `n` examples that count, with its interval, as fractions.

    `settled`: at or above the target (True) or below; None is open, and `more_needed` examples would settle it at the
    rate so far, None if that cannot be told.
    """

    right: int
    n: int
    accuracy: float | None
    low: float
    high: float
    settled: bool | None
    more_needed: int | None


@dataclass(frozen=True, slots=True)
class ReferenceLead:
    """How far the reference is ahead in `n` pairs: `b` only the student has right, `c` only the reference.

    `p` is McNemar's exact test; None where the pairs were watched, which it does not allow for. `settled`: ahead
    (True), or by less than the margin; None is open, and `more_needed` is as for `Reached`.
    """

    gap: float | None
    low: float
    high: float
    b: int
    c: int
    p: float | None
    n: int
    settled: bool | None
    more_needed: int | None


def target_progress(answers: Sequence[ScoredAnswer], target: float, level: float) -> TargetProgress:
    """The accuracy against the target, judged once: by Wilson's interval, with families for what they are worth."""
    n, right = len(answers), sum(one.correct for one in answers)
    low, high = wilson_of_families(answers, level)
    settled = _beyond(low > target, high < target)
    worth = effective_sample_size(answers, level) / n if n else 0.0

    def enough(more: int) -> bool:
        trials = (n + more) * worth
        low, high = wilson(trials * right / n, trials, level)
        return low > target or high < target

    more = 0 if settled is not None else smallest_sufficient(enough) if worth else None
    return TargetProgress(right, n, right / n if n else None, low, high, settled, more)


def reference_lead(
    student: Sequence[ScoredAnswer], reference: Sequence[ScoredAnswer], margin: float, level: float, seed: int
) -> ReferenceLead:
    """The lead, judged once: ahead if the bootstrap interval and McNemar's test both say so."""
    found = compare(student, reference, level=level, seed=seed)
    settled = _beyond(found.low > 0 and found.p < 1 - level, found.high < margin)

    def enough(more: int) -> bool:
        times = (found.n + more) / found.n
        narrower = times**-0.5
        ahead = found.gap - (found.gap - found.low) * narrower > 0
        ahead = ahead and mcnemar(round(found.b * times), round(found.c * times)) < 1 - level
        return ahead or found.gap + (found.high - found.gap) * narrower < margin

    more = smallest_sufficient(enough) if settled is None else 0
    return ReferenceLead(found.gap, found.low, found.high, found.b, found.c, found.p, found.n, settled, more)


def sequential_progress(gate: SequentialGate) -> tuple[TargetProgress, ReferenceLead | None]:
    """Both as `watch` has them: by confidence sequences, over the families that are complete in the order of asking."""
    n, right = gate.accuracy.n, round(gate.accuracy.sum)
    more = _sooner(gate.accuracy.more_above(), gate.accuracy.more_below())
    student = TargetProgress(right, n, right / n if n else None, *gate.accuracy.interval(), gate.reached, more)
    if not gate.paired:
        return student, None
    low, high = gate.lead.interval()
    pairs = gate.pairs()
    b, c = sum(one > two for one, two in pairs), sum(two > one for one, two in pairs)
    gap = (c - b) / len(pairs) if pairs else None
    more = _sooner(gate.lead.more_above(), gate.lead.more_below())
    return student, ReferenceLead(gap, 2 * low - 1, 2 * high - 1, b, c, None, len(pairs), gate.ahead, more)


def _beyond(above: bool, below: bool) -> bool | None:
    return True if above else False if below else None


def _sooner(one: int | None, two: int | None) -> int | None:
    return min((more for more in (one, two) if more is not None), default=None)
