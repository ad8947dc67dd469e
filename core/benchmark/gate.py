"""The decision before training: is the small model good enough, is it worth training, or is there no headroom?"""

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
    """The verdict, its reasons in plain words, and the figures behind them; fractions are from 0 to 1.

    `more_needed` is about how many more examples would settle the verdict at the rates so far: 0 if it is settled,
    None if the number is unknown. `reference` is the reference's accuracy on all that it answered. `anytime` says
    which kind of intervals these are.
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
    """Judge two models' answers to the same examples; `target`, `level` and `margin` are between 0 and 1.

    *Good enough*: the student's accuracy is certainly at or above `target`. *Worth training*: it is certainly below,
    and the reference is certainly ahead. *No headroom*: it is certainly below, and the reference is certainly less than
    `margin` ahead (that two models are equal cannot be shown, only that they nearly are). *Below target*: it is
    certainly below, and there is no reference.

    A run that was to end at a fixed number of examples, and did, is judged once: the accuracy by Wilson's interval,
    the lead by the bootstrap interval and McNemar's exact test together, both with families weighted by what they are
    worth. A run that stops as soon as it is settled, or that is not complete, has been looked at more than once:
    `anytime` judges it by the confidence sequences of `SequentialGate`. `asking_order` is (example, family) in the
    order of asking, by default that of `student`. `reference_examples` are all examples that the reference is asked,
    by default those that it answered.

    Both ways speak of cases like these, not of these alone. Both are wrong with a probability of at most 1 - `level`:
    a wrong verdict needs a wrong end of one of two intervals, and at a level of 95 % each end is wrong with 2.5 %.

    Raises NotSharedError if the reference shares no example with the student.
    """
    if asking_order is None:
        asking_order = [(answer.example, answer.family) for answer in student]
    if reference_examples is None and reference is not None:
        reference_examples = {answer.example for answer in reference}
    if reference_examples is not None and not any(example in reference_examples for example, _ in asking_order):
        raise NotSharedError("The two runs share no example: run both over the same split, filter or file.")
    if anytime:
        sequential_gate = SequentialGate(
            asking_order, target=target, level=level, margin=margin, reference_examples=reference_examples
        )
        sequential_gate.update(student, reference or ())
        student_progress, lead = sequential_progress(sequential_gate)
    else:
        student_progress = target_progress(student, target, level)
        lead = None if reference is None else reference_lead(student, reference, margin, level, seed)
    verdict = gate_verdict(student_progress.settled, lead.settled if lead else None, paired=lead is not None)
    more_needed = _more_needed(student_progress, lead, target) if verdict is GateVerdict.OPEN else 0
    reference_rate = None if reference is None else _rate(reference, level)
    return Gate(
        verdict=verdict,
        reasons=[
            _student_sentence(student_progress, target),
            *([_reference_sentence(reference_rate, target)] if reference_rate else []),
            *([_lead_sentence(lead, margin)] if lead else []),
            *_missing_sentences(student, reference or ()),
            *_ceiling_sentences(ceiling, target),
            _level_sentence(level, anytime),
            _ADVICE[verdict] if verdict in _ADVICE else _more_sentence(more_needed),
        ],
        more_needed=more_needed,
        student=student_progress,
        lead=lead,
        reference=reference_rate,
        target=target,
        level=level,
        margin=margin,
        anytime=anytime,
    )


def _more_needed(student: TargetProgress, lead: ReferenceLead | None, target: float) -> int | None:
    """The examples that settle the student, if it is at the target; below it, the lead has to be settled as well."""
    needed = [student.more_needed]
    if lead and (student.accuracy is None or student.accuracy < target):
        needed.append(lead.more_needed)
    return None if None in needed else max(number for number in needed if number is not None)


def _rate(answers: Sequence[ScoredAnswer], level: float) -> Rate:
    n, right = len(answers), sum(answer.correct for answer in answers)
    return Rate(right, n, right / n if n else None, *wilson_of_families(answers, level))


def _format_percent(fraction: float) -> str:
    return f"{100 * fraction:.1f}".replace("-", "−")


def _format_interval(low: float, high: float) -> str:
    between = " to " if low < 0 else "–"
    return f"({_format_percent(low)}{between}{_format_percent(high)})"


def _format_target(target: float) -> str:
    return f"{100 * target:g} %"


def _student_sentence(student: TargetProgress, target: float) -> str:
    if student.accuracy is None:
        return f"Student: nothing that counts is answered yet; the target is {_format_target(target)}."
    verdicts = {
        True: "at or above the target of",
        False: "below the target of",
        None: "which leaves open whether it reaches",
    }
    return (
        f"Student: {student.right} of {student.n} right, {_format_percent(student.accuracy)} % "
        f"{_format_interval(student.low, student.high)}, {verdicts[student.settled]} {_format_target(target)}."
    )


def _reference_sentence(reference: Rate, target: float) -> str:
    if reference.rate is None:
        return "Reference: nothing is answered yet."
    caution = (
        f"; it misses {_format_target(target)} itself, so training towards it may not get there"
        if reference.high < target
        else ""
    )
    rate = f"{_format_percent(reference.rate)} % {_format_interval(reference.low, reference.high)}"
    return f"Reference: {reference.right} of {reference.n} right, {rate}{caution}."


def _lead_sentence(lead: ReferenceLead, margin: float) -> str:
    if lead.gap is None:
        return "Pairs: no example that counts is answered by both yet."
    verdicts = {
        True: "it is ahead",
        False: f"less than {100 * margin:g} points ahead",
        None: "which leaves open who is ahead",
    }
    test = "" if lead.p is None else f", McNemar p = {lead.p:.2g}"
    return (
        f"Pairs: of {lead.n}, only the reference has {lead.c} right and only the student {lead.b}: a lead of "
        f"{_format_percent(lead.gap)} points {_format_interval(lead.low, lead.high)}{test}; {verdicts[lead.settled]}."
    )


def _missing_sentences(student: Sequence[ScoredAnswer], reference: Sequence[ScoredAnswer]) -> list[str]:
    sentences = []
    for name, answers in (("student", student), ("reference", reference)):
        unanswered = sum(answer.decision is None for answer in answers)
        if unanswered:
            sentences.append(f"Without an answer, which counts as wrong: {unanswered} of {len(answers)} of the {name}.")
    if reference:
        student_examples = {answer.example for answer in student}
        reference_examples = {answer.example for answer in reference}
        if student_examples != reference_examples:
            sentences.append(
                f"Answered by one alone, so in no pair: {len(student_examples - reference_examples)} by the student, "
                f"{len(reference_examples - student_examples)} by the reference."
            )
    return sentences


def _ceiling_sentences(ceiling: Ceiling | None, target: float) -> list[str]:
    if ceiling is None or not ceiling.n:
        return []
    return [
        ceiling.sentence,
        *([f"The target of {_format_target(target)} is above that."] if ceiling.high < target else []),
    ]


def _level_sentence(level: float, anytime: bool) -> str:
    looks = "at all looks together, families in the order of asking" if anytime else "for one look at complete runs"
    return f"Intervals hold with {_format_target(level)} certainty {looks}."


def _more_sentence(more_needed: int | None) -> str:
    if more_needed is None:
        return "How many more examples would settle it cannot be told at these rates."
    return f"About {more_needed} more examples would settle it at these rates."
