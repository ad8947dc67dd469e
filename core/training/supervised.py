"""SFT: the model learns to write the answers of the examples; the loss is on the answer alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.utils.data import Sampler
from transformers import Trainer, TrainingArguments

from core.training.cases import TrainingCase
from core.training.mix import Draw
from core.training.reinforce import Policy, Steps

IGNORED = -100


class Supervised(Trainer):
    """The trainer of transformers, with cases by the curriculum."""

    def __init__(
        self,
        policy: Policy,
        args: TrainingArguments,
        cases: Sequence[TrainingCase],
        draw: Draw,
        *,
        first_step: int = 0,
        **others: Any,
    ) -> None:
        from datasets import Dataset

        self.policy = policy
        self.draw = draw
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

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:  # noqa: ARG002  its signature
        return Steps(self.draw, self._first_step, self.args.max_steps, 1, 1)


def collator(pad: int) -> Callable[[Sequence[dict[str, list[int]]]], dict[str, torch.Tensor]]:
    """Makes a batch of rows with prompt and answer: padded on the right, with labels on the answers alone."""

    def collate(rows: Sequence[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
        width = max(len(row["prompt"]) + len(row["answer"]) for row in rows)
        ids = torch.full((len(rows), width), pad)
        mask = torch.zeros(len(rows), width, dtype=torch.long)
        labels = torch.full((len(rows), width), IGNORED)
        for at, row in enumerate(rows):
            prompt, answer = len(row["prompt"]), len(row["answer"])
            ids[at, : prompt + answer] = torch.tensor([*row["prompt"], *row["answer"]])
            mask[at, : prompt + answer] = 1
            labels[at, prompt : prompt + answer] = torch.tensor(row["answer"])
        return {"input_ids": ids, "attention_mask": mask, "labels": labels}

    return collate
