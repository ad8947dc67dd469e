"""An example of a benchmark with the answer of the model: all figures are computed from these."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from storage.schema import PredictionOutcome


class ScoredAnswer(NamedTuple):
    """An example, its label, and the model's answer; a tuple, since a screen may hold 100,000 of them.

    `decision` is None unless the outcome is ANSWERED. `confidence` is what the model states (0 to 1), `probabilities`
    are those of each decision, where the model gives them.
    """

    example: str
    label: str
    domain: str
    level: int
    family: str
    outcome: PredictionOutcome
    decision: str | None = None
    confidence: float | None = None
    probabilities: Mapping[str, float] | None = None
    seconds: float = 0.0
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None

    @property
    def correct(self) -> bool:
        """Whether the decision is the label; an example without an answer counts as wrong."""
        return self.decision == self.label
