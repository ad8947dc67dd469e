"""Opens the model to train: a student of this machine, quantized or not, with a new adapter or an existing one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training

from core.config.recipe import Lora, Recipe
from core.models.chat import Chat
from core.models.device import choose_device, choose_dtype
from core.models.weights import (
    SAFE_OPTIONS,
    WeightsError,
    check_adapter,
    check_writes,
    find_weights,
    load_model,
    open_adapter,
    set_threads,
)
from core.training.trainers.grpo import Policy


def open_policy(path: Path, recipe: Recipe, *, adapter: Path | None = None) -> Policy:
    """The student at `path` with a trainable adapter: a new one, or a copy of `adapter`. Raises WeightsError."""
    set_threads()
    model, tokenizer = open_base(path, recipe)
    try:
        if adapter is None:
            adapted: Any = get_peft_model(model, _lora(recipe.lora, recipe.seed))
        else:
            check_adapter(adapter)
            check_adapter_shapes(model, adapter)
            adapted = open_adapter(model, adapter, is_trainable=True)
    except WeightsError:
        raise
    except (ValueError, RuntimeError, KeyError, OSError) as error:
        raise WeightsError(f"the adapter cannot be put on {path}: {error}") from error
    for name, weight in adapted.named_parameters():
        if "lora_" in name:  # steps of 1e-5 would be lost in the rounding of bf16
            weight.data = weight.data.float()
    chat = Chat(tokenizer, thinks=False)
    ends = frozenset(_ends(model, tokenizer))
    return Policy(adapted, tokenizer, ends, chat.decode)


def open_base(path: Path, recipe: Recipe) -> tuple[Any, Any]:
    """The student without an adapter, in the precision and quantization of the recipe, and its tokenizer."""
    import transformers

    location = find_weights(path)
    check_writes(path)
    transformers.utils.logging.disable_progress_bar()
    device = choose_device()
    dtype = choose_dtype(recipe.precision, device, learns=True)
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(**location, **SAFE_OPTIONS)
        model = load_model(location, dtype, recipe.quantization)
    except WeightsError:
        raise
    except Exception as error:  # a damaged or foreign file makes these libraries raise anything
        raise WeightsError(f"cannot open the model {path}: {error}") from error
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    if recipe.quantization == "none":
        return model.to(device), tokenizer
    return prepare_quantized(model), tokenizer


def prepare_quantized(model: Any) -> Any:
    """A quantized model through which gradients pass; what is not quantized is in fp32."""
    for module in model.modules():
        # On processors with AVX512-BF16 an evaluation repacks the weights, and gradients cannot pass them any more.
        if hasattr(module, "support_avx512bf16_for_cpu"):
            setattr(module, "support_avx512bf16_for_cpu", False)  # noqa: B010  torch's modules have typed attributes
    return prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)


def check_adapter_shapes(model: Any, adapter: Path) -> None:
    """Raise WeightsError if an adapter was made for a model of another shape."""
    from safetensors import safe_open

    shapes = {name: tuple(weight.shape) for name, weight in model.named_parameters()}
    with safe_open(adapter / "adapter_model.safetensors", framework="pt") as file:
        for name in file.keys():  # noqa: SIM118  it is no mapping
            layer, _, rest = name.removeprefix("base_model.model.").partition(".lora_A")
            if not rest:
                continue
            base = shapes.get(f"{layer}.weight", shapes.get(f"{layer}.base_layer.weight"))
            wide = file.get_slice(name).get_shape()[1]
            if base is None or (len(base) == 2 and base[1] != wide and base[1] != 1):
                made_for = json.loads((adapter / "adapter_config.json").read_text()).get("base_model_name_or_path")
                raise WeightsError(f"the adapter in {adapter} is of another model ({made_for}): {layer} does not fit")


def _lora(lora: Lora, seed: int) -> LoraConfig:
    torch.manual_seed(seed)
    targets: str | Sequence[str] = lora.targets
    return LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=targets if isinstance(targets, str) else list(targets),
        task_type="CAUSAL_LM",
    )


def _ends(model: Any, tokenizer: Any) -> list[int]:
    named = model.generation_config.eos_token_id
    ends = named if isinstance(named, list) else [named]
    return [int(end) for end in (*ends, tokenizer.eos_token_id) if end is not None]
