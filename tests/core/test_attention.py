"""Reading on from a cache without a mask gives what reading all at once gives."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import transformers

from core.models.attention import use_following_attention
from tests.tiny_model import save


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("model"))


def open_model(folder: Path, attention: str) -> transformers.PreTrainedModel:
    model: transformers.PreTrainedModel = transformers.AutoModelForCausalLM.from_pretrained(
        folder, attn_implementation=attention
    ).eval()
    return model


# Much after little goes without a mask, little after much and one token have the usual ways.
@pytest.mark.parametrize(("before", "after"), [(3, 40), (20, 10), (20, 9), (40, 3), (40, 1), (0, 12)])
def test_what_follows_is_read_as_if_all_were_read_at_once(folder: Path, before: int, after: int) -> None:
    exact, model = open_model(folder, "eager"), open_model(folder, "sdpa")
    use_following_attention(model)
    ids = torch.randint(0, 30, (2, before + after), generator=torch.Generator().manual_seed(before))
    cache = transformers.DynamicCache(config=model.config)
    with torch.inference_mode():
        expected = exact(ids).logits[:, before:]
        if before:
            model(ids[:, :before], past_key_values=cache)
        logits = model(ids[:, before:], past_key_values=cache).logits
    assert torch.allclose(logits, expected, atol=1e-4)


def test_padding_is_not_seen(folder: Path) -> None:
    exact, model = open_model(folder, "eager"), open_model(folder, "sdpa")
    use_following_attention(model)
    ids = torch.randint(0, 30, (2, 12), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    mask[0, :5] = 0
    with torch.inference_mode():
        logits = model(ids, attention_mask=mask).logits[0, 5:]
        expected = exact(ids, attention_mask=mask).logits[0, 5:]
    assert torch.allclose(logits, expected, atol=1e-4)


def test_a_model_with_attention_of_its_own_keeps_it(folder: Path) -> None:
    model = open_model(folder, "eager")
    use_following_attention(model)
    assert model.config._attn_implementation == "eager"
