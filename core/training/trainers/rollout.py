"""Answers of the policy to its cases, with their rewards: what GRPO and PPO both learn from."""

from __future__ import annotations

import hashlib
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.models.batching import shared_prefix
from core.models.decoding import Completion, Decoder, Sampling
from core.models.parse_answer import is_complete
from core.training.data.cases import TrainingCase
from core.training.data.rewards import Reward, grade_answer, total


@dataclass(frozen=True, slots=True)
class Rollout:
    """One answer: its tokens (at least one), its text, and what it earned, part by part and in sum."""

    case: TrainingCase
    ids: list[int]
    text: str
    whole: bool
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
    """How answers are read and paid: the task's labels, the rewards by name, their weights, the costs of mistakes."""

    labels: Sequence[str]
    rewards: Mapping[str, Reward]
    weights: Mapping[str, float]
    costs: Mapping[str, Mapping[str, float]]

    def paid(self, case: TrainingCase, written: Completion, end: int) -> Rollout:
        """What `written` earns. The token that ends is among the ids where the model chose it: it is learned too."""
        found = grade_answer(written.text, written.complete, case.label, case.evidence, self.labels, self.costs)
        parts = {name: float(reward(found)) for name, reward in self.rewards.items()}
        chose_end = written.complete and not is_complete(written.text, self.labels)
        return Rollout(
            case=case,
            ids=[*written.ids, end] if chose_end or not written.ids else written.ids,
            text=written.text,
            whole=written.complete,
            decision=found.read.decision,
            confidence=found.read.confidence,
            parts=parts,
            reward=total(parts, self.weights),
        )


def seeds(seed: int, step: int, call: int, rows: int) -> list[int]:
    """A seed for each row, that depends on nothing else: so a resumed run draws the same answers."""
    return [int.from_bytes(hashlib.sha256(f"{seed}/{step}/{call}/{row}".encode()).digest()[:6]) for row in range(rows)]


def write(
    decoder: Decoder,
    cases: Sequence[TrainingCase],
    times: int,
    labels: Sequence[str],
    limit: int,
    sampling: Sampling,
) -> list[Completion]:
    """`times` answers to each case, side by side; each prompt is read once, and what all share is read once for all."""
    prompts = [case.prompt for case in cases]
    shared = shared_prefix(prompts) if decoder.can_share_prefix and len(prompts) > 1 else 0
    prefix = decoder.prefix(prompts[0][:shared])
    return decoder.generate(prompts, prefix, limit, lambda text: is_complete(text, labels), sampling, copies=times)


def figures(rollouts: Sequence[Rollout], group: int, labels: Sequence[str]) -> dict[str, float]:
    """What the answers of one step look like, as the live screen shows it; groups are `group` in a row."""
    sure = [one.confidence for one in rollouts if one.confidence is not None and one.decision is not None]
    groups = [rollouts[start : start + group] for start in range(0, len(rollouts), group)]
    same = sum(len({round(one.reward, 9) for one in members}) == 1 for members in groups)
    made = {
        "reward": statistics.fmean(one.reward for one in rollouts),
        "right": statistics.fmean(one.right for one in rollouts),
        "cut": statistics.fmean(not one.whole for one in rollouts),
        "unread": statistics.fmean(one.decision is None for one in rollouts),
        "length": statistics.fmean(len(one.ids) for one in rollouts),
        "no_signal": same / len(groups),
        "confidence_sd": statistics.pstdev(sure) if sure else 0.0,
    }
    made |= {f"reward/{name}": statistics.fmean(one.parts[name] for one in rollouts) for name in rollouts[0].parts}
    made |= {f"decided/{label}": statistics.fmean(one.decision == label for one in rollouts) for label in labels}
    levels = sorted({one.case.level for one in rollouts})
    made |= {f"level/{level}": statistics.fmean(one.case.level == level for one in rollouts) for level in levels}
    return made


def sample_rollouts(rollouts: Sequence[Rollout], most: int) -> list[Rollout]:
    """Some answers that show a step: the best and the worst, and others evenly between."""
    ordered = sorted(rollouts, key=lambda one: -one.reward)
    if len(ordered) <= most:
        return ordered
    return [ordered[round(at * (len(ordered) - 1) / (most - 1))] for at in range(most)]


def as_stored(one: Rollout) -> dict[str, Any]:
    """A rollout as it is stored."""
    return {
        "example": one.case.example,
        "level": one.case.level,
        "label": one.case.label,
        "text": one.text,
        "whole": one.whole,
        "decision": one.decision,
        "confidence": one.confidence,
        "parts": dict(one.parts),
        "reward": one.reward,
    }
