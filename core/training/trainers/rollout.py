"""Answers of the policy to its cases, with their rewards: what GRPO and PPO both learn from."""

from __future__ import annotations

import hashlib
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.config.steps import DEFAULT_WORDING, StepWording
from core.models.batching import shared_prefix
from core.models.decoding import Completion, Decoder, Sampling
from core.models.parse_answer import is_complete
from core.training.data.cases import TrainingCase
from core.training.data.rewards import Reward, grade_answer, total


@dataclass(frozen=True, slots=True)
class Rollout:
    """One answer: its tokens (at least one), its text, and its reward, part by part and in sum."""

    case: TrainingCase
    ids: list[int]
    text: str
    complete: bool
    decision: str | None
    confidence: float | None
    parts: Mapping[str, float]
    reward: float

    @property
    def right(self) -> bool:
        """Whether the decision is the label."""
        return self.decision == self.case.label


@dataclass(frozen=True)
class Grading:
    """How answers are graded: the task's labels, the rewards by name, their weights, the costs of mistakes.

    `wording` is how the student writes its steps.
    """

    labels: Sequence[str]
    rewards: Mapping[str, Reward]
    weights: Mapping[str, float]
    costs: Mapping[str, Mapping[str, float]]
    wording: StepWording = DEFAULT_WORDING

    def grade(self, case: TrainingCase, completion: Completion, end: int) -> Rollout:
        """Grade a completion. The end token is among the ids if the model chose it, so that it is learned, too."""
        graded = grade_answer(
            completion.text,
            completion.complete,
            case.label,
            case.evidence,
            self.labels,
            self.costs,
            case.steps,
            self.wording,
        )
        parts = {name: float(reward(graded)) for name, reward in self.rewards.items()}
        chose_end = completion.complete and not is_complete(completion.text, self.labels)
        return Rollout(
            case=case,
            ids=[*completion.ids, end] if chose_end or not completion.ids else completion.ids,
            text=completion.text,
            complete=completion.complete,
            decision=graded.read.decision,
            confidence=graded.read.confidence,
            parts=parts,
            reward=total(parts, self.weights),
        )


def row_seeds(seed: int, step: int, call: int, rows: int) -> list[int]:
    """A seed for each row that depends on these numbers only, so that a resumed run draws the same answers."""
    return [int.from_bytes(hashlib.sha256(f"{seed}/{step}/{call}/{row}".encode()).digest()[:6]) for row in range(rows)]


def write_answers(
    decoder: Decoder,
    cases: Sequence[TrainingCase],
    times: int,
    labels: Sequence[str],
    limit: int,
    sampling: Sampling,
) -> list[Completion]:
    """Write `times` answers to each case, side by side.

    Each prompt is read once, and the common beginning of all prompts only once.
    """
    prompts = [case.prompt for case in cases]
    shared = shared_prefix(prompts) if decoder.can_share_prefix and len(prompts) > 1 else 0
    prefix = decoder.prefix(prompts[0][:shared])
    return decoder.generate(prompts, prefix, limit, lambda text: is_complete(text, labels), sampling, copies=times)


def rollout_figures(rollouts: Sequence[Rollout], group: int, labels: Sequence[str]) -> dict[str, float]:
    """The figures of the answers of one step, for the live screen; groups are `group` in a row."""
    confidences = [
        rollout.confidence for rollout in rollouts if rollout.confidence is not None and rollout.decision is not None
    ]
    groups = [rollouts[start : start + group] for start in range(0, len(rollouts), group)]
    without_signal = sum(len({round(rollout.reward, 9) for rollout in members}) == 1 for members in groups)
    figures = {
        "reward": statistics.fmean(rollout.reward for rollout in rollouts),
        "right": statistics.fmean(rollout.right for rollout in rollouts),
        "cut": statistics.fmean(not rollout.complete for rollout in rollouts),
        "unread": statistics.fmean(rollout.decision is None for rollout in rollouts),
        "length": statistics.fmean(len(rollout.ids) for rollout in rollouts),
        "no_signal": without_signal / len(groups),
        "confidence_sd": statistics.pstdev(confidences) if confidences else 0.0,
    }
    figures |= {
        f"reward/{name}": statistics.fmean(rollout.parts[name] for rollout in rollouts) for name in rollouts[0].parts
    }
    figures |= {
        f"decided/{label}": statistics.fmean(rollout.decision == label for rollout in rollouts) for label in labels
    }
    levels = sorted({rollout.case.level for rollout in rollouts})
    figures |= {
        f"level/{level}": statistics.fmean(rollout.case.level == level for rollout in rollouts) for level in levels
    }
    return figures


def sample_rollouts(rollouts: Sequence[Rollout], limit: int) -> list[Rollout]:
    """Some answers that illustrate a step: the best and the worst, and others evenly between."""
    ordered = sorted(rollouts, key=lambda rollout: -rollout.reward)
    if len(ordered) <= limit:
        return ordered
    return [ordered[round(index * (len(ordered) - 1) / (limit - 1))] for index in range(limit)]


def to_record(rollout: Rollout) -> dict[str, Any]:
    """A rollout in its stored form."""
    return {
        "example": rollout.case.example,
        "level": rollout.case.level,
        "label": rollout.case.label,
        "text": rollout.text,
        "whole": rollout.complete,
        "decision": rollout.decision,
        "confidence": rollout.confidence,
        "parts": dict(rollout.parts),
        "reward": rollout.reward,
    }
