"""Whether a benchmark that is still running has its answer: what `--stop-when-settled` asks after each batch."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from enum import StrEnum

from core.benchmark.scored import ScoredAnswer
from core.benchmark.sequential import ConfidenceSequence, Families


class GateVerdict(StrEnum):
    """What the gate says. BELOW_TARGET is what can be said without a reference; OPEN is the one that is not settled."""

    GOOD_ENOUGH = "good enough"
    WORTH_TRAINING = "worth training"
    NO_HEADROOM = "no headroom"
    BELOW_TARGET = "below target"
    OPEN = "not settled yet"


def gate_verdict(reached: bool | None, ahead: bool | None, *, paired: bool) -> GateVerdict:
    """The verdict from whether the student reaches the target and whether the reference is ahead; None is open."""
    if reached:
        return GateVerdict.GOOD_ENOUGH
    if reached is None:
        return GateVerdict.OPEN
    if not paired:
        return GateVerdict.BELOW_TARGET
    if ahead is None:
        return GateVerdict.OPEN
    return GateVerdict.WORTH_TRAINING if ahead else GateVerdict.NO_HEADROOM


class SequentialGate:
    """The gate over answers as they arrive, of the student, the reference, or both; error rates hold at all looks.

    Two confidence sequences: the student's accuracy against the target, and the lead of the reference, in pairs,
    against 0 and `margin`. Each may err with 1 - `level`, half to each side. A wrong verdict needs a wrong "missed"
    (half) if the student truly reaches the target, and otherwise a wrong "reached" or a wrong word on the lead (half
    each): so it has a probability of at most 1 - `level`. What was certain first stands, whatever comes after.
    """

    def __init__(
        self,
        asked: Sequence[tuple[str, str]],
        *,
        target: float,
        level: float,
        margin: float,
        paired: Collection[str] | None = None,
    ) -> None:
        """`asked` has (example, family) in the order of asking; `paired` the examples that the reference is asked."""
        self._student = Families(asked)
        both = None if paired is None else set(paired)
        self._pairs = None if both is None else Families(pair for pair in asked if pair[0] in both)
        self.accuracy = ConfidenceSequence(above=target, below=target, largest=self._student.largest, level=level)
        # A lead from -1 to 1 is a value from 0 to 1.
        largest = self._pairs.largest if self._pairs else 1
        self.lead = ConfidenceSequence(above=0.5, below=(1 + margin) / 2, largest=largest, level=level)
        self._student_right: dict[str, bool] = {}
        self._reference_right: dict[str, bool] = {}

    def update(self, student: Iterable[ScoredAnswer] = (), reference: Iterable[ScoredAnswer] = ()) -> None:
        """Take new answers into account, in whatever order they came; each example once for each model."""
        for one in student:
            self._student_right[one.example] = one.correct
            self._student.put(one.example, float(one.correct))
            self._pair(one.example)
        for one in reference:
            self._reference_right[one.example] = one.correct
            self._pair(one.example)
        self.accuracy.add(self._student.take())
        if self._pairs:
            self.lead.add(self._pairs.take())

    def _pair(self, example: str) -> None:
        first, second = self._student_right.get(example), self._reference_right.get(example)
        if self._pairs and first is not None and second is not None:
            self._pairs.put(example, (1 + second - first) / 2)

    @property
    def reached(self) -> bool | None:
        """Whether the student reaches the target, as was certain first; None while it is open."""
        return _first(self.accuracy)

    @property
    def ahead(self) -> bool | None:
        """Whether the reference is ahead (True), or by less than the margin (False); None while it is open."""
        return _first(self.lead)

    def verdict(self) -> GateVerdict:
        """The verdict as of now; once it is not OPEN, later answers do not change it."""
        return gate_verdict(self.reached, self.ahead, paired=self.paired)

    @property
    def paired(self) -> bool:
        """Whether there is a reference."""
        return self._pairs is not None

    def pairs(self) -> list[tuple[bool, bool]]:
        """Whether the student and the reference are right, of each example that the word on the lead rests on."""
        taken = self._pairs.examples if self._pairs else []
        return [(self._student_right[one], self._reference_right[one]) for one in taken]


def _first(known: ConfidenceSequence) -> bool | None:
    """Whether the mean is above (True) or below (False), as was certain first; None while neither is."""
    if known.above_at is None:
        return None if known.below_at is None else False
    return known.below_at is None or known.above_at <= known.below_at
