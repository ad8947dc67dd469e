"""Trains one recipe: from its last checkpoint, or from an adapter, to an adapter of its own."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from core.benchmark.sampling_order import sampling_order
from core.config.case import Mode
from core.config.project import Project
from core.config.recipe import Recipe
from core.models.student_format import StudentFormat, save_format
from core.runs.session import Ending
from core.training import distributed
from core.training.data.stale import stale_note
from core.training.run import checkpoints
from core.training.run.reporter import Reporter
from core.training.run.setup import PhaseSetup
from storage.schema import RunState

if TYPE_CHECKING:
    from core.training.data.cases import LeftOut
    from core.training.run.evaluate_dev import DevEvaluation


def run_phase(project: Project, phase: PhaseSetup, reporter: Reporter) -> Ending:
    """Train from the last checkpoint, or from `start_adapter`; FINISHED once the new adapter is saved."""
    from transformers import PrinterCallback

    from core.models.decoding import StoppedError
    from core.training.data.cases import label_shares
    from core.training.data.sampler import CurriculumSampler
    from core.training.run.callback import TrainingCallback
    from core.training.run.student import open_student

    recipe = phase.recipe
    if problem := why_not_trainable(recipe, distributed.process_count(), os.environ):
        return Ending(RunState.FAILED, problem)
    phase.folder.mkdir(parents=True, exist_ok=True)
    checkpoint = distributed.broadcast(
        checkpoints.newest_checkpoint(phase.folder) if distributed.is_main_process() else None
    )
    first_step = checkpoints.step_of(checkpoint) if checkpoint else 0
    student = open_student(project, phase)
    answer_format = student.answer_format
    train_cases, left_out = student.cases(phase.train, learns=True)
    if not train_cases:
        return Ending(RunState.FAILED, why_no_case(left_out, recipe.max_prompt_tokens))
    dev = sampling_order(phase.dev, recipe.seed)[: recipe.evaluate_on]
    dev_cases, dev_left_out = student.cases(dev, learns=False)
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
    evaluate = student.evaluation(dev_cases, reporter.stopping, looks) if dev_cases else None
    callback = TrainingCallback(recipe, reporter, sampler, evaluate, label_shares(train_cases))
    trainer = student.trainer(train_cases, sampler, callback, first_step)
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
    student.save(trainer)
    return Ending(RunState.FINISHED, callback.ended_early)


def why_no_case(left_out: LeftOut, max_tokens: int) -> str:
    """Why there is nothing to learn from, and what to do."""
    if left_out.without_steps:
        return (
            f"{left_out.without_steps:,} examples have no steps, which this recipe learns to write: "
            'set rationale = "full" to teach the prose'
            + (f"; {left_out.too_long:,} are longer than {max_tokens} tokens" if left_out.too_long else "")
        )
    if left_out.stale and not left_out.too_long:
        return f"nothing is left to learn from: {stale_note(left_out.stale)}"
    stale = f"; {stale_note(left_out.stale)}" if left_out.stale else ""
    return f"no case of the train split is short enough: raise max_prompt_tokens{stale}"


def describe_format(answer_format: StudentFormat) -> str:
    """How the student is asked and what it writes, in short."""
    if answer_format.kind == "classifier":
        return f"a classifier of {answer_format.max_tokens} tokens at most"
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
    parts = [f"; {number:,} left out, {kind}" for number, kind in kinds if number]
    if left_out.pieces:
        parts.append(
            f"; {left_out.shortened:,} are too long and are read without {left_out.pieces:,} pieces of evidence, the "
            "least relevant first"
        )
    if left_out.cut:
        parts.append(f"; {left_out.cut:,} are too long even then and are cut at their end")
    return "".join(parts)


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
