"""Trains one recipe: from its last checkpoint, or from an adapter, to an adapter of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.benchmark.sampling_order import sampling_order
from core.config.case import Mode
from core.config.project import Project
from core.config.recipe import Algorithm, Recipe
from core.config.task import Task
from core.models.student_format import StudentFormat, choose_format, load_format, save_format
from core.runs.session import Ending
from core.training import distributed
from core.training.data.stale import learned_fields, stale_note
from core.training.run import checkpoints
from core.training.run.reporter import Reporter
from storage.schema import Example, RunState

if TYPE_CHECKING:
    from core.models.chat import Chat
    from core.training.data.cases import LeftOut, TrainingCase
    from core.training.data.sampler import CurriculumSampler
    from core.training.run.callback import TrainingCallback
    from core.training.run.evaluate_dev import DevEvaluation
    from core.training.trainers.grpo import Policy


@dataclass(frozen=True)
class PhaseSetup:
    """The setup of a phase: a recipe, the student at `path`, the adapter to start from, and the folder for its files.

    `train` are the examples to learn from, `dev` those to evaluate on. Rewards of the project's own run only with
    `allow_project_code`.
    """

    name: str
    recipe: Recipe
    path: Path
    start_adapter: Path | None
    folder: Path
    train: Sequence[Example]
    dev: Sequence[Example]
    allow_project_code: bool = False

    @property
    def adapter(self) -> Path:
        """The folder for its adapter."""
        return self.folder / "adapter"


def run_phase(project: Project, phase: PhaseSetup, reporter: Reporter) -> Ending:
    """Train from the last checkpoint, or from `start_adapter`; FINISHED once the new adapter is saved."""
    from transformers import PrinterCallback

    from core.models.chat import Chat
    from core.models.decoding import StoppedError
    from core.training.data.cases import label_shares, training_cases
    from core.training.data.sampler import CurriculumSampler
    from core.training.run.callback import TrainingCallback
    from core.training.trainers.policy import open_policy

    recipe = phase.recipe
    if problem := why_not_trainable(recipe, distributed.process_count(), os.environ):
        return Ending(RunState.FAILED, problem)
    phase.folder.mkdir(parents=True, exist_ok=True)
    checkpoint = distributed.broadcast(
        checkpoints.newest_checkpoint(phase.folder) if distributed.is_main_process() else None
    )
    first_step = checkpoints.step_of(checkpoint) if checkpoint else 0
    policy = open_policy(phase.path, recipe, adapter=phase.start_adapter)
    chat = Chat(policy.tokenizer, thinks=False)
    previous = load_format(phase.start_adapter) if phase.start_adapter else None
    answer_format = choose_format(recipe, project.task, project.folder, phase.train, previous)
    prompting = answer_format.prompting(project.task, project.folder)
    make_cases = partial(
        training_cases,
        prompting=prompting,
        chat=chat,
        answer_format=answer_format,
        end=policy.end,
        max_tokens=recipe.max_prompt_tokens,
    )
    train_cases, left_out = make_cases(phase.train, learned=learned_fields(recipe, answer_format))
    if not train_cases:
        return Ending(RunState.FAILED, why_no_case(left_out, recipe.max_prompt_tokens))
    dev = sampling_order(phase.dev, recipe.seed)[: recipe.evaluate_on]
    dev_cases, dev_left_out = make_cases(dev, learned=())
    sampler = CurriculumSampler(
        [case.position for case in train_cases],
        recipe.curriculum,
        batch=recipe.batch,
        steps=recipe.steps // recipe.passes,
        seed=recipe.seed,
    )
    if checkpoint is not None:
        sampler.restore(checkpoints.state(checkpoint), first_step // recipe.passes)
    reporter.log(
        f"{phase.name}: {recipe.algorithm.value}, {recipe.steps} steps, {len(train_cases)} cases, "
        f"{len(dev_cases)} to watch; {describe_format(answer_format)}"
        + describe_left_out(left_out, recipe.max_prompt_tokens)
        + (f"; {distributed.process_count()} processes" if distributed.process_count() > 1 else "")
        + (f"; goes on after step {first_step}" if first_step else "")
    )
    if left_out.stale:
        reporter.log(stale_note(left_out.stale), severity="warning")
    if warning := truncation_warning([len(case.answer) for case in train_cases], recipe.max_answer_tokens):
        reporter.log(warning, severity="warning")
    if not dev_cases:
        cause = describe_left_out(dev_left_out, recipe.max_prompt_tokens).lstrip("; ") or "the dev split is empty"
        reporter.log(f"{cause}: accuracy is not watched", severity="warning")
    looks: list[DevEvaluation] = []
    evaluate = (
        _dev_evaluation(project.task, policy, chat, dev_cases, recipe, answer_format, reporter.stopping, looks)
        if dev_cases
        else None
    )
    callback = TrainingCallback(recipe, reporter, sampler, evaluate, label_shares(train_cases))
    trainer = _trainer(project, phase, policy, answer_format, train_cases, sampler, callback, first_step)
    if getattr(trainer, "no_sharing_reason", ""):
        reporter.log(f"each prompt is read for each of its answers: {trainer.no_sharing_reason}", severity="warning")
    trainer.remove_callback(PrinterCallback)  # its figures are in the database
    callback.trainer = trainer
    if checkpoint is not None and hasattr(trainer, "load_critic"):
        trainer.load_critic(checkpoint)
    try:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    except StoppedError:  # during the evaluation before the first step
        callback.stopped = True
    if callback.stopped:
        return Ending(RunState.STOPPED, f"stopped on request at step {trainer.state.global_step}; resume continues it")
    if distributed.is_main_process():
        save_format(phase.adapter, _fit_confidence(answer_format, looks))
    _save_adapter(policy.model, trainer, phase.adapter)
    return Ending(RunState.FINISHED, callback.ended_early)


def why_no_case(left_out: LeftOut, max_tokens: int) -> str:
    """Why there is nothing to learn from, and what to do."""
    if left_out.without_steps:
        return (
            f"{left_out.without_steps:,} examples have no steps, which this recipe learns to write: "
            '`sidequest steps fill` adds them, or set rationale = "full"'
            + (f"; {left_out.too_long:,} are longer than {max_tokens} tokens" if left_out.too_long else "")
        )
    if left_out.stale and not left_out.too_long:
        return f"nothing is left to learn from: {stale_note(left_out.stale)}"
    stale = f"; {stale_note(left_out.stale)}" if left_out.stale else ""
    return f"no case of the train split is short enough: raise max_prompt_tokens{stale}"


def describe_format(answer_format: StudentFormat) -> str:
    """How the student is asked and what it writes, in short."""
    if answer_format.mode is Mode.DIRECT:
        return f"{answer_format.prompt} prompt, the decision alone"
    rationale = {
        "steps": "steps, then the decision",
        "full": "prose, the decision and a confidence",
        "none": "the decision alone",
        "after": "the decision, then steps",
    }[answer_format.rationale]
    return f"{answer_format.prompt} prompt, {rationale}"


def describe_left_out(left_out: LeftOut, max_tokens: int) -> str:
    """What is not learned from, each kind behind a semicolon; '' if nothing is."""
    kinds = [(left_out.too_long, f"longer than {max_tokens} tokens"), (left_out.without_steps, "without steps")]
    return "".join(f"; {number:,} left out, {kind}" for number, kind in kinds if number)


def truncation_warning(lengths: Sequence[int], max_tokens: int) -> str:
    """A warning that answers of these `lengths` in tokens are longer than the student may write; '' if none is."""
    longer = sum(length > max_tokens for length in lengths)
    if not longer:
        return ""
    return (
        f"{longer:,} of {len(lengths):,} answers to learn from are longer than max_answer_tokens ({max_tokens}): "
        f"those are cut off before they decide; {max(lengths)} holds them all"
    )


def why_not_trainable(recipe: Recipe, number: int, environment: Mapping[str, str]) -> str:
    """Why `number` processes, as accelerate set them up, cannot train a recipe; '' if they can."""
    if recipe.batch % number:
        return f"a batch of {recipe.batch} cannot be shared out among {number} processes: take a multiple of {number}"
    is_sharded = (
        environment.get("ACCELERATE_USE_FSDP") == "true" or environment.get("ACCELERATE_DEEPSPEED_ZERO_STAGE") == "3"
    )
    if is_sharded and recipe.algorithm.by_rewards and not recipe.vllm_server:
        return (
            "answers cannot be written by weights that are spread over processes (FSDP, DeepSpeed ZeRO 3): let a "
            "vllm_server write them, or take plain data parallelism or ZeRO 2"
        )
    return ""


def _save_adapter(model: Any, trainer: Any, folder: Path) -> None:
    """Save only the adapter. If its weights are sharded over processes, all of them take part."""
    is_sharded = trainer.accelerator.distributed_type.value in {"FSDP", "DEEPSPEED"}
    state = trainer.accelerator.get_state_dict(trainer.model_wrapped) if is_sharded else None
    if distributed.is_main_process():
        model.save_pretrained(str(folder), selected_adapters=["default"], state_dict=state)
    distributed.barrier()


def _trainer(
    project: Project,
    phase: PhaseSetup,
    policy: Policy,
    answer_format: StudentFormat,
    train_cases: Sequence[TrainingCase],
    sampler: CurriculumSampler,
    callback: TrainingCallback,
    first_step: int,
) -> Any:
    from core.training.trainers import arguments

    recipe = phase.recipe
    if recipe.algorithm is Algorithm.SFT:
        from core.training.trainers.sft import SftTrainer

        settings = arguments.sft_arguments(recipe, phase.folder, distributed.process_count())
        return SftTrainer(policy, settings, train_cases, sampler, first_step=first_step, callbacks=[callback])
    from core.training.data.rewards import find_reward
    from core.training.trainers.grpo import GrpoTrainer
    from core.training.trainers.ppo import PpoTrainer
    from core.training.trainers.rollout import Grading
    from core.training.trainers.vllm import reach_server

    rewards = {
        name: find_reward(name, project.folder, allow_project_code=phase.allow_project_code) for name in recipe.rewards
    }
    trainer_class = PpoTrainer if recipe.algorithm is Algorithm.PPO else GrpoTrainer
    with reach_server(recipe.vllm_server) if recipe.vllm_server else nullcontext():
        return trainer_class(
            policy,
            recipe,
            arguments.grpo_arguments(recipe, phase.folder, distributed.process_count()),
            train_cases,
            sampler,
            Grading(project.task.labels, rewards, recipe.rewards, recipe.costs, answer_format.wording),
            on_rollouts=callback.record_rollouts,
            first_step=first_step,
            callbacks=[callback],
        )


def _fit_confidence(answer_format: StudentFormat, looks: Sequence[DevEvaluation]) -> StudentFormat:
    """The format with its confidence fitted to the last look at dev; as it is where there was none."""
    if not looks:
        return answer_format
    answers = looks[-1].answers
    return answer_format.fitted(
        [answer.probabilities for answer in answers],
        [answer.decision for answer in answers],
        [answer.label for answer in answers],
    )


def _dev_evaluation(
    task: Task,
    policy: Policy,
    chat: Chat,
    dev_cases: Sequence[TrainingCase],
    recipe: Recipe,
    answer_format: StudentFormat,
    stopping: Callable[[], bool],
    looks: list[DevEvaluation],
) -> Callable[[], dict[str, Any]]:
    """The function that evaluates on the dev split, and leaves what it saw last in `looks`; it raises StoppedError.

    All processes have to call it.
    """
    from core.models.decoding import Decoder
    from core.training.run.evaluate_dev import evaluate_dev

    tokens = chat.label_tokens(task.labels)
    # Several processes would have to agree at each token: they finish the evaluation.
    should_stop = stopping if distributed.process_count() == 1 else lambda: False

    def evaluate() -> dict[str, Any]:
        base_model = policy.model.get_base_model()
        was_training = base_model.training
        base_model.eval()
        try:
            decoder = Decoder(base_model, policy.text, policy.ends, should_stop)
            looks[:] = [evaluate_dev(decoder, dev_cases, answer_format, task, tokens, recipe.max_answer_tokens)]
            return looks[-1].figures
        finally:
            base_model.train(was_training)

    return evaluate
