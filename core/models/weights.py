"""Opens a causal language model from a folder or a file of this machine, never anything that is code."""

from __future__ import annotations

import importlib.util
import os
import tempfile
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from core.models.environment import prepare_environment

_INSTALL = "pip install 'sidequest[train]'"
# Nothing that is opened may run a program of its own, or come from elsewhere.
SAFE_OPTIONS: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")

# Weights that bitsandbytes quantizes together.
_BLOCK = 64


class WeightsError(ValueError):
    """A model cannot be opened; the message says which, why, and what to do."""


class Precision(StrEnum):
    """What numbers a model holds. AUTO: bf16 where the processor has instructions for it, else fp32.

    BF16 without those instructions rounds the weights as bf16 does, and computes in fp32.
    """

    AUTO = "auto"
    FP32 = "fp32"
    BF16 = "bf16"


@dataclass(frozen=True)
class Weights:
    """An open model and its tokenizer, as transformers gives them.

    `ends` are the tokens that end an answer, `holds` is how many tokens the model can hold, `affords` how many the
    memory has room for in all that is read at once.
    """

    model: Any
    tokenizer: Any
    stop_tokens: frozenset[int]
    context_length: int
    affordable_tokens: int


def open_weights(
    path: Path, adapter: Path | None = None, precision: Precision = Precision.AUTO, quantization: str = "none"
) -> Weights:
    """The model at `path`: a folder with safetensors, or a GGUF file; with the adapter in a folder merged into it.

    `quantization` is 'none', 'int8' or 'nf4' (bitsandbytes, double quantization); an adapter then stays beside it.

    Takes seconds, and sets how many threads torch uses. Raises WeightsError.
    """
    location = find_weights(path)
    if adapter is not None:
        check_adapter(adapter)
    prepare_environment()
    try:
        import torch
        import transformers

        from core.models.attention import use_following_attention
    except ImportError as error:
        raise WeightsError(f"a model on this machine needs the extra `train` ({error}): {_INSTALL}") from error
    set_threads()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    native = has_bf16(device)
    bf16 = precision is Precision.BF16 or (precision is Precision.AUTO and native)
    common = {**location, **SAFE_OPTIONS}
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(**common)
        kind = torch.bfloat16 if bf16 else torch.float32
        if quantization == "none":
            model = transformers.AutoModelForCausalLM.from_pretrained(**common, use_safetensors=True, dtype=kind)
        else:
            model = load_model(location, kind, quantization)
        if adapter is not None:
            model = _merged(model, adapter) if quantization == "none" else _beside(model, adapter)
    except Exception as error:  # whatever a damaged or foreign file makes these libraries raise
        raise WeightsError(f"cannot open the model {adapter or path}: {error}") from error
    model = model.eval().requires_grad_(False)
    if quantization == "none":
        model = model.to(device)
    if bf16 and not native and quantization == "none":
        # Where each product would be widened by itself, the numbers of bf16 are computed with in fp32.
        # Not by the model's own method, which refuses what came from a GGUF file, though it is unpacked.
        torch.nn.Module.float(model)
    use_following_attention(model)
    config = model.config.get_text_config()
    affords = affordable_tokens(_free_memory(device), cache_bytes_per_token(config, model.dtype.itemsize))
    return Weights(model, tokenizer, _ends(model, tokenizer), config.max_position_embeddings, affords)


def load_model(location: dict[str, Any], dtype: Any, quantization: str = "none") -> Any:
    """The model at `location` (of `check`) in `kind`, a type of torch, quantized or not.

    A GGUF file is unpacked first: as it is opened it counts as quantized, takes no gradients and cannot be saved.
    """
    import transformers

    of_folder = {**SAFE_OPTIONS, "use_safetensors": True, "dtype": dtype, **quantization_options(quantization, dtype)}
    if "gguf_file" not in location:
        return _in_whole_blocks(transformers.AutoModelForCausalLM.from_pretrained(**location, **of_folder))
    made = _unpacked(location, dtype)
    if quantization == "none":
        return made
    with tempfile.TemporaryDirectory() as folder:
        made.save_pretrained(folder)
        return _in_whole_blocks(transformers.AutoModelForCausalLM.from_pretrained(folder, **of_folder))


def _in_whole_blocks(model: Any) -> Any:
    """Keep bitsandbytes from packing anew, as it does on processors with AVX512-BF16, rows that are no whole blocks."""
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu") and module.in_features % _BLOCK:
            module.support_avx512bf16_for_cpu = False
    return model


def _unpacked(location: dict[str, Any], kind: Any) -> Any:
    import transformers

    packed = transformers.AutoModelForCausalLM.from_pretrained(**location, **SAFE_OPTIONS, dtype=kind)
    config = packed.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    made: Any = transformers.AutoModelForCausalLM.from_config(config, dtype=kind)
    made.load_state_dict(packed.state_dict())
    made.tie_weights()
    made.generation_config = packed.generation_config
    return made


