"""Opens a causal language model from a folder or a file on this machine; never runs code that comes with it."""

from __future__ import annotations

import importlib.util
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from core.models.device import choose_device, choose_dtype, free_memory, has_bf16, quantization_problem
from core.models.environment import prepare_environment
from storage.errors import UserError

_INSTALL = "pip install 'sidequest[train]'"
# Opening a model may neither run code of its own nor download anything.
SAFE_OPTIONS: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
# What peft calls the only adapter of a model.
_ADAPTER = "default"
_SHOWN_KEYS = 3
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")

# Families of encoders, by transformers' `model_type`.
_ENCODERS = frozenset(
    {"albert", "bert", "camembert", "deberta", "deberta-v2", "distilbert", "electra", "ernie", "eurobert", "mpnet"}
    | {"mobilebert", "modernbert", "nomic_bert", "roberta", "roformer", "squeezebert", "xlm-roberta"}
)
# Weights that bitsandbytes quantizes together.
_BLOCK = 64


class WeightsError(UserError, ValueError):
    """A model cannot be opened; the message says which, why, and what to do."""


class Precision(StrEnum):
    """The number type of a model. AUTO: bf16 if the processor has instructions for it, else fp32.

    BF16 without those instructions rounds the weights as bf16 does, and computes in fp32.
    """

    AUTO = "auto"
    FP32 = "fp32"
    BF16 = "bf16"


@dataclass(frozen=True)
class Weights:
    """An open model and its tokenizer, as transformers gives them.

    `stop_tokens` end an answer, `context_length` is how many tokens the model can read, `affordable_tokens` how many
    fit into memory in one batch.
    """

    model: Any
    tokenizer: Any
    stop_tokens: frozenset[int]
    context_length: int
    affordable_tokens: int


def open_weights(
    path: Path, adapter: Path | None = None, precision: Precision = Precision.AUTO, quantization: str = "none"
) -> Weights:
    """Open the model at `path`: a folder with safetensors, or a GGUF file. The adapter in a folder is merged into it.

    `quantization` is 'none', 'int8' or 'nf4' (bitsandbytes, double quantization); an adapter of a quantized model is
    attached, and not merged.

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
    device = choose_device()
    common = {**location, **SAFE_OPTIONS}
    check_writes(path)
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(**common)
        dtype = choose_dtype(precision, device, family="" if device == "cpu" else read_family(location))
        if quantization == "none":
            model = transformers.AutoModelForCausalLM.from_pretrained(**common, use_safetensors=True, dtype=dtype)
        else:
            model = load_model(location, dtype, quantization)
        if adapter is not None:
            model = _merge_adapter(model, adapter) if quantization == "none" else _attach_adapter(model, adapter)
    except WeightsError:
        raise
    except Exception as error:  # whatever a damaged or foreign file makes these libraries raise
        raise WeightsError(f"cannot open the model {adapter or path}: {error}") from error
    model = model.eval().requires_grad_(False)
    if quantization == "none":
        model = model.to(device)
    if dtype is torch.bfloat16 and not has_bf16(device) and quantization == "none":
        # Compute in fp32 with the numbers of bf16, as each product would be widened by itself otherwise.
        # The model's own method refuses a model from a GGUF file, although it is dequantized.
        torch.nn.Module.float(model)
    use_following_attention(model)
    config = model.config.get_text_config()
    affords = affordable_tokens(free_memory(device), cache_bytes_per_token(config, model.dtype.itemsize))
    return Weights(model, tokenizer, _stop_tokens(model, tokenizer), config.max_position_embeddings, affords)


def load_model(location: dict[str, Any], dtype: Any, quantization: str = "none") -> Any:
    """The model at `location` (from `find_weights`) in `dtype`, a type of torch, quantized or not.

    A GGUF file is dequantized first: otherwise it counts as quantized, takes no gradients and cannot be saved.
    """
    import transformers

    check_quantization(quantization)
    options = {**SAFE_OPTIONS, "use_safetensors": True, "dtype": dtype, **quantization_options(quantization, dtype)}
    if "gguf_file" not in location:
        return keep_layout(transformers.AutoModelForCausalLM.from_pretrained(**location, **options))
    unpacked = load_dequantized(location, dtype)
    if quantization == "none":
        return unpacked
    with tempfile.TemporaryDirectory() as folder:
        unpacked.save_pretrained(folder)
        return keep_layout(transformers.AutoModelForCausalLM.from_pretrained(folder, **options))


def check_quantization(quantization: str) -> None:
    """Raise WeightsError if the device of this machine cannot quantize weights so."""
    if problem := quantization_problem(quantization, choose_device()):
        raise WeightsError(problem)


def keep_layout(model: Any) -> Any:
    """Keep bitsandbytes from repacking rows that are no whole blocks, as it does on processors with AVX512-BF16."""
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu") and module.in_features % _BLOCK:
            module.support_avx512bf16_for_cpu = False
    return model


def load_dequantized(location: dict[str, Any], dtype: Any) -> Any:
    """The causal language model of a GGUF file in `dtype`, a type of torch."""
    import transformers

    packed = transformers.AutoModelForCausalLM.from_pretrained(**location, **SAFE_OPTIONS, dtype=dtype)
    config = packed.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    model: Any = transformers.AutoModelForCausalLM.from_config(config, dtype=dtype)
    model.load_state_dict(packed.state_dict())
    model.tie_weights()
    model.generation_config = packed.generation_config
    return model


def find_weights(path: Path) -> dict[str, Any]:
    """The arguments with which transformers opens `path`. Raises WeightsError if no safe weights are there."""
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


def read_family(location: dict[str, Any]) -> str:
    """The family of the model at `location` (from `find_weights`), by transformers' `model_type`."""
    import transformers

    return str(transformers.AutoConfig.from_pretrained(**location, **SAFE_OPTIONS).model_type)


