"""What a recipe takes by the sizes of its model, and what to lower where that is too much."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.config.recipe import Algorithm, Recipe
from core.models import gguf_header
from core.models.model_size import Linear, ModelSize, model_size
from core.models.weights import WeightsError
from core.training.estimate import memory, recipe_estimate
from core.training.estimate.memory import MemoryNeed, TokenLengths, memory_need

LENGTHS = TokenLengths(400, 64)
SHAPE = ModelSize(
    weights=134_515_008,
    stored=98_000_000,
    linear=tuple(
        Linear(f"blk.{at}.{name}", *size)
        for at in range(30)
        for name, size in {"q_proj": (576, 576), "k_proj": (576, 192), "down_proj": (1536, 576)}.items()
    ),
    hidden=576,
    layers=30,
    heads=9,
    kv_heads=3,
    head_width=64,
    inner=1536,
    vocabulary=49152,
    packed=True,
)


def recipe(algorithm: Algorithm = Algorithm.SFT, **settings: Any) -> Recipe:
    return Recipe.model_validate({"algorithm": algorithm} | settings)


def need(
    sized_recipe: Recipe, lengths: TokenLengths = LENGTHS, *, fast_bf16: bool = True, processes: int = 1
) -> MemoryNeed:
    return memory_need(SHAPE, sized_recipe, lengths, device="cpu", fast_bf16=fast_bf16, processes=processes)


def test_each_part_by_hand() -> None:
    memory_needed = need(recipe(Algorithm.PPO, kl=0.1, lora={"rank": 2, "targets": ["q_proj"]}))
    adapter = 30 * 2 * (576 + 576)
    assert memory_needed.weights == 2 * SHAPE.weights
    assert (memory_needed.adapter, memory_needed.gradients, memory_needed.optimizer) == (
        4 * adapter,
        4 * adapter,
        8 * adapter,
    )
    assert memory_needed.reference == 4 * adapter
    assert memory_needed.critic == 16 * 576 * 128
    row = 2 * 30 * 3 * 64 * 2 * 464 + 49152 * 18
    assert memory_needed.rollouts == 8 * 8 * row
    assert memory_needed.peak >= memory_needed.resident
    assert need(recipe()).rollouts == need(recipe()).reference == need(recipe()).critic == 0
    assert need(recipe(Algorithm.GRPO, vllm_server="http://x")).rollouts == 0


def test_quantized_weights_are_an_eighth_and_the_rest_is_wide() -> None:
    linear = SHAPE.linear_weights
    memory_needed = need(recipe(quantization="nf4"))
    assert memory_needed.weights == pytest.approx(linear * 4.127 / 8 + 4 * (SHAPE.weights - linear))
    assert need(recipe(precision="fp32")).weights == 4 * SHAPE.weights
    assert need(recipe(), fast_bf16=False).weights == 4 * SHAPE.weights
    assert need(recipe(precision="bf16"), fast_bf16=False).weights == 2 * SHAPE.weights


@given(
    st.sampled_from(list(Algorithm)),
    st.integers(1, 64),
    st.integers(1, 64),
    st.integers(2, 32),
    st.integers(32, 2000),
    st.integers(4, 400),
)
def test_more_never_takes_less(
    algorithm: Algorithm, batch: int, micro: int, generations: int, prompt: int, answer: int
) -> None:
    sized_recipe = recipe(algorithm, batch=batch, micro_batch=micro, generations=generations)
    base = need(sized_recipe, TokenLengths(prompt, answer)).peak
    assert need(sized_recipe, TokenLengths(prompt + 1, answer)).peak >= base
    assert need(sized_recipe, TokenLengths(prompt, answer + 1)).peak >= base
    assert (
        need(sized_recipe.model_copy(update={"generations": generations + 1}), TokenLengths(prompt, answer)).peak
        >= base
    )
    if batch % 2 == 0:
        assert need(sized_recipe, TokenLengths(prompt, answer), processes=2).peak <= base


@given(st.sampled_from(list(Algorithm)), st.integers(500, 20_000))
def test_what_is_advised_is_enough(algorithm: Algorithm, room_mb: int) -> None:
    """Each line of the advice makes the recipe fit, or all of one line do together; or it says that nothing does."""
    large = recipe(algorithm, batch=32, micro_batch=32)

    def fits(lowered: Recipe) -> bool:
        length = TokenLengths(min(400, lowered.max_prompt_tokens), min(64, lowered.max_answer_tokens))
        return need(lowered, length).peak <= room_mb * 1e6

    suggestions = memory.advice(large, fits)
    assert suggestions
    for line in suggestions:
        if line.startswith("a smaller student"):
            assert len(suggestions) == 1
            continue
        parts = (part.split(" = ") for part in line.removesuffix(", together").split(", "))
        update = {name: json.loads(value) for name, value in parts}
        assert fits(large.model_copy(update=update)), line


def test_the_adapter_goes_where_peft_puts_it() -> None:
    names = [layer.name for layer in memory.adapter_layers(SHAPE, ["q_proj", "blk.0.k_proj"])]
    assert len(names) == 31
    assert len(memory.adapter_layers(SHAPE, r".*\.(k|q)_proj")) == 60
    assert len(memory.adapter_layers(SHAPE, "all-linear")) == 90


def test_how_many_processes() -> None:
    def requested(*arguments: str) -> int:
        return recipe_estimate.processes_of(recipe(launcher="accelerate", launcher_arguments=list(arguments)))

    assert requested("--num_processes", "4") == requested("--num-processes=4") == 4
    assert requested() == requested("--multi_gpu") == 1


def test_the_shape_of_a_folder(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from transformers import AutoModelForCausalLM

    from core.training.trainers.policy import open_policy
    from tests import tiny_model

    path = tiny_model.save(tmp_path / "tiny")
    sizes = model_size(path)
    model: Any = AutoModelForCausalLM.from_pretrained(path)
    assert sizes.weights == sum(weight.numel() for weight in model.parameters())
    assert (sizes.hidden, sizes.layers, sizes.heads, sizes.kv_heads, sizes.head_width) == (32, 2, 4, 2, 8)
    assert len(sizes.linear) == 14
    policy = open_policy(path, recipe(lora={"rank": 4}))
    adapter = sum(weight.numel() for name, weight in policy.model.named_parameters() if "lora_" in name)
    assert memory.adapter_weights(sizes, recipe(lora={"rank": 4})) == adapter
    (path / "config.json").write_text("{}")
    with pytest.raises(WeightsError, match=r"the size of the model .* cannot be read"):
        model_size(path)


def test_the_header_of_a_gguf_file(tmp_path: Path) -> None:
    gguf = pytest.importorskip("gguf")
    import numpy as np

    writer = gguf.GGUFWriter(tmp_path / "a.gguf", "llama")
    writer.add_block_count(3)
    writer.add_token_list(["a", "bc"])
    writer.add_array("numbers", [1, 2, 3])
    writer.add_tensor("blk.0.attn_q.weight", np.zeros((4, 6), dtype=np.float32))
    for write in (writer.write_header_to_file, writer.write_kv_data_to_file, writer.write_tensors_to_file):
        write()
    writer.close()
    metadata, sizes = gguf_header.read_header(tmp_path / "a.gguf")
    assert metadata["llama.block_count"] == 3
    assert sizes == {"blk.0.attn_q.weight": [6, 4]}
    (tmp_path / "b.gguf").write_bytes(b"GGUF" + struct.pack("<I", 3) + b"\xff")
    for name in ("b.gguf", "c.gguf"):
        (tmp_path / "c.gguf").write_bytes(b"no")
        with pytest.raises((ValueError, struct.error)):
            gguf_header.read_header(tmp_path / name)
