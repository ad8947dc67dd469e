"""A judge at an OpenAI-compatible endpoint: decides blind, then scores a rubric."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from core.config.task import Task
from core.curriculum.cell import Cell
from core.curriculum.knobs import describe_knobs
from core.llm.answer import Answer
from core.llm.capabilities import CapabilityStore
from core.llm.client import Client
from core.llm.limits import Budget, LimitPolicy
from core.llm.prompts import load
from core.llm.schemas import answer_schema
from core.qa.judge import CRITERIA, JudgeResult
from storage.schema import Candidate, Fraction, Outcome, Text, Usage

_PROMPTS = Path(__file__).parent / "prompts"
_BLIND = frozenset({"question", "decisions", "case"})
_RUBRIC = frozenset({"question", "decisions", "criteria", "domain", "level", "knobs", "example"})


class BlindAnswer(BaseModel):
    """The judge's answer when it sees only the hypothesis and the evidence."""

    model_config = ConfigDict(extra="forbid")

    reasoning: Text = Field(description="Which pieces weigh, which do not, and why, in two to six sentences.")
    decision: Text = Field(description="The decision that follows from the evidence.")
    confidence: Fraction = Field(
        description="The probability, from 0.0 to 1.0, that a careful expert who reads only this evidence agrees."
    )


class _Review(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reasoning: Text = Field(description="What speaks for and against the example, criterion by criterion, in brief.")


class _Critique(BaseModel):
    critique: Text = Field(description="What the writer has to change, piece by piece; empty if nothing has to.")


def _rubric_answer() -> type[BaseModel]:
    """Reasoning, then a score per criterion, then the critique: the model writes the fields in this order."""
    scores: dict[str, Any] = {name: (Fraction, Field(description=meaning)) for name, meaning in CRITERIA.items()}
    scored = create_model("Scored", __base__=_Review, **scores)
    return create_model("Rubric", __base__=(_Critique, scored))


class EndpointJudge:
    """Judges with the model `model_name` of the task's `models`, with two questions per candidate.

    Raises KeyError if there is no such model, PromptError if a template cannot be used, UnpricedError if there is a
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
        self._domains = {domain.name: domain for domain in task.domains}
        self._blind = load(_PROMPTS / "judge_blind-1.j2", task.prompts.judge_blind, project_dir, _BLIND)
        self._rubric = load(_PROMPTS / "judge_rubric-1.j2", task.prompts.judge_rubric, project_dir, _RUBRIC)
        self._blind_shape = answer_schema(BlindAnswer, task.labels)
        self._rubric_shape = answer_schema(_rubric_answer())

    async def judge(self, candidate: Candidate, cell: Cell) -> JudgeResult:
        """Judge one candidate. Raises BudgetExhaustedError if a question could cost more than is left."""
        blind = await self._client.ask(
            self._blind.messages(
                question=self._task.question, decisions=self._task.decisions, case=blind_case(candidate)
            ),
            self._blind_shape,
        )
        if blind.value is None:
            return self._failed(blind, "blind", blind.usage)
        level = self._task.level(cell.level)
        rubric = await self._client.ask(
            self._rubric.messages(
                question=self._task.question,
                decisions=self._task.decisions,
                criteria=CRITERIA,
                domain=self._domains[cell.domain],
                level=level,
                knobs=describe_knobs(level, cell.decision),
                example=candidate.model_dump(include=set(Candidate.model_fields)),
            ),
            self._rubric_shape,
        )
        usage = add_usage(blind.usage, rubric.usage)
        if rubric.value is None:
            return self._failed(rubric, "rubric", usage)
        scores = rubric.value.model_dump()
        critique = str(scores["critique"])
        if blind.value.decision != candidate.decision:
            critique = f"Its reasoning: {blind.value.reasoning} {critique}".strip()
        return JudgeResult(
            outcome=Outcome.WRITTEN,
            decision=blind.value.decision,
            confidence=blind.value.confidence,
            rubric={name: float(scores[name]) for name in CRITERIA},
            critique=critique,
            model=rubric.model,
            prompt_version=self._version,
            usage=usage,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    @property
    def _version(self) -> str:
        return f"{self._blind.version}+{self._rubric.version}"

    def _failed(self, answer: Answer[Any], which: str, usage: Usage) -> JudgeResult:
        detail = f"the {which} question: {answer.detail}"
        return JudgeResult(answer.outcome, detail=detail, model=answer.model, prompt_version=self._version, usage=usage)


def blind_case(candidate: Candidate) -> dict[str, Any]:
    """The case for the blind question: without decision, reasoning, confidence and relevance."""
    return {
        "hypothesis": candidate.hypothesis,
        "evidence": [{"source": piece.source, "content": piece.content} for piece in candidate.evidence],
    }


def add_usage(first: Usage, second: Usage) -> Usage:
    """The sum of two requests' usage; a figure that is unknown for one of them is unknown for the sum."""

    def add(a: float | None, b: float | None) -> float | None:
        return None if a is None or b is None else a + b

    tokens_in = add(first.input_tokens, second.input_tokens)
    tokens_out = add(first.output_tokens, second.output_tokens)
    return Usage(
        input_tokens=None if tokens_in is None else int(tokens_in),
        output_tokens=None if tokens_out is None else int(tokens_out),
        cost=add(first.cost, second.cost),
        seconds=first.seconds + second.seconds,
    )