def check_writes(path: Path) -> None:
    """Raise WeightsError if the model in a folder is an encoder, which cannot write an answer."""
    if not path.is_dir():
        return
    config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    architectures = config.get("architectures") or [""]
    if config.get("model_type") in _ENCODERS and not str(architectures[0]).endswith(("LMHeadModel", "ForCausalLM")):
        raise WeightsError(
            f"{path} is an encoder ({config['model_type']}), which cannot write answers: train it with "
            'algorithm = "classify"'
        )


def check_adapter(path: Path) -> None:
    """Raise WeightsError unless there is an adapter with safe weights in the folder `path`."""
    _check_files(path, path / "adapter_config.json", "adapter_model.safetensors")


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter; what was trained whole has no configuration of one."""
    return (folder / "adapter_config.json").is_file()


def check_trained(folder: Path) -> None:
    """Raise WeightsError unless `folder` holds what a training has made: an adapter or whole weights, all safe."""
    if (folder / "config.json").is_file() and not is_adapter(folder):
        find_weights(folder)
    else:
        check_adapter(folder)


def is_trained(folder: Path) -> bool:
    """Whether a training has left all that it makes in `folder`: the configuration is written last."""
    files = ("adapter_model.safetensors", "adapter_config.json"), ("model.safetensors", "config.json")
    return any(all((folder / name).is_file() for name in names) for names in files)


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


def open_adapter(model: Any, adapter: Path, *, is_trainable: bool = False) -> Any:
    """The model of peft that has the adapter in a folder on `model`.

    Raises WeightsError unless every weight in the file has a place in the model, and every place its weight: peft
    leaves the others as they are, and an adapter without a matching key would open without effect. Raises what peft
    and torch raise for an adapter of other shapes.
    """
    import peft

    adapted: Any = peft.PeftModel.from_pretrained(
        model, str(adapter), adapter_name=_ADAPTER, is_trainable=is_trainable, local_files_only=True
    )
    # Opening drops what did not match, and only loading returns it; an adapter is small enough to be read twice.
    result = adapted.load_adapter(
        str(adapter),
        _ADAPTER,
        is_trainable=is_trainable,
        key_mapping=getattr(model, "_checkpoint_conversion_mapping", {}),
    )
    problems = []
    if result.unexpected_keys:
        problems.append(f"has weights that match nothing in the model: {_list_keys(result.unexpected_keys)}")
    if result.missing_keys:
        problems.append(f"lacks weights that the model needs: {_list_keys(result.missing_keys)}")
    if problems:
        raise WeightsError(
            f"{adapter / 'adapter_model.safetensors'} {', and '.join(problems)}. It was made for another model, or its "
            "keys were renamed"
        )
    return adapted


def _list_keys(keys: Sequence[str]) -> str:
    """The first of `keys` as they stand in the file, and how many more there are."""
    names = [key.removesuffix(f".{_ADAPTER}").replace(f".{_ADAPTER}.", ".") for key in sorted(keys)]
    more = f" and {len(names) - _SHOWN_KEYS} more" if len(names) > _SHOWN_KEYS else ""
    return ", ".join(names[:_SHOWN_KEYS]) + more


def _merge_adapter(model: Any, adapter: Path) -> Any:
    """The model with an adapter added to its weights, so that a token costs no more to compute."""
    return open_adapter(model, adapter).merge_and_unload()


def _attach_adapter(model: Any, adapter: Path) -> Any:
    """The model with an adapter beside its layers: merged into quantized ones, it would be rounded like them."""
    return open_adapter(model, adapter).get_base_model()


def quantization_options(quantization: str, dtype: Any, unquantized: Sequence[str] | None = None) -> dict[str, Any]:
    """The arguments of `from_pretrained` for a quantization that computes in `dtype`, a type of torch.

    The layers that `unquantized` names stay as they are; by default, the output.
    """
    if quantization == "none":
        return {}
    from transformers import BitsAndBytesConfig

    if quantization == "int8":
        return {"quantization_config": BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=unquantized)}
    nf4 = BitsAndBytesConfig(
        load_in_4bit=True,
        llm_int8_skip_modules=unquantized,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )
    return {"quantization_config": nf4}


def _stop_tokens(model: Any, tokenizer: Any) -> frozenset[int]:
    """The tokens that end an answer: one or several from the model, and one from the tokenizer."""
    eos = model.generation_config.eos_token_id
    stop_tokens = eos if isinstance(eos, list) else [eos]
    return frozenset(end for end in (*stop_tokens, tokenizer.eos_token_id) if end is not None)


def cache_bytes_per_token(config: Any, itemsize: int) -> int:
    """The bytes of one token in the cache of a model: a key and a value in each layer."""
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return int(2 * config.num_hidden_layers * heads * width * itemsize)


def affordable_tokens(free: int, token_bytes: int) -> int:
    """How many tokens of `token_bytes` fit into half of the `free` memory; the other half is for computing.

    This is asked in advance, because Linux grants any request for memory, and kills the process that then uses it.
    """
    return max(1, free // 2 // token_bytes)


def set_threads() -> None:
    """Set the best number of threads for torch, unless the person has set OMP_NUM_THREADS."""
    import torch

    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(best_thread_count())


def best_thread_count() -> int:
    """The best number of threads: one for each physical core that this process may use.

    torch counts the cores of the machine; in a container with a quota, or pinned to some cores, its threads would wait
    for each other.
    """
    import psutil

    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(psutil.cpu_count(logical=False) or allowed, allowed, cpu_quota(Path("/sys/fs/cgroup/cpu.max"))))


def cpu_quota(file: Path) -> int:
    """How many processors the `cpu.max` of this process's control group allows; very many if there is no limit."""
    try:
        limit, period = file.read_text(encoding="ascii").split()
        return max(1, int(limit) // int(period))
    except (OSError, ValueError):
        return 1 << 30
