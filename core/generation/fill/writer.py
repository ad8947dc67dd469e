"""A model at an endpoint that writes the steps of an example for the decision that it has."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from core.config.task import Task
from core.generation.field_writer import FieldWriter, WrittenFields, case_values, decision_meaning
from core.llm.capabilities import CapabilityStore
from core.llm.limits import Budget, LimitPolicy
from storage.schema import Example, Step
from storage.staleness import is_stale

_VARIABLES = frozenset({"question", "decisions", "decision", "rule", "example", "draft", "critique"})


class StepWriter:
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
        self._task = task
        self._writer = FieldWriter(
            task,
            model_name,
            template="steps-1.j2",
            override=task.prompts.steps,
            variables=_VARIABLES,
            project_dir=project_dir,
            capabilities=capabilities,
            budget=budget,
            pace=pace,
        )
        self.max_in_flight = self._writer.max_in_flight

    async def write(self, example: Example, draft: Sequence[Step] | None = None, critique: str = "") -> WrittenFields:
        """Write the steps of `example`, or mend those of a `draft` so that the `critique` no longer holds.

        Raises BudgetExhaustedError if it could cost more than is left.
        """
        case = case_values(example)
        numbered = [{"piece": number} | piece for number, piece in enumerate(case["evidence"], 1)]
        # Stale reasoning argues for another decision than the steps have to.
        reasoning = {} if is_stale(example, "reasoning") else {"reasoning": example.reasoning}
        return await self._writer.write(
            ["steps"],
            question=self._task.question,
            decisions=self._task.decisions,
            decision=decision_meaning(self._task, example),
            rule=self._task.steps.rule,
            example=case | {"evidence": numbered} | reasoning,
            draft=[step.model_dump(mode="json") for step in draft or ()],
            critique=critique,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._writer.close()
