"""Asks any model of the project about cases that nobody has labelled: for `sidequest judge`."""

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
from storage.schema import Evidence, PredictionOutcome, Text, Usage


class CaseError(ValueError):
    """What was given is no case; `str()` of it says why."""


def parse_evidence(text: str) -> dict[str, str]:
    """A piece of evidence that is written as 'source: text'; raises ValueError."""
    source, colon, content = (part.strip() for part in text.partition(":"))
    if not (colon and source and content):
        raise ValueError(f"write a piece of evidence as 'source: text', not {text[:60]!r}")
    return {"source": source, "content": content}


class _Piece(BaseModel):
    source: Text = Field(min_length=1)
    content: Text = Field(min_length=1)


class CaseInput(BaseModel):
    """A case as a person or a program gives it; what else its object holds is not looked at."""

    hypothesis: Text = Field(min_length=1)
    evidence: list[
        Annotated[_Piece, BeforeValidator(lambda one: parse_evidence(one) if isinstance(one, str) else one)]
    ] = Field(min_length=1)
    id: str | int | None = None

    @property
    def case(self) -> Case:
        """The case; the same words have the same key, and so the same chance where a model answers by chance."""
        key = fingerprint(self.hypothesis, [(one.source, one.content) for one in self.evidence], "")
        pieces = tuple(Evidence(source=one.source, content=one.content, relevance=1.0) for one in self.evidence)
        return Case(str(ULID.from_bytes(key)), self.hypothesis, pieces)


@dataclass(frozen=True, slots=True)
class CaseJudgement:
    """What a model says of a case. There is a decision if `outcome` is ANSWERED, and only then.

    `confidence` is what the model states, or else the probability of its decision: `basis` says which ('stated',
    'probability', 'none'). `raw` is the answer as it came, `detail` what went wrong.
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
    """A case out of what JSON says; raises CaseError, with every mistake."""
    try:
        return CaseInput.model_validate(data)
    except ValidationError as error:
        found = []
        for detail in error.errors():
            message = "is missing" if detail["type"] == "missing" else str(detail["msg"]).removeprefix("Value error, ")
            place = format_path(detail["loc"])
            found.append(
                f"{place}: {message}" if place else f"a case is an object with hypothesis and evidence: {message}"
            )
        raise CaseError("; ".join(found)) from None


class CaseJudge:
    """A model of the project, open. Raises ModelError, PromptError, UnpricedError; opening one takes seconds."""

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
        """An answer to each of `given`, as they come: in another order, where that is quicker.

        Raises BudgetExhaustedError, after what was answered before.
        """
        cases = [one.case for one in inputs]
        by_case = {id(case): one for one, case in zip(inputs, cases, strict=True)}
        free = asyncio.Semaphore(self._model.max_in_flight)

        async def ask(batch: list[Case]) -> tuple[list[Case], list[Reply]]:
            async with free:
                return batch, await self._model.answer(batch)

        tasks = [asyncio.create_task(ask(batch)) for batch in self._model.batches(cases)]
        try:
            for done in asyncio.as_completed(tasks):
                batch, replies = await done
                for case, reply in zip(batch, replies, strict=True):
                    yield self._judged(by_case[id(case)], reply)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def close(self) -> None:
        """Let go of the model."""
        await self._model.close()

    def _judged(self, one: CaseInput, reply: Reply) -> CaseJudgement:
        said = parse_answer(reply.raw, reply.thought, reply.outcome, self._labels)
        given = None if reply.probabilities is None else dict(reply.probabilities)
        sure, basis = said.confidence, "none" if said.confidence is None else "stated"
        if sure is None and given and said.decision is not None:
            sure, basis = given[said.decision], "probability"
        return CaseJudgement(
            id=one.id,
            model=self._model.name,
            mode=self.mode,
            outcome=said.outcome,
            decision=said.decision,
            confidence=sure,
            basis=basis,
            reasoning=said.rationale,
            probabilities=given,
            raw=reply.raw,
            detail=reply.detail,
            usage=reply.usage,
        )
