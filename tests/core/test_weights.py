"""What is opened as a model, and what is refused."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from core.models.weights import (
    Precision,
    WeightsError,
    affordable_tokens,
    cache_bytes_per_token,
    cpu_quota,
    has_bf16,
    open_weights,
)
from tests.tiny_model import save


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
