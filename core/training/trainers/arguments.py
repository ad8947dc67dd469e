"""A recipe as arguments of the trainers. Pure functions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import TrainingArguments
from trl import GRPOConfig

from core.config.recipe import Recipe
from core.models.device import choose_device
from core.training.trainers.field_credit import STEPS
from core.training.trainers.vllm import PATIENCE_S


def sft_arguments(recipe: Recipe, folder: Path, processes: int = 1) -> TrainingArguments:
    """The arguments for SFT: a step is `batch` cases, `micro_batch` at a time in each process."""
    share = max(1, recipe.batch // processes)
    micro = min(recipe.micro_batch, share)
    return TrainingArguments(
        **_common(recipe, folder),
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=max(1, share // micro),
        lr_scheduler_type="cosine",
    )


def grpo_arguments(recipe: Recipe, folder: Path, processes: int = 1) -> GRPOConfig:
    """The arguments for GRPO and PPO: a step is `batch` cases with `generations` answers each."""
    share = max(1, recipe.batch // processes)
    groups = next(size for size in range(min(share, recipe.micro_batch), 0, -1) if share % size == 0)
    passes = share // groups
    server_arguments: dict[str, Any] = {}
    if recipe.vllm_server:
        server_arguments |= {"use_vllm": True, "vllm_mode": "server", "vllm_server_base_url": recipe.vllm_server}
        server_arguments |= {"vllm_server_timeout": PATIENCE_S}
    return GRPOConfig(
        **_common(recipe, folder),
        per_device_train_batch_size=groups * recipe.generations,
        gradient_accumulation_steps=passes,
        steps_per_generation=passes,
        num_generations=recipe.generations,
        num_iterations=recipe.passes,
        max_completion_length=recipe.max_answer_tokens,
        temperature=recipe.temperature,
        beta=recipe.kl,
        epsilon=recipe.clip_low,
        epsilon_high=recipe.clip_high,
        loss_type="dapo",
        scale_rewards="group",
        # The tokens of each field get what its steps earn; the rest of the answer does not.
        reward_weights=[0.0 if name == STEPS else weight for name, weight in recipe.rewards.items()],
        shuffle_dataset=False,
        log_completions=False,
        lr_scheduler_type="constant_with_warmup",
        **server_arguments,
    )


def _common(recipe: Recipe, folder: Path) -> dict[str, Any]:
    return {
        "output_dir": str(folder),
        "max_steps": recipe.steps,
        "learning_rate": recipe.rate,
        "warmup_steps": round(recipe.warm_up * recipe.steps),
        "weight_decay": recipe.weight_decay,
        "max_grad_norm": recipe.max_grad_norm,
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "save_strategy": "steps",
        "save_steps": recipe.checkpoint_every,
        "save_total_limit": 2,
        "seed": recipe.seed,
        "report_to": "none",
        "remove_unused_columns": False,
        "disable_tqdm": True,
        "ignore_data_skip": True,
        "dataloader_pin_memory": False,
        "gradient_checkpointing": False,
        "use_cpu": choose_device() == "cpu",
        "bf16": False,
        "fp16": False,
    }
