"""What an answer is worth: plain functions of the answer and its case, each with a weight in the recipe.

`reward(answer) -> float`, by convention from -1 to 1. A project's own is named 'module:function', takes the same, and
runs only where a person allows it.
Only bounded, proper scores reward a confidence: with others, claiming more than one knows pays.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.benchmark.step_fields import judge_fields
from core.config.recipe import Recipe
from core.config.steps import DEFAULT_WORDING, StepWording
from core.models.parse_answer import ParsedAnswer, parse_answer
from core.models.step_lines import ParsedStep, as_parsed, parse_steps
from core.models.student_format import StudentFormat
from core.training.data.project_code import ProjectCodeError, load_module
from storage.errors import UserError
from storage.schema import Evidence, Outcome, Step

# A quotation in reasoning, in any of the usual marks.
_QUOTED = re.compile(r"[\"“”«»„]([^\"“”«»„\n]{3,200})[\"“”«»„]")
# Reasoning of up to so many words is paid in full; of twice as many, not at all.
ENOUGH_WORDS = 80


@dataclass(frozen=True, slots=True)
class GradedAnswer:
    """An answer that was read, beside the case. `costs` is by label and decision, empty if all mistakes are alike.

    `written` are the steps of the answer, `expected` those of the example.
    """

    text: str
    read: ParsedAnswer
    label: str
    evidence: Sequence[Evidence]
    costs: Mapping[str, Mapping[str, float]]
    written: Sequence[ParsedStep] = ()
    expected: Sequence[ParsedStep] = ()

    @property
    def correct(self) -> bool:
        """Whether the decision is the label."""
        return self.read.decision == self.label


Reward = Callable[[GradedAnswer], float]


class RewardError(UserError, ValueError):
    """A reward of the recipe cannot be used; the message says which and why."""


class ForbiddenRewardError(RewardError):
    """A reward of the recipe is code, and nobody has allowed that it runs."""


def with_rewards(recipe: Recipe, answer_format: StudentFormat) -> Recipe:
    """`recipe` with its rewards; where it names none, with those that fit what the student writes."""
    if recipe.rewards or not recipe.algorithm.by_rewards:
        return recipe
    fields = answer_format.answer_fields()
    stated = {"steps": 0.5} if "steps" in fields else {"calibration": 0.5} if "confidence" in fields else {}
    return recipe.model_copy(update={"rewards": {"correct": 1.0, **stated, "format": 0.1}})


def grade_answer(
    text: str,
    whole: bool,
    label: str,
    evidence: Sequence[Evidence],
    labels: Sequence[str],
    costs: Mapping[str, Mapping[str, float]],
    steps: Sequence[Step] = (),
    wording: StepWording = DEFAULT_WORDING,
) -> GradedAnswer:
    """A text as an answer; one that was cut off, not being `whole`, decides nothing."""
    parsed = parse_answer(text, "", Outcome.WRITTEN if whole else Outcome.TRUNCATED, labels)
    written = parse_steps(text, wording) if steps else []
    return GradedAnswer(text, parsed, label, evidence, costs, written, as_parsed(steps, wording))


def correct(answer: GradedAnswer) -> float:
    """1 for the label, 0 for no decision and for another one; with costs, 1 minus what the decision costs."""
    if answer.read.decision is None:
        return 0.0
    if answer.label in answer.costs:
        return 1.0 - answer.costs[answer.label].get(answer.read.decision, 0.0 if answer.correct else 1.0)
    return float(answer.correct)


def well_formed(answer: GradedAnswer) -> float:
    """1 for reasoning, decision and confidence, half for a decision alone, 0 for none."""
    if answer.read.decision is None:
        return 0.0
    return 1.0 if answer.read.rationale and answer.read.confidence is not None else 0.5


def calibration(answer: GradedAnswer) -> float:
    """correct - (confidence - correct)^2 (RLCR, Damani et al. 2025); no decision or no confidence is the worst, -1."""
    if answer.read.decision is None or answer.read.confidence is None:
        return -1.0
    right = float(answer.correct)
    return right - (answer.read.confidence - right) ** 2


def length(answer: GradedAnswer) -> float:
    """1 up to 80 words, then less, 0 from 160 on: long answers are slow and say no more."""
    words = len(answer.text.split())
    return max(0.0, min(1.0, 2 - words / ENOUGH_WORDS))


def evidence(answer: GradedAnswer) -> float:
    """Of the sources and quotations in the reasoning, the share that the case really has; 0 if there are none."""
    rationale = answer.read.rationale.casefold()
    case_text = "\n".join(f"{piece.source}\n{piece.content}" for piece in answer.evidence).casefold()
    quoted = [" ".join(match.split()) for match in _QUOTED.findall(rationale)]
    named = sum(piece.source.casefold() in rationale for piece in answer.evidence)
    genuine = named + sum(quote in case_text for quote in quoted)
    invented = sum(quote not in case_text for quote in quoted)
    return genuine / (genuine + invented) if genuine + invented else 0.0


def steps(answer: GradedAnswer) -> float:
    """The share of the fields of the steps that are right; 0 without a decision, and where the example has no steps.

    Steps that nobody asked for count as wrong, so that writing more of them does not pay.
    """
    if answer.read.decision is None or not answer.expected:
        return 0.0
    judged = [is_right for _, is_right in judge_fields(answer.expected, answer.written, None, None)]
    surplus = max(0, len(answer.written) - len(answer.expected)) * len(judged) / len(answer.expected)
    return sum(judged) / (len(judged) + surplus)


BUILT_IN: dict[str, Reward] = {
    "correct": correct,
    "format": well_formed,
    "calibration": calibration,
    "length": length,
    "evidence": evidence,
    "steps": steps,
}


def find_reward(name: str, folder: Path, *, allow_project_code: bool) -> Reward:
    """The reward of this name: a built-in one, or 'module:function', of the project in `folder` or installed.

    Raises ForbiddenRewardError for 'module:function' unless `allow_project_code`, RewardError for what cannot be used.
    """
    if name in BUILT_IN:
        return BUILT_IN[name]
    module, colon, function = name.partition(":")
    if not colon:
        raise RewardError(f"no reward {name!r}: there are {', '.join(BUILT_IN)}, or your own as 'module:function'")
    if not allow_project_code:
        raise ForbiddenRewardError(
            f"the reward {name!r} is code of the project, which runs only if you allow it with --allow-project-code"
        )
    try:
        loaded = getattr(load_module(folder, module), function)
    except (ProjectCodeError, AttributeError) as error:
        raise RewardError(f"the reward {name!r} cannot be imported: {error}") from None
    if not callable(loaded):
        raise RewardError(f"the reward {name!r} is no function")
    reward: Reward = loaded
    return reward


def total(parts: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """The weighted sum."""
    return sum(weights[name] * value for name, value in parts.items())
