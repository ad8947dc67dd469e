"""Asks a model of the project about unlabelled cases, for `sidequest judge`."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, ValidationError
from ulid import ULID

from core.config.case import Case, Mode, fingerprint
from core.config.project import Project, format_path
from core.llm.limits import Budget
from core.models import resolve
from core.models.model import Model, Reply
from core.models.parse_answer import parse_answer
from storage.errors import UserError
from storage.schema import Evidence, PredictionOutcome, Text, Usage


class CaseError(UserError, ValueError):
    """The input is no case; `str()` of it says why."""


def parse_evidence(text: str) -> dict[str, str]:
    """Parse a piece of evidence that is written as 'source: text'; raises ValueError."""
    source, colon, content = (part.strip() for part in text.partition(":"))
    if not (colon and source and content):
        raise ValueError(f"write a piece of evidence as 'source: text', not {text[:60]!r}")
    return {"source": source, "content": content}


class _EvidenceInput(BaseModel):
    source: Text = Field(min_length=1)
    content: Text = Field(min_length=1)


def _parse_if_text(piece: Any) -> Any:
    return parse_evidence(piece) if isinstance(piece, str) else piece


class CaseInput(BaseModel):
    """A case as a person or a program gives it; other fields of the object are ignored."""

    hypothesis: Text = Field(min_length=1)
    evidence: list[Annotated[_EvidenceInput, BeforeValidator(_parse_if_text)]] = Field(min_length=1)
    id: str | int | None = None

    @property
    def case(self) -> Case:
        """The case. The same words have the same key, and so the same answer of a model that answers by chance."""
        key = fingerprint(self.hypothesis, [(piece.source, piece.content) for piece in self.evidence], "")
        pieces = tuple(Evidence(source=piece.source, content=piece.content, relevance=1.0) for piece in self.evidence)
        return Case(str(ULID.from_bytes(key)), self.hypothesis, pieces)


@dataclass(frozen=True, slots=True)
class CaseJudgement:
    """A model's judgement of a case. It has a decision if, and only if, `outcome` is ANSWERED.

    `confidence` is what the model states, or else the probability of its decision; `basis` says which ('stated',
    'probability', 'none'). `raw` is the answer as it came, `detail` says what went wrong.
    """

    id: str | int | None
    model: str
    mode: Mode
    outcome: PredictionOutcome
    decision: str | None
    confidence: float | None
    basis: str
    reasoning: str
    probabilities: Mapping[str, float] | None
    raw: str
    detail: str
    usage: Usage


def parse_case(data: Any) -> CaseInput:
    """Parse a case from decoded JSON; raises CaseError with every mistake."""
    try:
        return CaseInput.model_validate(data)
    except ValidationError as error:
        mistakes = []
        for detail in error.errors():
            message = "is missing" if detail["type"] == "missing" else str(detail["msg"]).removeprefix("Value error, ")
            path = format_path(detail["loc"])
            mistakes.append(
                f"{path}: {message}" if path else f"a case is an object with hypothesis and evidence: {message}"
            )
        raise CaseError("; ".join(mistakes)) from None


class CaseJudge:
    """An open model of the project. Raises ModelError, PromptError, UnpricedError; opening one takes seconds."""

    def __init__(self, project: Project, connection: sqlite3.Connection, name: str, mode: Mode) -> None:
        limit = project.task.limits.budget if name in project.task.models else None
        budget = None if limit is None else Budget(float(limit))
        self.mode = mode
        self._labels = project.task.labels
        self._model: Model = resolve.model_for(project, connection, name, mode, budget=budget)

    @property
    def name(self) -> str:
        """The model's own name."""
        return self._model.name

    async def answers(self, inputs: Sequence[CaseInput]) -> AsyncIterator[CaseJudgement]:
        """Yield an answer to each of `inputs` as it comes, in whatever order is quickest.

        Raises BudgetExhaustedError, after the answers that were there before.
        """
        cases = [case_input.case for case_input in inputs]
        by_case = {id(case): case_input for case_input, case in zip(inputs, cases, strict=True)}
        semaphore = asyncio.Semaphore(self._model.max_in_flight)

        async def ask(batch: list[Case]) -> tuple[list[Case], list[Reply]]:
            async with semaphore:
                return batch, await self._model.answer(batch)

        tasks = [asyncio.create_task(ask(batch)) for batch in self._model.batches(cases)]
        try:
            for finished in asyncio.as_completed(tasks):
                batch, replies = await finished
                for case, reply in zip(batch, replies, strict=True):
                    yield self._judgement(by_case[id(case)], reply)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def close(self) -> None:
        """Release the model."""
        await self._model.close()

    def _judgement(self, case_input: CaseInput, reply: Reply) -> CaseJudgement:
        parsed = parse_answer(reply.raw, reply.thought, reply.outcome, self._labels)
        probabilities = None if reply.probabilities is None else dict(reply.probabilities)
        confidence, basis = parsed.confidence, "none" if parsed.confidence is None else "stated"
        if confidence is None and probabilities and parsed.decision is not None:
            confidence, basis = probabilities[parsed.decision], "probability"
        return CaseJudgement(
            id=case_input.id,
            model=self._model.name,
            mode=self.mode,
            outcome=parsed.outcome,
            decision=parsed.decision,
            confidence=confidence,
            basis=basis,
            reasoning=parsed.rationale,
            probabilities=probabilities,
            raw=reply.raw,
            detail=reply.detail,
            usage=reply.usage,
        )
