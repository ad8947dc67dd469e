"""PPO on the rollouts of GRPO: the same answers, rewards and clipped objective, with a critic for each token."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from core.training.trainers.critic import Scale, at_last_token, gae, seeded_critic, value_loss, whiten
from core.training.trainers.field_credit import STEPS, token_rewards
from core.training.trainers.grpo import GrpoTrainer
from core.training.trainers.shared_prefix import PrefixBatch, Scores

_CRITIC, _OPTIMIZER, _SCALE = "critic.safetensors", "critic_optimizer.pt", "critic_scale.json"
_NAMES = ("prompt_ids", "prompt_mask", "completion_ids", "completion_mask")


class PpoTrainer(GrpoTrainer):
    """Advantages per token from a critic and GAE, instead of one per answer against its group (Schulman et al. 2017).

    The critic reads the policy's hidden states and does not change them; it has an optimizer of its own. Critic,
    optimizer and the running scale of rewards are in every checkpoint.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        size = self.policy.causal.config.get_text_config().hidden_size
        self.critic = seeded_critic(size, self.recipe.seed, self.accelerator.device)
        self.critic_optimizer = torch.optim.AdamW(
            self.critic.parameters(), lr=self.recipe.critic_learning_rate, weight_decay=0.0
        )
        self.scale = Scale()

    def _refills(self) -> int:
        """None: a group whose answers earn the same is as informative as others, relative to the critic."""
        return 0

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        batch = super()._generate_and_score_completions(inputs)
        if not self.model.training:
            return batch
        mask = batch["completion_mask"].float()
        rewards = torch.tensor([rollout.reward for rollout in self._rollouts], device=mask.device)
        self.scale.update(self.accelerator.gather(rewards))
        values = self._values(batch)
        paid = self._paid_at_fields().to(mask.device)
        earned = at_last_token(self.scale.scaled(rewards - paid), mask)
        if self._credits:
            at_fields = token_rewards(self._credits, mask.shape[1], (paid / self.scale.deviation).tolist())
            earned += at_fields.to(mask.device) * mask
        advantages = gae(earned, values, mask, self.recipe.gae_lambda)
        batch["values"], batch["returns"] = values, advantages + values
        batch["advantages"] = whiten(advantages, mask)
        return batch

    def _paid_at_fields(self) -> torch.Tensor:
        """What of each reward (B,) is paid at the tokens of fields that are right, and not at the end of the answer."""
        weight = self.grading.weights.get(STEPS, 0.0)
        paid = (
            [
                weight * rollout.parts[STEPS] if any(credit.is_right for credit in credits_) else 0.0
                for rollout, credits_ in zip(self._rollouts, self._credits, strict=True)
            ]
            if self._credits
            else [0.0] * len(self._rollouts)
        )
        return torch.tensor(paid)

    @torch.no_grad()
    def _values(self, batch: dict[str, Any]) -> torch.Tensor:
        """The critic's values before each token (B, T), computed micro-batch by micro-batch."""
        size = self.args.per_device_train_batch_size
        rows = len(batch["prompt_ids"])
        return torch.cat(
            [
                self.critic(self._states({name: batch[name][start : start + size] for name in _NAMES}))
                for start in range(0, rows, size)
            ]
        )

    def _states(self, rows: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """The hidden states (B, T, H) from which the tokens of answers were chosen."""
        model = self.policy.causal
        prompt, prompt_mask, answer, answer_mask = (rows[name] for name in _NAMES)
        if not self.no_sharing_reason:
            with self.accelerator.autocast():
                scores: Scores = model(shared=PrefixBatch(prompt, prompt_mask, answer, answer_mask))
            return scores.hidden
        output = model.base_model(
            input_ids=torch.cat([prompt, answer], 1), attention_mask=torch.cat([prompt_mask, answer_mask], 1)
        )
        hidden: torch.Tensor = output.last_hidden_state[:, -answer.shape[1] - 1 : -1]
        return hidden

    def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> torch.Tensor:
        loss: torch.Tensor = super()._compute_loss(model, inputs)
        if self.model.training:
            self._update_critic(inputs)
        return loss

    def _update_critic(self, inputs: dict[str, Any]) -> None:
        """One step of the critic, on the hidden states that the policy's own step has just computed."""
        if self.no_sharing_reason:
            with torch.no_grad():
                hidden = self._states(inputs)
        else:
            hidden = self._hidden
        mask = inputs["completion_mask"].float()
        with torch.enable_grad():
            loss = value_loss(self.critic(hidden), inputs["values"], inputs["returns"], mask, self.recipe.critic_clip)
            self.critic_optimizer.zero_grad()
            loss.backward()
        for weight in self.critic.parameters():
            if weight.grad is not None:
                weight.grad = self.accelerator.reduce(weight.grad, reduction="mean")
        torch.nn.utils.clip_grad_norm_(self.critic.parameters(), self.recipe.max_grad_norm)
        self.critic_optimizer.step()
        self._metrics["train"]["value_loss"].append(loss.item())

    def save_critic(self, folder: Path) -> None:
        """Save the critic to a checkpoint."""
        save_file(self.critic.state_dict(), folder / _CRITIC)
        torch.save(self.critic_optimizer.state_dict(), folder / _OPTIMIZER)
        (folder / _SCALE).write_text(json.dumps(asdict(self.scale)))

    def load_critic(self, folder: Path) -> None:
        """Load the critic of a checkpoint."""
        self.critic.load_state_dict(load_file(folder / _CRITIC))
        self.critic_optimizer.load_state_dict(torch.load(folder / _OPTIMIZER, weights_only=True))
        self.scale = Scale(**json.loads((folder / _SCALE).read_text()))
