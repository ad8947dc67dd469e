"""The trainer under GRPO and PPO: trl's, with shared prompts, a curriculum of cases, and replaced groups."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Sized
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.data import Sampler
from transformers import PreTrainedModel
from trl import GRPOConfig, GRPOTrainer

from core.config.recipe import Recipe
from core.models.decoding import Completion, Decoder, Sampling
from core.training import distributed
from core.training.data.cases import TrainingCase
from core.training.data.sampler import CurriculumSampler
from core.training.trainers.field_credit import STEPS, FieldCredit, field_credits, group_advantages
from core.training.trainers.rollout import Grading, Rollout, rollout_figures, row_seeds, write_answers
from core.training.trainers.shared_prefix import PrefixBatch, Scores, split_prefix, why_not_shareable
from core.training.trainers.vllm import reach_server

OnRollouts = Callable[[int, Sequence[Rollout], dict[str, float]], None]


@dataclass(frozen=True)
class Policy:
    """The model to train with its adapter, its tokenizer, and the tokens that end an answer."""

    model: Any
    tokenizer: Any
    ends: frozenset[int]
    text: Callable[[list[int]], str]

    @property
    def causal(self) -> PreTrainedModel:
        """The causal language model itself, with the adapter's layers in it."""
        bare: PreTrainedModel = self.model.get_base_model()
        return bare

    @property
    def end(self) -> int:
        """The token that ends an answer."""
        return int(self.tokenizer.eos_token_id)


class CurriculumSteps(Sampler[int]):
    """The rows of a dataset in the order of the curriculum, each `times` in a row.

    A step is repeated for each pass over the same answers. A resumed run begins with the step where it stopped.
    """

    def __init__(self, sampler: CurriculumSampler, first: int, steps: int, times: int, repeats: int) -> None:
        self._sampler, self._first, self._steps, self._times, self._repeats = sampler, first, steps, times, repeats

    def __iter__(self) -> Iterator[int]:
        for step in range(self._first, self._steps):
            rows = [case for case in self._sampler.step(step) for _ in range(self._times)]
            for _ in range(self._repeats):
                yield from rows

    def __len__(self) -> int:
        return len(self._sampler.step(0)) * self._times * self._repeats * self._steps


