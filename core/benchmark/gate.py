"""The decision before anyone trains: is the small model good enough, is it worth training, or is there no headroom."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from core.benchmark.ceiling import Ceiling
from core.benchmark.families import wilson_of_families
from core.benchmark.gate_progress import (
    ReferenceLead,
    TargetProgress,
    reference_lead,
    sequential_progress,
    target_progress,
)
from core.benchmark.metrics import Rate
from core.benchmark.paired import NotSharedError
from core.benchmark.scored import ScoredAnswer
from core.benchmark.sequential_gate import GateVerdict, SequentialGate, gate_verdict
from core.runs.params import LEVEL, MARGIN, TARGET

_ADVICE = {
    GateVerdict.GOOD_ENOUGH: "Use the student as it is.",
    GateVerdict.WORTH_TRAINING: "The reference shows that there is something to learn: train the student.",
    GateVerdict.NO_HEADROOM: "There is nothing to learn from the reference: fix the data or the task first.",
    GateVerdict.BELOW_TARGET: "Run the reference on the same examples: it shows whether training is worth it.",
}


@dataclass(frozen=True, slots=True)
class Gate:
    """The verdict with its reasons, in plain words, and the figures behind them; fractions are from 0 to 1.

    `more_needed`: about how many more examples would settle it at the rates so far; 0 if it is settled, None if that
    cannot be told. `reference` is its accuracy on all that it answered. `anytime` says which intervals these are.
    """

    verdict: GateVerdict
    reasons: list[str]
    more_needed: int | None
    student: TargetProgress
    lead: ReferenceLead | None
    reference: Rate | None
    target: float
    level: float
    margin: float
    anytime: bool


def gate(
    student: Sequence[ScoredAnswer],
    reference: Sequence[ScoredAnswer] | None = None,
    *,
    target: float = TARGET,
    level: float = LEVEL,
    margin: float = MARGIN,
    anytime: bool = False,
    asking_order: Sequence[tuple[str, str]] | None = None,
    reference_examples: Collection[str] | None = None,
    ceiling: Ceiling | None = None,
    seed: int = 0,
) -> Gate:
    """The gate over two models' answers to the same examples; `target`, `level` and `margin` are between 0 and 1.

    *Good enough*: the student's accuracy is surely at or above `target`. *Worth training*: surely below, and the
    reference surely ahead. *No headroom*: surely below, and the reference surely less than `margin` ahead (that two
    models are equal cannot be shown, only that they are nearly so). Without a reference: *below target*.

    A run that was to end at a certain number of examples, and did, is judged once: the accuracy by Wilson's interval,
    the lead by the bootstrap interval and McNemar's exact test together, families for what they are worth. One that
    stops when it is settled, or that is not complete, has been looked at: `anytime` judges it by the confidence
    sequences of `Watch`, over `asked`: (example, family) in the order of asking, by default that of `student`.
    `reference_asked` are the examples that the reference is asked in all, by default those that it answered.
    Both ways speak of cases like these, not of these alone, and both are wrong with a probability of at most
    1 - `level`: a wrong verdict needs one of two ends of 95 % intervals to be wrong, with 2.5 % each.

    Raises NotSharedError if the reference shares no example with the student.
    """
    order = [(one.example, one.family) for one in student] if asking_order is None else asking_order
    pairs = reference_examples
    if pairs is None and reference is not None:
        pairs = {one.example for one in reference}
    if pairs is not None and not any(example in pairs for example, _ in order):
        raise NotSharedError("The two runs share no example: run both over the same split, filter or file.")
    if anytime:
        watch = SequentialGate(order, target=target, level=level, margin=margin, paired=pairs)
        watch.update(student, reference or ())
        standing, ahead = sequential_progress(watch)
    else:
        standing = target_progress(student, target, level)
        ahead = None if reference is None else reference_lead(student, reference, margin, level, seed)
    settled = gate_verdict(standing.settled, ahead.settled if ahead else None, paired=ahead is not None)
    more = _more(standing, ahead, target) if settled is GateVerdict.OPEN else 0
    big = None if reference is None else _rate(reference, level)
    return Gate(
        verdict=settled,
        reasons=[
            _of_student(standing, target),
            *([_of_reference(big, target)] if big else []),
            *([_of_lead(ahead, margin)] if ahead else []),
            *_of_what_is_missing(student, reference or ()),
            *_of_noise(ceiling, target),
            _of_level(level, anytime),
            _ADVICE[settled] if settled in _ADVICE else _of_more(more),
        ],
        more_needed=more,
        student=standing,
        lead=ahead,
        reference=big,
        target=target,
        level=level,
        margin=margin,
        anytime=anytime,
    )


def _more(standing: TargetProgress, ahead: ReferenceLead | None, target: float) -> int | None:
    """The student decides alone where it is at the target, else the lead has to be settled as well."""
    needed = [standing.more_needed]
    if ahead and (standing.accuracy is None or standing.accuracy < target):
        needed.append(ahead.more_needed)
    return None if None in needed else max(more for more in needed if more is not None)


def _rate(answers: Sequence[ScoredAnswer], level: float) -> Rate:
    n, right = len(answers), sum(one.correct for one in answers)
    return Rate(right, n, right / n if n else None, *wilson_of_families(answers, level))


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.1f}".replace("-", "−")


def _interval(low: float, high: float) -> str:
    between = " to " if low < 0 else "–"
    return f"({_percent(low)}{between}{_percent(high)})"


def _goal(target: float) -> str:
    return f"{100 * target:g} %"


def _of_student(found: TargetProgress, target: float) -> str:
    if found.accuracy is None:
        return f"Student: nothing that counts is answered yet; the target is {_goal(target)}."
    told = {
        True: "at or above the target of",
        False: "below the target of",
        None: "which leaves open whether it reaches",
    }
    return (
        f"Student: {found.right} of {found.n} right, {_percent(found.accuracy)} % {_interval(found.low, found.high)}, "
        f"{told[found.settled]} {_goal(target)}."
    )


def _of_reference(found: Rate, target: float) -> str:
    if found.rate is None:
        return "Reference: nothing is answered yet."
    short = (
        f"; it misses {_goal(target)} itself, so training towards it may not get there" if found.high < target else ""
    )
    interval = _interval(found.low, found.high)
    return f"Reference: {found.right} of {found.n} right, {_percent(found.rate)} % {interval}{short}."


def _of_lead(found: ReferenceLead, margin: float) -> str:
    if found.gap is None:
        return "Pairs: no example that counts is answered by both yet."
    told = {
        True: "it is ahead",
        False: f"less than {100 * margin:g} points ahead",
        None: "which leaves open who is ahead",
    }
    test = "" if found.p is None else f", McNemar p = {found.p:.2g}"
    return (
        f"Pairs: of {found.n}, only the reference has {found.c} right and only the student {found.b}: a lead of "
        f"{_percent(found.gap)} points {_interval(found.low, found.high)}{test}; {told[found.settled]}."
    )


def _of_what_is_missing(student: Sequence[ScoredAnswer], reference: Sequence[ScoredAnswer]) -> list[str]:
    told = []
    for name, answers in (("student", student), ("reference", reference)):
        silent = sum(one.decision is None for one in answers)
        if silent:
            told.append(f"Without an answer, which counts as wrong: {silent} of {len(answers)} of the {name}.")
    if reference:
        first, second = {one.example for one in student}, {one.example for one in reference}
        if first != second:
            told.append(
                f"Answered by one alone, so in no pair: {len(first - second)} by the student, "
                f"{len(second - first)} by the reference."
            )
    return told


def _of_noise(ceiling: Ceiling | None, target: float) -> list[str]:
    if ceiling is None or not ceiling.n:
        return []
    return [ceiling.sentence, *([f"The target of {_goal(target)} is above that."] if ceiling.high < target else [])]


def _of_level(level: float, anytime: bool) -> str:
    looks = "at all looks together, families in the order of asking" if anytime else "for one look at complete runs"
    return f"Intervals hold with {_goal(level)} certainty {looks}."


def _of_more(more: int | None) -> str:
    if more is None:
        return "How many more examples would settle it cannot be told at these rates."
    return f"About {more} more examples would settle it at these rates."
