"""What papers on reinforcement learning define, written out from their formulas in plain Python, to test against."""

from __future__ import annotations

import statistics
from collections.abc import Sequence


def reference_gae(reward: float, values: Sequence[float], lam: float) -> list[float]:
    """Equations 11 and 16 of Schulman et al. 2016 with gamma 1, for one answer of as many tokens as `values`.

    delta_t = r_t + V(s_{t+1}) - V(s_t), and A_t is the sum of lambda^l delta_{t+l} over l. V is 0 after the end.
    """
    end = len(values) - 1
    deltas = [
        (reward if t == end else 0.0) + (values[t + 1] if t < end else 0.0) - values[t] for t in range(len(values))
    ]
    return [sum(lam ** (k - t) * deltas[k] for k in range(t, len(values))) for t in range(len(values))]


def reference_value_loss(
    values: Sequence[float], old_values: Sequence[float], returns: Sequence[float], clip: float
) -> float:
    """Half the mean of max((V - R)^2, (clip(V, V_old - c, V_old + c) - R)^2), over tokens.

    The clipped value loss that came with Schulman et al. 2017 (equation 9 there without it). It is pessimistic: the
    greater of both errors counts, so that moving far is never rewarded.
    """
    losses = [
        max((value - target) ** 2, (min(max(value, old - clip), old + clip) - target) ** 2)
        for value, old, target in zip(values, old_values, returns, strict=True)
    ]
    return 0.5 * statistics.fmean(losses)


def reference_group_advantages(rewards: Sequence[float]) -> list[float]:
    """(r_i - mean(r)) / std(r) within a group (Shao et al. 2024, 4.1.2).

    As trl does it: the deviation is that of a sample, and 1e-4 keeps it from being 0.
    """
    mean, deviation = statistics.fmean(rewards), statistics.stdev(rewards)
    return [(reward - mean) / (deviation + 1e-4) for reward in rewards]


def reference_clipped_objective(ratio: float, advantage: float, low: float, high: float) -> float:
    """min(r A, clip(r, 1 - low, 1 + high) A), which is maximized (Schulman et al. 2017, equation 7)."""
    return min(ratio * advantage, min(max(ratio, 1 - low), 1 + high) * advantage)
