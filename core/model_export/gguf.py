"""A causal language model as one GGUF file, for llama.cpp and what is built on it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# Families that are written: the name of the architecture by transformers' `model_type`.
ARCHITECTURES = {"llama": "LLAMA", "qwen2": "QWEN2", "qwen3": "QWEN3"}
# Ways in which byte-level tokenizers part a text before they merge, by llama.cpp's names for them: the steps of the
# pre-tokenizer, and the patterns of those that split by one.
_GPT2 = [("ByteLevel", "")]
_SMOLLM = [("Digits", "each"), ("ByteLevel", "")]
_LETTERS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_PARTED = [
    ("gpt-2", _GPT2),
    ("smollm", _SMOLLM),
    ("qwen2", [("Split", rf"{_LETTERS}\p{{N}}{_REST}"), ("ByteLevel", "bare")]),
    ("llama-bpe", [("Split", rf"{_LETTERS}\p{{N}}{{1,3}}{_REST}"), ("ByteLevel", "bare")]),
]


class GgufError(ValueError):
    """A model cannot be written as GGUF; the message says why."""


def write_gguf(path: Path, name: str, model: Any, tokenizer: Any, base_fields: Mapping[str, Any] | None = None) -> None:
    """Write a model of transformers (weights in bf16 or fp32, never quantized) and its tokenizer to `path`.

    Matrices keep their type, vectors are fp32. `carried` are the fields `tokenizer.…` of the GGUF file that the base
    came from, as `fields` reads them; without, they are made of the tokenizer. Raises GgufError, OSError.
    """
    import gguf
    import torch

    config = model.config
    check_architecture(config)
    family = gguf.MODEL_ARCH[ARCHITECTURES[config.model_type]]
    names = gguf.get_tensor_name_map(family, config.num_hidden_layers)
    writer = gguf.GGUFWriter(path, gguf.MODEL_ARCH_NAMES[family])
    wide = model.dtype is torch.float32
    matrix = gguf.GGMLQuantizationType.F32 if wide else gguf.GGMLQuantizationType.BF16
    writer.add_name(name)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32 if wide else gguf.LlamaFileType.MOSTLY_BF16)
    _shape(writer, config)
    for key, (value, kind, inner) in (base_fields or _vocabulary(tokenizer, config.vocab_size)).items():
        writer.add_key_value(key, value, kind, inner)
    for key, tensor in model.state_dict().items():
        if key == "lm_head.weight" and config.tie_word_embeddings:
            continue
        found = names.get_name(key, try_suffixes=(".weight", ".bias"))
        if found is None:
            raise GgufError(f"a GGUF file has no place for the weights {key}")
        values = tensor.detach().float().cpu().numpy()
        if config.model_type == "llama" and ".q_proj." in key:
            values = paired(values, config.num_attention_heads)
        elif config.model_type == "llama" and ".k_proj." in key:
            values = paired(values, config.num_key_value_heads)
        kind = matrix if values.ndim > 1 else gguf.GGMLQuantizationType.F32
        writer.add_tensor(found, gguf.quants.quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def check_architecture(config: Any) -> None:
    """Raise GgufError if a model of this configuration cannot be written."""
    kind = config.model_type
    if kind not in ARCHITECTURES:
        raise GgufError(f"models of the family {kind} cannot be written as GGUF here, only {', '.join(ARCHITECTURES)}")
    if (turning := _rope(config).get("rope_type", "default")) != "default":
        raise GgufError(f"its positions are scaled ({turning}), which is not written as GGUF here")
    if getattr(config, "use_sliding_window", False):
        raise GgufError("it reads through a sliding window, which is not written as GGUF here")


def tokenizer_fields(path: Path) -> dict[str, Any]:
    """The tokenizer of a GGUF file: each field with its value, its type, and that of its elements."""
    import gguf

    reader = gguf.GGUFReader(path)
    return {
        name: (one.contents(), one.types[0], one.types[-1] if len(one.types) > 1 else None)
        for name, one in reader.fields.items()
        if name.startswith("tokenizer.")
    }


def paired(values: Any, heads: int) -> Any:
    """The rows of a query or key matrix (or vector) in llama.cpp's order.

    Its rotary embedding (Su et al. 2021) turns neighbouring rows of a head, that of transformers row i of a head's
    first half with row i of its second.
    """
    return (
        values.reshape(heads, 2, values.shape[0] // heads // 2, *values.shape[1:]).swapaxes(1, 2).reshape(values.shape)
    )


def _shape(writer: Any, config: Any) -> None:
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    writer.add_vocab_size(config.vocab_size)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(width)
    writer.add_value_length(width)
    writer.add_rope_dimension_count(width)
    writer.add_rope_freq_base(float(_rope(config)["rope_theta"]))
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)


def _rope(config: Any) -> Mapping[str, Any]:
    found: Mapping[str, Any] = config.rope_parameters
    return found


def _vocabulary(tokenizer: Any, size: int) -> dict[str, Any]:
    """The fields of a byte-level tokenizer; rows of the embedding that no token has are named as unused."""
    from gguf import GGUFValueType, TokenType

    spec = json.loads(tokenizer.backend_tokenizer.to_str())
    pre = parted(spec)
    added = {one["id"]: one for one in spec["added_tokens"]}
    tokens = [f"[PAD{at}]" for at in range(size)]
    kinds = [int(TokenType.UNUSED)] * size
    for token, at in spec["model"]["vocab"].items():
        tokens[at], kinds[at] = token, int(TokenType.NORMAL)
    for at, one in added.items():
        tokens[at] = one["content"]
        kinds[at] = int(TokenType.CONTROL if one["special"] else TokenType.USER_DEFINED)
    merges = [one if isinstance(one, str) else " ".join(one) for one in spec["model"]["merges"]]
    texts, whole, truth = GGUFValueType.STRING, GGUFValueType.UINT32, GGUFValueType.BOOL
    begins = tokenizer("a")["input_ids"][:1] == [tokenizer.bos_token_id]
    found: dict[str, Any] = {
        "tokenizer.ggml.model": ("gpt2", texts, None),
        "tokenizer.ggml.pre": (pre, texts, None),
        "tokenizer.ggml.tokens": (tokens, GGUFValueType.ARRAY, texts),
        "tokenizer.ggml.token_type": (kinds, GGUFValueType.ARRAY, GGUFValueType.INT32),
        "tokenizer.ggml.merges": (merges, GGUFValueType.ARRAY, texts),
        "tokenizer.ggml.add_bos_token": (begins, truth, None),
    }
    for name in ("bos", "eos", "unk", "pad"):
        if (at := getattr(tokenizer, f"{name}_token_id")) is not None:
            long = {"unk": "unknown", "pad": "padding"}.get(name, name)
            found[f"tokenizer.ggml.{long}_token_id"] = (at, whole, None)
    if tokenizer.chat_template is not None:
        found["tokenizer.chat_template"] = (str(tokenizer.chat_template), texts, None)
    return found


def parted(spec: Mapping[str, Any]) -> str:
    """What llama.cpp calls the way in which a tokenizer (as JSON) parts a text; raises GgufError if it has no name."""
    model, normal = spec["model"], spec.get("normalizer") or {}
    if model["type"] == "BPE" and not model.get("byte_fallback") and normal.get("type") in {None, "NFC"}:
        steps = spec.get("pre_tokenizer") or {}
        told = [_step(one) for one in (steps.get("pretokenizers") or [steps])]
        for name, known in _PARTED:
            if told == known:
                return name
    raise GgufError(
        "its tokenizer parts text in a way that is not known by name to llama.cpp, so that it would read other tokens"
    )


def _step(step: Mapping[str, Any]) -> tuple[str, str]:
    """One step of a pre-tokenizer: its kind, and what matters of it."""
    kind = str(step.get("type"))
    if kind == "Split":
        isolated = step.get("behavior") == "Isolated" and not step.get("invert")
        return kind, str(step["pattern"].get("Regex", "")) if isolated else "another"
    if kind == "ByteLevel":
        return kind, "another" if step.get("add_prefix_space") else "" if step.get("use_regex", True) else "bare"
    return kind, "each" if kind == "Digits" and step.get("individual_digits") else "another"
