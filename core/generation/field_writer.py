"""A model at an endpoint that writes some fields of an example that is there already, as structured output."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, create_model

from core.config.task import Task
from core.llm.capabilities import CapabilityStore
from core.llm.client import Client
from core.llm.limits import Budget, LimitPolicy
from core.llm.prompts import load
from core.llm.schemas import answer_schema
from storage.schema import Candidate, Example, Outcome, Usage

_PROMPTS = Path(__file__).parent / "prompts"


@dataclass(frozen=True, slots=True)
class WrittenFields:
    """The answer to a request: new values by field, or None and the outcome that says why."""

    outcome: Outcome
    fields: dict[str, Any] | None
    detail: str
    model: str
    prompt_version: str
    usage: Usage


class FieldWriter:
    """Writes with the model `model_name` of the task's `models`, by a built-in template or the `override` of a project.

    `variables` are those that `write` is given. Raises KeyError if there is no such model, PromptError if the template
    cannot be used, UnpricedError if there is a budget and the model has no price.
    """

    def __init__(
        self,
        task: Task,
        model_name: str,
        *,
        template: str,
        override: Path | None,
        variables: frozenset[str],
        project_dir: Path,
        capabilities: CapabilityStore,
        budget: Budget | None = None,
        pace: LimitPolicy | None = None,
    ) -> None:
        self.name = model_name
        self._client = Client.of_task(task, model_name, capabilities=capabilities, budget=budget, pace=pace)
        self.max_in_flight = self._client.model.max_in_flight
        self._prompt = load(_PROMPTS / template, override, project_dir, variables)

    async def write(self, names: Collection[str], **values: Any) -> WrittenFields:
        """Write the fields with these names; `values` are the template's.

        Raises BudgetExhaustedError if it could cost more than is left.
        """
        answer = await self._client.ask(self._prompt.messages(**values), answer_schema(fields_model(names)))
        return WrittenFields(
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


def fields_model(names: Collection[str]) -> type[BaseModel]:
    """The fields with these names as a model of their own, described as they are for a source of examples."""
    fields: dict[str, Any] = {
        name: (field.annotation, field) for name, field in Candidate.model_fields.items() if name in names
    }
    return create_model("Fields", __config__=ConfigDict(extra="forbid"), **fields)


def decision_meaning(task: Task, example: Example) -> dict[str, str]:
    """The name and the meaning of the decision of `example`; the meaning is '' if the task has no such decision."""
    meanings = {decision.name: decision.meaning for decision in task.decisions}
    return {"name": example.decision, "meaning": meanings.get(example.decision, "")}


def case_values(example: Example) -> dict[str, Any]:
    """The hypothesis and the evidence of an example, for a prompt."""
    return {
        "hypothesis": example.hypothesis,
        "evidence": [{"source": piece.source, "content": piece.content} for piece in example.evidence],
    }
