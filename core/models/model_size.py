"""How large a model is, by its files: nothing is opened but their headers, and nothing heavy is loaded."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.models import gguf_header
from core.models.weights import WeightsError, find_weights

# The layers of a GGUF file by the names that they have elsewhere.
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
    """A linear layer: its name, how many numbers go in, and how many come out."""

    name: str
    in_features: int
    out_features: int


@dataclass(frozen=True, slots=True)
class ModelSize:
    """A causal language model in numbers.

    `weights` are all, in `stored` bytes on disk; `linear` are the layers an adapter can be put on, without the output.
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
        """The weights in `linear`."""
        return sum(one.in_features * one.out_features for one in self.linear)


def model_size(path: Path) -> ModelSize:
    """The shape of the model at `path`, a folder or a GGUF file; raises WeightsError."""
    find_weights(path)
    try:
        return _of_gguf(path) if path.is_file() else _of_folder(path)
    except (KeyError, ValueError, TypeError, OSError, struct.error) as error:
        raise WeightsError(f"the size of the model {path} cannot be read: {error}") from error


def _of_folder(folder: Path) -> ModelSize:
    told = json.loads((folder / "config.json").read_text())
    config: dict[str, Any] = told.get("text_config", told)
    shapes: dict[str, list[int]] = {}
    stored = 0
    for file in folder.glob("*.safetensors"):
        stored += file.stat().st_size
        shapes |= {name: one["shape"] for name, one in safetensors_header(file).items() if name != "__metadata__"}
    linear = tuple(
        Linear(name.removesuffix(".weight"), size[1], size[0])
        for name, size in sorted(shapes.items())
        if len(size) == 2 and name.endswith(".weight") and not _outer(name)
    )
    heads = int(config["num_attention_heads"])
    hidden = int(config["hidden_size"])
    return ModelSize(
        weights=sum(_product(size) for size in shapes.values()),
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
    """What a safetensors file says of its tensors: eight bytes of length, then JSON."""
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        found: dict[str, Any] = json.loads(opened.read(length))
    return found


def _of_gguf(file: Path) -> ModelSize:
    told, sizes = gguf_header.read_header(file)
    kind = told["general.architecture"]
    hidden, heads = int(told[f"{kind}.embedding_length"]), int(told[f"{kind}.attention.head_count"])
    linear = tuple(
        Linear(_named(name), size[0], size[1])
        for name, size in sorted(sizes.items())
        if len(size) == 2 and name.endswith(".weight") and not _outer(name)
    )
    return ModelSize(
        weights=sum(_product(size) for size in sizes.values()),
        stored=file.stat().st_size,
        linear=linear,
        hidden=hidden,
        layers=int(told[f"{kind}.block_count"]),
        heads=heads,
        kv_heads=int(told.get(f"{kind}.attention.head_count_kv", heads)),
        head_width=int(told.get(f"{kind}.attention.key_length", hidden // heads)),
        inner=int(told[f"{kind}.feed_forward_length"]),
        vocabulary=sizes["token_embd.weight"][1],
        packed=True,
    )


def _named(name: str) -> str:
    block, _, layer = name.removesuffix(".weight").rpartition(".")
    return f"{block}.{_NAMES.get(layer, layer)}"


def _outer(name: str) -> bool:
    """Whether a layer takes tokens in or gives them out."""
    return any(word in name for word in ("embed", "embd", "lm_head", "output.weight")) and "attn_output" not in name


def _product(size: list[int]) -> int:
    found = 1
    for one in size:
        found *= one
    return found
