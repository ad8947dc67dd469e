"""Adapters on weights in nf4, on the processor: gradients are those of the dequantized weights, evaluations between."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("bitsandbytes")
pytest.importorskip("trl")

import torch
from bitsandbytes.functional import dequantize_4bit

from core.config.recipe import Algorithm, Recipe
from core.training.trainers.policy import open_policy
from core.training.trainers.shared_prefix import PrefixBatch, score
from tests import tiny_model

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model.save(tmp_path_factory.mktemp("q") / "tiny", hidden_size=64, intermediate_size=128)


def opened(path: Path, quantization: str, precision: str) -> Any:
    recipe = Recipe.model_validate(
        {"algorithm": Algorithm.SFT, "quantization": quantization, "precision": precision, "lora": {"rank": 4}}
    )
    return open_policy(path, recipe).model


def pair(path: Path, precision: str) -> tuple[Any, Any]:
    """A policy on nf4, and the same on what its weights are once dequantized; both adapters are alike and not zero."""
    packed, plain = opened(path, "nf4", precision), opened(path, "none", precision)
    own_parameters = dict(plain.named_parameters())
    torch.manual_seed(3)
    with torch.no_grad():
        for name, weight in packed.named_parameters():
            if hasattr(weight, "quant_state"):
                own_parameters[name].copy_(dequantize_4bit(weight.data, weight.quant_state))
            elif "lora_B" in name:
                weight.copy_(0.05 * torch.randn_like(weight))
            if "lora_" in name:
                own_parameters[name].copy_(weight)
    return packed, plain


def gradients(model: Any, ids: torch.Tensor) -> torch.Tensor:
    """Of the loss on `ids`, as one vector, with an evaluation before: as between two steps of a training."""
    bare = model.get_base_model()
    bare.eval()
    with torch.inference_mode():
        bare(input_ids=ids)
    bare.train()
    model.zero_grad()
    model(input_ids=ids, labels=ids).loss.backward()
    return torch.cat([weight.grad.flatten() for name, weight in model.named_parameters() if "lora_" in name])


def of_answers(model: Any, ids: torch.Tensor) -> torch.Tensor:
    """Gradients of what RL improves: log-probabilities of answers on prompts that they share."""
    model.zero_grad()
    prompt, answer = ids[:, :16], ids[:, 16:]
    shared = PrefixBatch(prompt[:1].repeat(len(ids), 1), torch.ones_like(prompt), answer, torch.ones_like(answer))
    score(model.get_base_model(), shared).logps.sum().backward()
    return torch.cat([weight.grad.flatten() for name, weight in model.named_parameters() if "lora_" in name])


@pytest.mark.parametrize(("precision", "least"), [("fp32", 0.9999), ("bf16", 0.995)])
@pytest.mark.parametrize("kind", [gradients, of_answers])
def test_gradients_are_those_of_the_dequantized_model(path: Path, precision: str, least: float, kind: Any) -> None:
    packed, plain = pair(path, precision)
    ids = torch.randint(5, 200, (4, 32), generator=torch.Generator().manual_seed(1))
    for _ in range(2):  # the second time comes after an evaluation and a step
        plain_gradients, ours = kind(plain, ids), kind(packed, ids)
        assert bool(ours.abs().sum() > 0)
        assert float(torch.cosine_similarity(plain_gradients.float(), ours.float(), dim=0)) > least
        assert float(ours.norm() / plain_gradients.norm()) == pytest.approx(1, abs=0.05)
