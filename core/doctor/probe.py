"""What the libraries for training say of this machine: `python -m core.doctor.probe` prints it as JSON.

A process of its own, as they take seconds to load, and a broken one may end its process.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

_SIZE, _TIMES = 768, 3


def probe() -> dict[str, Any]:
    """The device, how fast it multiplies in bf16 against fp32, and whether bitsandbytes works on it."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    found: dict[str, Any] = {
        "device": device,
        "gpus": [torch.cuda.get_device_name(at) for at in range(torch.cuda.device_count())],
        "fp32_s": _multiplying(torch.float32, device),
        "bf16_s": _multiplying(torch.bfloat16, device),
    }
    from core.models.weights import has_bf16

    found["bf16"] = has_bf16(device)
    found["bitsandbytes"] = _quantizing(device)
    return found


def _multiplying(kind: Any, device: str) -> float:
    import torch

    left, right = (torch.ones(_SIZE, _SIZE, dtype=kind, device=device) for _ in range(2))
    times = []
    for _ in range(_TIMES):
        began = time.perf_counter()
        (left @ right).sum().item()
        times.append(time.perf_counter() - began)
    return min(times)


def _quantizing(device: str) -> str:
    """What is wrong with a layer in nf4, forward and back; empty if nothing is."""
    try:
        import torch
        from bitsandbytes.nn.modules import Linear4bit

        make: Any = Linear4bit
        layer = make(64, 64, bias=False, compute_dtype=torch.float32, quant_type="nf4")
        plain = layer.weight.data.clone()
        layer = layer.to(device)
        # As a training does: on some processors an evaluation repacks weights, and no gradient passes then.
        setattr(layer, "support_avx512bf16_for_cpu", False)  # noqa: B010  torch's modules have typed attributes
        entering = torch.ones(2, 64, device=device, requires_grad=True)
        given = layer(entering)
        given.sum().backward()
        off = (given.detach().cpu()[0] - plain.sum(1)).abs().mean()
        if entering.grad is None or not bool(entering.grad.abs().sum() > 0):
            return "no gradient passes its layers"
        return "" if float(off) < float(plain.sum(1).abs().mean()) else "its layers give wrong results"
    except Exception as error:  # a foreign library that does not fit the machine raises anything
        return f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    json.dump(probe(), sys.stdout)
