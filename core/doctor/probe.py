"""Asks the libraries for training about this machine: `python -m core.doctor.probe` prints the answers as JSON.

It is a process of its own, because the libraries take seconds to load, and a broken one may end its process.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

_SIZE, _TIMES = 768, 3


def probe() -> dict[str, Any]:
    """The device, its seconds for a product in bf16 and in fp32, and whether bitsandbytes works on it."""
    import torch

    from core.models.device import choose_device, has_bf16

    device = choose_device()
    measured: dict[str, Any] = {
        "device": device,
        "gpus": [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())],
        "fp32_s": _time_product(torch.float32, device),
        "bf16_s": _time_product(torch.bfloat16, device),
    }
    measured["bf16"] = has_bf16(device)
    measured["bitsandbytes"] = _nf4_problem(device)
    return measured


def _time_product(dtype: Any, device: str) -> float:
    import torch

    left, right = (torch.ones(_SIZE, _SIZE, dtype=dtype, device=device) for _ in range(2))
    times = []
    for _ in range(_TIMES):
        started = time.perf_counter()
        (left @ right).sum().item()
        times.append(time.perf_counter() - started)
    return min(times)


def _nf4_problem(device: str) -> str:
    """What is wrong with a layer in nf4, forward or backward; empty if nothing is."""
    from core.models.device import quantization_problem

    if problem := quantization_problem("nf4", device):
        return problem
    try:
        import torch
        from bitsandbytes.nn.modules import Linear4bit

        make: Any = Linear4bit
        layer = make(64, 64, bias=False, compute_dtype=torch.float32, quant_type="nf4")
        weights = layer.weight.data.clone()
        layer = layer.to(device)
        # As a training does: on some processors an evaluation repacks weights, and no gradient passes then.
        setattr(layer, "support_avx512bf16_for_cpu", False)  # noqa: B010  torch's modules have typed attributes
        inputs = torch.ones(2, 64, device=device, requires_grad=True)
        outputs = layer(inputs)
        outputs.sum().backward()
        difference = (outputs.detach().cpu()[0] - weights.sum(1)).abs().mean()
        if inputs.grad is None or not bool(inputs.grad.abs().sum() > 0):
            return "no gradient passes its layers"
        return "" if float(difference) < float(weights.sum(1).abs().mean()) else "its layers give wrong results"
    except Exception as error:  # a foreign library that does not fit the machine raises anything
        return f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    json.dump(probe(), sys.stdout)
