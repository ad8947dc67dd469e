"""What a phase of a training reports while it works, and how it learns of requests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol


class Reporter(Protocol):
    """Receives the reports of a phase, and tells it of the requests of others."""

    def log(self, message: str, *, severity: str = "info") -> None:
        """Log a message."""
        ...

    def step(self, number: int, figures: dict[str, Any], answers: Sequence[dict[str, Any]]) -> None:
        """Store the figures of a step."""
        ...

    def evaluation(self, number: int, figures: dict[str, Any]) -> None:
        """Store the figures of an evaluation on the dev split."""
        ...

    def alarm(self, name: str, sentence: str) -> None:
        """Report that something goes wrong."""
        ...

    def requested_action(self) -> str | None:
        """The request to the run, between two steps: 'pause', 'stop' or None."""
        ...

    def stopping(self) -> bool:
        """Whether the run should stop; called during an evaluation."""
        ...

    def dev_accuracies(self) -> dict[int, float]:
        """The accuracies of the evaluations so far, by step."""
        ...
