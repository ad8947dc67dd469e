"""A student that writes: its cases, its trainers, its looks at the dev split, and its adapter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.config.project import Project
from core.config.recipe import Algorithm
from core.models.chat import Chat
from core.models.decoding import Decoder
from core.models.student_format import StudentFormat
from core.training import distributed
from core.training.data.cases import LeftOut, TrainingCase, training_cases
from core.training.data.sampler import CurriculumSampler
from core.training.data.soft_targets import cost_matrix, soft_targets
from core.training.data.stale import learned_fields
from core.training.run.callback import TrainingCallback
from core.training.run.evaluate_dev import DevEvaluation, evaluate_dev
from core.training.trainers import arguments
from storage.schema import Example

if TYPE_CHECKING:
    from core.training.run.setup import PhaseSetup
    from core.training.trainers.grpo import Policy


@dataclass
class Writer:
    """A causal language model with an adapter, as a phase trains it."""

    project: Project
    phase: PhaseSetup
    answer_format: StudentFormat
    policy: Policy
    chat: Chat

    def cases(self, examples: Sequence[Example], *, learns: bool) -> tuple[list[TrainingCase], LeftOut]:
        """`examples` as prompts with the answers to learn, and how many were left out."""
        recipe = self.phase.recipe
        return training_cases(
            examples,
            self.answer_format.prompting(self.project.task, self.project.folder),
            self.chat,
            self.answer_format,
            end=self.policy.end,
            max_tokens=recipe.max_prompt_tokens,
            learned=learned_fields(recipe, self.answer_format) if learns else (),
        )

    def evaluation(
        self, dev_cases: Sequence[TrainingCase], stopping: Callable[[], bool], looks: list[DevEvaluation]
    ) -> Callable[[], dict[str, Any]]:
        """The function that evaluates on the dev split, and leaves what it saw last in `looks`; raises StoppedError.

        All processes have to call it.
        """
        task, policy, limit = self.project.task, self.policy, self.phase.recipe.max_answer_tokens
        tokens = self.chat.label_tokens(task.labels)
        # Several processes would have to agree at each token: they finish the evaluation.
        should_stop = stopping if distributed.process_count() == 1 else lambda: False

        def evaluate() -> dict[str, Any]:
            base_model = policy.model.get_base_model()
            was_training = base_model.training
            base_model.eval()
            try:
                decoder = Decoder(base_model, policy.text, policy.ends, should_stop)
                looks[:] = [evaluate_dev(decoder, dev_cases, self.answer_format, task, tokens, limit)]
                return looks[-1].figures
            finally:
                base_model.train(was_training)

        return evaluate

    def trainer(
        self,
        train_cases: Sequence[TrainingCase],
        sampler: CurriculumSampler,
        callback: TrainingCallback,
        first_step: int,
    ) -> Any:
        """The trainer of the recipe, from step `first_step` (0 at the beginning)."""
        recipe = self.phase.recipe
        common: dict[str, Any] = {"first_step": first_step, "callbacks": [callback]}
        if recipe.algorithm is not Algorithm.SFT:
            return self._trainer_by_rewards(train_cases, sampler, callback, common)
        settings = arguments.sft_arguments(recipe, self.phase.folder, distributed.process_count())
        if recipe.loss == "tokens":
            from core.training.trainers.sft import SftTrainer

            return SftTrainer(self.policy, settings, train_cases, sampler, **common)
        from core.training.trainers.labels import AnswerScorer, LabelTrainer

        labels = self.project.task.labels
        return LabelTrainer(
            self.policy.model,
            self.policy.tokenizer,
            settings,
            train_cases,
            soft_targets(train_cases, self.phase.votes, labels, recipe.soft),
            sampler,
            AnswerScorer(self.policy, self.chat.label_tokens(labels)),
            costs=cost_matrix(recipe.costs, labels),
            **common,
        )

    def _trainer_by_rewards(
        self,
        train_cases: Sequence[TrainingCase],
        sampler: CurriculumSampler,
        callback: TrainingCallback,
        common: dict[str, Any],
    ) -> Any:
        from core.training.data.rewards import find_reward, with_rewards
        from core.training.trainers.grpo import GrpoTrainer
        from core.training.trainers.ppo import PpoTrainer
        from core.training.trainers.rollout import Grading
        from core.training.trainers.vllm import reach_server

        recipe, task = with_rewards(self.phase.recipe, self.answer_format), self.project.task
        rewards = {
            name: find_reward(name, self.project.folder, allow_project_code=self.phase.allow_project_code)
            for name in recipe.rewards
        }
        trainer_class = PpoTrainer if recipe.algorithm is Algorithm.PPO else GrpoTrainer
        with reach_server(recipe.vllm_server) if recipe.vllm_server else nullcontext():
            return trainer_class(
                self.policy,
                recipe,
                arguments.grpo_arguments(recipe, self.phase.folder, distributed.process_count()),
                train_cases,
                sampler,
                Grading(task.labels, rewards, recipe.rewards, recipe.costs, self.answer_format.wording),
                on_rollouts=callback.record_rollouts,
                **common,
            )

    def save(self, trainer: Any) -> None:
        """Save only the adapter. If its weights are sharded over processes, all of them take part."""
        is_sharded = trainer.accelerator.distributed_type.value in {"FSDP", "DEEPSPEED"}
        state = trainer.accelerator.get_state_dict(trainer.model_wrapped) if is_sharded else None
        if distributed.is_main_process():
            self.policy.model.save_pretrained(str(self.phase.adapter), selected_adapters=["default"], state_dict=state)
        distributed.barrier()


def open_writer(project: Project, phase: PhaseSetup, answer_format: StudentFormat) -> Writer:
    """The student of a phase with the adapter to train. Raises WeightsError."""
    from core.training.trainers.policy import open_policy

    policy = open_policy(phase.path, phase.recipe, adapter=phase.start_adapter)
    return Writer(project, phase, answer_format, policy, Chat(policy.tokenizer, thinks=False))
