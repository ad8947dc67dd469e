"""How often the gate is wrong: by simulation, looked at once, and looked at after every answer.

`python -m tests.bench.gate [--json] [--runs N]`. At each point, student and reference answer with known accuracies; a
wrong verdict is one that contradicts them. *once* is a complete benchmark of 300 examples, judged at its end; *watched*
stops as soon as its verdict is settled, over at most 1,000 examples in the stratified order of asking. What is right
depends on the level, so that strata differ, and on the family: half of them have two examples, which agree. The rate
promised is at most 5 %; points at the target itself and at a lead of nothing are the hardest.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
from dataclasses import asdict, dataclass
from statistics import median

from core.benchmark.gate import gate
from core.benchmark.scored import ScoredAnswer
from core.benchmark.sequential_gate import GateVerdict, SequentialGate
from core.runs.params import LEVEL, MARGIN, TARGET
from storage.schema import PredictionOutcome

EXAMPLES, MAX_EXAMPLES = 300, 1000
LEVELS = 5
# Accuracy of the student and of the reference.
POINTS = (
    (0.85, 0.85),
    (0.849, 0.95),
    (0.80, 0.80),
    (0.60, 0.60),
    (0.60, 0.64),
    (0.40, 0.80),
    (0.90, 0.95),
    (0.75, 0.86),
)
# How far apart the levels are, around the accuracy of all.
SPREAD = 0.1


@dataclass(frozen=True, slots=True)
class Point:
    """What `runs` simulated benchmarks said: shares of all, and the examples asked until it was settled."""

    student: float
    reference: float
    way: str
    runs: int
    wrong: float
    settled: float
    median_asked: float


def answers(
    rng: random.Random, number: int, rates: tuple[float, float]
) -> tuple[list[ScoredAnswer], list[ScoredAnswer]]:
    """Both models on `number` examples in the order of asking; levels take turns at random within each round."""
    student, reference = list[ScoredAnswer](), list[ScoredAnswer]()
    family = 0
    while len(student) < number:
        for level in rng.sample(range(1, LEVELS + 1), LEVELS):
            family += 1
            shift = SPREAD * (3 - level) / 2
            # No more than leaves the mean over the levels where it is.
            right = [rng.random() < rate + max(rate - 1, min(1 - rate, shift)) for rate in rates]
            for _ in range(2 if rng.random() < 0.5 else 1):
                for model, is_right in zip((student, reference), right, strict=True):
                    model.append(
                        ScoredAnswer(
                            f"e{len(model)}", "YES", "market", level, f"f{family}", PredictionOutcome.ANSWERED,
                            "YES" if is_right else "NO",
                        )
                    )  # fmt: skip
    return student, reference


def contradicts(verdict: GateVerdict, student: float, reference: float) -> bool:
    """Whether the true accuracies say otherwise."""
    match verdict:
        case GateVerdict.GOOD_ENOUGH:
            return student < TARGET
        case GateVerdict.WORTH_TRAINING:
            return student >= TARGET or reference <= student
        case GateVerdict.NO_HEADROOM:
            return student >= TARGET or reference - student >= MARGIN
        case _:
            return False


def once(seed: int, rates: tuple[float, float]) -> tuple[GateVerdict, int]:
    """A complete benchmark, judged at its end."""
    student, reference = answers(random.Random(seed), EXAMPLES, rates)
    return gate(student, reference).verdict, len(student)


def watched(seed: int, rates: tuple[float, float]) -> tuple[GateVerdict, int]:
    """A benchmark that stops when it is settled, looked at after every answer."""
    student, reference = answers(random.Random(seed), MAX_EXAMPLES, rates)
    asking_order = [(answer.example, answer.family) for answer in student]
    examples = [example for example, _ in asking_order]
    sequential_gate = SequentialGate(
        asking_order, target=TARGET, level=LEVEL, margin=MARGIN, reference_examples=examples
    )
    for number, (student_answer, reference_answer) in enumerate(zip(student, reference, strict=True), start=1):
        sequential_gate.update([student_answer], [reference_answer])
        verdict = sequential_gate.verdict()
        if verdict is not GateVerdict.OPEN:
            return verdict, number
    return GateVerdict.OPEN, len(student)


LOOKS = {"once": once, "watched": watched}


def simulate(job: tuple[str, tuple[float, float], int]) -> Point:
    """One point, so many runs."""
    look, rates, runs = job
    outcomes = [LOOKS[look](seed, rates) for seed in range(runs)]
    settled = [count for verdict, count in outcomes if verdict is not GateVerdict.OPEN]
    wrong = sum(contradicts(verdict, *rates) for verdict, _ in outcomes)
    return Point(*rates, look, runs, wrong / runs, len(settled) / runs, median(settled) if settled else float("nan"))


def main() -> None:
    """Print a line for each point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--runs", type=int, default=2000)
    arguments = parser.parse_args()
    jobs = [(look, rates, arguments.runs) for rates in POINTS for look in LOOKS]
    with multiprocessing.Pool() as pool:
        points = pool.map(simulate, jobs, chunksize=1)
    if arguments.json:
        print(json.dumps([asdict(point) for point in points]))
        return
    for point in points:
        print(
            f"student {point.student:.3f}  reference {point.reference:.3f}  {point.way:<8}"
            f"wrong {point.wrong:.2%}  settled {point.settled:.1%}  after {point.median_asked:.0f}"
        )


if __name__ == "__main__":
    main()
