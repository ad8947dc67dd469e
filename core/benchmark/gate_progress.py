"""How the student compares with the target, and the reference with the student: judged once, or at any time."""

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

    `settled` is True at or above the target, False below it, and None while that is open: then about `more_needed`
    examples would settle it at the rate so far (None: unknown).
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

    `p` is McNemar's exact test; None where the pairs were judged at any time, which that test does not allow for.
    `settled` is True if the reference is ahead, False if it is by less than the margin, and None while that is open;
    `more_needed` is as in `TargetProgress`.
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
    """Judge the accuracy against the target once: by Wilson's interval, with families for what they are worth."""
    n, right = len(answers), sum(answer.correct for answer in answers)
    low, high = wilson_of_families(answers, level)
    settled = _settled(low > target, high < target)
    weight = effective_sample_size(answers, level) / n if n else 0.0

    def enough(more: int) -> bool:
        trials = (n + more) * weight
        low, high = wilson(trials * right / n, trials, level)
        return low > target or high < target

    more_needed = 0 if settled is not None else smallest_sufficient(enough) if weight else None
    return TargetProgress(right, n, right / n if n else None, low, high, settled, more_needed)


def reference_lead(
    student: Sequence[ScoredAnswer], reference: Sequence[ScoredAnswer], margin: float, level: float, seed: int
) -> ReferenceLead:
    """Judge the lead once: the reference is ahead if the bootstrap interval and McNemar's test both say so."""
    comparison = compare(student, reference, level=level, seed=seed)
    settled = _settled(comparison.low > 0 and comparison.p < 1 - level, comparison.high < margin)

    def enough(more: int) -> bool:
        growth = (comparison.n + more) / comparison.n
        narrower = growth**-0.5
        is_ahead = comparison.gap - (comparison.gap - comparison.low) * narrower > 0
        is_ahead = is_ahead and mcnemar(round(comparison.b * growth), round(comparison.c * growth)) < 1 - level
        return is_ahead or comparison.gap + (comparison.high - comparison.gap) * narrower < margin

    more_needed = smallest_sufficient(enough) if settled is None else 0
    return ReferenceLead(
        gap=comparison.gap,
        low=comparison.low,
        high=comparison.high,
        b=comparison.b,
        c=comparison.c,
        p=comparison.p,
        n=comparison.n,
        settled=settled,
        more_needed=more_needed,
    )


def sequential_progress(gate: SequentialGate) -> tuple[TargetProgress, ReferenceLead | None]:
    """Both at any time: by the confidence sequences of `gate`, over the families that are complete in asking order."""
    n, right = gate.accuracy.n, round(gate.accuracy.sum)
    more_needed = _smaller(gate.accuracy.more_above(), gate.accuracy.more_below())
    student = TargetProgress(right, n, right / n if n else None, *gate.accuracy.interval(), gate.reached, more_needed)
    if not gate.paired:
        return student, None
    low, high = gate.lead.interval()
    pairs = gate.pairs()
    b = sum(student_right > reference_right for student_right, reference_right in pairs)
    c = sum(reference_right > student_right for student_right, reference_right in pairs)
    gap = (c - b) / len(pairs) if pairs else None
    more_needed = _smaller(gate.lead.more_above(), gate.lead.more_below())
    return student, ReferenceLead(gap, 2 * low - 1, 2 * high - 1, b, c, None, len(pairs), gate.ahead, more_needed)


def _settled(above: bool, below: bool) -> bool | None:
    return True if above else False if below else None


def _smaller(first: int | None, second: int | None) -> int | None:
    return min((more for more in (first, second) if more is not None), default=None)
