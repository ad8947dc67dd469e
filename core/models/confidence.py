"""Confidence fitted on dev, so that 80 % means 80 %: two numbers for answers in words, one for label probabilities."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# Strength of the prior that a probability is right as it is, in answers: few of them move it little.
_PRIOR = 4.0
_ROUNDS = 50
# Probabilities are kept this far from 0 and 1, where a logit would be infinite.
_EDGE = 1e-6
_TEMPERATURES = [math.exp(step / 20) for step in range(-40, 61)]  # 0.14 to 20


@dataclass(frozen=True, slots=True)
class PlattScale:
    """sigmoid(slope * logit(p) + offset): how often answers of probability p are right (Platt 1999)."""

    slope: float = 1.0
    offset: float = 0.0

    def __call__(self, probability: float) -> float:
        """The fitted confidence, 0 to 1, of a probability."""
        return _sigmoid(self.slope * _logit(probability) + self.offset)


def fit_platt(probabilities: Sequence[float], right: Sequence[bool]) -> PlattScale:
    """The scale under which what was `right` is likeliest, by Newton's method, with a Gaussian prior around 1 and 0.

    The prior keeps a handful of answers, or answers that are all right, from making the student sure of everything.
    """
    slope, offset = 1.0, 0.0
    logits = [_logit(probability) for probability in probabilities]
    loss = _penalty(slope, offset, logits, right)
    for _ in range(_ROUNDS):
        gradient_s, gradient_o = _PRIOR * (slope - 1.0), _PRIOR * offset / 4
        curve_ss, curve_so, curve_oo = _PRIOR, 0.0, _PRIOR / 4
        for logit, is_right in zip(logits, right, strict=True):
            sure = _sigmoid(slope * logit + offset)
            error, weight = sure - is_right, sure * (1 - sure)
            gradient_s += error * logit
            gradient_o += error
            curve_ss += weight * logit * logit
            curve_so += weight * logit
            curve_oo += weight
        determinant = curve_ss * curve_oo - curve_so**2
        step_s = (curve_oo * gradient_s - curve_so * gradient_o) / determinant
        step_o = (curve_ss * gradient_o - curve_so * gradient_s) / determinant
        # Far from the minimum a whole step may go beyond it: it is halved until the loss falls.
        for halved in range(_ROUNDS):
            share = 0.5**halved
            new_loss = _penalty(slope - share * step_s, offset - share * step_o, logits, right)
            if new_loss < loss:
                break
        else:
            break
        slope, offset, loss = slope - share * step_s, offset - share * step_o, new_loss
    # A lower probability never means that an answer is more often right.
    return PlattScale(max(slope, 0.0), offset)


def _penalty(slope: float, offset: float, logits: Sequence[float], right: Sequence[bool]) -> float:
    """The loss of the answers in nats, and the distance from a probability that is left as it is."""
    loss = _PRIOR / 2 * (slope - 1.0) ** 2 + _PRIOR / 8 * offset**2
    for logit, is_right in zip(logits, right, strict=True):
        value = slope * logit + offset
        margin = value if is_right else -value
        loss += max(0.0, -margin) + math.log1p(math.exp(-abs(margin)))
    return loss


def fit_temperature(distributions: Sequence[Mapping[str, float]], labels: Sequence[str]) -> float:
    """The temperature under which `labels` are likeliest, on a grid of 5 % steps (Guo et al. 2017); 1 for none."""
    if not distributions:
        return 1.0

    def loss(temperature: float) -> float:
        shares = zip(distributions, labels, strict=True)
        return -sum(math.log(max(at_temperature(each, temperature)[label], _EDGE)) for each, label in shares)

    return min(_TEMPERATURES, key=loss)


def at_temperature(distribution: Mapping[str, float], temperature: float) -> dict[str, float]:
    """`distribution` with its logits divided by `temperature`; it sums to 1. At 1, it is as it was."""
    if temperature == 1.0:
        return dict(distribution)
    logits = {name: math.log(max(share, _EDGE)) / temperature for name, share in distribution.items()}
    most = max(logits.values())
    weights = {name: math.exp(logit - most) for name, logit in logits.items()}
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()}


def _logit(probability: float) -> float:
    bounded = min(max(probability, _EDGE), 1 - _EDGE)
    return math.log(bounded / (1 - bounded))


def _sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value)) if value >= 0 else math.exp(value) / (1 + math.exp(value))
