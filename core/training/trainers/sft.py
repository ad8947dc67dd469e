"""SFT: the model learns to write the answers of the examples; the loss is on the answer alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.utils.data import Sampler
from transformers import Trainer, TrainingArguments

from core.models.batching import padded_length
from core.training.data.cases import TrainingCase
from core.training.data.sampler import CurriculumSampler
from core.training.trainers.grpo import CurriculumSteps, Policy
from core.training.trainers.shared_prefix import (
    ANSWER_MULTIPLE,
    PROMPT_MULTIPLE,
    PrefixBatch,
    answer_logps,
    caps_logits,
    split_prefix,
    why_not_shareable,
)

IGNORED = -100


class SftTrainer(Trainer):
    """The trainer of transformers, with cases by the curriculum; what prompts share is read once for a batch.

    `no_sharing_reason` says why not, if a model cannot do that.
    """

    def __init__(
        self,
        policy: Policy,
        args: TrainingArguments,
        cases: Sequence[TrainingCase],
        sampler: CurriculumSampler,
        *,
        first_step: int = 0,
        **others: Any,
    ) -> None:
        from datasets import Dataset

        self.policy = policy
        self.sampler = sampler
        self._first_step = first_step
        rows = Dataset.from_dict({"prompt": [case.prompt for case in cases], "answer": [case.answer for case in cases]})
        super().__init__(
            model=policy.model,
            args=args,
            train_dataset=rows,
            data_collator=collator(policy.tokenizer.pad_token_id or 0),
            processing_class=policy.tokenizer,
            **others,
        )
        self.no_sharing_reason = why_not_shareable(policy.causal)
        split_prefix(policy.causal)
        self._tokens_read = 0
        self.model_accepts_loss_kwargs = True  # the mean is over the tokens of a step, however it is divided

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:  # noqa: ARG002  its signature
        return CurriculumSteps(self.sampler, self._first_step, self.args.max_steps, 1, 1)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log how many tokens were learned from, as trl's trainers do."""
        super().log(logs | {"num_tokens": float(self._tokens_read)}, start_time)

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,  # noqa: ARG002  its signature
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        """The mean loss of the tokens of the answers, over all tokens of the step."""
        prompt, prompt_mask, answer = inputs["prompt_ids"], inputs["prompt_mask"], inputs["labels"]
        mask = answer != IGNORED
        answer = answer.where(mask, 0)
        self._tokens_read += int(prompt_mask.sum() + mask.sum())
        batch = PrefixBatch(prompt, prompt_mask, answer, mask.long(), share=not self.no_sharing_reason)
        logps = answer_logps(model, batch, capped=caps_logits(self.policy.causal))
        number = mask.sum() if num_items_in_batch is None else num_items_in_batch
        # `number` counts the tokens of all processes, whose gradients are averaged.
        loss: torch.Tensor = -(logps * mask).sum() / number * self.accelerator.num_processes
        return loss


def collator(pad: int) -> Callable[[Sequence[dict[str, list[int]]]], dict[str, torch.Tensor]]:
    """A function that makes a batch of rows: prompts padded on the left; answers, as labels, on the right."""

    def collate(rows: Sequence[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
        longest = padded_length(max(len(row["prompt"]) for row in rows), PROMPT_MULTIPLE)
        prompt = torch.full((len(rows), longest), pad)
        mask = torch.zeros(len(rows), longest, dtype=torch.long)
        longest_answer = padded_length(max(len(row["answer"]) for row in rows), ANSWER_MULTIPLE)
        labels = torch.full((len(rows), longest_answer), IGNORED)
        for position, row in enumerate(rows):
            start = longest - len(row["prompt"])
            prompt[position, start:] = torch.tensor(row["prompt"])
            mask[position, start:] = 1
            labels[position, : len(row["answer"])] = torch.tensor(row["answer"])
        return {"prompt_ids": prompt, "prompt_mask": mask, "labels": labels}

    return collate
