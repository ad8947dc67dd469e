"""The critic: what it expects of an answer, token by token, and the advantages over that. Functions of tensors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn


def gae(rewards: torch.Tensor, values: torch.Tensor, mask: torch.Tensor, lam: float) -> torch.Tensor:
    """Generalized advantage estimates (B, T) without discount (Schulman et al. 2016).

    `rewards` are earned by the last token of each row, (B,), or by each token, (B, T); `values` (B, T) are the
    expectations before each token was chosen; `mask` (B, T) is 1 where a token is, from the left.
    """
    advantages = torch.zeros_like(values)
    earned = rewards if rewards.dim() > 1 else at_last_token(rewards, mask)
    nothing = torch.zeros_like(values[:, 0])
    running = nothing
    for position in range(values.shape[1] - 1, -1, -1):
        is_last = position + 1 == values.shape[1]
        next_value = nothing if is_last else values[:, position + 1] * mask[:, position + 1]
        delta = earned[:, position] + next_value - values[:, position]
        running = (delta + lam * running) * mask[:, position]
        advantages[:, position] = running
    return advantages


def at_last_token(rewards: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Rewards (B,) as (B, T): on the last token of each row of `mask`, 0 elsewhere."""
    earned = torch.zeros(mask.shape, dtype=rewards.dtype, device=rewards.device)
    rows = torch.arange(len(rewards), device=rewards.device)
    earned[rows, (mask.sum(1).long() - 1).clamp(min=0)] = rewards
    return earned


def whiten(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """`values` (B, T) with mean 0 and deviation 1 over the tokens of `mask`; 0 elsewhere."""
    number = mask.sum().clamp(min=1)
    mean = (values * mask).sum() / number
    deviation = (((values - mean) ** 2 * mask).sum() / number).sqrt()
    return (values - mean) / (deviation + 1e-8) * mask


def value_loss(
    values: torch.Tensor, old_values: torch.Tensor, returns: torch.Tensor, mask: torch.Tensor, clip: float
) -> torch.Tensor:
    """Half the mean square error over the tokens, of the worse of the estimate and the one clipped to `clip`."""
    clipped = old_values + (values - old_values).clamp(-clip, clip)
    worse = torch.maximum((values - returns) ** 2, (clipped - returns) ** 2)
    return 0.5 * (worse * mask).sum() / mask.sum().clamp(min=1)


@dataclass
class Scale:
    """The running mean and variance of rewards (Welford 1962), by which they are scaled for the critic."""

    count: float = 0.0
    mean: float = 0.0
    squares: float = 0.0

    def update(self, rewards: torch.Tensor) -> None:
        """Update the statistics with rewards (B,)."""
        for value in rewards.tolist():
            self.count += 1
            delta = value - self.mean
            self.mean += delta / self.count
            self.squares += delta * (value - self.mean)

    @property
    def deviation(self) -> float:
        """The standard deviation; 1 while it is not known."""
        deviation = (self.squares / self.count) ** 0.5 if self.count > 1 else 0.0
        return deviation if deviation > 1e-6 else 1.0

    def scaled(self, rewards: torch.Tensor) -> torch.Tensor:
        """Rewards with mean 0 and deviation 1, by the statistics so far."""
        return (rewards - self.mean) / self.deviation


class Critic(nn.Module):
    """Predicts the reward from the hidden state before a token is chosen; one hidden layer, and 0 at first."""

    def __init__(self, size: int, width: int = 128) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(size)
        self.inner = nn.Linear(size, width)
        self.outer = nn.Linear(width, 1)
        nn.init.zeros_(self.outer.weight)
        nn.init.zeros_(self.outer.bias)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Values (B, T) of hidden states (B, T, H)."""
        values: torch.Tensor = self.outer(torch.tanh(self.inner(self.norm(hidden.float())))).squeeze(-1)
        return values


def seeded_critic(size: int, seed: int, device: Any) -> Critic:
    """A critic whose weights depend on `seed` alone; the global random generator is not changed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Critic(size).to(device)
