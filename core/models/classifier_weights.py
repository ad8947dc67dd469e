"""Opens a classifier: an encoder or a decoder with a head that gives each decision a score."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.models.device import choose_device, choose_dtype, has_bf16
from core.models.environment import prepare_environment
from core.models.weights import (
    SAFE_OPTIONS,
    WeightsError,
    check_quantization,
    check_trained,
    find_weights,
    is_adapter,
    keep_layout,
    load_dequantized,
    open_adapter,
    quantization_options,
    set_threads,
)

# What transformers calls the layers of heads; they are not quantized.
_HEADS = ["score", "classifier", "classification_head", "pre_classifier"]
# A tokenizer that says more than this says nothing of what its model can read.
_NO_LIMIT = 1_000_000


@dataclass(frozen=True)
class ClassifierWeights:
    """An open classifier and its tokenizer; `labels` are the decisions in the order of its scores."""

    model: Any
    tokenizer: Any
    labels: tuple[str, ...]

    @property
    def context_length(self) -> int:
        """How many tokens it can read."""
        return context_length(self.model.config, self.tokenizer)

    @property
    def pad(self) -> int:
        """The token that fills up a batch."""
        return int(self.model.config.get_text_config().pad_token_id)


def open_classifier(
    base: Path, trained: Path, labels: Sequence[str], precision: str = "auto", quantization: str = "none"
) -> ClassifierWeights:
    """The classifier that was trained: the adapter in `trained` merged into `base`, or the whole weights there.

    An adapter of a quantized model is attached, and not merged. Raises WeightsError.
    """
    check_trained(trained)
    prepare_environment()
    import torch

    set_threads()
    location = find_weights(base if is_adapter(trained) else trained)
    device = choose_device()
    dtype = choose_dtype(precision, device)
    try:
        model, _ = load_classifier(location, dtype, labels, quantization)
        if is_adapter(trained):
            adapted = open_adapter(model, trained)
            model = adapted.merge_and_unload() if quantization == "none" else adapted.get_base_model()
        tokenizer = load_tokenizer(location, model)
    except WeightsError:
        raise
    except Exception as error:  # whatever a damaged or foreign file makes these libraries raise
        raise WeightsError(f"cannot open the classifier {trained}: {error}") from error
    model = model.eval().requires_grad_(False)
    if quantization == "none":
        model = model.to(device)
        if dtype is torch.bfloat16 and not has_bf16(device):
            model = model.float()
    return ClassifierWeights(model, tokenizer, tuple(labels))


def load_classifier(
    location: dict[str, Any], dtype: Any, labels: Sequence[str], quantization: str = "none", seed: int = 0
) -> tuple[Any, list[str]]:
    """The model at `location` (from `find_weights`) with a head for `labels`, and the names of its new layers.

    New layers are those that the files have no weights for, or of another size: they are drawn from `seed`.
    """
    import torch
    import transformers

    check_quantization(quantization)
    transformers.utils.logging.disable_progress_bar()
    torch.manual_seed(seed)
    names = dict(enumerate(labels))
    head = {"num_labels": len(labels), "id2label": names, "label2id": {label: i for i, label in names.items()}}
    auto: Any = transformers.AutoModelForSequenceClassification
    if "gguf_file" in location:
        causal = load_dequantized(location, dtype)
        causal.config.update(head)
        with tempfile.TemporaryDirectory() as folder:
            model = auto.from_config(causal.config, dtype=dtype)
            getattr(model, model.base_model_prefix).load_state_dict(
                getattr(causal, causal.base_model_prefix).state_dict()
            )
            new_layers = [name for name, _ in model.named_children() if name != model.base_model_prefix]
            if quantization == "none":
                return model, new_layers
            model.save_pretrained(folder)
            return _load(auto, {"pretrained_model_name_or_path": folder}, dtype, quantization, head)[0], new_layers
    return _load(auto, location, dtype, quantization, head)


def _load(
    auto: Any, location: dict[str, Any], dtype: Any, quantization: str, head: dict[str, Any]
) -> tuple[Any, list[str]]:
    from transformers.utils import logging

    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # that the head is new is no news
    try:
        model, info = auto.from_pretrained(
            **location,
            **SAFE_OPTIONS,
            use_safetensors=True,
            dtype=dtype,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            **head,
            **quantization_options(quantization, dtype, unquantized=_HEADS),
        )
    finally:
        logging.set_verbosity(verbosity)
    keys = [*info["missing_keys"], *(key[0] for key in info["mismatched_keys"])]
    return keep_layout(model), sorted({key.rpartition(".")[0] for key in keys})


def load_tokenizer(location: dict[str, Any], model: Any) -> Any:
    """The tokenizer at `location`; tokenizer and `model` get a token to fill up batches with, if they have none."""
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(**location, **SAFE_OPTIONS)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    # A decoder finds the end of a case by it.
    model.config.get_text_config().pad_token_id = tokenizer.pad_token_id
    model.config.pad_token_id = tokenizer.pad_token_id
    return tokenizer


def context_length(config: Any, tokenizer: Any) -> int:
    """How many tokens a classifier can read: some encoders lose a few of their positions to padding."""
    positions = int(getattr(config.get_text_config(), "max_position_embeddings", _NO_LIMIT))
    limit = int(tokenizer.model_max_length)
    return min(positions, limit) if limit < _NO_LIMIT else positions