def find_weights(path: Path) -> dict[str, Any]:
    """Where transformers is to find the model at `path`. Raises WeightsError if no safe weights are there."""
    if path.is_file():
        if path.suffix.lower() != ".gguf":
            raise WeightsError(f"{path} is no model: give a .gguf file, or a folder with .safetensors files")
        if importlib.util.find_spec("gguf") is None:
            raise WeightsError(f"{path}: a GGUF file needs the package gguf: pip install gguf")
        return {"pretrained_model_name_or_path": str(path.parent), "gguf_file": path.name}
    if not path.is_dir():
        raise WeightsError(f"there is no model at {path}: give a folder with .safetensors files, or a .gguf file")
    _check_files(path, path / "config.json", "*.safetensors")
    return {"pretrained_model_name_or_path": str(path)}


def check_adapter(path: Path) -> None:
    """Raises WeightsError unless there is an adapter with safe weights in the folder `path`."""
    _check_files(path, path / "adapter_config.json", "adapter_model.safetensors")


def _check_files(folder: Path, config: Path, weights: str) -> None:
    if not any(folder.glob(weights)):
        if pickles := sorted(file.name for file in folder.glob("*") if file.suffix in _PICKLES):
            raise WeightsError(
                f"{folder} has only pickled weights ({pickles[0]}), and opening a pickle can run any program: "
                "save the model as safetensors first"
            )
        if ggufs := sorted(folder.glob("*.gguf")):
            raise WeightsError(f"{folder} is a folder: give the file in it, {ggufs[0]}")
        raise WeightsError(f"{folder} has no weights: {weights} is missing")
    if not config.is_file():
        raise WeightsError(f"{folder} is incomplete: {config.name} is missing")


def _merged(model: Any, adapter: Path) -> Any:
    """The model with an adapter added into its weights: nothing more to compute for each token."""
    import peft

    return peft.PeftModel.from_pretrained(model, str(adapter), local_files_only=True).merge_and_unload()


def _beside(model: Any, adapter: Path) -> Any:
    """The model with the adapter beside its layers: merged into quantized ones, it would be rounded as they are."""
    import peft

    return peft.PeftModel.from_pretrained(model, str(adapter), local_files_only=True).get_base_model()


def quantization_options(quantization: str, dtype: Any) -> dict[str, Any]:
    """What `from_pretrained` is told of a quantization, which computes in `compute`, a type of torch."""
    if quantization == "none":
        return {}
    from transformers import BitsAndBytesConfig

    if quantization == "int8":
        return {"quantization_config": BitsAndBytesConfig(load_in_8bit=True)}
    nf4 = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )
    return {"quantization_config": nf4}


def _ends(model: Any, tokenizer: Any) -> frozenset[int]:
    """The tokens that end an answer: the model names one or several, the tokenizer one."""
    named = model.generation_config.eos_token_id
    ends = named if isinstance(named, list) else [named]
    return frozenset(end for end in (*ends, tokenizer.eos_token_id) if end is not None)


def cache_bytes_per_token(config: Any, itemsize: int) -> int:
    """What a model remembers of one token: a key and a value in each layer."""
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return int(2 * config.num_hidden_layers * heads * width * itemsize)


def affordable_tokens(free: int, token_bytes: int) -> int:
    """How many tokens of so many bytes half of the `free` memory holds; the other half is for computing.

    Asked beforehand, as Linux grants any memory, and ends the process that comes to use it.
    """
    return max(1, free // 2 // token_bytes)


def _free_memory(device: str) -> int:
    if device == "cuda":
        import torch

        return int(torch.cuda.mem_get_info()[0])
    import psutil

    return int(psutil.virtual_memory().available)


def has_bf16(device: str) -> bool:
    """Whether `device` ('cpu' or 'cuda') multiplies in bf16 by itself."""
    import torch

    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    able = torch.cpu.get_capabilities()
    return any(able.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def set_threads() -> None:
    """Let torch use the cores that are best, unless the person says how many threads in OMP_NUM_THREADS."""
    import torch

    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(best_thread_count())


def best_thread_count() -> int:
    """How many threads are best: one for each physical core that this process may use.

    torch goes by the machine; in a container with a quota, or pinned to some cores, its threads wait for each other.
    """
    import psutil

    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(psutil.cpu_count(logical=False) or allowed, allowed, quota(Path("/sys/fs/cgroup/cpu.max"))))


def quota(file: Path) -> int:
    """The processors that the control group of this process may use, by its `cpu.max`; very many if it has no limit."""
    try:
        limit, period = file.read_text(encoding="ascii").split()
        return max(1, int(limit) // int(period))
    except (OSError, ValueError):
        return 1 << 30
