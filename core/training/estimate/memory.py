"""How much memory a recipe takes, by the sizes of its model. Pure functions; all figures are bytes.

Three moments are weighed against each other, on top of what stays in memory all along: the model is opened, answers
are written (RL), and gradients are computed. The largest of them counts.
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
# So many words of the vocabulary are scored at a time, as core.training.trainers.shared_prefix does it.
_CHUNK = 8192


@dataclass(frozen=True, slots=True)
class TokenLengths:
    """Tokens of the longest prompt, of the longest answer that is learned (SFT) or may be written (RL), and of what all
    prompts begin with."""

    prompt: int
    answer: int
    shared: int = 0


@dataclass(frozen=True, slots=True)
class MemoryNeed:
    """What a recipe takes, part by part; `peak` is the most that is needed at once."""

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
        """What stays in memory all along."""
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
    shape: ModelSize, recipe: Recipe, lengths: TokenLengths, *, device: str, fast_bf16: bool, processes: int = 1
) -> MemoryNeed:
    """What one of `processes` takes for `recipe` on `device` ('cpu' or 'cuda')."""
    bf16 = recipe.precision == "bf16" or (recipe.precision == "auto" and fast_bf16)
    item = BF16 if bf16 else FP32
    trained = adapter_weights(shape, recipe)
    learned = recipe.algorithm is not Algorithm.SFT
    weighed = weights(shape, recipe.quantization, item)
    return MemoryNeed(
        program=PROGRAM if device == "cpu" else CONTEXT,
        weights=weighed,
        adapter=FP32 * trained,
        gradients=GRADIENT * trained,
        optimizer=ADAM * trained,
        reference=FP32 * trained if learned and recipe.kl else 0,
        critic=(FP32 + GRADIENT + ADAM) * shape.hidden * _CRITIC if recipe.algorithm is Algorithm.PPO else 0,
        opening=opening(shape, recipe.quantization, item, weighed) if device == "cpu" else 0,
        rollouts=rollouts(shape, recipe, lengths, item, processes) if learned and not recipe.vllm_server else 0,
        activations=activations(shape, recipe, lengths, item, processes),
        logits=logits(shape, recipe, lengths, processes),
    )


def weights(shape: ModelSize, quantization: str, item: int) -> float:
    """The weights below the adapter. Quantized are linear layers alone; the others are then held in fp32 (peft)."""
    if quantization == "none":
        return float(item * shape.weights)
    each = NF4 if quantization == "nf4" else 1.0
    return each * shape.linear_weights + FP32 * (shape.weights - shape.linear_weights)


def opening(shape: ModelSize, quantization: str, item: int, weighed: float) -> float:
    """What opening takes besides the weights: a GGUF file is unpacked into fp32 first, and then copied."""
    if not shape.packed:
        return float(shape.stored if quantization != "none" else 0)
    unpacked = (FP32 + item) * shape.weights
    return float(unpacked if quantization == "none" else max(0.0, unpacked + item * shape.weights - weighed))


def targeted(shape: ModelSize, targets: str | list[str]) -> list[Linear]:
    """The layers that an adapter is put on, as peft chooses them: all, by the end of the name, or by an expression."""
    if targets == "all-linear":
        return list(shape.linear)
    if isinstance(targets, str):
        return [one for one in shape.linear if re.fullmatch(targets, one.name)]
    return [one for one in shape.linear if any(one.name == name or one.name.endswith(f".{name}") for name in targets)]


def adapter_weights(shape: ModelSize, recipe: Recipe) -> int:
    """The weights of the adapter: `rank` times what goes into each layer and comes out (Hu et al. 2021)."""
    return sum(recipe.lora.rank * (one.in_features + one.out_features) for one in targeted(shape, recipe.lora.targets))


def cache_bytes(shape: ModelSize, item: int) -> int:
    """What the model remembers of a token: a key and a value for each layer and head."""
    return 2 * shape.layers * shape.kv_heads * shape.head_width * item


def rollouts(shape: ModelSize, recipe: Recipe, lengths: TokenLengths, item: int, processes: int) -> float:
    """The memory (KV cache) of all answers that are written at once, and the draw of their next tokens in fp64."""
    rows = _share(recipe, processes) * recipe.generations
    return rows * (cache_bytes(shape, item) * (lengths.prompt + lengths.answer) + shape.vocabulary * (item + 8 + 8))


def token_bytes(shape: ModelSize, recipe: Recipe, item: int) -> float:
    """What is kept of one token for the way back through a layer of Llama's kind, without checkpointing.

    Both norms in fp32; queries, keys and values (spread to all heads) and what they give; three products of the MLP.
    An adapter in fp32 keeps what enters each of its layers: a copy, where the model computes in bf16.
    """
    attention = shape.heads * shape.head_width
    plain = 2 * FP32 * shape.hidden + item * (4 * attention + 3 * shape.inner)
    on = targeted(shape, recipe.lora.targets)
    copies = sum(one.in_features for one in on) / shape.layers if item != FP32 else 2 * shape.hidden + shape.inner
    return plain + FP32 * (copies + recipe.lora.rank * len(on) / shape.layers)


def activations(shape: ModelSize, recipe: Recipe, lengths: TokenLengths, item: int, processes: int) -> float:
    """What is kept of all tokens that are worked on at once, each read once: what all prompts begin with, the rest of
    each prompt, the answers. Each attends to a copy of what was remembered before it, spread to all heads."""
    prompts, answers = _rows(recipe, processes)
    tokens = lengths.shared + prompts * (lengths.prompt - lengths.shared) + answers * lengths.answer
    remembered = prompts * lengths.prompt + answers * (lengths.prompt + lengths.answer)
    spread = 2 * shape.layers * shape.heads * shape.head_width * item
    return shape.layers * token_bytes(shape, recipe, item) * tokens + spread * remembered


def logits(shape: ModelSize, recipe: Recipe, lengths: TokenLengths, processes: int) -> float:
    """The scores of a piece of the vocabulary for the tokens of all answers, in fp32, and their gradients."""
    _, answers = _rows(recipe, processes)
    return float(answers * lengths.answer * min(shape.vocabulary, _CHUNK) * 3 * FP32)


def _rows(recipe: Recipe, processes: int) -> tuple[int, int]:
    """Prompts and answers that are learned from at once."""
    if recipe.algorithm is Algorithm.SFT:
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
    """What to lower, and to what, so that a recipe which does not fit does; each line is enough by itself."""
    found = []
    for name, values in _steps_down(recipe):
        for value in values:
            if fits(recipe.model_copy(update={name: value})):
                found.append(f"{name} = {_toml(value)}")
                break
    if found:
        return found
    least = {name: values[-1] for name, values in _steps_down(recipe) if values}
    while least and fits(recipe.model_copy(update=least)):
        spared = next((name for name in reversed(least) if fits(recipe.model_copy(update=_without(least, name)))), None)
        if spared is None:
            return [", ".join(f"{name} = {_toml(value)}" for name, value in least.items()) + ", together"]
        least = _without(least, spared)
    return ["a smaller student, or a machine with more memory: no setting is low enough"]


def _steps_down(recipe: Recipe) -> list[tuple[str, list[int | str]]]:
    """The settings that memory depends on, what costs least first, each with lower and lower values."""
    learned = recipe.algorithm is not Algorithm.SFT
    steps: list[tuple[str, list[int | str]]] = [("micro_batch", _halves(min(recipe.micro_batch, recipe.batch), 1))]
    if recipe.quantization == "none":
        steps.append(("quantization", ["nf4"]))
    if learned:
        steps += [("batch", _halves(recipe.batch, 1)), ("generations", _halves(recipe.generations, 4))]
        steps.append(("max_answer_tokens", _halves(recipe.max_answer_tokens, 64)))
    steps.append(("max_prompt_tokens", _halves(recipe.max_prompt_tokens, 256)))
    return [(name, values) for name, values in steps if values]


def _halves(value: int, least: int) -> list[int | str]:
    found: list[int | str] = []
    while value // 2 >= least:
        value //= 2
        found.append(value)
    return found


def _without(told: dict[str, int | str], name: str) -> dict[str, int | str]:
    return {key: value for key, value in told.items() if key != name}


def _toml(value: int | str) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)
