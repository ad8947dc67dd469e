"""How a question to an endpoint ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic

from core.llm.wire import Fault, M
from storage.schema import Outcome, Usage


@dataclass(frozen=True, slots=True)
class Answer(Generic[M]):
    """How one question ended. `value` is there if `outcome` is WRITTEN and a shape was asked for.

    `raw` is the answer as it came, `thought` what the server sent apart as thinking.
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
    """An answer with what only the machinery needs."""

    answer: Answer[M]
    fault: Fault | None = None
    thinks: bool = False
