"""`generate`: start a run, and show its progress until it ends."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import click

from core.generation.start import start_generation
from core.runs.control import run_status
from core.runs.params import GenerateParams
from core.runs.progress import GenerateProgress, progress_of
from storage.schema import Run, RunState
from tui.commands.context import Context, RefusedError, json_option, pass_context, verb
from tui.commands.output import print_json, say
from tui.commands.waiting import wait


class Money(click.ParamType[Decimal]):
    """An amount of money: a finite number from 0 on."""

    name = "amount"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        try:
            amount = Decimal(value)
        except ArithmeticError:
            amount = Decimal("NaN")
        if not amount.is_finite() or amount < 0:
            self.fail(f"{value!r} is no amount: write a number such as 2.50", param, ctx)
        return amount


@click.command()
@click.option("--source", help="What writes: 'procedural', or a model of the project file.  [default: its generator]")
@click.option("--judge", help="What judges: 'solver', or a model of the project file.  [default: its judge]")
@click.option("--fill", is_flag=True, help="Make everything that is missing.")
@click.option("-n", "n", type=click.IntRange(min=1), help="Make so many of the missing examples.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the run.")
@click.option("--domain", "domains", multiple=True, help="Only cells of this domain; may be repeated.")
@click.option("--level", "levels", type=int, multiple=True, help="Only cells of this level; may be repeated.")
@click.option("--decision", "decisions", multiple=True, help="Only cells of this decision; may be repeated.")
@click.option("--inference", help="Only cases of this kind of inference, such as 'trend'; the procedural source knows.")
@click.option("--budget", type=Money(), help="Money that the run may spend.  [default: the project file's]")
@click.option("--flaws", type=click.FloatRange(0, 1), help="Share of procedural attempts with a planted flaw.")
@click.option("--revise", help="Begin with this rejected attempt, in its own cell.")
@click.option("--hint", help="Advice for the model that writes.")
@click.option("--detach", is_flag=True, help="Return at once; the run goes on by itself.")
@json_option
@pass_context
@verb
def generate(context: Context, fill: bool, n: int | None, detach: bool, as_json: bool, **options: Any) -> None:
    """Fill the cells of the curriculum with examples that pass QA."""
    if (fill + (n is not None) + (options["revise"] is not None)) != 1:
        raise RefusedError("say --fill for everything that is missing, -n N for some of it, or --revise ATTEMPT")
    project, connection = context.open()
    lists = {name: list(value) if isinstance(value, tuple) else value for name, value in options.items()}
    update = {name: value for name, value in lists.items() if value is not None and value != []}
    params = GenerateParams.model_validate(GenerateParams.of(project.task).model_dump() | update | {"n": n})
    run = start_generation(project, connection, params)
    if detach:
        if as_json:
            print_json({"run": run.id, "state": run.state})
        else:
            say(f"run {run.id} goes on by itself: `sidequest runs show {run.id[-6:]}`")
        return
    ended = wait(connection, run, describe_counts, quiet=as_json)
    state = run_status(ended).state
    if as_json:
        print_json(run_summary(ended))
    else:
        say(_closing_message(ended, state))
    raise SystemExit(0 if state is RunState.FINISHED else 1)


def run_summary(run: Run) -> dict[str, Any]:
    """A generating run in figures, as `--json` prints it."""
    names = ("attempts", "accepted", "rejected", "unjudged", "given_up", "cost", "cost_per_accepted", "reasons")
    progress = progress_of(run, GenerateProgress)
    # Before its first figures, a run has none.
    figures = progress.model_dump(include={*names, "outcomes"}) if progress.total is not None else {}
    unknown = dict.fromkeys((*names, "outcomes"))
    return {"run": run.id, "state": run_status(run).state.value, "reason": run.reason, **unknown, **figures}


def describe_counts(run: Run) -> str:
    """The counts of a generating run, in a few words."""
    progress = progress_of(run, GenerateProgress)
    return f"{progress.attempts} attempts · {progress.rejected} rejected"


def _closing_message(run: Run, state: RunState) -> str:
    progress = progress_of(run, GenerateProgress)
    text = f"run {run.id[-6:]} {state}"
    if progress.total is not None:
        text += f": {progress.accepted} passed QA, {progress.rejected} rejected, {progress.attempts} attempts"
    if progress.cost is not None:
        text += f", cost {progress.cost:.2f}"
    if run.reason:
        text += f"\n{run.reason}"
    if state in {RunState.STOPPED, RunState.FAILED, RunState.LOST}:
        text += f"\n`sidequest runs resume {run.id[-6:]}` continues it"
    return text
