"""Opens the classifier to train: a student of this machine with a head, with an adapter or whole."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model

from core.config.recipe import Recipe
from core.models.classifier_weights import load_classifier, load_tokenizer
from core.models.device import choose_device, choose_dtype
from core.models.weights import WeightsError, check_trained, find_weights, is_adapter, open_adapter, set_threads
from core.training import distributed
from core.training.trainers.policy import prepare_quantized


@dataclass(frozen=True)
class TrainableClassifier:
    """A classifier with what is trained of it, and its tokenizer."""

    model: Any
    tokenizer: Any

    @property
    def pad(self) -> int:
        """The token that fills up a batch."""
        return int(self.tokenizer.pad_token_id)


def open_trainable_classifier(
    path: Path, recipe: Recipe, labels: Sequence[str], *, start: Path | None = None
) -> TrainableClassifier:
    """The student at `path` with a head for `labels`: a new one, or that of the classifier in `start`.

    With a rank, an adapter and the layers that are new are trained, else all weights. Raises WeightsError.
    """
    set_threads()
    if start is not None:
        check_trained(start)
        if is_adapter(start) != bool(recipe.lora.rank):
            kind = "an adapter" if is_adapter(start) else "whole weights"
            raise WeightsError(f"{start} holds {kind}: set lora.rank {'above 0' if is_adapter(start) else '= 0'}")
    whole = not recipe.lora.rank
    location = find_weights(start if start is not None and whole else path)
    device = choose_device()
    dtype = torch.float32 if whole else choose_dtype(recipe.precision, device, learns=True)
    try:
        model, new_layers = load_classifier(location, dtype, labels, recipe.quantization, recipe.seed)
        tokenizer = load_tokenizer(location, model)
        model = model.to(device) if recipe.quantization == "none" else prepare_quantized(model)
        if whole:
            return TrainableClassifier(model.requires_grad_(True), tokenizer)
        if start is None:
            model = get_peft_model(model, _lora(recipe, new_layers))
        else:
            model = open_adapter(model, start, is_trainable=True)
    except WeightsError:
        raise
    except Exception as error:  # whatever a damaged or foreign file makes these libraries raise
        raise WeightsError(f"cannot open the model {path} as a classifier: {error}") from error
    for weight in model.parameters():
        if weight.requires_grad:  # steps of 1e-5 would be lost in the rounding of bf16
            weight.data = weight.data.float()
    for name, module in model.named_modules():
        if any(name.endswith(f".{layer}") for layer in new_layers):
            module.register_forward_pre_hook(_widen)
    return TrainableClassifier(model, tokenizer)


def save_classifier(classifier: TrainableClassifier, folder: Path) -> None:
    """Save what was trained into `folder`; the file that makes it complete comes last."""
    if not distributed.is_main_process():
        return
    folder.mkdir(parents=True, exist_ok=True)
    if hasattr(classifier.model, "peft_config"):
        classifier.model.save_pretrained(str(folder), selected_adapters=["default"])
        return
    partial = folder.with_name(f"{folder.name}.part")
    classifier.model.save_pretrained(str(partial), max_shard_size="1000GB")
    classifier.tokenizer.save_pretrained(str(partial))
    for file in sorted(partial.iterdir(), key=lambda file: file.name == "config.json"):
        file.replace(folder / file.name)
    shutil.rmtree(partial)


def _lora(recipe: Recipe, new_layers: Sequence[str]) -> LoraConfig:
    torch.manual_seed(recipe.seed)
    targets = recipe.lora.targets
    return LoraConfig(
        r=recipe.lora.rank,
        lora_alpha=recipe.lora.alpha,
        lora_dropout=recipe.lora.dropout,
        target_modules=targets if isinstance(targets, str) else list(targets),
        exclude_modules=list(new_layers),
        modules_to_save=list(new_layers),
        task_type="SEQ_CLS",
    )


def _widen(_module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    """The inputs of a layer that is trained in fp32, from a model in fewer bits."""
    return tuple(tensor.float() for tensor in inputs)
