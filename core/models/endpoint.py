"""A model at an OpenAI-compatible endpoint, which is asked case by case."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from core.config.case import Case, Mode
from core.config.task import Task
from core.llm.answer import Answer
from core.llm.capabilities import CapabilityStore
from core.llm.client import Client
from core.llm.limits import Budget, LimitPolicy
from core.llm.schemas import answer_schema
from core.models.model import Reply
from core.models.prompting import Judgement, Prompting


class EndpointModel:
    """Asks the model `name` of the task's `models`.

    Raises KeyError if there is no such model, PromptError if the template cannot be used, UnpricedError if there is a
    budget and the model has no price.
    """

    def __init__(
        self,
        task: Task,
        name: str,
        mode: Mode,
        *,
        project_dir: Path,
        capabilities: CapabilityStore,
        budget: Budget | None = None,
        pace: LimitPolicy | None = None,
    ) -> None:
        self.name = name
        self._client = Client.of_task(task, name, capabilities=capabilities, budget=budget, pace=pace)
        self.max_in_flight = self._client.model.max_in_flight
        self._prompting = Prompting(task, mode, project_dir)
        self.prompt_version = self._prompting.version
        self._shape = answer_schema(Judgement, task.labels) if mode is Mode.SCHEMA else None

    def batches(self, cases: Sequence[Case]) -> list[list[Case]]:
        """A batch for each case, in their order."""
        return [[case] for case in cases]

    async def answer(self, batch: Sequence[Case]) -> list[Reply]:
        """A reply for each case; raises BudgetExhaustedError if it could cost more than is left."""
        return [await self._answer_case(case) for case in batch]

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _answer_case(self, case: Case) -> Reply:
        messages = self._prompting.messages(case.hypothesis, case.evidence)
        answer: Answer[Judgement] = await self._client.ask(messages, self._shape)
        return Reply(answer.outcome, answer.raw, answer.thought, answer.detail, usage=answer.usage, model=answer.model)
