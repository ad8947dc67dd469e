"""What is opened as a model, and what is refused."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip("peft")

from safetensors.torch import load_file, save_file

from core.config.recipe import Recipe
from core.models.device import has_bf16
from core.models.weights import (
    Precision,
    WeightsError,
    affordable_tokens,
    cache_bytes_per_token,
    cpu_quota,
    open_weights,
)
from core.training.trainers.policy import open_policy
from tests.tiny_model import adapt, rename_keys, save


def test_pickled_weights_are_refused_unopened(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    with pytest.raises(WeightsError, match=r"pickled weights \(pytorch_model.bin\).*safetensors"):
        open_weights(tmp_path)


def test_an_adapter_with_pickled_weights_is_refused(tmp_path: Path) -> None:
    model = save(tmp_path / "model")
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text("{}")
    (adapter / "adapter_model.bin").write_bytes(b"")
    with pytest.raises(WeightsError, match="pickled"):
        open_weights(model, adapter)


def test_what_is_no_model_is_named_with_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="there is no model at"):
        open_weights(tmp_path / "missing")
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(WeightsError, match=r"is no model: give a \.gguf file"):
        open_weights(tmp_path / "notes.txt")
    (tmp_path / "small.gguf").write_bytes(b"")
    with pytest.raises(WeightsError, match=r"give the file in it, .*small\.gguf"):
        open_weights(tmp_path)


def test_a_damaged_model_is_named(tmp_path: Path) -> None:
    model = save(tmp_path)
    (model / "model.safetensors").write_bytes(b"nonsense")
    with pytest.raises(WeightsError, match=f"cannot open the model {model}"):
        open_weights(model)


def test_code_in_a_model_is_not_run(tmp_path: Path) -> None:
    model = save(tmp_path / "model")
    (model / "own.py").write_text(f"import pathlib; pathlib.Path({str(tmp_path / 'ran')!r}).touch()\nclass Own: pass\n")
    config = (model / "config.json").read_text(encoding="utf-8")
    foreign = config.replace('"model_type": "llama"', '"model_type": "own", "auto_map": {"AutoConfig": "own.Own"}')
    (model / "config.json").write_text(foreign, encoding="utf-8")
    with pytest.raises(WeightsError, match="cannot open"):
        open_weights(model)
    assert not (tmp_path / "ran").exists()


def test_a_gguf_without_its_package_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "small.gguf"
    file.write_bytes(b"")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(WeightsError, match="pip install gguf"):
        open_weights(file)


def test_without_the_extra_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = save(tmp_path)
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(WeightsError, match=r"pip install 'sidequest\[train\]'"):
        open_weights(model)


def test_an_adapter_is_merged_into_the_model(tmp_path: Path) -> None:
    import peft

    model = save(tmp_path / "model")
    bare = open_weights(model, precision=Precision.FP32).model
    adapted = peft.get_peft_model(
        open_weights(model, precision=Precision.FP32).model,
        peft.LoraConfig(r=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False),
    ).eval()
    adapted.save_pretrained(str(tmp_path / "adapter"))
    merged = open_weights(model, tmp_path / "adapter", Precision.FP32).model
    ids = torch.tensor([[5, 6, 7]])
    with torch.inference_mode():
        expected, merged_logits, bare_logits = adapted(ids).logits, merged(ids).logits, bare(ids).logits
    assert torch.allclose(merged_logits, expected, atol=1e-4)
    assert not torch.allclose(merged_logits, bare_logits, atol=1e-2)


@pytest.mark.parametrize(
    ("old", "new", "unmatched"),
    [
        (
            "base_model.model.model.",
            "base_model.model.",
            "base_model.model.layers.0.mlp.down_proj.lora_A.weight",
        ),
        ("base_model.model.", "", "model.layers.0.mlp.down_proj.lora_A.weight"),
        ("lora_A", "lora_down", "base_model.model.model.layers.0.mlp.down_proj.lora_down"),
        ("layers.1", "layers.7", "base_model.model.model.layers.7.mlp.down_proj.lora_A.weight"),
    ],
)
def test_an_adapter_whose_keys_match_nothing_is_refused_with_them(
    tmp_path: Path, old: str, new: str, unmatched: str
) -> None:
    model = save(tmp_path / "model")
    adapter = rename_keys(adapt(model, tmp_path / "adapter"), old, new)
    with pytest.raises(WeightsError) as refused:
        open_weights(model, adapter, Precision.FP32)
    message = str(refused.value)
    file = adapter / "adapter_model.safetensors"
    assert message.startswith(f"{file} has weights that match nothing in the model: {unmatched}")
    assert re.search(r" and \d+ more, and lacks weights that the model needs: base_model\.model\.model\.", message)
    assert ".default" not in message


def test_an_adapter_that_lacks_a_weight_is_refused(tmp_path: Path) -> None:
    model = save(tmp_path / "model")
    adapter = adapt(model, tmp_path / "adapter")
    file = adapter / "adapter_model.safetensors"
    weights = load_file(file)
    lost = "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight"
    del weights[lost]
    save_file(weights, file, {"format": "pt"})
    with pytest.raises(WeightsError, match=rf"adapter_model\.safetensors lacks weights that the model needs: {lost}\."):
        open_weights(model, adapter, Precision.FP32)


def test_a_quantized_model_refuses_a_foreign_adapter_too(tmp_path: Path) -> None:
    model = save(tmp_path / "model")
    adapter = adapt(model, tmp_path / "adapter")
    ids = torch.tensor([[5, 6, 7]])
    bare, adapted = (open_weights(model, folder, Precision.FP32, "nf4").model for folder in (None, adapter))
    with torch.inference_mode():
        assert not torch.allclose(bare(ids.to(bare.device)).logits, adapted(ids.to(adapted.device)).logits, atol=1e-2)
    rename_keys(adapter, "lora_B", "lora_up")
    with pytest.raises(WeightsError, match="match nothing in the model"):
        open_weights(model, adapter, Precision.FP32, "nf4")


def test_training_goes_on_from_an_adapter_that_matches_and_no_other(tmp_path: Path) -> None:
    model = save(tmp_path / "model")
    adapter = adapt(model, tmp_path / "adapter")
    recipe = Recipe(algorithm="sft", student="tiny", precision="fp32")
    policy = open_policy(model, recipe, adapter=adapter)
    ids = torch.tensor([[5, 6, 7]]).to(policy.model.device)
    with torch.inference_mode():
        expected = open_weights(model, adapter, Precision.FP32).model(ids).logits
        assert torch.allclose(policy.model.eval()(ids).logits, expected, atol=1e-4)
    assert any(weight.requires_grad for weight in policy.model.parameters())
    rename_keys(adapter, "lora_B", "lora_up")
    with pytest.raises(WeightsError, match=r"adapter_model\.safetensors has weights that match nothing .*lora_up"):
        open_policy(model, recipe, adapter=adapter)


def test_a_precision_that_is_not_asked_for_is_that_of_the_processor(tmp_path: Path) -> None:
    model = open_weights(save(tmp_path)).model
    expected = torch.bfloat16 if has_bf16(str(model.device.type)) else torch.float32
    assert model.dtype is expected


def test_without_instructions_for_it_the_numbers_of_bf16_are_computed_with_in_fp32(tmp_path: Path) -> None:
    folder = save(tmp_path)
    bf16, fp32 = (open_weights(folder, precision=precision).model for precision in (Precision.BF16, Precision.FP32))
    native = has_bf16(str(bf16.device.type))
    assert bf16.dtype is (torch.bfloat16 if native else torch.float32)
    for rounded, weight in zip(bf16.parameters(), fp32.parameters(), strict=True):
        assert torch.equal(rounded.bfloat16(), weight.bfloat16())
        assert torch.equal(rounded.float(), weight.bfloat16().float())


def test_no_more_is_read_at_once_than_half_of_the_memory_holds(tmp_path: Path) -> None:
    weights = open_weights(save(tmp_path), precision=Precision.FP32)
    ids = torch.tensor([[1, 2, 3]])
    with torch.inference_mode():
        cache = weights.model(ids, use_cache=True).past_key_values
    token_bytes = sum(keys.nbytes + values.nbytes for keys, values, _ in cache) // 3
    assert cache_bytes_per_token(weights.model.config, 4) == token_bytes
    assert affordable_tokens(1000 * token_bytes, token_bytes) == 500
    assert affordable_tokens(0, token_bytes) == 1


@pytest.mark.parametrize(
    ("text", "processors"), [("200000 100000\n", 2), ("50000 100000\n", 1), ("max 100000\n", 1 << 30), (None, 1 << 30)]
)
def test_the_quota_of_a_container_limits_the_threads(tmp_path: Path, text: Any, processors: int) -> None:
    file = tmp_path / "cpu.max"
    if text is not None:
        file.write_text(text)
    assert cpu_quota(file) == processors
