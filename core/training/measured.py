"""What a benchmark says of one model: the figures of the table after training."""

from __future__ import annotations

from dataclasses import dataclass

from core.benchmark.sequential_gate import GateVerdict
from core.benchmark.step_fields import FieldScore
from core.benchmark.summary import BenchmarkSummary


@dataclass(frozen=True, slots=True)
class MeasuredModel:
    """The benchmark of a model; rates are fractions with 95 % intervals, and None where nothing is known.

    `basis` says what Brier, ECE and AUROC are computed from: the 'stated' confidence, or the 'probability' of the
    decision. `latency_p50` are seconds; tokens are means of an answer, `cost_per_thousand` is in the currency of the
    price table. `fields` is the accuracy by field of the steps. `verdict` is the gate's, against the reference if that
    was asked the same questions.
    """

    benchmark: str
    n: int
    right: int
    accuracy: float | None
    low: float
    high: float
    balanced_accuracy: float | None
    basis: str
    brier: float | None
    brier_low: float | None
    brier_high: float | None
    ece: float | None
    ece_low: float | None
    ece_high: float | None
    auroc: float | None
    e_aurc: float | None
    latency_p50: float | None
    input_tokens: float | None
    output_tokens: float | None
    cost_per_thousand: float | None
    fields: list[FieldScore]
    outcomes: dict[str, int]
    verdict: GateVerdict


def measured_model(summary: BenchmarkSummary, verdict: GateVerdict) -> MeasuredModel:
    """The figures of a benchmark, with the gate's verdict on it."""
    numbers, calibration = summary.figures, summary.calibration
    scores = calibration.stated if calibration.stated.n else calibration.probability
    return MeasuredModel(
        benchmark=summary.run.id,
        n=numbers.n,
        right=numbers.right,
        accuracy=numbers.accuracy,
        low=numbers.low,
        high=numbers.high,
        balanced_accuracy=numbers.balanced_accuracy,
        basis="stated" if calibration.stated.n else "probability" if calibration.probability.n else "none",
        brier=scores.brier,
        brier_low=scores.brier_low,
        brier_high=scores.brier_high,
        ece=scores.ece,
        ece_low=scores.low,
        ece_high=scores.high,
        auroc=scores.auroc,
        e_aurc=scores.e_aurc,
        latency_p50=numbers.latency.p50,
        input_tokens=_mean(numbers.input_tokens.per_thousand),
        output_tokens=_mean(numbers.output_tokens.per_thousand),
        cost_per_thousand=numbers.cost.per_thousand,
        fields=summary.fields.scores,
        outcomes=numbers.outcomes,
        verdict=verdict,
    )


def _mean(per_thousand: float | None) -> float | None:
    return None if per_thousand is None else per_thousand / 1000
