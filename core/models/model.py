"""The interface of everything that answers cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from core.config.case import Case
from storage.schema import Outcome, Usage


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back for a case. `outcome` is WRITTEN if an answer came, readable or not; else how the request ended.

    `probabilities` sum to 1 over the task's decisions, if the model gives them. The seconds of `usage` are those of
    this case: in a batch, its share.
    """

    outcome: Outcome
    raw: str = ""
    thought: str = ""
    detail: str = ""
    probabilities: Mapping[str, float] | None = None
    usage: Usage = field(default_factory=Usage)
    model: str = ""


def spread(decision: str | None, probability: float, labels: Sequence[str]) -> dict[str, float] | None:
    """Probabilities of the labels where only that of the whole answer is known: the rest is shared out evenly.

    An answer is as sure as all of its tokens: a decision follows from the steps before it, so that its own tokens
    would be sure of it even where a step was a guess. None for an answer without a decision.
    """
    if decision is None or decision not in labels:
        return None
    share = (1 - probability) / max(1, len(labels) - 1)
    return {label: probability if label == decision else share for label in labels}


class Model(Protocol):
    """Answers cases. Faults come back as replies; BudgetExhaustedError is raised before anything is sent."""

    name: str
    prompt_version: str
    max_in_flight: int  # batches that may be asked at once

    def batches(self, cases: Sequence[Case]) -> list[list[Case]]:
        """`cases` in the groups and the order in which they are best asked."""
        ...

    async def answer(self, batch: Sequence[Case]) -> list[Reply]:
        """A reply for each case of one batch, in its order."""
        ...

    async def close(self) -> None:
        """Release connections and memory."""
        ...
