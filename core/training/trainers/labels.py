"""Learns decisions as such: cross-entropy over the labels alone, with soft targets and costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
from torch.utils.data import Sampler
from transformers import Trainer, TrainingArguments

from core.models.batching import padded_length
from core.models.classifier import pad_cases
from core.training.data.cases import TrainingCase
from core.training.data.sampler import CurriculumSampler
from core.training.trainers.grpo import CurriculumSteps, Policy
from core.training.trainers.shared_prefix import (
    PROMPT_MULTIPLE,
    PrefixBatch,
    answer_logps,
    caps_logits,
    split_prefix,
    why_not_shareable,
)

Inputs = dict[str, torch.Tensor]


def label_loss(scores: torch.Tensor, target: torch.Tensor, costs: torch.Tensor | None = None) -> torch.Tensor:
    """The mean loss of B cases, by the scores (B, K) of K labels and the shares (B, K) to learn.

    Scores are logits or log-probabilities; they are normalised over the labels. With `costs` (K, K), by label and
    decision, the expected cost of deciding by these probabilities is added to the cross-entropy (Elkan 2001; added
    to it as in Galdran et al. 2020), so that dear mistakes are avoided while the probabilities stay calibrated
    where costs are alike.
    """
    logp = torch.log_softmax(scores.float(), -1)
    loss = -(target * logp).sum(-1)
    if costs is not None:
        loss = loss + (target @ costs * logp.exp()).sum(-1)
    return loss.mean()


class LabelScorer(Protocol):
    """Reads cases, and scores the labels of each."""

    def collate(self, cases: Sequence[TrainingCase]) -> Inputs:
        """The tensors of a batch of cases."""
        ...

    def scores(self, model: Any, inputs: Inputs) -> torch.Tensor:
        """The scores (B, K) of the labels, with gradients."""
        ...


class AnswerScorer:
    """Scores each label as an answer: the sum of the log-probabilities of its tokens, as a benchmark does.

    Each prompt is read once for all labels; `no_sharing_reason` says why not, if a model cannot do that.
    """

    def __init__(self, policy: Policy, label_tokens: Sequence[Sequence[int]]) -> None:
        self._pad = policy.tokenizer.pad_token_id or 0
        longest = max(map(len, label_tokens))
        self._labels = torch.tensor([[*tokens, *[0] * (longest - len(tokens))] for tokens in label_tokens])
        self._mask = torch.tensor([[1] * len(tokens) + [0] * (longest - len(tokens)) for tokens in label_tokens])
        self.no_sharing_reason = why_not_shareable(policy.causal)
        self._capped = caps_logits(policy.causal)
        split_prefix(policy.causal)

    def collate(self, cases: Sequence[TrainingCase]) -> Inputs:
        """Prompts, padded on the left."""
        width = padded_length(max(len(case.prompt) for case in cases), PROMPT_MULTIPLE)
        ids = torch.tensor([[*[self._pad] * (width - len(case.prompt)), *case.prompt] for case in cases])
        mask = torch.tensor([[0] * (width - len(case.prompt)) + [1] * len(case.prompt) for case in cases])
        return {"input_ids": ids, "attention_mask": mask}

    def scores(self, model: Any, inputs: Inputs) -> torch.Tensor:
        """The scores (B, K) of the labels as answers."""
        count, device = len(self._labels), inputs["input_ids"].device
        prompt = inputs["input_ids"].repeat_interleave(count, 0)
        prompt_mask = inputs["attention_mask"].repeat_interleave(count, 0)
        answer = self._labels.to(device).repeat(len(inputs["input_ids"]), 1)
        mask = self._mask.to(device).repeat(len(inputs["input_ids"]), 1)
        batch = PrefixBatch(prompt, prompt_mask, answer, mask, share=not self.no_sharing_reason)
        logps = answer_logps(model, batch, capped=self._capped)
        return (logps * mask).sum(-1).view(-1, count)


class HeadScorer:
    """Scores labels by the head of a classifier."""

    no_sharing_reason = ""

    def __init__(self, pad: int) -> None:
        self._pad = pad

    def collate(self, cases: Sequence[TrainingCase]) -> Inputs:
        """Cases, padded on the right."""
        return pad_cases([(case.prompt, case.token_types) for case in cases], self._pad)

    def scores(self, model: Any, inputs: Inputs) -> torch.Tensor:
        """The logits (B, K) of the head."""
        logits: torch.Tensor = model(**inputs).logits
        return logits


class LabelTrainer(Trainer):
    """The trainer of transformers with a loss over the labels, and cases by the curriculum.

    `targets` are the shares of the labels to learn of each case, `costs` those of `cost_matrix`.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        args: TrainingArguments,
        cases: Sequence[TrainingCase],
        targets: Sequence[Sequence[float]],
        sampler: CurriculumSampler,
        scorer: LabelScorer,
        *,
        costs: Sequence[Sequence[float]] | None = None,
        first_step: int = 0,
        **others: Any,
    ) -> None:
        from datasets import Dataset

        self.sampler = sampler
        self.no_sharing_reason: str = getattr(scorer, "no_sharing_reason", "")
        self._scorer, self._first_step, self._tokens_read = scorer, first_step, 0
        self._costs = None if costs is None else torch.tensor(costs)

        def collate(rows: Sequence[Mapping[str, int]]) -> Inputs:
            positions = [row["case"] for row in rows]
            target = torch.tensor([targets[position] for position in positions])
            return scorer.collate([cases[position] for position in positions]) | {"target": target}

        super().__init__(
            model=model,
            args=args,
            train_dataset=Dataset.from_dict({"case": list(range(len(cases)))}),
            data_collator=collate,
            processing_class=tokenizer,
            **others,
        )

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:  # noqa: ARG002  its signature
        return CurriculumSteps(self.sampler, self._first_step, self.args.max_steps, 1, 1)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log how many tokens were learned from, as trl's trainers do."""
        super().log(logs | {"num_tokens": float(self._tokens_read)}, start_time)

    def compute_loss(
        self,
        model: Any,
        inputs: Inputs,
        return_outputs: bool = False,  # noqa: ARG002  its signature
        num_items_in_batch: torch.Tensor | int | None = None,  # noqa: ARG002
    ) -> torch.Tensor:
        """The mean loss over the labels of the cases of a batch."""
        target = inputs.pop("target")
        self._tokens_read += int(inputs["attention_mask"].sum())
        costs = None if self._costs is None else self._costs.to(target.device)
        return label_loss(self._scorer.scores(model, inputs), target, costs)
