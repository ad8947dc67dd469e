"""Writes a causal language model as one GGUF file, for llama.cpp and programs built on it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from storage.errors import UserError

# The supported architectures: their names by transformers' `model_type`.
ARCHITECTURES = {"llama": "LLAMA", "qwen2": "QWEN2", "qwen3": "QWEN3"}
# How byte-level tokenizers split a text before they merge, by llama.cpp's names: the steps of the pre-tokenizer, with
# the pattern of those that split by one.
_GPT2 = [("ByteLevel", "")]
_SMOLLM = [("Digits", "each"), ("ByteLevel", "")]
_LETTERS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_PRE_TOKENIZERS = [
    ("gpt-2", _GPT2),
    ("smollm", _SMOLLM),
    ("qwen2", [("Split", rf"{_LETTERS}\p{{N}}{_REST}"), ("ByteLevel", "bare")]),
    ("llama-bpe", [("Split", rf"{_LETTERS}\p{{N}}{{1,3}}{_REST}"), ("ByteLevel", "bare")]),
]


class GgufError(UserError, ValueError):
    """A model cannot be written as GGUF; the message says why."""


def write_gguf(path: Path, name: str, model: Any, tokenizer: Any, base_fields: Mapping[str, Any] | None = None) -> None:
    """Write a model of transformers (weights in bf16 or fp32, never quantized) and its tokenizer to `path`.

    Matrices keep their type, vectors become fp32. `base_fields` are the fields `tokenizer.…` of the GGUF file of the
    base, as `tokenizer_fields` reads them; by default, they are made from the tokenizer. Raises GgufError, OSError.
    """
    import gguf
    import torch

    config = model.config
    check_architecture(config)
    architecture = gguf.MODEL_ARCH[ARCHITECTURES[config.model_type]]
    names = gguf.get_tensor_name_map(architecture, config.num_hidden_layers)
    writer = gguf.GGUFWriter(path, gguf.MODEL_ARCH_NAMES[architecture])
    is_fp32 = model.dtype is torch.float32
    matrix_type = gguf.GGMLQuantizationType.F32 if is_fp32 else gguf.GGMLQuantizationType.BF16
    writer.add_name(name)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32 if is_fp32 else gguf.LlamaFileType.MOSTLY_BF16)
    _add_sizes(writer, config)
    for key, (value, kind, element_kind) in (base_fields or _byte_level_fields(tokenizer, config.vocab_size)).items():
        writer.add_key_value(key, value, kind, element_kind)
    for key, tensor in model.state_dict().items():
        if key == "lm_head.weight" and config.tie_word_embeddings:
            continue
        tensor_name = names.get_name(key, try_suffixes=(".weight", ".bias"))
        if tensor_name is None:
            raise GgufError(f"a GGUF file has no place for the weights {key}")
        values = tensor.detach().float().cpu().numpy()
        if config.model_type == "llama" and ".q_proj." in key:
            values = pair_rotary_rows(values, config.num_attention_heads)
        elif config.model_type == "llama" and ".k_proj." in key:
            values = pair_rotary_rows(values, config.num_key_value_heads)
        kind = matrix_type if values.ndim > 1 else gguf.GGMLQuantizationType.F32
        writer.add_tensor(tensor_name, gguf.quants.quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def check_architecture(config: Any) -> None:
    """Raise GgufError if a model of this configuration cannot be written."""
    kind = config.model_type
    if kind not in ARCHITECTURES:
        raise GgufError(f"models of the family {kind} cannot be written as GGUF here, only {', '.join(ARCHITECTURES)}")
    if (turning := _rope_parameters(config).get("rope_type", "default")) != "default":
        raise GgufError(f"its positions are scaled ({turning}), which is not written as GGUF here")
    if getattr(config, "use_sliding_window", False):
        raise GgufError("it reads through a sliding window, which is not written as GGUF here")


def tokenizer_fields(path: Path) -> dict[str, Any]:
    """The fields of the tokenizer in a GGUF file: the value, its type, and the type of its elements."""
    import gguf

    reader = gguf.GGUFReader(path)
    return {
        name: (field.contents(), field.types[0], field.types[-1] if len(field.types) > 1 else None)
        for name, field in reader.fields.items()
        if name.startswith("tokenizer.")
    }


def pair_rotary_rows(values: Any, heads: int) -> Any:
    """The rows of a query or key matrix (or vector) in llama.cpp's order.

    The rotary embedding (Su et al. 2021) of llama.cpp turns neighbouring rows of a head; that of transformers turns
    row i of the first half of a head with row i of the second.
    """
    return (
        values.reshape(heads, 2, values.shape[0] // heads // 2, *values.shape[1:]).swapaxes(1, 2).reshape(values.shape)
    )


def _add_sizes(writer: Any, config: Any) -> None:
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
    writer.add_rope_freq_base(float(_rope_parameters(config)["rope_theta"]))
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)


def _rope_parameters(config: Any) -> Mapping[str, Any]:
    parameters: Mapping[str, Any] = config.rope_parameters
    return parameters


def _byte_level_fields(tokenizer: Any, size: int) -> dict[str, Any]:
    """The fields of a byte-level tokenizer; rows of the embedding without a token are marked as unused."""
    from gguf import GGUFValueType, TokenType

    spec = json.loads(tokenizer.backend_tokenizer.to_str())
    pre_tokenizer = pre_tokenizer_name(spec)
    added_tokens = {added["id"]: added for added in spec["added_tokens"]}
    tokens = [f"[PAD{index}]" for index in range(size)]
    kinds = [int(TokenType.UNUSED)] * size
    for token, index in spec["model"]["vocab"].items():
        tokens[index], kinds[index] = token, int(TokenType.NORMAL)
    for index, added in added_tokens.items():
        tokens[index] = added["content"]
        kinds[index] = int(TokenType.CONTROL if added["special"] else TokenType.USER_DEFINED)
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in spec["model"]["merges"]]
    string, uint32, boolean = GGUFValueType.STRING, GGUFValueType.UINT32, GGUFValueType.BOOL
    adds_bos = tokenizer("a")["input_ids"][:1] == [tokenizer.bos_token_id]
    fields: dict[str, Any] = {
        "tokenizer.ggml.model": ("gpt2", string, None),
        "tokenizer.ggml.pre": (pre_tokenizer, string, None),
        "tokenizer.ggml.tokens": (tokens, GGUFValueType.ARRAY, string),
        "tokenizer.ggml.token_type": (kinds, GGUFValueType.ARRAY, GGUFValueType.INT32),
        "tokenizer.ggml.merges": (merges, GGUFValueType.ARRAY, string),
        "tokenizer.ggml.add_bos_token": (adds_bos, boolean, None),
    }
    for name in ("bos", "eos", "unk", "pad"):
        if (index := getattr(tokenizer, f"{name}_token_id")) is not None:
            long_name = {"unk": "unknown", "pad": "padding"}.get(name, name)
            fields[f"tokenizer.ggml.{long_name}_token_id"] = (index, uint32, None)
    if tokenizer.chat_template is not None:
        fields["tokenizer.chat_template"] = (str(tokenizer.chat_template), string, None)
    return fields


def pre_tokenizer_name(spec: Mapping[str, Any]) -> str:
    """llama.cpp's name for how a tokenizer (as JSON) splits a text; raises GgufError if it has none."""
    model, normal = spec["model"], spec.get("normalizer") or {}
    if model["type"] == "BPE" and not model.get("byte_fallback") and normal.get("type") in {None, "NFC"}:
        steps = spec.get("pre_tokenizer") or {}
        described = [_describe_step(step) for step in (steps.get("pretokenizers") or [steps])]
        for name, pattern in _PRE_TOKENIZERS:
            if described == pattern:
                return name
    raise GgufError(
        "its tokenizer parts text in a way that is not known by name to llama.cpp, so that it would read other tokens"
    )


def _describe_step(step: Mapping[str, Any]) -> tuple[str, str]:
    """A step of a pre-tokenizer: its kind, and the options that matter."""
    kind = str(step.get("type"))
    if kind == "Split":
        isolated = step.get("behavior") == "Isolated" and not step.get("invert")
        return kind, str(step["pattern"].get("Regex", "")) if isolated else "another"
    if kind == "ByteLevel":
        return kind, "another" if step.get("add_prefix_space") else "" if step.get("use_regex", True) else "bare"
    return kind, "each" if kind == "Digits" and step.get("individual_digits") else "another"
