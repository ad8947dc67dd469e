"""One recipe at work: from its last checkpoint, or from an adapter, to an adapter of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.benchmark.sampling_order import sampling_order
from core.config.project import Project
from core.config.recipe import Algorithm, Recipe
from core.models.prompting import Prompting
from core.runs.session import Ending
from core.training import distributed
from core.training.run import checkpoints
from core.training.run.reporter import Reporter
from storage.schema import Example, RunState


@dataclass(frozen=True)
class PhaseSetup:
    """What a phase is told: a recipe, the student at `path`, the adapter to start `before`, where its files go.

    `train` are the examples that it learns from, `dev` those that it is watched on. Rewards of the project's own run
    only with `allow_project_code`.
    """

    name: str
    recipe: Recipe
    path: Path
    before: Path | None
    folder: Path
    train: Sequence[Example]
    dev: Sequence[Example]
    allow_project_code: bool = False

    @property
    def adapter(self) -> Path:
        """Where its adapter goes."""
        return self.folder / "adapter"

    @property
    def done(self) -> bool:
        """Whether its adapter is there."""
        return (self.adapter / "adapter_model.safetensors").is_file()


def run_phase(project: Project, phase: PhaseSetup, telling: Reporter) -> Ending:
    """Train from the last checkpoint, or from the adapter before; FINISHED once the new adapter is there."""
    from transformers import PrinterCallback

    from core.models.chat import Chat
    from core.models.decoding import StoppedError
    from core.training.data.cases import cases, label_shares
    from core.training.data.sampler import CurriculumSampler
    from core.training.run.callback import TrainingCallback
    from core.training.trainers.policy import open_policy

    recipe = phase.recipe
    if problem := refused(recipe, distributed.process_count(), os.environ):
        return Ending(RunState.FAILED, problem)
    phase.folder.mkdir(parents=True, exist_ok=True)
    last = distributed.broadcast(checkpoints.newest_checkpoint(phase.folder) if distributed.is_main_process() else None)
    begun = checkpoints.step_of(last) if last else 0
    policy = open_policy(phase.path, recipe, adapter=phase.before)
    chat = Chat(policy.tokenizer, thinks=False)
    asking = Prompting(project.task, recipe.mode, project.folder)
    made, longer = cases(phase.train, asking, chat, recipe.mode, end=policy.end, most=recipe.max_prompt_tokens)
    if not made:
        return Ending(RunState.FAILED, "no case of the train split is short enough: raise max_prompt_tokens")
    dev = sampling_order(phase.dev, recipe.seed)[: recipe.evaluate_on]
    watched, _ = cases(dev, asking, chat, recipe.mode, end=policy.end, most=recipe.max_prompt_tokens)
    draw = CurriculumSampler(
        [case.place for case in made],
        recipe.curriculum,
        batch=recipe.batch,
        steps=recipe.steps // recipe.passes,
        seed=recipe.seed,
    )
    if last is not None:
        draw.restore(checkpoints.state(last), begun // recipe.passes)
    telling.log(
        f"{phase.name}: {recipe.algorithm.value}, {recipe.steps} steps, {len(made)} cases, {len(watched)} to watch"
        + (f"; {longer} are longer than {recipe.max_prompt_tokens} tokens and left out" if longer else "")
        + (f"; {distributed.process_count()} processes" if distributed.process_count() > 1 else "")
        + (f"; goes on after step {begun}" if begun else "")
    )
    if said := too_long([len(case.answer) for case in made], recipe.max_answer_tokens):
        telling.log(said, severity="warning")
    if not watched:
        telling.log("the dev split is empty: accuracy is not watched", severity="warning")
    labels = project.task.labels
    looking = _looking(policy, chat, watched, recipe, labels, telling.stopping) if watched else None
    watcher = TrainingCallback(recipe, telling, draw, looking, label_shares(made))
    trainer = _trainer(project, phase, policy, made, draw, watcher, begun)
    if getattr(trainer, "sharing", ""):
        telling.log(f"each prompt is read for each of its answers: {trainer.sharing}", severity="warning")
    trainer.remove_callback(PrinterCallback)  # its figures are in the database
    watcher.trainer = trainer
    if last is not None and hasattr(trainer, "load_critic"):
        trainer.load_critic(last)
    try:
        trainer.train(resume_from_checkpoint=str(last) if last else None)
    except StoppedError:  # in the look before its first step
        watcher.stopped = True
    if watcher.stopped:
        return Ending(RunState.STOPPED, f"stopped on request at step {trainer.state.global_step}; resume continues it")
    _keep(policy.model, trainer, phase.adapter)
    return Ending(RunState.FINISHED, watcher.ended_early)


def too_long(lengths: Sequence[int], most: int) -> str:
    """That answers to learn from, of so many tokens each, are longer than the student may write; empty if none is."""
    over = sum(length > most for length in lengths)
    if not over:
        return ""
    return (
        f"{over:,} of {len(lengths):,} answers to learn from are longer than max_answer_tokens ({most}): those are "
        f"cut off before they decide; {max(lengths)} holds them all"
    )


def refused(recipe: Recipe, number: int, environment: Mapping[str, str]) -> str:
    """Why a recipe cannot be trained by so many processes, as accelerate has set them up; empty if it can."""
    if recipe.batch % number:
        return f"a batch of {recipe.batch} cannot be shared out among {number} processes: take a multiple of {number}"
    spread = (
        environment.get("ACCELERATE_USE_FSDP") == "true" or environment.get("ACCELERATE_DEEPSPEED_ZERO_STAGE") == "3"
    )
    if spread and recipe.algorithm is not Algorithm.SFT and not recipe.vllm_server:
        return (
            "answers cannot be written by weights that are spread over processes (FSDP, DeepSpeed ZeRO 3): let a "
            "vllm_server write them, or take plain data parallelism or ZeRO 2"
        )
    return ""


def _keep(model: Any, trainer: Any, folder: Path) -> None:
    """Save the adapter alone. Where its weights are spread over processes, all of them take part."""
    spread = trainer.accelerator.distributed_type.value in {"FSDP", "DEEPSPEED"}
    state = trainer.accelerator.get_state_dict(trainer.model_wrapped) if spread else None
    if distributed.is_main_process():
        model.save_pretrained(str(folder), selected_adapters=["default"], state_dict=state)
    distributed.barrier()


def _trainer(
    project: Project, phase: PhaseSetup, policy: Any, made: Sequence[Any], draw: Any, watcher: Any, begun: int
) -> Any:
    from core.training.trainers import arguments

    recipe = phase.recipe
    if recipe.algorithm is Algorithm.SFT:
        from core.training.trainers.sft import SftTrainer

        settings = arguments.sft_arguments(recipe, phase.folder, distributed.process_count())
        return SftTrainer(policy, settings, made, draw, first_step=begun, callbacks=[watcher])
    from core.training.data.rewards import find_reward
    from core.training.trainers.grpo import GrpoTrainer
    from core.training.trainers.ppo import PpoTrainer
    from core.training.trainers.rollout import Grading
    from core.training.trainers.vllm import reach_server

    rewards = {
        name: find_reward(name, project.folder, allow_project_code=phase.allow_project_code) for name in recipe.rewards
    }
    kind = PpoTrainer if recipe.algorithm is Algorithm.PPO else GrpoTrainer
    with reach_server(recipe.vllm_server) if recipe.vllm_server else nullcontext():
        return kind(
            policy,
            recipe,
            arguments.grpo_arguments(recipe, phase.folder, distributed.process_count()),
            made,
            draw,
            Grading(project.task.labels, rewards, recipe.rewards, recipe.costs),
            heard=watcher.heard,
            first_step=begun,
            callbacks=[watcher],
        )


def _looking(
    policy: Any,
    chat: Any,
    watched: Sequence[Any],
    recipe: Recipe,
    labels: Sequence[str],
    stopping: Callable[[], bool],
) -> Callable[[], dict[str, Any]]:
    """What looks at the dev split, and raises StoppedError; each process does, as spread weights need all of them."""
    from core.models.decoding import Decoder
    from core.training.run.evaluate_dev import evaluate_dev

    tokens = chat.answers(labels)
    # Several processes would have to agree at each token: they look to the end.
    heeding = stopping if distributed.process_count() == 1 else lambda: False

    def looking() -> dict[str, Any]:
        bare = policy.model.get_base_model()
        training_before = bare.training
        bare.eval()
        try:
            decoder = Decoder(bare, policy.text, policy.ends, heeding)
            return evaluate_dev(decoder, watched, recipe.mode, labels, tokens, recipe.max_answer_tokens)
        finally:
            bare.train(training_before)

    return looking
