"""What is shared changes nothing: log-probabilities, losses and gradients are those of the usual path."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl")

import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.config.recipe import Algorithm, Recipe
from core.models.batching import length_groups
from core.training.data.sampler import CasePosition, CurriculumSampler
from core.training.trainers.arguments import grpo_arguments, sft_arguments
from core.training.trainers.grpo import GrpoTrainer, Policy
from core.training.trainers.policy import open_policy
from core.training.trainers.rollout import Grading
from core.training.trainers.sft import SftTrainer
from core.training.trainers.shared_prefix import PrefixBatch, score, why_not_shareable
from tests import tiny_model
from tests.core.trained_runs import case

CLOSE: dict[str, Any] = {"rtol": 1e-4, "atol": 1e-5}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model.save(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def causal(folder: Path) -> Iterator[Any]:
    """A tiny model without an adapter."""
    from transformers import AutoModelForCausalLM

    yield AutoModelForCausalLM.from_pretrained(folder)


def padded(rows: list[list[int]], *, left: bool) -> tuple[Any, Any]:
    """Ids and mask of rows of tokens."""
    width = max(map(len, rows))
    gaps = [[0] * (width - len(row)) for row in rows]
    pair = [(gap + row, [0] * len(gap) + [1] * len(row)) if left else (row + gap, [1] * len(row) + [0] * len(gap))
            for row, gap in zip(rows, gaps, strict=True)]  # fmt: skip
    return torch.tensor([ids for ids, _ in pair]), torch.tensor([mask for _, mask in pair])


def plainly(model: Any, prompt: list[int], answer: list[int]) -> Any:
    """Log-probabilities of an answer, by reading it after its prompt, alone."""
    logits = model(input_ids=torch.tensor([prompt + answer])).logits[0, len(prompt) - 1 : -1]
    return torch.log_softmax(logits.float(), -1).gather(-1, torch.tensor(answer)[:, None])[:, 0]


tokens = st.lists(st.integers(3, 200), min_size=1, max_size=9)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    beginning=st.lists(st.integers(3, 200), max_size=6),
    rests=st.lists(tokens, min_size=1, max_size=3),
    answers=st.lists(tokens, min_size=1, max_size=6),
    order=st.randoms(use_true_random=False),
)
def test_scores_are_those_of_reading_each_answer_alone(
    causal: Any, beginning: list[int], rests: list[list[int]], answers: list[list[int]], order: random.Random
) -> None:
    pairs = [(beginning + order.choice(rests), answer) for answer in answers]
    prompt_ids, prompt_mask = padded([prompt for prompt, _ in pairs], left=True)
    answer_ids, answer_mask = padded([answer for _, answer in pairs], left=False)
    for share in (True, False):
        batch = PrefixBatch(prompt_ids, prompt_mask, answer_ids, answer_mask, entropy=True, share=share)
        with torch.no_grad():
            scores = score(causal, batch)
            assert scores.entropies is not None
            for row, (prompt, answer) in enumerate(pairs):
                torch.testing.assert_close(scores.logps[row, : len(answer)], plainly(causal, prompt, answer), **CLOSE)


def test_rows_of_unlike_length_are_read_in_groups_and_keep_their_places(causal: Any) -> None:
    """Long and short in turn, so that a group holds rows that do not stand side by side; answers differ in length."""
    rng = random.Random(4)
    pairs = [
        ([rng.randrange(3, 200) for _ in range(prompt)], [rng.randrange(3, 200) for _ in range(answer)])
        for prompt, answer in ((170, 3), (5, 20), (160, 40), (8, 2), (90, 17), (3, 1))
    ]
    assert len(length_groups([len(prompt) + len(answer) for prompt, answer in pairs], 64)) > 1
    prompt_ids, prompt_mask = padded([prompt for prompt, _ in pairs], left=True)
    answer_ids, answer_mask = padded([answer for _, answer in pairs], left=False)
    with torch.no_grad():
        scores = score(causal, PrefixBatch(prompt_ids, prompt_mask, answer_ids, answer_mask, share=False))
        for row, (prompt, answer) in enumerate(pairs):
            torch.testing.assert_close(scores.logps[row, : len(answer)], plainly(causal, prompt, answer), **CLOSE)


def make_trainer(folder: Path, recipe: Recipe, kind: type[Any], tmp_path: Path, cases: list[Any]) -> Any:
    """A trainer of `kind` over these cases, its adapter no longer where it began."""
    policy = open_policy(folder, recipe)
    draw = CurriculumSampler(
        [CasePosition(1, "YES") for _ in cases], recipe.curriculum, batch=recipe.batch, steps=2, seed=0
    )
    if kind is SftTrainer:
        trainer: Any = SftTrainer(policy, sft_arguments(recipe, tmp_path), cases, draw)
    else:
        judging = Grading(("YES", "NO"), {"length": lambda answer: len(answer.text) % 7 / 7}, {"length": 1.0}, {})
        trainer = GrpoTrainer(
            policy, recipe, grpo_arguments(recipe, tmp_path), cases, draw, judging, on_rollouts=unheard
        )
    torch.manual_seed(1)
    for name, weight in policy.model.named_parameters():
        if "lora_B.default" in name:
            torch.nn.init.normal_(weight, std=0.2)
    return trainer


def unheard(*_: Any) -> None:
    """Nobody listens to the answers."""


def gradients(policy: Policy) -> Any:
    gradient = torch.cat(
        [parameter.grad.flatten() for parameter in policy.model.parameters() if parameter.grad is not None]
    )
    policy.model.zero_grad()
    return gradient


def test_sft_loses_and_learns_as_without_sharing(folder: Path, tmp_path: Path) -> None:
    recipe = Recipe(algorithm=Algorithm.SFT, batch=4, precision="fp32")
    cases = [case([5, 6, 7, *range(8, 10 + number)], [20 + number, 30, 31, 2][number:]) for number in range(3)]
    trainer = make_trainer(folder, recipe, SftTrainer, tmp_path, cases)
    assert trainer.no_sharing_reason == ""
    batch = trainer.data_collator(
        [{"prompt": training_case.prompt, "answer": training_case.answer} for training_case in cases]
    )
    counted = torch.tensor(sum(len(training_case.answer) for training_case in cases))
    shared = trainer.compute_loss(trainer.model, batch, num_items_in_batch=counted)
    shared.backward()
    learned = gradients(trainer.policy)
    for capped in (None, 1e6):
        trainer.no_sharing_reason = "asked not to"
        # The tiny model caps nothing itself: all logits are computed, and are the same.
        trainer.policy.causal.config.final_logit_softcapping = capped
        plain = trainer.compute_loss(trainer.model, batch, num_items_in_batch=counted)
        plain.backward()
        torch.testing.assert_close(shared, plain, **CLOSE)
        torch.testing.assert_close(learned, gradients(trainer.policy), **CLOSE)
    alone = (
        sum(
            -plainly(trainer.policy.causal, training_case.prompt, training_case.answer).sum() for training_case in cases
        )
        / counted
    )
    torch.testing.assert_close(shared, alone, **CLOSE)


@pytest.mark.parametrize("kl", [0.0, 0.1])
def test_grpo_loses_and_learns_as_trl_does(folder: Path, tmp_path: Path, kl: float) -> None:
    """Policy, old and reference log-probabilities, the loss and its gradients, on the same answers."""
    recipe = Recipe(
        algorithm=Algorithm.GRPO, batch=2, micro_batch=2, generations=4, kl=kl, max_answer_tokens=6, passes=2,
        rewards={"length": 1.0}, precision="fp32",
    )  # fmt: skip
    cases = [case([5, 6, 7, *range(8, 12 + 3 * number)], [9]) for number in range(3)]
    trainer = make_trainer(folder, recipe, GrpoTrainer, tmp_path, cases)
    trainer.model.train()
    answers = trainer._generate_and_score_completions([{"prompt": str(number)} for number in (0, 1) for _ in range(4)])
    assert answers["advantages"].abs().sum() > 0
    results = []
    for why_not in ("", "asked not to"):
        trainer.no_sharing_reason = why_not
        trainer.current_gradient_accumulation_steps = 1
        loss = trainer._compute_loss(trainer.model, answers)
        loss.backward()
        results.append((loss.detach(), gradients(trainer.policy)))
    torch.testing.assert_close(results[0], results[1], **CLOSE)
    if kl:
        assert answers["ref_per_token_logps"].shape == answers["completion_ids"].shape
        assert not torch.allclose(answers["ref_per_token_logps"], answers["old_per_token_logps"])


def test_a_model_that_forgets_is_read_the_usual_way() -> None:
    from transformers import MistralConfig, MistralForCausalLM

    shape: dict[str, Any] = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "vocab_size": 32}
    windowed = MistralForCausalLM(
        MistralConfig(**shape, num_attention_heads=2, num_key_value_heads=1, sliding_window=8)
    )
    assert "remember a prompt" in why_not_shareable(windowed)
    pairs = [([3, 4, 5, 6, 7, 8, 9, 10, 11, 12], [13, 14]), ([3, 4, 5], [20, 21, 22])]
    prompt_ids, prompt_mask = padded([prompt for prompt, _ in pairs], left=True)
    answer_ids, answer_mask = padded([answer for _, answer in pairs], left=False)
    with torch.no_grad():
        scores = score(windowed, PrefixBatch(prompt_ids, prompt_mask, answer_ids, answer_mask, share=False))
        for row, (prompt, answer) in enumerate(pairs):
            torch.testing.assert_close(scores.logps[row, : len(answer)], plainly(windowed, prompt, answer), **CLOSE)
