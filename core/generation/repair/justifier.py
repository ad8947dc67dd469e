"""A model at an endpoint that writes the stale fields of an example for its new decision."""

from __future__ import annotations

from pathlib import Path

from core.config.task import Task
from core.generation.field_writer import FieldWriter, WrittenFields, case_values, decision_meaning
from core.generation.repair.proposal import stale_names
from core.llm.capabilities import CapabilityStore
from core.llm.limits import Budget, LimitPolicy
from storage.schema import JUSTIFYING, Example

_VARIABLES = frozenset({"question", "decisions", "decision", "band", "example", "fields"})


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
        self._task = task
        self._writer = FieldWriter(
            task,
            model_name,
            template="justify-1.j2",
            override=task.prompts.justify,
            variables=_VARIABLES,
            project_dir=project_dir,
            capabilities=capabilities,
            budget=budget,
            pace=pace,
        )
        self.max_in_flight = self._writer.max_in_flight

    async def write(self, example: Example) -> WrittenFields:
        """Write the stale fields of `example`. Raises BudgetExhaustedError if it could cost more than is left."""
        names = stale_names(example)
        # What a person has written for the new decision already stays, and the rest has to agree with it.
        written = example.model_dump(mode="json", include=set(JUSTIFYING) - set(names))
        levels = [level for level in self._task.levels if level.level == example.level]
        return await self._writer.write(
            names,
            question=self._task.question,
            decisions=self._task.decisions,
            decision=decision_meaning(self._task, example),
            band=levels[0].confidence.get(example.decision) if levels else None,
            example=case_values(example) | written,
            fields=names,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._writer.close()
