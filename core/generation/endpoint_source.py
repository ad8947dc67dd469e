"""The source 'openai': a model at an OpenAI-compatible endpoint writes the examples."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

from ulid import ULID

from core.config.task import Task
from core.curriculum.cell import Cell
from core.curriculum.knobs import describe_knobs
from core.generation.diversity_hints import diversity_hint
from core.generation.source import Request, SourceResult
from core.llm.capabilities import CapabilityStore
from core.llm.client import Client
from core.llm.limits import Budget, LimitPolicy
from core.llm.prompts import load
from core.llm.schemas import answer_schema
from storage.schema import Candidate, Outcome

_PROMPTS = Path(__file__).parent / "prompts"
_VARIABLES = frozenset(
    {"question", "decisions", "rule", "domain", "level", "decision", "knobs", "angle", "siblings", "critique", "hint"}
)
# A slot whose answers are truncated gets twice the tokens each time, at most this often.
_DOUBLINGS = 2


class OpenAISource:
    """Writes candidates with the model `model_name` of the task's `models`.

    Raises KeyError if there is no such model, PromptError if a template cannot be used, UnpricedError if there is a
    budget and the model has no price.
    """

    name = "openai"

    def __init__(
        self,
        task: Task,
        model_name: str,
        *,
        project_dir: Path,
        capabilities: CapabilityStore,
        budget: Budget | None = None,
        pace: LimitPolicy | None = None,
    ) -> None:
        self._client = Client.of_task(task, model_name, capabilities=capabilities, budget=budget, pace=pace)
        self.max_in_flight = self._client.model.max_in_flight
        self._task = task
        self._domains = {domain.name: domain for domain in task.domains}
        self._decisions = {decision.name: decision for decision in task.decisions}
        self._generate = load(_PROMPTS / "generate-1.j2", task.prompts.generate, project_dir, _VARIABLES)
        self._rewrite = load(_PROMPTS / "rewrite-1.j2", task.prompts.rewrite, project_dir, _VARIABLES | {"draft"})
        self._shape = answer_schema(Candidate, task.labels)
        self._truncations: Counter[tuple[Cell, int]] = Counter()

    async def write(self, request: Request) -> SourceResult:
        """Write one candidate for `request`. Raises BudgetExhaustedError if it could cost more than is left."""
        prompt = self._generate if request.draft is None else self._rewrite
        slot_key = (request.cell, request.slot)
        answer = await self._client.ask(
            prompt.messages(**self._values(request)),
            self._shape,
            max_output_tokens=self._client.model.max_output_tokens << min(self._truncations[slot_key], _DOUBLINGS),
        )
        if answer.outcome is Outcome.TRUNCATED:
            self._truncations[slot_key] += 1
        return SourceResult(
            outcome=answer.outcome,
            family=family_id(request),
            candidate=answer.value,
            raw="" if answer.value else answer.raw,
            detail=answer.detail,
            model=answer.model,
            prompt_version=prompt.version,
            usage=answer.usage,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    def _values(self, request: Request) -> dict[str, Any]:
        cell = request.cell
        level = self._task.level(cell.level)
        values: dict[str, Any] = {
            "question": self._task.question,
            "decisions": self._task.decisions,
            "rule": self._task.steps.rule,
            "domain": self._domains[cell.domain],
            "level": level,
            "decision": self._decisions[cell.decision],
            "knobs": describe_knobs(level, cell.decision),
            "angle": diversity_hint(request),
            "siblings": request.siblings,
            "critique": request.critique,
            "hint": request.hint,
        }
        if request.draft is not None:
            values["draft"] = request.draft.model_dump()
        return values


def family_id(request: Request) -> str:
    """The family of an idea: 26 characters like an id, the same for all rewrites of it, and in a resumed run."""
    cell = request.cell
    name = f"{request.seed}/{cell.domain}/{cell.level}/{cell.decision}/{request.slot}/{request.idea}"
    return str(ULID.from_bytes(hashlib.sha256(name.encode()).digest()[:16]))
