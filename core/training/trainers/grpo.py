"""The trainer under GRPO and PPO: trl's, with prompts read once, cases by the curriculum, and groups refilled."""

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
from core.training.trainers.rollout import Grading, Rollout, figures, seeds, write
from core.training.trainers.shared_prefix import PrefixBatch, Scores, shareable, split_prefix
from core.training.trainers.vllm import reach_server

Heard = Callable[[int, Sequence[Rollout], dict[str, float]], None]


@dataclass(frozen=True)
class Policy:
    """What is trained: the model with its adapter, its tokenizer, and the tokens that end an answer."""

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
    """The rows of a dataset in the order in which the curriculum draws them, each `times` in a row.

    A step is repeated for each pass over the same answers; a resumed run begins with the step where it was.
    """

    def __init__(self, draw: CurriculumSampler, first: int, steps: int, times: int, repeats: int) -> None:
        self._draw, self._first, self._steps, self._times, self._repeats = draw, first, steps, times, repeats

    def __iter__(self) -> Iterator[int]:
        for step in range(self._first, self._steps):
            rows = [at for at in self._draw.step(step) for _ in range(self._times)]
            for _ in range(self._repeats):
                yield from rows

    def __len__(self) -> int:
        return len(self._draw.step(0)) * self._times * self._repeats * self._steps


