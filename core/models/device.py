"""Chooses the device that models run on, the same for all of them, and says what it can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

# The devices that models run on, by torch's names: NVIDIA's and AMD's GPUs, Apple's, Intel's, and the processor.
DEVICES = ("cuda", "mps", "xpu", "cpu")
_NAMES = {"cuda": "the GPU", "mps": "Apple's GPU (MPS)", "xpu": "Intel's GPU (XPU)", "cpu": "the processor"}
# Families whose activations exceed what fp16 holds: they were trained in bf16.
_NOT_FP16 = ("gemma",)


def choose_device() -> str:
    """The device that models run on: the accelerator that torch finds here, else 'cpu'."""
    import torch

    accelerator = torch.accelerator.current_accelerator(check_available=True)
    return accelerator.type if accelerator is not None and accelerator.type in DEVICES else "cpu"


def describe_device(device: str) -> str:
    """A device in words."""
    return _NAMES[device]


def has_bf16(device: str) -> bool:
    """Whether `device` multiplies in bf16 natively."""
    import torch

    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device == "xpu":
        return bool(torch.xpu.is_bf16_supported(including_emulation=False))
    if device == "mps":
        return bool(torch.backends.mps.is_macos_or_newer(14, 0))
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def choose_dtype(precision: str, device: str, *, learns: bool = False, family: str = "") -> torch.dtype:
    """The number type for `precision`: 'fp32', 'bf16', or 'auto', by what the device does.

    auto is bf16 where it is native. A GPU without it answers in fp16, unless the `family` (transformers' `model_type`)
    exceeds its range; a model that `learns` computes in fp32 there, since small gradients are 0 in fp16. So does a
    processor.
    """
    import torch

    if precision == "bf16" or (precision == "auto" and has_bf16(device)):
        return torch.bfloat16
    if precision == "auto" and device != "cpu" and not learns and not family.startswith(_NOT_FP16):
        return torch.float16
    return torch.float32


def quantization_problem(quantization: str, device: str) -> str:
    """Why `device` cannot quantize weights so, and what to do; '' if it can."""
    if quantization == "none" or device != "mps":
        return ""
    return (
        f'quantization = "{quantization}" does not work on {describe_device(device)}, for which bitsandbytes has no '
        'kernels: set quantization = "none", and take a smaller model or a smaller batch if memory is short'
    )


def free_memory(device: str) -> int:
    """The bytes that are free on `device` now."""
    import torch

    if device in {"cuda", "xpu"}:
        library: Any = getattr(torch, device)
        return int(library.mem_get_info()[0])
    if device == "mps":
        return int(torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
    import psutil

    return int(psutil.virtual_memory().available)
