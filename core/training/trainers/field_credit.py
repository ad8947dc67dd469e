"""Credit for the tokens that earned it: each field of the steps that is right or wrong, at its own tokens."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from core.benchmark.step_fields import match_fields
from core.config.steps import StepWording
from core.models.step_lines import as_parsed, parse_steps
from core.training.trainers.rollout import Rollout

# The name of the reward whose parts are credited so.
STEPS = "steps"
# Keeps a group whose answers hardly differ from getting a large advantage, as in trl.
_LEAST_DEVIATION = 1e-4


@dataclass(frozen=True, slots=True)
class FieldCredit:
    """A field of the expected step at `position`, whether it is right, and its tokens: from `start` up to `end`."""

    field: str
    position: int
    is_right: bool
    start: int
    end: int


def field_credits(rollout: Rollout, wording: StepWording, text: Callable[[list[int]], str]) -> list[FieldCredit]:
    """The fields of an answer that were written, with their tokens; none for an answer that does not decide.

    `text` decodes tokens. A token belongs to a field if any of its letters does.
    """
    if rollout.decision is None:
        return []
    written = parse_steps(rollout.text, wording)
    ends = [len(text(rollout.ids[: count + 1])) for count in range(len(rollout.ids))]
    found = []
    for judged in match_fields(as_parsed(rollout.case.steps, wording), written):
        if judged.written is None:
            continue
        first, last = written[judged.written].spans[judged.field]
        start = next((number for number, end in enumerate(ends) if end > first), len(ends))
        end = next((number + 1 for number, end in enumerate(ends) if end >= last), len(ends))
        if start < end:
            found.append(FieldCredit(judged.field, judged.position, judged.is_right, start, end))
    return found


def group_advantages(rows: Sequence[Sequence[FieldCredit]], group: int, width: int, weight: float) -> torch.Tensor:
    """Advantages (B, T) of the tokens of fields: right or wrong, against the same field in the other answers.

    `rows` are the fields of answers, `group` of them in a row to one case, of at most `width` tokens. Normalised in the
    group as GRPO's advantages are (Shao et al. 2024), times `weight`; 0 for all other tokens.
    """
    advantages = torch.zeros(len(rows), width)
    for first in range(0, len(rows), group):
        by_field: dict[tuple[int, str], list[tuple[int, FieldCredit]]] = defaultdict(list)
        for row in range(first, first + group):
            for credit in rows[row]:
                by_field[credit.position, credit.field].append((row, credit))
        for members in by_field.values():
            values = [float(credit.is_right) for _, credit in members]
            deviation = statistics.stdev(values) if len(values) > 1 else 0.0
            mean = statistics.fmean(values)
            for (row, credit), value in zip(members, values, strict=True):
                advantages[row, credit.start : credit.end] = weight * (value - mean) / (deviation + _LEAST_DEVIATION)
    return advantages


def token_rewards(rows: Sequence[Sequence[FieldCredit]], width: int, earned: Sequence[float]) -> torch.Tensor:
    """Rewards (B, T) of at most `width` tokens: what a row has `earned`, shared out over its fields that are right.

    Each pays at its last token, since PPO's critic expects a reward where it is earned.
    """
    rewards = torch.zeros(len(rows), width)
    for row, (fields, total) in enumerate(zip(rows, earned, strict=True)):
        right = [credit for credit in fields if credit.is_right]
        for credit in right:
            rewards[row, credit.end - 1] += total / len(right)
    return rewards
