"""Models in bf16 on a processor that has no instructions for it."""

from __future__ import annotations

import torch


class WideLinear(torch.nn.Module):
    """A linear layer that multiplies in fp32 what is held and handed on in bf16.

    A product in bf16 sums in fp32 and rounds once, at its end, and so does this. Without such instructions the library
    widens the weights anew for every product: 5 times as slow where many rows are multiplied.
    """

    def __init__(self, linear: torch.nn.Linear) -> None:
        super().__init__()
        self.weight = linear.weight.detach().float()
        self.bias = None if linear.bias is None else linear.bias.detach().float()

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """The layer's output for `states`, in their type."""
        return torch.nn.functional.linear(states.float(), self.weight, self.bias).to(states.dtype)


def widen(model: torch.nn.Module) -> None:
    """Let the linear layers of `model` multiply in fp32. Takes the memory of fp32 weights beside that of bf16."""
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if type(child) is torch.nn.Linear:
                setattr(module, name, WideLinear(child))
