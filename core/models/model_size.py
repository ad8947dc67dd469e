"""The size of a model by its files: reads their headers only, and loads no library for models."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from core.models import gguf_header
from core.models.weights import WeightsError, find_weights

# The names of the layers in a GGUF file, and those that transformers gives them.
_NAMES = {
    "attn_q": "q_proj",
    "attn_k": "k_proj",
    "attn_v": "v_proj",
    "attn_output": "o_proj",
    "ffn_gate": "gate_proj",
    "ffn_up": "up_proj",
    "ffn_down": "down_proj",
}


@dataclass(frozen=True, slots=True)
class Linear:
    """A linear layer: its name, and how many features go in and out."""

    name: str
    in_features: int
    out_features: int


@dataclass(frozen=True, slots=True)
class ModelSize:
    """The sizes of a causal language model.

    `weights` counts all weights, in `stored` bytes on disk; `linear` are the layers that an adapter can be put on,
    without the output.
    """

    weights: int
    stored: int
    linear: tuple[Linear, ...]
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_width: int
    inner: int
    vocabulary: int
    packed: bool

    @property
    def linear_weights(self) -> int:
        """How many weights the layers in `linear` have."""
        return sum(layer.in_features * layer.out_features for layer in self.linear)


def model_size(path: Path) -> ModelSize:
    """The size of the model at `path`, a folder or a GGUF file; raises WeightsError."""
    find_weights(path)
    try:
        return _read_gguf(path) if path.is_file() else _read_folder(path)
    except (KeyError, ValueError, TypeError, OSError, struct.error) as error:
        raise WeightsError(f"the size of the model {path} cannot be read: {error}") from error


def _read_folder(folder: Path) -> ModelSize:
    document = json.loads((folder / "config.json").read_text())
    config: dict[str, Any] = document.get("text_config", document)
    shapes: dict[str, list[int]] = {}
    stored = 0
    for file in folder.glob("*.safetensors"):
        stored += file.stat().st_size
        shapes |= {name: tensor["shape"] for name, tensor in safetensors_header(file).items() if name != "__metadata__"}
    linear = tuple(
        Linear(name.removesuffix(".weight"), size[1], size[0])
        for name, size in sorted(shapes.items())
        if len(size) == 2 and name.endswith(".weight") and not _is_input_or_output(name)
    )
    heads = int(config["num_attention_heads"])
    hidden = int(config["hidden_size"])
    return ModelSize(
        weights=sum(prod(size) for size in shapes.values()),
        stored=stored,
        linear=linear,
        hidden=hidden,
        layers=int(config["num_hidden_layers"]),
        heads=heads,
        kv_heads=int(config.get("num_key_value_heads") or heads),
        head_width=int(config.get("head_dim") or hidden // heads),
        inner=int(config.get("intermediate_size") or 4 * hidden),
        vocabulary=int(config["vocab_size"]),
        packed=False,
    )


def safetensors_header(file: Path) -> dict[str, Any]:
    """The header of a safetensors file: eight bytes of length, then JSON about its tensors."""
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        tensors: dict[str, Any] = json.loads(stream.read(length))
    return tensors


def _read_gguf(file: Path) -> ModelSize:
    fields, sizes = gguf_header.read_header(file)
    kind = fields["general.architecture"]
    hidden, heads = int(fields[f"{kind}.embedding_length"]), int(fields[f"{kind}.attention.head_count"])
    linear = tuple(
        Linear(_layer_name(name), size[0], size[1])
        for name, size in sorted(sizes.items())
        if len(size) == 2 and name.endswith(".weight") and not _is_input_or_output(name)
    )
    return ModelSize(
        weights=sum(prod(size) for size in sizes.values()),
        stored=file.stat().st_size,
        linear=linear,
        hidden=hidden,
        layers=int(fields[f"{kind}.block_count"]),
        heads=heads,
        kv_heads=int(fields.get(f"{kind}.attention.head_count_kv", heads)),
        head_width=int(fields.get(f"{kind}.attention.key_length", hidden // heads)),
        inner=int(fields[f"{kind}.feed_forward_length"]),
        vocabulary=sizes["token_embd.weight"][1],
        packed=True,
    )


def _layer_name(name: str) -> str:
    block, _, layer = name.removesuffix(".weight").rpartition(".")
    return f"{block}.{_NAMES.get(layer, layer)}"


def _is_input_or_output(name: str) -> bool:
    """Whether a layer is an embedding or the output layer."""
    return any(word in name for word in ("embed", "embd", "lm_head", "output.weight")) and "attn_output" not in name
