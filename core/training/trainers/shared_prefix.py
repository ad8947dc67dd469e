"""Log-probabilities of answers whose prompts share much: the shared part is read once, with gradients.

A group of G answers has one prompt, and all prompts begin with the same instructions. Each of these goes through the
model once and leaves a cache; only what differs is read after it. Gradients flow back through the shared part, so loss
and gradients equal those of reading each answer with its own copy of the prompt. The usual path reads the prompt G
times, and scores it.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import PreTrainedModel
from transformers.cache_utils import DynamicCache
from trl.kernels import ChunkedLogProbFunction

from core.models.batching import length_groups, padded_length, shared_prefix
from core.models.cache import attends_to_all

# Words of the vocabulary that are scored at a time.
_CHUNK = 8192
# Prompts are padded to multiples of so many tokens: of many lengths, the heap of a long run falls into fragments.
PROMPT_MULTIPLE = 32
# Answers are padded to multiples of fewer.
ANSWER_MULTIPLE = 16
# What one more pass through the model costs, in tokens: little on a processor, much on a GPU, which would have been
# idle.
_PASS_TOKENS = {"cpu": 64}
_PASS_TOKENS_OF_A_GPU = 4096
# The share of all tokens of prompts that sharing has to save.
_WORTHWHILE = 0.25


@dataclass(frozen=True, slots=True)
class Scores:
    """For B answers of up to T tokens: log-probabilities (B, T), entropies (B, T) on request, hidden states (B, T, H).

    Position t belongs to the choice of token t: its hidden state is the one from which token t was chosen.
    """

    logps: torch.Tensor
    entropies: torch.Tensor | None
    hidden: torch.Tensor


def why_not_shareable(model: PreTrainedModel) -> str:
    """Why prompts of `model` cannot be shared, in words; '' if they can."""
    if getattr(model, "is_gradient_checkpointing", False):
        return "gradient checkpointing keeps no memory of a prompt"
    if not attends_to_all(model.config):
        return f"the layers of {model.config.model_type} remember a prompt in a way that cannot be handed on"
    if caps_logits(model):
        return f"{model.config.model_type} caps its logits"
    return ""


def caps_logits(model: PreTrainedModel) -> bool:
    """Whether `model` changes its logits after its last layer, so that `score` cannot compute them in pieces."""
    return getattr(model.config.get_text_config(), "final_logit_softcapping", None) is not None


@dataclass(frozen=True, slots=True)
class PrefixBatch:
    """Answers (B, T), padded on the right, to prompts (B, P), padded on the left; masks are 1 where a token is.

    Without `share`, each prompt is read with its answer, for models that cannot hand on what they have read.
    """

    prompt_ids: torch.Tensor
    prompt_mask: torch.Tensor
    answer_ids: torch.Tensor
    answer_mask: torch.Tensor
    temperature: float = 1.0
    entropy: bool = False
    share: bool = True


def split_prefix(model: PreTrainedModel) -> None:
    """Let `model(shared=...)` score answers on shared prompts.

    It goes through the model's own call, so that everything wrapped around it (an adapter, the gradient exchange
    between processes) takes part.
    """
    original = model.forward

    @functools.wraps(type(model).forward)
    def forward(*args: Any, shared: PrefixBatch | None = None, **kwargs: Any) -> Any:
        return original(*args, **kwargs) if shared is None else score(model, shared)

    model.forward = forward


def answer_logps(model: Any, batch: PrefixBatch, *, capped: bool) -> torch.Tensor:
    """Log-probabilities (B, T) of the answers by `model`, in which `split_prefix` has changed the causal model.

    Logits are computed where answers are, and in pieces: all of them take gigabytes with a large vocabulary. Only
    where they are `capped` (`caps_logits`), all are computed.
    """
    if not capped:
        scores: Scores = model(shared=batch)
        return scores.logps
    ids = torch.cat([batch.prompt_ids, batch.answer_ids], 1)
    output = model(input_ids=ids, attention_mask=torch.cat([batch.prompt_mask, batch.answer_mask], 1))
    logits = output.logits[:, -batch.answer_ids.shape[1] - 1 : -1].float()
    return torch.log_softmax(logits, -1).gather(-1, batch.answer_ids[..., None])[..., 0]


def score(model: PreTrainedModel, shared: PrefixBatch) -> Scores:
    """Score answers. Rows with the same prompt share it, in any order, and all prompts share their common beginning.

    `model` is the causal language model itself, without any wrapper.
    """
    answer_ids, answer_mask = shared.answer_ids, shared.answer_mask
    if not (shared.share and _worth_sharing(shared.prompt_ids, shared.prompt_mask)):
        hidden = _read_together(model, shared)
        logps, entropies = _score_vocabulary(model, hidden, answer_ids, shared.temperature, shared.entropy)
        return Scores(logps, entropies, hidden)
    first, group = _groups(shared.prompt_ids, shared.prompt_mask)
    mask, hidden, cache = _read_prompts(model, shared.prompt_ids[first], shared.prompt_mask[first])
    hidden = hidden[group]
    length = answer_ids.shape[1]
    if length > 1:
        if not torch.equal(group, torch.arange(len(first), device=group.device)):
            cache.batch_select_indices(group)
        whole_mask = torch.cat([mask[group], answer_mask[:, : length - 1]], dim=1)
        hidden = torch.cat([hidden, _forward(model, answer_ids[:, : length - 1], whole_mask, cache)], dim=1)
    logps, entropies = _score_vocabulary(model, hidden, answer_ids, shared.temperature, shared.entropy)
    return Scores(logps, entropies, hidden)


def _worth_sharing(ids: torch.Tensor, mask: torch.Tensor) -> bool:
    """Whether sharing saves a good part of what is read: less, and two passes cost more than one."""
    rows = [row[row_mask].tolist() for row, row_mask in zip(ids, mask.bool(), strict=True)]
    distinct = {tuple(row): row for row in rows}
    total = sum(map(len, rows))
    common = shared_prefix(list(distinct.values())) if len(distinct) > 1 else 0
    return total - sum(map(len, distinct.values())) + common * (len(distinct) - 1) > _WORTHWHILE * total


def _read_together(model: PreTrainedModel, shared: PrefixBatch) -> torch.Tensor:
    """The hidden states (B, T, H) from which the tokens of answers are chosen; each prompt is read with its answer.

    Rows of similar length go through the model together, so that short ones are not padded to the longest of all.
    """
    prompts = [padded_length(length, PROMPT_MULTIPLE) for length in shared.prompt_mask.sum(1).tolist()]
    answers = [padded_length(max(1, length), ANSWER_MULTIPLE) for length in shared.answer_mask.sum(1).tolist()]
    lengths = [prompt + answer for prompt, answer in zip(prompts, answers, strict=True)]
    groups = length_groups(lengths, _PASS_TOKENS.get(shared.prompt_ids.device.type, _PASS_TOKENS_OF_A_GPU))
    parts = []
    for rows in groups:
        prompt, answer = max(prompts[row] for row in rows), max(answers[row] for row in rows)
        parts.append(_read_rows(model, shared, rows, prompt, min(answer, shared.answer_ids.shape[1])))
    order = torch.tensor([row for rows in groups for row in rows], device=shared.prompt_ids.device)
    return torch.cat(parts)[order.argsort()]


def _read_rows(
    model: PreTrainedModel, shared: PrefixBatch, rows: Sequence[int], prompt_length: int, answer_length: int
) -> torch.Tensor:
    """The hidden states (rows, T, H) of some rows, whose prompts and answers have at most these lengths; then zeros."""
    width, total = shared.prompt_ids.shape[1], shared.answer_ids.shape[1]
    start = max(0, width - prompt_length)
    ids = torch.cat([shared.prompt_ids[rows, start:], shared.answer_ids[rows, : answer_length - 1]], dim=1)
    mask = torch.cat([shared.prompt_mask[rows, start:], shared.answer_mask[rows, : answer_length - 1]], dim=1)
    output = model.base_model(
        input_ids=ids, attention_mask=mask, position_ids=_positions(mask), use_cache=False, return_dict=True
    )
    hidden: torch.Tensor = output.last_hidden_state[:, width - start - 1 :]
    return torch.nn.functional.pad(hidden, (0, 0, 0, total - answer_length))


def _read_prompts(
    model: PreTrainedModel, ids: torch.Tensor, mask: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, DynamicCache]:
    """Read different prompts (B, P), their common beginning only once.

    Returns the mask of the cache (B, P'), the last hidden states (B, 1, H), and the cache.
    """
    rows = [row[row_mask].tolist() for row, row_mask in zip(ids, mask.bool(), strict=True)]
    shared_length = shared_prefix(rows) if len(rows) > 1 else 0
    cache = DynamicCache(config=model.config)
    if shared_length:
        shared_ids = ids.new_tensor([rows[0][:shared_length]])
        _forward(model, shared_ids, torch.ones_like(shared_ids), cache)
        cache.batch_repeat_interleave(len(rows))
    width = padded_length(max(map(len, rows)) - shared_length, PROMPT_MULTIPLE)
    rest_ids = ids.new_zeros(len(rows), width)
    padded_mask = mask.new_ones(len(rows), shared_length + width)
    for position, row in enumerate(rows):
        missing = width - len(row) + shared_length
        rest_ids[position, missing:] = ids.new_tensor(row[shared_length:])
        padded_mask[position, shared_length : shared_length + missing] = 0
    return padded_mask, _forward(model, rest_ids, padded_mask, cache)[:, -1:], cache


def _forward(model: PreTrainedModel, ids: torch.Tensor, mask: torch.Tensor, cache: DynamicCache) -> torch.Tensor:
    """The hidden states (B, T, H) of `ids` (B, T), read after `cache`; `mask` covers both together."""
    output = model.base_model(
        input_ids=ids,
        attention_mask=mask,
        position_ids=_positions(mask)[:, -ids.shape[1] :],
        past_key_values=cache,
        use_cache=True,
        return_dict=True,
    )
    hidden: torch.Tensor = output.last_hidden_state
    return hidden


def _groups(ids: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The first row of each different prompt, and the index of each row's prompt among them."""
    marked = torch.where(mask.bool(), ids, -1)
    _, group = torch.unique(marked, dim=0, return_inverse=True)
    count = int(group.max()) + 1
    rows = torch.arange(len(group), device=group.device)
    first = torch.full((count,), len(group), device=group.device).scatter_reduce(0, group, rows, "amin")
    # In the order of their first rows, so that prompts that are all different keep their order.
    order = first.argsort()
    rank = torch.empty_like(order)
    rank[order] = torch.arange(count, device=group.device)
    return first[order], rank[group]


def _positions(mask: torch.Tensor) -> torch.Tensor:
    return (mask.cumsum(1) - 1).clamp(min=0)


def _score_vocabulary(
    model: PreTrainedModel, hidden: torch.Tensor, ids: torch.Tensor, temperature: float, entropy: bool
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Log-probability of each of `ids` (B, T) and entropy, without all logits in memory at once."""
    head = model.get_output_embeddings()
    scale = getattr(model.config.get_text_config(), "logit_scale", None)
    outputs = ("log_probs", "entropy") if entropy else ("log_probs",)
    per_token = ChunkedLogProbFunction.apply(
        hidden.reshape(-1, hidden.shape[-1]),
        head.weight,
        getattr(head, "bias", None),
        ids.reshape(-1),
        temperature,
        _CHUNK,
        None,
        1.0 if scale is None else scale,
        outputs,
    )
    logps = per_token[0].view(ids.shape)
    return logps, per_token[1].view(ids.shape) if entropy else None
