"""`train curve`: what it prints for a person, and for a program."""

from __future__ import annotations

import click

from core.runs.control import run_status
from core.runs.describe import describe_cells, format_duration
from core.runs.params import TARGET
from core.runs.progress import CurveProgress, progress_of
from core.training.curve.results import CurveResults, curve_document, curve_results, format_size
from storage.schema import Run, RunState
from tui.commands.context import Context, json_option, pass_context, verb
from tui.commands.output import print_json, say, show, table
from tui.commands.waiting import wait

target_option = click.option(
    "--target",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=TARGET,
    show_default=True,
    help="Of a learning curve: the accuracy that is aimed at.",
)


@click.command("curve")
@click.argument("recipe", nargs=-1)
@click.option("--sizes", type=click.IntRange(1, 20), default=5, show_default=True, help="So many sizes.")
@click.option("--seeds", type=click.IntRange(1, 20), default=3, show_default=True, help="So many seeds.")
@click.option(
    "--fresh",
    type=click.IntRange(min=1),
    help="Learn from up to so many new procedural examples, each seen once, instead of the accepted ones.",
)
@click.option("--dev", type=click.IntRange(min=1), help="Measure on so many examples of the dev split.  [default: all]")
@click.option(
    "--scale-steps",
    is_flag=True,
    help="As many passes over the examples at each size, instead of as many steps: quicker, and hard on small sizes.",
)
@target_option
@click.option("--detach", is_flag=True, help="Return at once; the run goes on by itself.")
@json_option
@pass_context
@verb
def curve(
    context: Context,
    recipe: tuple[str, ...],
    sizes: int,
    seeds: int,
    fresh: int | None,
    dev: int | None,
    scale_steps: bool,
    target: float,
    detach: bool,
    as_json: bool,
) -> None:
    """Accuracy on dev by number of examples, for each RECIPE (all that learn from examples, if none is named).

    Each recipe is trained once for each size and seed, bag-of-words and quick kinds of student first. A power law
    through the results says how many more examples the target takes, or that this student levels off below it. The
    test split is not touched. `train show RUN` shows the curve again, while it is made or after.
    """
    from core.training.curve.start import start_curve

    project, connection = context.open()
    run = start_curve(
        project, connection, recipe, sizes=sizes, seeds=seeds, fresh=fresh, dev=dev, scale_steps=scale_steps
    )
    if detach:
        if as_json:
            print_json({"run": run.id, "state": run.state})
        else:
            say(f"run {run.id} goes on by itself: `sidequest train show {run.id[-6:]}`")
        return
    ended = wait(connection, run, _describe_cells, quiet=as_json)
    show_curve(context, ended, target, as_json)
    state = run_status(ended).state
    if state in {RunState.STOPPED, RunState.FAILED, RunState.LOST} and not as_json:
        say(f"`sidequest runs resume {run.id[-6:]}` continues it")
    raise SystemExit(0 if state is RunState.FINISHED else 1)


def _describe_cells(run: Run) -> str:
    """Where a learning curve is; how long it takes stands beside it."""
    return describe_cells(progress_of(run, CurveProgress).model_copy(update={"eta_s": None}))


def show_curve(context: Context, run: Run, target: float, as_json: bool) -> None:
    """Print a learning curve so far."""
    _, connection = context.open()
    results = curve_results(connection, run, target)
    if as_json:
        print_json(curve_document(results))
        return
    show(f"learning curve · run {run.id[-6:]} · {results.state}{f': {results.reason}' if results.reason else ''}")
    show(f"{results.done} of {results.total} cells, on dev{_of_fresh(results)}\n")
    table(
        ["recipe", "examples", "accuracy: mean ± SD over seeds (range)", "of", "a cell takes"],
        [
            (
                curve.recipe,
                round(row.examples),
                format_size(row),
                round(row.n / row.seeds),
                format_duration(row.seconds),
            )
            for curve in results.recipes
            for row in curve.sizes
        ],
    )
    show("")
    for curve in results.recipes:
        show(f"{curve.recipe}: {curve.forecast.sentence}")
    if not run_status(run).state.ended:
        say(describe_cells(progress_of(run, CurveProgress)))


def _of_fresh(results: CurveResults) -> str:
    return "" if results.fresh is None else f"; up to {results.fresh:,} fresh examples, each seen once"
