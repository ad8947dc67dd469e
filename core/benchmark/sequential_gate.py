"""Whether a benchmark that is still running has its verdict; `--stop-when-settled` asks that after each batch."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from enum import StrEnum

from core.benchmark.scored import ScoredAnswer
from core.benchmark.sequential import ConfidenceSequence, Families


class GateVerdict(StrEnum):
    """The verdict of the gate. BELOW_TARGET is for a student without a reference; OPEN is not settled yet."""

    GOOD_ENOUGH = "good enough"
    WORTH_TRAINING = "worth training"
    NO_HEADROOM = "no headroom"
    BELOW_TARGET = "below target"
    OPEN = "not settled yet"


def gate_verdict(reached: bool | None, ahead: bool | None, *, paired: bool) -> GateVerdict:
    """The verdict, given whether the student reaches the target and whether the reference is ahead; None is open."""
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
    """The gate over answers of the student, the reference, or both, as they arrive; valid at all looks together.

    It holds two confidence sequences: the student's accuracy against the target, and the lead of the reference, in
    pairs, against 0 and `margin`. Each may err with 1 - `level`, half to each side. If the student truly reaches the
    target, a wrong verdict needs a wrong "missed" (half); otherwise it needs a wrong "reached" or a wrong result on
    the lead (half each). So a wrong verdict has a probability of at most 1 - `level`. What was certain first stands,
    whatever comes later.
    """

    def __init__(
        self,
        asking_order: Sequence[tuple[str, str]],
        *,
        target: float,
        level: float,
        margin: float,
        reference_examples: Collection[str] | None = None,
    ) -> None:
        """`asking_order` has (example, family); `reference_examples` are those that the reference is asked, if any."""
        self._student = Families(asking_order)
        both = None if reference_examples is None else set(reference_examples)
        self._pairs = None if both is None else Families(pair for pair in asking_order if pair[0] in both)
        self.accuracy = ConfidenceSequence(above=target, below=target, largest=self._student.largest, level=level)
        # A lead from -1 to 1 is a value from 0 to 1.
        largest = self._pairs.largest if self._pairs else 1
        self.lead = ConfidenceSequence(above=0.5, below=(1 + margin) / 2, largest=largest, level=level)
        self._student_right: dict[str, bool] = {}
        self._reference_right: dict[str, bool] = {}

    def update(self, student: Iterable[ScoredAnswer] = (), reference: Iterable[ScoredAnswer] = ()) -> None:
        """Add new answers in whatever order they came; each example comes once for each model."""
        for answer in student:
            self._student_right[answer.example] = answer.correct
            self._student.put(answer.example, float(answer.correct))
            self._add_pair(answer.example)
        for answer in reference:
            self._reference_right[answer.example] = answer.correct
            self._add_pair(answer.example)
        self.accuracy.add(self._student.take())
        if self._pairs:
            self.lead.add(self._pairs.take())

    def _add_pair(self, example: str) -> None:
        student, reference = self._student_right.get(example), self._reference_right.get(example)
        if self._pairs and student is not None and reference is not None:
            self._pairs.put(example, (1 + reference - student) / 2)

    @property
    def reached(self) -> bool | None:
        """Whether the student reaches the target, by what was certain first; None while that is open."""
        return _first_certain(self.accuracy)

    @property
    def ahead(self) -> bool | None:
        """Whether the reference is ahead (True), or by less than the margin (False); None while that is open."""
        return _first_certain(self.lead)

    def verdict(self) -> GateVerdict:
        """The verdict as of now; once it is not OPEN, later answers do not change it."""
        return gate_verdict(self.reached, self.ahead, paired=self.paired)

    @property
    def paired(self) -> bool:
        """Whether there is a reference."""
        return self._pairs is not None

    def pairs(self) -> list[tuple[bool, bool]]:
        """Whether the student and the reference are right, for each example that counts for the lead."""
        examples = self._pairs.examples if self._pairs else []
        return [(self._student_right[example], self._reference_right[example]) for example in examples]


def _first_certain(sequence: ConfidenceSequence) -> bool | None:
    """Whether it was certain first that the mean is above (True) or below (False); None while neither is."""
    if sequence.above_at is None:
        return None if sequence.below_at is None else False
    return sequence.below_at is None or sequence.above_at <= sequence.below_at
