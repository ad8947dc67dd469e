"""The memory that a recipe needs, by the sizes of its model. Pure functions; all figures are bytes.

On top of what stays in memory all the time, three moments are compared: the model is opened, answers are written (RL),
and gradients are computed. The largest of them counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from core.config.recipe import Algorithm, Recipe
from core.models.model_size import Linear, ModelSize

# The interpreter with torch, transformers, peft and trl, before anything is opened (measured: 0.55 to 0.62 GB).
PROGRAM = 600_000_000
# The same on a GPU: its driver's context and the libraries of its kernels.
CONTEXT = 600_000_000
# Bytes a weight in nf4 with double quantization (Dettmers et al. 2023): 4 bits, and 0.127 for the scales.
NF4 = 4.127 / 8
# Bytes of a weight's gradient, and of the two moments of Adam (Kingma and Ba 2015), in fp32
GRADIENT, ADAM = 4, 8
FP32, BF16 = 4, 2
# Inner layer of the critic, as core.training.trainers.critic makes it.
_CRITIC = 128
# Words of the vocabulary that are scored at a time, as in core.training.trainers.shared_prefix.
_CHUNK = 8192


@dataclass(frozen=True, slots=True)
class TokenLengths:
    """Tokens of the longest prompt, of the longest answer, and of what all prompts begin with.

    The answer is the longest one to learn (SFT), or that may be written (RL).
    """

    prompt: int
    answer: int
    shared: int = 0


@dataclass(frozen=True, slots=True)
class MemoryNeed:
    """The memory that a recipe needs, part by part; `peak` is the most that is needed at once."""

    program: float
    weights: float
    adapter: float
    gradients: float
    optimizer: float
    reference: float
    critic: float
    opening: float
    rollouts: float
    activations: float
    logits: float

    @property
    def resident(self) -> float:
        """What stays in memory all the time."""
        return (
            self.program + self.weights + self.adapter + self.gradients + self.optimizer + self.reference + self.critic
        )

    @property
    def peak(self) -> float:
        """The most that is needed at once."""
        return max(
            self.program + self.weights + self.opening,
            self.resident + self.rollouts,
            self.resident + self.activations + self.logits,
        )


def memory_need(
    size: ModelSize, recipe: Recipe, lengths: TokenLengths, *, device: str, fast_bf16: bool, processes: int = 1
) -> MemoryNeed:
    """The memory that one of `processes` needs for `recipe` on `device` ('cpu' or 'cuda')."""
    bf16 = recipe.precision == "bf16" or (recipe.precision == "auto" and fast_bf16)
    item = BF16 if bf16 and recipe.lora.rank else FP32
    adapter_size = adapter_weights(size, recipe)
    is_rl = recipe.algorithm.by_rewards
    weight_size = weight_bytes(size, recipe.quantization, item)
    return MemoryNeed(
        program=PROGRAM if device == "cpu" else CONTEXT,
        weights=weight_size,
        adapter=FP32 * adapter_size if recipe.lora.rank else 0,
        gradients=GRADIENT * adapter_size,
        optimizer=ADAM * adapter_size,
        reference=FP32 * adapter_size if is_rl and recipe.kl else 0,
        critic=(FP32 + GRADIENT + ADAM) * size.hidden * _CRITIC if recipe.algorithm is Algorithm.PPO else 0,
        opening=opening_bytes(size, recipe.quantization, item, weight_size) if device == "cpu" else 0,
        rollouts=rollout_bytes(size, recipe, lengths, item, processes) if is_rl and not recipe.vllm_server else 0,
        activations=activation_bytes(size, recipe, lengths, item, processes),
        logits=logit_bytes(size, recipe, lengths, processes),
    )


def weight_bytes(size: ModelSize, quantization: str, item: int) -> float:
    """The weights below the adapter. Only linear layers are quantized; the others are held in fp32 then (peft)."""
    if quantization == "none":
        return float(item * size.weights)
    bytes_per_weight = NF4 if quantization == "nf4" else 1.0
    return bytes_per_weight * size.linear_weights + FP32 * (size.weights - size.linear_weights)


def opening_bytes(size: ModelSize, quantization: str, item: int, weight_size: float) -> float:
    """What opening needs besides the weights: a GGUF file is unpacked into fp32 first, and then copied."""
    if not size.packed:
        return float(size.stored if quantization != "none" else 0)
    unpacked = (FP32 + item) * size.weights
    return float(unpacked if quantization == "none" else max(0.0, unpacked + item * size.weights - weight_size))


def adapter_layers(size: ModelSize, targets: str | list[str]) -> list[Linear]:
    """The layers that get an adapter, as peft chooses them: all, by the end of the name, or by an expression."""
    if targets == "all-linear":
        return list(size.linear)
    if isinstance(targets, str):
        return [layer for layer in size.linear if re.fullmatch(targets, layer.name)]
    return [
        layer for layer in size.linear if any(layer.name == name or layer.name.endswith(f".{name}") for name in targets)
    ]


def adapter_weights(size: ModelSize, recipe: Recipe) -> int:
    """The number of weights of the adapter: `rank` times the inputs and outputs of each layer (Hu et al. 2021).

    At rank 0, all weights are trained.
    """
    if not recipe.lora.rank:
        return size.weights
    return sum(
        recipe.lora.rank * (layer.in_features + layer.out_features)
        for layer in adapter_layers(size, recipe.lora.targets)
    )


def cache_bytes(size: ModelSize, item: int) -> int:
    """The KV cache of one token: a key and a value for each layer and head."""
    return 2 * size.layers * size.kv_heads * size.head_width * item


def rollout_bytes(size: ModelSize, recipe: Recipe, lengths: TokenLengths, item: int, processes: int) -> float:
    """The KV cache of all answers that are written at once, and the sampling of their next tokens in fp64."""
    rows = _share(recipe, processes) * recipe.generations
    return rows * (cache_bytes(size, item) * (lengths.prompt + lengths.answer) + size.vocabulary * (item + 8 + 8))


def token_bytes(size: ModelSize, recipe: Recipe, item: int) -> float:
    """What is kept of one token for the backward pass through a layer of Llama's kind, without checkpointing.

    Both norms in fp32; queries, keys and values (spread to all heads) and their output; three products of the MLP. An
    adapter in fp32 keeps the input of each of its layers: a copy, where the model computes in bf16.
    """
    attention = size.heads * size.head_width
    plain = 2 * FP32 * size.hidden + item * (4 * attention + 3 * size.inner)
    adapted = adapter_layers(size, recipe.lora.targets)
    copies = sum(layer.in_features for layer in adapted) / size.layers if item != FP32 else 2 * size.hidden + size.inner
    return plain + FP32 * (copies + recipe.lora.rank * len(adapted) / size.layers)


def activation_bytes(size: ModelSize, recipe: Recipe, lengths: TokenLengths, item: int, processes: int) -> float:
    """What is kept of all tokens that are processed at once.

    Each is read once: the shared beginning of all prompts, the rest of each prompt, the answers. Each attends to a copy
    of the cache before it, spread to all heads.
    """
    prompts, answers = _rows(recipe, processes)
    tokens = lengths.shared + prompts * (lengths.prompt - lengths.shared) + answers * lengths.answer
    cached = prompts * lengths.prompt + answers * (lengths.prompt + lengths.answer)
    per_cached_token = 2 * size.layers * size.heads * size.head_width * item
    return size.layers * token_bytes(size, recipe, item) * tokens + per_cached_token * cached


def logit_bytes(size: ModelSize, recipe: Recipe, lengths: TokenLengths, processes: int) -> float:
    """The scores of a part of the vocabulary for the tokens of all answers, in fp32, and their gradients."""
    if recipe.algorithm is Algorithm.CLASSIFY:  # a handful of decisions
        return 0.0
    _, answers = _rows(recipe, processes)
    return float(answers * lengths.answer * min(size.vocabulary, _CHUNK) * 3 * FP32)


def _rows(recipe: Recipe, processes: int) -> tuple[int, int]:
    """Prompts and answers in one forward and backward pass."""
    if not recipe.algorithm.by_rewards:
        rows = min(recipe.micro_batch, _share(recipe, processes))
        return rows, rows
    groups = groups_at_once(recipe, processes)
    return groups, groups * recipe.generations


def groups_at_once(recipe: Recipe, processes: int) -> int:
    """The cases whose answers RL learns from at once, as core.training.trainers.arguments divides a step."""
    share = _share(recipe, processes)
    return next(size for size in range(min(share, recipe.micro_batch), 0, -1) if share % size == 0)


def _share(recipe: Recipe, processes: int) -> int:
    return max(1, recipe.batch // processes)


def advice(recipe: Recipe, fits: Callable[[Recipe], bool]) -> list[str]:
    """Settings to lower, and to what, so that a recipe which does not fit does; each line alone is enough."""
    suggestions = []
    for name, values in _steps_down(recipe):
        for value in values:
            if fits(recipe.model_copy(update={name: value})):
                suggestions.append(f"{name} = {_toml(value)}")
                break
    if suggestions:
        return suggestions
    lowest = {name: values[-1] for name, values in _steps_down(recipe) if values}
    while lowest and fits(recipe.model_copy(update=lowest)):
        unneeded = next(
            (name for name in reversed(lowest) if fits(recipe.model_copy(update=_without(lowest, name)))), None
        )
        if unneeded is None:
            return [", ".join(f"{name} = {_toml(value)}" for name, value in lowest.items()) + ", together"]
        lowest = _without(lowest, unneeded)
    return ["a smaller student, or a machine with more memory: no setting is low enough"]


def _steps_down(recipe: Recipe) -> list[tuple[str, list[int | str]]]:
    """The settings that memory depends on, those that cost least first, each with lower and lower values."""
    is_rl = recipe.algorithm.by_rewards
    steps: list[tuple[str, list[int | str]]] = [("micro_batch", _halves(min(recipe.micro_batch, recipe.batch), 1))]
    if recipe.quantization == "none":
        steps.append(("quantization", ["nf4"]))
    if is_rl:
        steps += [("batch", _halves(recipe.batch, 1)), ("generations", _halves(recipe.generations, 4))]
        steps.append(("max_answer_tokens", _halves(recipe.max_answer_tokens, 64)))
    steps.append(("max_prompt_tokens", _halves(recipe.max_prompt_tokens, 256)))
    return [(name, values) for name, values in steps if values]


def _halves(value: int, lowest: int) -> list[int | str]:
    halves: list[int | str] = []
    while value // 2 >= lowest:
        value //= 2
        halves.append(value)
    return halves


def _without(settings: dict[str, int | str], name: str) -> dict[str, int | str]:
    return {key: value for key, value in settings.items() if key != name}


def _toml(value: int | str) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)
