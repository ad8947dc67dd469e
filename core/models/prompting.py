"""Builds the messages that ask about a case, and the answer that training aims at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from core.config.case import Mode
from core.config.task import Task
from core.llm.prompts import Prompt, load, parse, read
from core.llm.wire import Messages
from storage.schema import Evidence, Fraction, Text

_PROMPTS = Path(__file__).parent / "prompts"
_VARIABLES = frozenset({"question", "decisions", "case", "mode"})


class Judgement(BaseModel):
    """The answer that is asked for as JSON; the reasoning comes before the decision."""

    model_config = ConfigDict(extra="forbid")

    reasoning: Text = Field(description="Which pieces weigh, which do not, and why, in two to six sentences.")
    decision: Text = Field(description="The decision that follows from the evidence.")
    confidence: Fraction = Field(
        description="The probability, from 0.0 to 1.0, that a careful expert who reads only this evidence agrees."
    )


class Prompting:
    """Builds the prompts of one task in one mode. Raises PromptError if the template cannot be used.

    `short`: the case alone, as a trained student reads it. `template` is the text of one that was kept, instead of the
    project's own or the built-in one.
    """

    def __init__(self, task: Task, mode: Mode, project_dir: Path, *, short: bool = False, template: str = "") -> None:
        self._task = task
        self._mode = mode
        builtin, override = _templates(task, short)
        self._prompt: Prompt = (
            parse(template, builtin, _VARIABLES) if template else load(builtin, override, project_dir, _VARIABLES)
        )

    @property
    def version(self) -> str:
        """The version of the prompt: name, hash and mode."""
        return f"{self._prompt.version}-{self._mode.value}"

    def messages(self, hypothesis: str, evidence: Sequence[Evidence]) -> Messages:
        """The messages that ask about one case; raises PromptError if the template fails on it."""
        case: dict[str, Any] = {
            "hypothesis": hypothesis,
            "evidence": [{"source": piece.source, "content": piece.content} for piece in evidence],
        }
        return self._prompt.messages(
            question=self._task.question, decisions=self._task.decisions, case=case, mode=self._mode.value
        )


def template_text(task: Task, project_dir: Path, *, short: bool) -> str:
    """The text of the template for prompts, short or full. Raises PromptError."""
    builtin, override = _templates(task, short)
    return read(builtin if override is None else project_dir / override)


def _templates(task: Task, short: bool) -> tuple[Path, Path | None]:
    """The built-in template, and the project's own that replaces it."""
    if short:
        return _PROMPTS / "student-1.j2", task.prompts.student
    return _PROMPTS / "judgement-1.j2", task.prompts.judgement


def answer_fields(mode: Mode) -> tuple[str, ...]:
    """The fields of an example that its answer in `mode` states beside the decision."""
    return () if mode is Mode.DIRECT else ("reasoning", "confidence")


def target_answer(mode: Mode, reasoning: str, decision: str, confidence: float) -> str:
    """The answer that a model should give in `mode`."""
    if mode is Mode.DIRECT:
        return decision
    if mode is Mode.SCHEMA:
        return Judgement(reasoning=reasoning, decision=decision, confidence=confidence).model_dump_json()
    return f"Reasoning: {' '.join(reasoning.split())}\nDecision: {decision}\nConfidence: {confidence:.2f}"
