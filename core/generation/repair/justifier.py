"""A model at an endpoint that writes the stale fields of an example for its new decision."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.config.task import Task
from core.generation.repair.proposal import justification_model, stale_names
from core.llm.capabilities import CapabilityStore
from core.llm.client import Client
from core.llm.limits import Budget, LimitPolicy
from core.llm.prompts import load
from core.llm.schemas import answer_schema
from storage.schema import JUSTIFYING, Example, Outcome, Usage

_PROMPTS = Path(__file__).parent.parent / "prompts"
_VARIABLES = frozenset({"question", "decisions", "decision", "band", "example", "fields"})


@dataclass(frozen=True, slots=True)
class Justification:
    """The result of a request: new values by field, or None and the outcome that says why."""

    outcome: Outcome
    fields: dict[str, Any] | None
    detail: str
    model: str
    prompt_version: str
    usage: Usage


class Justifier:
    """Writes with the model `model_name` of the task's `models`.

    Raises KeyError if there is no such model, PromptError if the template cannot be used, UnpricedError if there is a
    budget and the model has no price.
    """

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
        self.name = model_name
        self._client = Client.of_task(task, model_name, capabilities=capabilities, budget=budget, pace=pace)
        self.max_in_flight = self._client.model.max_in_flight
        self._task = task
        self._prompt = load(_PROMPTS / "justify-1.j2", task.prompts.justify, project_dir, _VARIABLES)

    async def write(self, example: Example) -> Justification:
        """Write the stale fields of `example`. Raises BudgetExhaustedError if it could cost more than is left."""
        names = stale_names(example)
        answer = await self._client.ask(
            self._prompt.messages(**self._values(example, names)), answer_schema(justification_model(names))
        )
        return Justification(
            outcome=answer.outcome,
            fields=None if answer.value is None else answer.value.model_dump(mode="json"),
            detail=answer.detail,
            model=answer.model,
            prompt_version=self._prompt.version,
            usage=answer.usage,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    def _values(self, example: Example, names: list[str]) -> dict[str, Any]:
        case: dict[str, Any] = {
            "hypothesis": example.hypothesis,
            "evidence": [{"source": piece.source, "content": piece.content} for piece in example.evidence],
        }
        # What a person has written for the new decision already stays, and the rest has to agree with it.
        written = example.model_dump(mode="json", include=set(JUSTIFYING) - set(names))
        levels = [level for level in self._task.levels if level.level == example.level]
        meanings = {decision.name: decision for decision in self._task.decisions}
        return {
            "question": self._task.question,
            "decisions": self._task.decisions,
            "decision": meanings.get(example.decision, {"name": example.decision, "meaning": ""}),
            "band": levels[0].confidence.get(example.decision) if levels else None,
            "example": case | written,
            "fields": names,
        }
