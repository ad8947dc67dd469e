"""What is proposed in place of stale fields, for a person to accept, edit or turn down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from storage.schema import JUSTIFYING, Candidate, Example


@dataclass(frozen=True, slots=True)
class Proposal:
    """New values of `fields` for `example`, that argue for `decision`.

    `decision` is another than the example's where the source knows that its evidence bears no other. `judge` has
    decided `judge_decision` without the label; both are '' where no judge has read it.
    """

    example: Example
    decision: str
    fields: dict[str, Any]
    source: str
    judge: str = ""
    judge_decision: str = ""
    judge_confidence: float | None = None
    critique: str = ""
    cost: float | None = None

    @property
    def contradicts(self) -> bool:
        """Whether the fields argue for another decision than the one that a person gave the example."""
        return self.decision != self.example.decision

    @property
    def repaired(self) -> Example:
        """The example with the new fields, and with the decision that they argue for."""
        values = self.example.model_dump() | self.fields | {"decision": self.decision}
        return Example.model_validate(values)


def stale_names(example: Example) -> list[str]:
    """The names of the stale fields of an example, in the order of `JUSTIFYING`."""
    names = {stale.field for stale in example.stale}
    return [name for name in JUSTIFYING if name in names]


def candidate_with(example: Example, decision: str, fields: dict[str, Any]) -> Candidate:
    """The candidate that a judge reads: the example with new fields, that argue for `decision`."""
    values = {name: getattr(example, name) for name in Candidate.model_fields}
    return Candidate.model_validate(values | fields | {"decision": decision})
