"""The result of a question to an endpoint."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic

from core.llm.wire import Fault, M
from storage.schema import Outcome, Usage


@dataclass(frozen=True, slots=True)
class Answer(Generic[M]):
    """The result of one question. `value` is set if `outcome` is WRITTEN and a schema was given.

    `raw` is the unparsed answer, `thought` the thinking that the server sent in a field of its own.
    """

    outcome: Outcome
    value: M | None = None
    raw: str = ""
    thought: str = ""
    detail: str = ""
    usage: Usage = field(default_factory=Usage)
    model: str = ""


@dataclass(frozen=True, slots=True)
class Exchange(Generic[M]):
    """An answer with what only the client and the probe need."""

    answer: Answer[M]
    fault: Fault | None = None
    thinks: bool = False
