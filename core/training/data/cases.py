"""What is trained on: each case as the tokens of its prompt, with the answer that is wished for."""

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
    """An example as a model reads it (`prompt`, tokens) and as it is to answer (`answer`, with the token that ends)."""

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
    def place(self) -> CasePosition:
        """Where it stands in the curriculum."""
        return CasePosition(self.level, self.label)


def cases(
    examples: Sequence[Example], asking: Prompting, chat: Chat, mode: Mode, *, end: int, most: int
) -> tuple[list[TrainingCase], int]:
    """The cases with prompts of at most `most` tokens, and how many were longer; `end` is the token that ends."""
    made, longer = [], 0
    for one in examples:
        prompt = chat.prompt(asking.messages(one.hypothesis, one.evidence))
        if len(prompt) > most:
            longer += 1
            continue
        text = target_answer(mode, one.reasoning, one.decision, one.confidence)
        made.append(
            TrainingCase(
                example=one.id,
                version=one.version,
                prompt=prompt,
                answer=[*chat.label_tokens([text])[0], end],
                label=one.decision,
                level=one.level,
                domain=one.domain,
                family=one.family,
                evidence=tuple(one.evidence),
            )
        )
    return made, longer


def label_shares(made: Sequence[TrainingCase]) -> dict[str, float]:
    """How often each label is there, as shares."""
    counts = Counter(one.label for one in made)
    return {label: number / len(made) for label, number in counts.items()}
