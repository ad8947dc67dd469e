"""What a source of examples is asked for, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from core.curriculum.cell import Cell
from storage.schema import Candidate, Flaw, Outcome, Usage


@dataclass(frozen=True, slots=True)
class Request:
    """A request for one attempt.

    `seed` is the run's; with cell, slot and idea it determines what a deterministic source writes. `draft` and
    `critique` are set when a rejected candidate is to be rewritten. `siblings` are hypotheses that the cell already
    has, newest first, for diversity. `hint` is a person's advice, for sources that read it. `inference` is the kind of
    inference that the case is to need, for sources that know kinds; '' leaves it open.
    """

    cell: Cell
    slot: int
    idea: int
    number: int
    seed: int
    draft: Candidate | None = None
    critique: str = ""
    siblings: tuple[str, ...] = ()
    hint: str = ""
    inference: str = ""


@dataclass(frozen=True, slots=True)
class SourceResult:
    """The result of a request: a candidate, or the outcome that says why there is none.

    `flaw` is a mistake that was planted on purpose; it is stored where QA does not see it.
    """

    outcome: Outcome
    family: str
    candidate: Candidate | None = None
    raw: str = ""
    detail: str = ""
    model: str = ""
    prompt_version: str = ""
    usage: Usage = field(default_factory=Usage)
    flaw: Flaw | None = None


class Source(Protocol):
    """Writes candidates. `close` frees its resources; it is safe to call twice."""

    name: str
    max_in_flight: int

    async def write(self, request: Request) -> SourceResult:
        """Write one candidate for `request`. Faults of endpoints are returned as outcomes; only bugs raise."""
        ...

    async def close(self) -> None: ...