class GrpoTrainer(GRPOTrainer):
    """trl's GRPO with five differences, each of them exact.

    Each prompt is read once for all answers to it, when answers are written and when they are scored;
    `no_sharing_reason` says why not, if a model cannot do that. Answers end with the decision. The curriculum
    chooses the cases of a step. What the reward `steps` pays is credited to the tokens of each field. Groups whose
    answers all earn the same are replaced by others (dynamic sampling, Yu et al. 2025).
    """

    def __init__(
        self,
        policy: Policy,
        recipe: Recipe,
        args: GRPOConfig,
        cases: Sequence[TrainingCase],
        sampler: CurriculumSampler,
        grading: Grading,
        *,
        on_rollouts: OnRollouts,
        first_step: int = 0,
        share: bool = True,
        **others: Any,
    ) -> None:
        from datasets import Dataset

        self.recipe = recipe
        self.policy = policy
        self.cases = cases
        self.sampler = sampler
        self.grading = grading
        self._on_rollouts = on_rollouts
        self._first_step = first_step
        self._call = 0
        self._written: list[Completion] = []
        self._rollouts: list[Rollout] = []
        self._micro_batches: list[dict[str, Any]] = []
        self._credits: list[list[FieldCredit]] = []
        rows = Dataset.from_dict({"prompt": [str(index) for index in range(len(cases))]})
        super().__init__(
            model=policy.model,
            reward_funcs=[_named_reward(name) for name in grading.rewards],
            args=args,
            train_dataset=rows,
            processing_class=policy.tokenizer,
            **others,
        )
        self.no_sharing_reason = why_not_shareable(self.policy.causal) if share else "it was asked not to"
        split_prefix(self.policy.causal)
        self._prompts = {tuple(case.prompt): case for case in cases}

    # ------------------------------------------------------------------ which cases

    def _get_train_sampler(self, dataset: Sized | None = None) -> Sampler[int]:  # noqa: ARG002  trl's signature
        repeats = self.num_iterations * self.args.steps_per_generation
        steps = self.args.max_steps // self.num_iterations
        return CurriculumSteps(
            self.sampler, self._first_step // self.num_iterations, steps, self.num_generations, repeats
        )

    def _prepare_inputs(self, generation_batch: Any) -> Any:
        """Like trl, but groups stay together: trl shuffles answers, which would separate those that share a prompt."""
        if not self.model.training:
            return super()._prepare_inputs(generation_batch)
        period = self.args.steps_per_generation * self.num_iterations
        if self._step % period == 0 or not self._micro_batches:
            batch = self._generate_and_score_completions(generation_batch)
            self._micro_batches = _split_batch(batch, self.args.steps_per_generation)
        return self._micro_batches[self._step % self.args.steps_per_generation]

    def _tokenize_prompts(self, prompts: list[str]) -> tuple[list[list[int]], None, dict[str, Any]]:
        return [self.cases[int(prompt)].prompt for prompt in prompts], None, {}

    # ------------------------------------------------------------------ answers and rewards

    def _generate_single_turn(
        self,
        prompt_ids: list[list[int]],
        images: Any,
        multimodal_fields: Any,
        num_generations: int,
        *rest: Any,
        **more: Any,
    ) -> tuple[list[list[int]], Any]:
        if self.use_vllm:
            with reach_server(self.recipe.vllm_server):
                ids, logps = super()._generate_single_turn(
                    prompt_ids, images, multimodal_fields, num_generations, *rest, **more
                )
            self._written = [self._cut_at_decision(completion_ids) for completion_ids in ids]
            learned_ids = [self._ids(completion) for completion in self._written]
            return learned_ids, [
                row_logps[: len(row_ids)] for row_logps, row_ids in zip(logps, learned_ids, strict=True)
            ]
        rows = [self._prompts[tuple(ids)] for ids in prompt_ids[::num_generations]]
        self._call += 1
        process = self.accelerator.process_index
        sampling_seeds = row_seeds(
            self.recipe.seed + 1_000_003 * process, self.state.global_step, self._call, len(prompt_ids)
        )
        model = self.policy.causal
        training = model.training
        model.eval()
        try:
            decoder = Decoder(model, self.policy.text, self.policy.ends)
            self._written = write_answers(
                decoder,
                rows,
                num_generations,
                self.grading.labels,
                self.recipe.max_answer_tokens,
                Sampling(self.recipe.temperature, sampling_seeds),
            )
        finally:
            model.train(training)
        return [self._ids(completion) for completion in self._written], None

    def _cut_at_decision(self, ids: list[int]) -> Completion:
        """An answer of the server, which does not know the decisions, cut after the decision like a decoder's."""
        from core.models.parse_answer import is_complete

        for position, token in enumerate(ids):
            if token in self.policy.ends:
                return Completion(ids[:position], self.policy.text(ids[:position]), complete=True)
            text = self.policy.text(ids[: position + 1])
            if is_complete(text, self.grading.labels):
                return Completion(ids[: position + 1], text, complete=True)
        return Completion(ids, self.policy.text(ids), complete=False)

    def _ids(self, completion: Completion) -> list[int]:
        from core.models.parse_answer import is_complete

        chose_end = completion.complete and not is_complete(completion.text, self.grading.labels)
        return [*completion.ids, self.policy.end] if chose_end or not completion.ids else completion.ids

    def _calculate_rewards(self, inputs: Sequence[dict[str, Any]], *_: Any, **__: Any) -> torch.Tensor:
        self._rollouts = [
            self.grading.grade(self.cases[int(row["prompt"])], written, self.policy.end)
            for row, written in zip(inputs, self._written, strict=True)
        ]
        parts = [[rollout.parts[name] for name in self.grading.rewards] for rollout in self._rollouts]
        gathered: torch.Tensor = self.accelerator.gather(
            torch.tensor(parts, dtype=torch.float32, device=self.accelerator.device)
        )
        return gathered

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        """Answers with advantages; groups without signal are replaced, in as many rounds as the recipe allows."""
        if not self.model.training:
            scored: dict[str, Any] = super()._generate_and_score_completions(inputs)
            return scored
        group = self.num_generations
        self._call = 0
        batch: dict[str, Any] = super()._generate_and_score_completions(inputs)
        rollouts = list(self._rollouts)
        first_figures = rollout_figures(rollouts, group, self.grading.labels)
        used = [int(row["prompt"]) for row in inputs[::group]]
        for _ in range(self._refills()):
            without_signal = [
                number
                for number in range(len(rollouts) // group)
                if _earn_the_same(rollouts[number * group : (number + 1) * group])
            ]
            if not without_signal:
                break
            generation_key = self._generation() * 1009 + self.accelerator.process_index
            new_cases = self.sampler.draw_replacements(generation_key, used, len(without_signal))
            used += new_cases
            new_batch = super()._generate_and_score_completions(
                [{"prompt": str(case)} for case in new_cases for _ in range(group)]
            )
            with_signal = [
                number
                for number in range(len(new_cases))
                if not _earn_the_same(self._rollouts[number * group : (number + 1) * group])
            ]
            replaced = without_signal[: len(with_signal)]
            batch = _replace_groups(
                batch, new_batch, replaced, with_signal, group, int(self.policy.tokenizer.pad_token_id or 0)
            )
            for old_group, new_group in zip(replaced, with_signal, strict=True):
                rollouts[old_group * group : (old_group + 1) * group] = self._rollouts[
                    new_group * group : (new_group + 1) * group
                ]
        self._rollouts = rollouts
        all_rollouts = distributed.gather(rollouts)
        figures = rollout_figures(all_rollouts, group, self.grading.labels)
        self._update_level_signal(all_rollouts)
        self._on_rollouts(self.state.global_step, all_rollouts, figures | {"no_signal": first_figures["no_signal"]})
        if STEPS in self.grading.weights:
            self._credits = [field_credits(rollout, self.grading.wording, self.policy.text) for rollout in rollouts]
            width = batch["completion_mask"].shape[1]
            by_field = group_advantages(self._credits, group, width, self.grading.weights[STEPS])
            batch["advantages"] = batch["advantages"][:, None] + by_field.to(batch["advantages"].device)
        return batch

    def _refills(self) -> int:
        """Rounds in which groups without signal may be replaced."""
        # Processes would have to agree on whether another round is needed, since each waits for all in it.
        return self.recipe.refills if self.accelerator.num_processes == 1 else 0

    def _generation(self) -> int:
        return int(self.state.global_step) // int(self.num_iterations)

    def _update_level_signal(self, rollouts: Sequence[Rollout]) -> None:
        group = self.num_generations
        for start in range(0, len(rollouts), group):
            members = rollouts[start : start + group]
            self.sampler.signal.update(members[0].case.level, sum(rollout.right for rollout in members) / len(members))

    # ------------------------------------------------------------------ scoring

    def _get_per_token_logps_and_entropies(
        self,
        model: Any,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        logits_to_keep: int,
        batch_size: int | None = None,
        compute_entropy: bool = False,
        compute_aux_loss: bool = False,
        **multimodal: Any,
    ) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None]:
        if self.no_sharing_reason or compute_aux_loss:
            trl_scores: tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None] = (
                super()._get_per_token_logps_and_entropies(
                    model, input_ids, attention_mask, logits_to_keep, batch_size, compute_entropy, compute_aux_loss,
                    **multimodal,
                )
            )  # fmt: skip
            return trl_scores
        width = input_ids.shape[1] - logits_to_keep
        shared = PrefixBatch(
            input_ids[:, :width],
            attention_mask[:, :width],
            input_ids[:, width:],
            attention_mask[:, width:],
            temperature=self.temperature,
            entropy=compute_entropy,
        )
        with self.accelerator.autocast():
            scores: Scores = model(shared=shared)
        self._hidden = scores.hidden.detach()
        return scores.logps, scores.entropies, None


