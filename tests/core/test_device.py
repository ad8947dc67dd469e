"""The device that models run on: chosen once, by torch.accelerator, with what each can do."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("torch")

import torch

from core.config.recipe import Algorithm, Recipe
from core.models import device, weights
from core.models.weights import WeightsError
from core.training.trainers.arguments import sft_arguments
from core.training.trainers.policy import open_policy
from tests import tiny_model


@pytest.mark.parametrize(
    ("accelerator", "expected"),
    [(None, "cpu"), ("cuda", "cuda"), ("mps", "mps"), ("xpu", "xpu"), ("npu", "cpu")],
)
def test_the_accelerator_that_torch_finds_is_chosen(
    monkeypatch: pytest.MonkeyPatch, accelerator: str | None, expected: str
) -> None:
    asked: list[bool] = []

    def current_accelerator(check_available: bool = False) -> object:
        asked.append(check_available)
        return None if accelerator is None else SimpleNamespace(type=accelerator)

    monkeypatch.setattr(torch.accelerator, "current_accelerator", current_accelerator)
    assert device.choose_device() == expected
    assert asked == [True]


@pytest.mark.parametrize(
    ("precision", "kind", "native", "learns", "family", "expected"),
    [
        ("auto", "cuda", True, True, "llama", "bfloat16"),
        ("auto", "cuda", False, False, "llama", "float16"),
        ("auto", "cuda", False, True, "llama", "float32"),
        ("auto", "cuda", False, False, "gemma3_text", "float32"),
        ("auto", "mps", True, False, "llama", "bfloat16"),
        ("auto", "cpu", False, False, "llama", "float32"),
        ("auto", "cpu", True, True, "llama", "bfloat16"),
        ("bf16", "cpu", False, False, "llama", "bfloat16"),
        ("fp32", "cuda", True, False, "llama", "float32"),
    ],
)
def test_the_number_type_follows_the_device(
    monkeypatch: pytest.MonkeyPatch,
    precision: str,
    kind: str,
    native: bool,
    learns: bool,
    family: str,
    expected: str,
) -> None:
    monkeypatch.setattr(device, "has_bf16", lambda _kind: native)
    assert device.choose_dtype(precision, kind, learns=learns, family=family) is getattr(torch, expected)


def test_mps_refuses_quantized_weights_and_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert device.quantization_problem("none", "mps") == ""
    assert device.quantization_problem("nf4", "cpu") == ""
    folder = tiny_model.save(tmp_path / "tiny")
    monkeypatch.setattr(weights, "choose_device", lambda: "mps")
    recipe = Recipe(algorithm=Algorithm.SFT, quantization="nf4", precision="fp32")
    with pytest.raises(WeightsError, match=r'nf4" does not work on Apple\'s GPU .*set quantization = "none"'):
        open_policy(folder, recipe)


def test_the_trainers_take_the_processor_only_where_nothing_else_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    recipe = Recipe(algorithm=Algorithm.SFT)
    monkeypatch.setattr("core.training.trainers.arguments.choose_device", lambda: "cpu")
    assert sft_arguments(recipe, tmp_path).use_cpu
    monkeypatch.setattr("core.training.trainers.arguments.choose_device", lambda: "mps")
    assert not sft_arguments(recipe, tmp_path).use_cpu
