"""Attention without a mask for tokens that follow others in the cache."""

from __future__ import annotations

from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

_NAME = "sdpa_following"
# The way without a mask computes attention for the cached tokens too: half of the square of all tokens. With a mask,
# each pair of tokens costs twice as much. So it pays up to this many keys for each query.
_MAX_KEYS_PER_QUERY = 3


def use_following_attention(model: PreTrainedModel) -> None:
    """Let `model` read on from its cache without a mask where nothing is padded: half the time for long prompts."""
    if model.config._attn_implementation == "sdpa":
        AttentionInterface.register(_NAME, _attend)
        AttentionMaskInterface.register(_NAME, _mask)
        model.set_attn_implementation(_NAME)


def _mask(*, q_length: int, kv_length: int, **options: Any) -> torch.Tensor | None:
    """The mask of sdpa; None if `_attend` needs none."""
    plain = options.get("attention_mask") is None and options.get("local_size") is None
    if plain and options.get("allow_is_causal_skip", True) and kv_length <= _MAX_KEYS_PER_QUERY * q_length:
        return None
    return sdpa_mask(q_length=q_length, kv_length=kv_length, **options)


def _attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """sdpa without a mask. Its causal kernel wants as many queries as keys: cached tokens get dummy queries."""
    cached = key.shape[2] - query.shape[2]
    if attention_mask is not None or query.shape[2] == 1 or cached == 0:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **options)
    padded = torch.nn.functional.pad(query, (0, 0, cached, 0))
    output, _ = sdpa_attention_forward(module, padded, key, value, None, **options)
    return output[:, cached:], None