def _named_reward(name: str) -> Callable[..., list[float]]:
    """trl needs a function for each reward, for its name; the values come from `_calculate_rewards`."""

    def unused(**_: Any) -> list[float]:
        raise AssertionError("rewards are calculated together")

    unused.__name__ = name
    return unused


def _earn_the_same(members: Sequence[Rollout]) -> bool:
    """Whether all answers of a group earn the same, so that none is better than another."""
    return max(rollout.reward for rollout in members) - min(rollout.reward for rollout in members) < 1e-9


def _split_batch(batch: dict[str, Any], parts: int) -> list[dict[str, Any]]:
    """A generation batch in `parts` of whole groups; values that are not by row belong to all parts."""
    rows = len(batch["prompt_ids"])
    size = rows // parts
    return [
        {
            name: value[part * size : (part + 1) * size] if _by_row(value, rows) else value
            for name, value in batch.items()
        }
        for part in range(parts)
    ]


def _by_row(value: Any, rows: int) -> bool:
    return isinstance(value, torch.Tensor) and value.dim() > 0 and len(value) == rows


def _replace_groups(
    batch: dict[str, Any],
    new_batch: dict[str, Any],
    old_groups: Sequence[int],
    new_groups: Sequence[int],
    group: int,
    pad: int,
) -> dict[str, Any]:
    """`batch` with its `old_groups` replaced by the `new_groups` of `new_batch`, both padded to the longer one."""
    if not old_groups:
        return batch
    old_rows = [number * group + offset for number in old_groups for offset in range(group)]
    new_rows = [number * group + offset for number in new_groups for offset in range(group)]
    rows = len(batch["prompt_ids"])
    merged = dict(batch)
    for name, value in batch.items():
        if not _by_row(value, rows) or name not in new_batch:
            continue
        new_value = new_batch[name]
        if value.dim() > 1:
            fill = pad if name.endswith("_ids") else 0
            width = max(value.shape[1], new_value.shape[1])
            pad_left = name.startswith("prompt")
            value, new_value = (_pad(tensor, width, fill, pad_left) for tensor in (value, new_value))
        else:
            value = value.clone()
        value[old_rows] = new_value[new_rows]
        merged[name] = value
    merged["num_items_in_batch"] = merged["completion_mask"].sum()
    return merged


def _pad(value: torch.Tensor, width: int, fill: int, pad_left: bool) -> torch.Tensor:
    missing = width - value.shape[1]
    return torch.nn.functional.pad(value, (missing, 0) if pad_left else (0, missing), value=fill).clone()