class GrpoTrainer(GRPOTrainer):
    """GRPO as trl has it, but for four things, each exact.

    Prompts are read once for all answers to them, when answers are written and when they are scored (`sharing` says why
    not, where a model cannot do that). Answers end with the decision. Which cases a step has is the curriculum's.
    Groups whose answers all earn the same are replaced by others (dynamic sampling, Yu et al. 2025).
    """

    def __init__(
        self,
        policy: Policy,
        recipe: Recipe,
        args: GRPOConfig,
        cases: Sequence[TrainingCase],
        draw: CurriculumSampler,
        judging: Grading,
        *,
        heard: Heard,
        first_step: int = 0,
        share: bool = True,
        **others: Any,
    ) -> None:
        from datasets import Dataset

        self.recipe = recipe
        self.policy = policy
        self.cases = cases
        self.draw = draw
        self.judging = judging
        self._heard = heard
        self._first_step = first_step
        self._call = 0
        self._written: list[Completion] = []
        self._rollouts: list[Rollout] = []
        self._micro_batches: list[dict[str, Any]] = []
        rows = Dataset.from_dict({"prompt": [str(at) for at in range(len(cases))]})
        super().__init__(
            model=policy.model,
            reward_funcs=[_named(name) for name in judging.rewards],
            args=args,
            train_dataset=rows,
            processing_class=policy.tokenizer,
            **others,
        )
        self.sharing = shareable(self.policy.causal) if share else "it was asked not to"
        split_prefix(self.policy.causal)
        self._prompts = {tuple(case.prompt): case for case in cases}

    # ------------------------------------------------------------------ which cases

    def _get_train_sampler(self, dataset: Sized | None = None) -> Sampler[int]:  # noqa: ARG002  trl's signature
        repeats = self.num_iterations * self.args.steps_per_generation
        steps = self.args.max_steps // self.num_iterations
        return CurriculumSteps(self.draw, self._first_step // self.num_iterations, steps, self.num_generations, repeats)

    def _prepare_inputs(self, generation_batch: Any) -> Any:
        """As trl does, but groups stay together: it shuffles answers, which would part those that share a prompt."""
        if not self.model.training:
            return super()._prepare_inputs(generation_batch)
        every = self.args.steps_per_generation * self.num_iterations
        if self._step % every == 0 or not self._micro_batches:
            made = self._generate_and_score_completions(generation_batch)
            self._micro_batches = _split(made, self.args.steps_per_generation)
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
            self._written = [self._of_server(one) for one in ids]
            kept = [self._ids(one) for one in self._written]
            return kept, [one[: len(own)] for one, own in zip(logps, kept, strict=True)]
        rows = [self._prompts[tuple(ids)] for ids in prompt_ids[::num_generations]]
        self._call += 1
        place = self.accelerator.process_index
        drawn = seeds(self.recipe.seed + 1_000_003 * place, self.state.global_step, self._call, len(prompt_ids))
        model = self.policy.causal
        training = model.training
        model.eval()
        try:
            decoder = Decoder(model, self.policy.text, self.policy.ends)
            self._written = write(
                decoder,
                rows,
                num_generations,
                self.judging.labels,
                self.recipe.max_answer_tokens,
                Sampling(self.recipe.temperature, drawn),
            )
        finally:
            model.train(training)
        return [self._ids(one) for one in self._written], None

    def _of_server(self, ids: list[int]) -> Completion:
        """What a server wrote, which knows nothing of decisions, cut where the decision stands: as a decoder has it."""
        from core.models.parse_answer import is_complete

        for at, token in enumerate(ids):
            if token in self.policy.ends:
                return Completion(ids[:at], self.policy.text(ids[:at]), complete=True)
            text = self.policy.text(ids[: at + 1])
            if is_complete(text, self.judging.labels):
                return Completion(ids[: at + 1], text, complete=True)
        return Completion(ids, self.policy.text(ids), complete=False)

    def _ids(self, written: Completion) -> list[int]:
        from core.models.parse_answer import is_complete

        chose_end = written.complete and not is_complete(written.text, self.judging.labels)
        return [*written.ids, self.policy.end] if chose_end or not written.ids else written.ids

    def _calculate_rewards(self, inputs: Sequence[dict[str, Any]], *_: Any, **__: Any) -> torch.Tensor:
        self._rollouts = [
            self.judging.paid(self.cases[int(row["prompt"])], written, self.policy.end)
            for row, written in zip(inputs, self._written, strict=True)
        ]
        parts = [[one.parts[name] for name in self.judging.rewards] for one in self._rollouts]
        gathered: torch.Tensor = self.accelerator.gather(
            torch.tensor(parts, dtype=torch.float32, device=self.accelerator.device)
        )
        return gathered

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        """Answers with advantages; groups that teach nothing are replaced as often as the recipe says."""
        if not self.model.training:
            scored: dict[str, Any] = super()._generate_and_score_completions(inputs)
            return scored
        group = self.num_generations
        self._call = 0
        made: dict[str, Any] = super()._generate_and_score_completions(inputs)
        rollouts = list(self._rollouts)
        first = figures(rollouts, group, self.judging.labels)
        used = [int(row["prompt"]) for row in inputs[::group]]
        for _ in range(self._refills()):
            flat = [at for at in range(len(rollouts) // group) if _flat(rollouts[at * group : (at + 1) * group])]
            if not flat:
                break
            number = self._generation() * 1009 + self.accelerator.process_index
            fresh = self.draw.spare(number, used, len(flat))
            used += fresh
            again = super()._generate_and_score_completions([{"prompt": str(at)} for at in fresh for _ in range(group)])
            better = [at for at in range(len(fresh)) if not _flat(self._rollouts[at * group : (at + 1) * group])]
            places = flat[: len(better)]
            made = _replaced(made, again, places, better, group, int(self.policy.tokenizer.pad_token_id or 0))
            for place, at in zip(places, better, strict=True):
                rollouts[place * group : (place + 1) * group] = self._rollouts[at * group : (at + 1) * group]
        self._rollouts = rollouts
        everyones = distributed.gather(rollouts)
        kept = figures(everyones, group, self.judging.labels)
        self._learn_of_levels(everyones)
        self._heard(self.state.global_step, everyones, kept | {"no_signal": first["no_signal"]})
        return made

    def _refills(self) -> int:
        """Rounds in which groups that teach nothing may be replaced."""
        # Processes would have to agree on whether another round is needed: each waits for all in it.
        return self.recipe.refills if self.accelerator.num_processes == 1 else 0

    def _generation(self) -> int:
        return int(self.state.global_step) // int(self.num_iterations)

    def _learn_of_levels(self, rollouts: Sequence[Rollout]) -> None:
        group = self.num_generations
        for start in range(0, len(rollouts), group):
            members = rollouts[start : start + group]
            self.draw.signal.heard(members[0].case.level, sum(one.right for one in members) / len(members))

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
        if self.sharing or compute_aux_loss:
            stock: tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None] = (
                super()._get_per_token_logps_and_entropies(
                    model, input_ids, attention_mask, logits_to_keep, batch_size, compute_entropy, compute_aux_loss,
                    **multimodal,
                )
            )  # fmt: skip
            return stock
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
            found: Scores = model(shared=shared)
        self._hidden = found.hidden.detach()
        return found.logps, found.entropies, None


def _named(name: str) -> Callable[..., list[float]]:
    """trl wants a function for each reward, and takes its name; the values come from `_calculate_rewards`."""

    def unused(**_: Any) -> list[float]:
        raise AssertionError("rewards are calculated together")

    unused.__name__ = name
    return unused


def _flat(members: Sequence[Rollout]) -> bool:
    """Whether all answers of a group earn the same, so that none is better than another."""
    return max(one.reward for one in members) - min(one.reward for one in members) < 1e-9


def _split(made: dict[str, Any], parts: int) -> list[dict[str, Any]]:
    """A generation batch in `parts` of whole groups; what is one number belongs to all of them."""
    rows = len(made["prompt_ids"])
    size = rows // parts
    return [
        {name: value[at * size : (at + 1) * size] if _by_row(value, rows) else value for name, value in made.items()}
        for at in range(parts)
    ]


def _by_row(value: Any, rows: int) -> bool:
    return isinstance(value, torch.Tensor) and value.dim() > 0 and len(value) == rows


def _replaced(
    made: dict[str, Any], again: dict[str, Any], places: Sequence[int], better: Sequence[int], group: int, pad: int
) -> dict[str, Any]:
    """`made` with the groups at `places` replaced by those at `better` of `again`, both padded to the longer one."""
    if not places:
        return made
    to = [place * group + at for place in places for at in range(group)]
    of = [place * group + at for place in better for at in range(group)]
    rows = len(made["prompt_ids"])
    found = dict(made)
    for name, value in made.items():
        if not _by_row(value, rows) or name not in again:
            continue
        other = again[name]
        if value.dim() > 1:
            fill = pad if name.endswith("_ids") else 0
            width = max(value.shape[1], other.shape[1])
            left = name.startswith("prompt")
            value, other = (_padded(one, width, fill, left) for one in (value, other))
        else:
            value = value.clone()
        value[to] = other[of]
        found[name] = value
    found["num_items_in_batch"] = found["completion_mask"].sum()
    return found


def _padded(value: torch.Tensor, width: int, fill: int, left: bool) -> torch.Tensor:
    missing = width - value.shape[1]
    return torch.nn.functional.pad(value, (missing, 0) if left else (0, missing), value=fill).clone()
