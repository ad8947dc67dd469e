"""The training cases: each with the tokens of its prompt, and the answer to learn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from core.config.case import Mode
from core.models.chat import Chat
from core.models.prompting import Prompting, target_answer
from core.training.data.sampler import CasePosition
from storage.schema import Evidence, Example


@dataclass(frozen=True, slots=True)
class TrainingCase:
    """An example as a model reads it (`prompt`, tokens) and should answer it (`answer`, with the end token)."""

    example: str
    version: int
    prompt: list[int]
    answer: list[int]
    label: str
    level: int
    domain: str
    family: str
    evidence: tuple[Evidence, ...]

    @property
    def position(self) -> CasePosition:
        """Its position in the curriculum."""
        return CasePosition(self.level, self.label)


def training_cases(
    examples: Sequence[Example], prompting: Prompting, chat: Chat, mode: Mode, *, end: int, max_tokens: int
) -> tuple[list[TrainingCase], int]:
    """The cases with prompts of at most `max_tokens` tokens, and how many were longer; `end` is the end token."""
    cases, too_long = [], 0
    for example in examples:
        prompt = chat.prompt(prompting.messages(example.hypothesis, example.evidence))
        if len(prompt) > max_tokens:
            too_long += 1
            continue
        text = target_answer(mode, example.reasoning, example.decision, example.confidence)
        cases.append(
            TrainingCase(
                example=example.id,
                version=example.version,
                prompt=prompt,
                answer=[*chat.label_tokens([text])[0], end],
                label=example.decision,
                level=example.level,
                domain=example.domain,
                family=example.family,
                evidence=tuple(example.evidence),
            )
        )
    return cases, too_long


def label_shares(cases: Sequence[TrainingCase]) -> dict[str, float]:
    """The share of each label in the cases."""
    counts = Counter(case.label for case in cases)
    return {label: number / len(cases) for label, number in counts.items()}
