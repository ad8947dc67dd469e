"""`train`: run a recipe, and watch what comes of it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click

from core.config.project import Project
from core.models.trained import trained_models
from core.models.weights import is_trained
from core.runs.control import RunError, require_run, run_status
from core.runs.params import TrainParams, params_of
from core.runs.progress import BenchmarkProgress, TrainProgress, progress_of
from core.runs.readable import readable_of_kind
from core.training.curve.cells import KIND as CURVE
from core.training.plan import KIND, adapter_folder
from core.training.run.start import start_training
from storage import training
from storage.schema import Run, RunState
from tui.commands.context import Context, json_option, pass_context, verb
from tui.commands.output import print_json, say, show, table
from tui.commands.train_curve import curve, show_curve, target_option
from tui.commands.waiting import wait

# So many of the newest steps are shown.
NEWEST = 10

allow_project_code_option = click.option(
    "--allow-project-code",
    is_flag=True,
    help="Let the recipe's own rewards run: module:function, from the project's folder or installed.",
)


@click.group()
def train() -> None:
    """Training: estimate, run, curve, show, list, note, compare."""


train.add_command(curve)


@train.command("run")
@click.argument("recipe")
@click.option("--from", "start_from", default="", help="Go on with the adapter of this training run.")
@click.option("--detach", is_flag=True, help="Return at once; the run goes on by itself.")
@allow_project_code_option
@json_option
@pass_context
@verb
def run_(context: Context, recipe: str, start_from: str, detach: bool, allow_project_code: bool, as_json: bool) -> None:
    """Train the student as [train.RECIPE] says, on the accepted examples of the train split."""
    project, connection = context.open()
    run = start_training(project, connection, recipe, start_from=start_from, allow_project_code=allow_project_code)
    if detach:
        if as_json:
            print_json({"run": run.id, "state": run.state})
        else:
            say(f"run {run.id} goes on by itself: `sidequest train show {run.id[-6:]}`")
        return
    ended = wait(connection, run, _describe_figures, quiet=as_json)
    _show(context, ended, as_json)
    state = run_status(ended).state
    if state in {RunState.STOPPED, RunState.FAILED, RunState.LOST} and not as_json:
        say(f"`sidequest runs resume {run.id[-6:]}` continues it")
    raise SystemExit(0 if state is RunState.FINISHED else 1)


@train.command("estimate")
@click.argument("recipe")
@allow_project_code_option
@json_option
@pass_context
@verb
def estimate_(context: Context, recipe: str, allow_project_code: bool, as_json: bool) -> None:
    """What [train.RECIPE] takes of memory and time: by formula, and by three real steps that leave nothing behind."""
    from core.training.estimate.recipe_estimate import estimate_recipe
    from tui.commands.train_estimate import show_estimate

    project, _ = context.open()
    estimate = asyncio.run(estimate_recipe(project, recipe, on_progress=say, allow_project_code=allow_project_code))
    if as_json:
        print_json(estimate)
    else:
        show_estimate(estimate)
    raise SystemExit(0 if estimate.fits else 1)


@train.command("show")
@click.argument("run")
@target_option
@json_option
@pass_context
@verb
def show_(context: Context, run: str, target: float, as_json: bool) -> None:
    """The figures of a training run or a learning curve, while it runs or after."""
    _, connection = context.open()
    if (chosen := require_run(connection, run)).kind == CURVE:
        show_curve(context, chosen, target, as_json)
    else:
        _show(context, _training(connection, run), as_json)


@train.command("list")
@json_option
@pass_context
@verb
def list_(context: Context, as_json: bool) -> None:
    """The training runs, newest first."""
    project, connection = context.open()
    training_runs = readable_of_kind(connection, KIND)
    if as_json:
        print_json([_document(project, connection, run, whole=False) for run in training_runs])
        return
    table(
        ["run", "recipe", "phase", "state", "step", "dev accuracy"],
        [
            (
                run.id[-6:],
                params_of(run, TrainParams).name,
                progress.phase,
                run_status(run).state.value,
                f"{progress.done}/{'?' if progress.total is None else progress.total}",
                _dev(progress),
            )
            for run in training_runs
            for progress in [progress_of(run, TrainProgress)]
        ],
    )


@train.command("note")
@click.argument("run")
@click.argument("text")
@click.option("--step", type=click.IntRange(min=0), help="Pin it to this step of the phase that the run is at.")
@pass_context
@verb
def note_(context: Context, run: str, text: str, step: int | None) -> None:
    """Pin a note to the step that a training run is at, or to an earlier one."""
    _, connection = context.open()
    training_run = _training(connection, run)
    progress = progress_of(training_run, TrainProgress)
    done = progress.done
    if step is not None and step > done:
        raise RunError(f"run {training_run.id[-6:]} is at step {done}: there is no step {step} yet")
    step = done if step is None else step
    training.add_note(connection, training_run.id, progress.phase, step, text)
    say(f"noted at step {step}")


@train.command("compare")
@click.argument("run", nargs=-1)
@click.option("--run", "benchmark", is_flag=True, help="Run the benchmarks that are missing first, one after another.")
@json_option
@pass_context
@verb
def compare_(context: Context, run: tuple[str, ...], benchmark: bool, as_json: bool) -> None:
    """The student and what training RUNs made of it (all, if none is named), on the same examples, in one table."""
    from core.training.comparison import comparison_table, start_missing
    from tui.commands.train_figures import show_table

    project, connection = context.open()
    chosen = [_training(connection, prefix) for prefix in run]
    comparison = comparison_table(project, connection, chosen)
    while benchmark and (lacking := next((row for row in comparison.rows if row.command), None)):
        say(f"{lacking.model}: {lacking.command}")
        benchmark_run = start_missing(project, connection, comparison, lacking)
        ended = wait(
            connection, benchmark_run, lambda run: f"{progress_of(run, BenchmarkProgress).right} right", quiet=as_json
        )
        if (state := run_status(ended).state) is not RunState.FINISHED:
            raise RunError(f"benchmark {benchmark_run.id[-6:]} is {state}{f': {ended.reason}' if ended.reason else ''}")
        comparison = comparison_table(project, connection, chosen)
    if as_json:
        print_json(comparison)
    else:
        show_table(comparison)


def _training(connection: Any, prefix: str) -> Run:
    run = require_run(connection, prefix)
    if run.kind != KIND:
        raise RunError(f"run {prefix} is no training run: it is a {run.kind} run")
    return run


def _describe_figures(run: Run) -> str:
    progress = progress_of(run, TrainProgress)
    parts = [progress.phase]
    figures = (("loss", progress.loss), ("reward", progress.reward))
    parts += [f"{name} {value:.3f}" for name, value in figures if value is not None]
    if progress.dev:
        parts.append(f"dev {_dev(progress)}")
    return " · ".join(parts)


def _dev(progress: TrainProgress) -> str:
    dev = progress.dev
    if dev is None or dev.accuracy is None or dev.low is None or dev.high is None:
        return "unknown"
    return f"{100 * dev.accuracy:.1f} % ({100 * dev.low:.1f}–{100 * dev.high:.1f}) at step {dev.step}"


def _document(project: Project, connection: Any, run: Run, *, whole: bool = True) -> dict[str, Any]:
    adapter = adapter_folder(project, run)
    there = is_trained(adapter)
    progress = progress_of(run, TrainProgress)
    document: dict[str, Any] = {
        "run": run.id,
        "recipe": params_of(run, TrainParams).name,
        "state": run_status(run).state.value,
        "reason": run.reason,
        "phase": progress.phase or None,
        "step": progress.done,
        "steps": progress.total,
        "dev": progress.dev,
        "alarms": progress.alarms,
        "checkpoints": [str(one.relative_to(project.folder)) for one in _checkpoints(project, run)],
        "adapter": str(adapter.relative_to(project.folder)) if there else None,
        "models": _models(project, connection, run),
    }
    if whole:
        document["metrics"] = [_plain(step) for step in training.steps(connection, run.id)]
        document["looks"] = [_plain(step) for step in training.evaluations(connection, run.id)]
        document["notes"] = training.notes(connection, run.id)
    return document


def _models(project: Project, connection: Any, run: Run) -> list[str]:
    """The models that a training run has made."""
    return [model.name for model in trained_models(project, connection).values() if model.run == run.id]


def _plain(step: training.TrainingStep) -> dict[str, Any]:
    return {"phase": step.phase, "step": step.step, **step.figures}


def _checkpoints(project: Project, run: Run) -> list[Path]:
    return sorted(marker.parent for marker in project.run_folder(run.id).glob("*/checkpoint-*/complete.json"))


def _show(context: Context, run: Run, as_json: bool) -> None:
    project, connection = context.open()
    if as_json:
        print_json(_document(project, connection, run))
        return
    show(
        f"{params_of(run, TrainParams).name} · run {run.id[-6:]} · "
        f"{run_status(run).state}{f': {run.reason}' if run.reason else ''}"
    )
    if made := _models(project, connection, run):
        show(f"  made {', '.join(made)}: `sidequest train compare {run.id[-6:]}` holds it against the student")
    for sentence in progress_of(run, TrainProgress).alarms.values():
        show(f"  ! {sentence}")
    looks = training.evaluations(connection, run.id)
    if looks:
        show("\nOn the dev split:")
        table(
            ["phase", "step", "right", "accuracy", "ECE", "unread"],
            [
                (
                    evaluation.phase,
                    evaluation.step,
                    f"{evaluation.figures['right']}/{evaluation.figures['n']}",
                    f"{100 * evaluation.figures['accuracy']:.1f} %",
                    "unknown" if evaluation.figures["ece"] is None else f"{evaluation.figures['ece']:.3f}",
                    f"{evaluation.figures['unread']:.0%}",
                )
                for evaluation in looks
            ],
        )
    steps = training.steps(connection, run.id)
    if steps:
        show(f"\nThe newest {min(NEWEST, len(steps))} of {len(steps)} steps:")
        names = ["loss", "reward", "right", "kl", "entropy", "length", "seconds"]
        table(
            ["phase", "step", *names],
            [(step.phase, step.step, *(_number(step.figures.get(name)) for name in names)) for step in steps[-NEWEST:]],
        )


def _number(value: Any) -> str:
    return "" if value is None else f"{value:.3f}"
