"""Cases to train on, for tests that need no words."""

from __future__ import annotations

from core.training.data.cases import TrainingCase


def case(prompt: list[int], answer: list[int], *, label: str = "YES", level: int = 1) -> TrainingCase:
    """A case of these tokens."""
    name = f"{label}-{level}-{len(prompt)}"
    return TrainingCase(name, 1, prompt, answer, label, level, "domain", name, ())
