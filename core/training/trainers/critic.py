"""What a critic expects of an answer, token by token, and what was better or worse than that. Functions of tensors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn


def gae(rewards: torch.Tensor, values: torch.Tensor, mask: torch.Tensor, lam: float) -> torch.Tensor:
    """Generalized advantage estimates (B, T) without discount (Schulman et al. 2016).

    `rewards` (B,) are earned by the last token of each row; `values` (B, T) is what was expected before each token was
    chosen; `mask` (B, T) is 1 where a token is, from the left.
    """
    advantages = torch.zeros_like(values)
    running = torch.zeros_like(rewards)
    last = mask.sum(1).long() - 1
    for at in range(values.shape[1] - 1, -1, -1):
        earned = torch.where(last == at, rewards, torch.zeros_like(rewards))
        ahead = values[:, at + 1] * mask[:, at + 1] if at + 1 < values.shape[1] else torch.zeros_like(rewards)
        delta = earned + ahead - values[:, at]
        running = (delta + lam * running) * mask[:, at]
        advantages[:, at] = running
    return advantages


def whitened(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """`values` (B, T) with mean 0 and deviation 1 over the tokens of `mask`; 0 elsewhere."""
    number = mask.sum().clamp(min=1)
    mean = (values * mask).sum() / number
    deviation = (((values - mean) ** 2 * mask).sum() / number).sqrt()
    return (values - mean) / (deviation + 1e-8) * mask


def value_loss(
    values: torch.Tensor, before: torch.Tensor, returns: torch.Tensor, mask: torch.Tensor, clip: float
) -> torch.Tensor:
    """Half the mean square error over the tokens, the worse of the estimate and of one that moved by `clip` at most."""
    near = before + (values - before).clamp(-clip, clip)
    worse = torch.maximum((values - returns) ** 2, (near - returns) ** 2)
    return 0.5 * (worse * mask).sum() / mask.sum().clamp(min=1)


@dataclass
class Scale:
    """The running mean and variance of rewards (Welford 1962), by which they are scaled for the critic."""

    count: float = 0.0
    mean: float = 0.0
    squares: float = 0.0

    def heard(self, rewards: torch.Tensor) -> None:
        """Take rewards (B,) into account."""
        for value in rewards.tolist():
            self.count += 1
            off = value - self.mean
            self.mean += off / self.count
            self.squares += off * (value - self.mean)

    @property
    def deviation(self) -> float:
        """The standard deviation; 1 while there is none."""
        found = (self.squares / self.count) ** 0.5 if self.count > 1 else 0.0
        return found if found > 1e-6 else 1.0

    def scaled(self, rewards: torch.Tensor) -> torch.Tensor:
        """Rewards with mean 0 and deviation 1, as far as is known."""
        return (rewards - self.mean) / self.deviation


class Critic(nn.Module):
    """Expects a reward from the hidden state before a token is chosen: one hidden layer, and 0 to begin with."""

    def __init__(self, size: int, width: int = 128) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(size)
        self.inner = nn.Linear(size, width)
        self.outer = nn.Linear(width, 1)
        nn.init.zeros_(self.outer.weight)
        nn.init.zeros_(self.outer.bias)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Values (B, T) of hidden states (B, T, H)."""
        found: torch.Tensor = self.outer(torch.tanh(self.inner(self.norm(hidden.float())))).squeeze(-1)
        return found


def seeded(size: int, seed: int, device: Any) -> Critic:
    """A critic whose weights follow from `seed` alone; the generator of everything else is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Critic(size).to(device)
