"""The training cases: each with the tokens of its prompt, and the answer to learn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from core.models.case_encoder import CaseEncoder
from core.models.chat import Chat
from core.models.prompting import Prompting
from core.models.student_format import StudentFormat
from core.training.data.sampler import CasePosition
from storage.schema import Evidence, Example, Step
from storage.staleness import is_stale


@dataclass(frozen=True, slots=True)
class TrainingCase:
    """An example as a model reads it (`prompt`, tokens) and should answer it (`answer`, with the end token).

    A classifier writes no answer; its tokens may have types.
    """

    example: str
    version: int
    prompt: list[int]
    answer: list[int]
    label: str
    level: int
    domain: str
    family: str
    evidence: tuple[Evidence, ...]
    steps: tuple[Step, ...] = ()
    token_types: list[int] = field(default_factory=list)

    @property
    def position(self) -> CasePosition:
        """Its position in the curriculum."""
        return CasePosition(self.level, self.label)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """How many examples are not learned from: prompts that are too long, and examples without steps.

    `stale` ones argue for another decision than the one that they have.
    A classifier reads long cases without their least relevant pieces: so many `pieces` are missing, of `shortened`
    cases, and `cut` cases are longer with a single piece, whose end is missing.
    """

    too_long: int = 0
    without_steps: int = 0
    stale: int = 0
    pieces: int = 0
    shortened: int = 0
    cut: int = 0


def training_cases(
    examples: Sequence[Example],
    prompting: Prompting,
    chat: Chat,
    answer_format: StudentFormat,
    *,
    end: int,
    max_tokens: int,
    learned: Collection[str],
) -> tuple[list[TrainingCase], LeftOut]:
    """The cases with prompts of at most `max_tokens` tokens, and how many were left out; `end` is the end token.

    `learned` are the fields that are learned from beside the decision: none of them may be stale.
    """
    cases, too_long, without_steps, stale = list[TrainingCase](), 0, 0, 0
    for example in examples:
        if any(is_stale(example, name) for name in learned):
            stale += 1
            continue
        if not answer_format.can_answer(example):
            without_steps += 1
            continue
        prompt = chat.prompt(prompting.messages(example.hypothesis, example.evidence))
        if len(prompt) > max_tokens:
            too_long += 1
            continue
        cases.append(
            TrainingCase(
                example=example.id,
                version=example.version,
                prompt=prompt,
                answer=[*chat.label_tokens([answer_format.answer(example)])[0], end],
                label=example.decision,
                level=example.level,
                domain=example.domain,
                family=example.family,
                evidence=tuple(example.evidence),
                steps=tuple(example.steps),
            )
        )
    return cases, LeftOut(too_long, without_steps, stale)


def classifier_cases(examples: Sequence[Example], encoder: CaseEncoder) -> tuple[list[TrainingCase], LeftOut]:
    """The cases as a classifier reads them, and what was left out of long ones."""
    encoded_cases = [encoder.encode(example.hypothesis, example.evidence) for example in examples]
    cases = [
        TrainingCase(
            example=example.id,
            version=example.version,
            prompt=encoded.ids,
            answer=[],
            label=example.decision,
            level=example.level,
            domain=example.domain,
            family=example.family,
            evidence=tuple(example.evidence),
            token_types=encoded.token_types,
        )
        for example, encoded in zip(examples, encoded_cases, strict=True)
    ]
    left_out = LeftOut(
        pieces=sum(encoded.dropped for encoded in encoded_cases),
        shortened=sum(encoded.dropped > 0 for encoded in encoded_cases),
        cut=sum(encoded.cut for encoded in encoded_cases),
    )
    return cases, left_out


def label_shares(cases: Sequence[TrainingCase]) -> dict[str, float]:
    """The share of each label in the cases."""
    counts = Counter(case.label for case in cases)
    return {label: number / len(cases) for label, number in counts.items()}
