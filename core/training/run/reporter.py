"""What a phase of a training reports while it works, and where it learns what is asked of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol


class Reporter(Protocol):
    """Where a phase reports what it does, and learns what others ask of it."""

    def log(self, message: str, *, severity: str = "info") -> None:
        """Say something."""
        ...

    def step(self, number: int, figures: dict[str, Any], answers: Sequence[dict[str, Any]]) -> None:
        """Keep the figures of a step."""
        ...

    def look(self, number: int, figures: dict[str, Any]) -> None:
        """Keep what a look at the dev split has shown."""
        ...

    def alarm(self, name: str, sentence: str) -> None:
        """Say that something goes wrong."""
        ...

    def requested_action(self) -> str | None:
        """What is asked of the run between two steps: 'pause', 'stop' or None."""
        ...

    def stopping(self) -> bool:
        """Whether the run is to stop, asked in the middle of a look."""
        ...

    def accuracies(self) -> dict[int, float]:
        """What the looks so far have shown, by step."""
        ...
