"""`bench` and `gate`: measure a model, compare two, and decide."""

from __future__ import annotations

import sqlite3
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from core.benchmark.start import KIND, benchmark_title, require_benchmark, retry_failures, start_benchmark
from core.config.case import Mode
from core.models import resolve
from core.runs.control import run_status
from core.runs.describe import format_duration
from core.runs.params import BenchmarkParams, params_of
from core.runs.progress import BenchmarkProgress, progress_of
from core.runs.readable import readable_of_kind
from storage.schema import Run, RunState
from tui.commands.bench_figures import show_comparison, show_summary
from tui.commands.context import Context, RefusedError, json_option, pass_context, verb
from tui.commands.generate import Money
from tui.commands.output import print_json, say, show, table
from tui.commands.waiting import wait
from tui.text import clean


@click.group()
def bench() -> None:
    """Benchmarks: run, show, list, retry, compare."""


@bench.command("run")
@click.option("--model", help="A name that `models list` shows.  [default: the student]")
@click.option("--mode", type=click.Choice([mode.value for mode in Mode]), help="How it is asked.  [default: by model]")
@click.option("--split", help="The accepted examples of this split.  [default: test]")
@click.option("--where", help="The examples that match this query; accepted ones, unless it names a status.")
@click.option("--file", type=click.Path(path_type=Path, dir_okay=False), help="The examples of a file.")
@click.option("--map", "mapping", default="", help="How to read FILE: as for `import`.")
@click.option("--like", default="", help="Exactly what this run has asked, to be compared with it.")
@click.option("-n", "--limit", type=click.IntRange(min=1), help="Only so many, in random and stratified order.")
@click.option("--sniff", is_flag=True, help="Five examples: a smoke test, not an accuracy.")
@click.option(
    "--samples", type=click.IntRange(1, 99), default=1, show_default=True, help="Ask each so often; most win."
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the order, and of samples.")
@click.option("--stop-when-settled", is_flag=True, help="End as soon as the gate's answer can no longer change.")
@click.option("--reference", default="", help="The reference's run: watch the lead over this one, the student's.")
@click.option("--student", default="", help="The student's run: watch the lead of this one, the reference's.")
@click.option("--target", type=click.FloatRange(0, 1, True, True), help="What is good enough.  [default: 0.85]")
@click.option("--budget", type=Money(), help="Money that the run may spend.  [default: the project file's]")
@click.option("--allow-leaks", is_flag=True, help="Go on if other splits have the same, or a case has two labels.")
@click.option("--detach", is_flag=True, help="Return at once; the run goes on by itself.")
@json_option
@pass_context
@verb
def run_(context: Context, detach: bool, as_json: bool, **options: Any) -> None:
    """Ask a model about examples, and count what it gets right."""
    project, connection = context.open()
    if sum(bool(options[name]) for name in ("split", "where", "file", "like")) > 1:
        raise RefusedError("say one of --split, --where, --file and --like: where the examples are")
    if options["mapping"] and not options["file"]:
        raise RefusedError("--map says how to read a file: name one with --file")
    model = options["model"] or project.task.roles.student
    given = {name: value for name, value in options.items() if value is not None}
    params = {name: str(value) if isinstance(value, Path) else value for name, value in given.items()}
    if not (options["split"] or options["where"] or options["file"] or options["like"]):
        params["split"] = "test"
    if options["budget"] is None and project.task.limits.budget is not None:
        params["budget"] = project.task.limits.budget
    params |= {"model": model, "mode": options["mode"] or resolve.default_mode(project, connection, model)}
    run = start_benchmark(project, connection, BenchmarkParams.model_validate(params))
    if detach:
        if as_json:
            print_json({"run": run.id, "state": run.state})
        else:
            say(f"run {run.id} goes on by itself: `sidequest bench show {run.id[-6:]}`")
        return
    _finish(context, wait(connection, run, _format_progress, quiet=as_json), as_json)


@bench.command("show")
@click.argument("run")
@json_option
@pass_context
@verb
def show_(context: Context, run: str, as_json: bool) -> None:
    """The figures of a benchmark, while it runs or after."""
    _, connection = context.open()
    _print_figures(context, require_benchmark(connection, run), as_json)


@bench.command("list")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="At most so many.")
@json_option
@pass_context
@verb
def list_(context: Context, limit: int, as_json: bool) -> None:
    """The benchmarks, newest first."""
    _, connection = context.open()
    benchmarks = readable_of_kind(connection, KIND)
    if as_json:
        print_json([_document(run) for run in benchmarks[:limit]])
        return
    table(
        ["run", "what", "state", "done", "right", "accuracy"],
        [
            (
                run.id[-6:],
                benchmark_title(params_of(run, BenchmarkParams)),
                run_status(run).state.value,
                *_format_counts(progress_of(run, BenchmarkProgress)),
                _format_accuracy(run),
            )
            for run in benchmarks[:limit]
        ],
        widths={1: 60},
    )
    if len(benchmarks) > limit:
        say(f"{limit} of {len(benchmarks)}: --limit shows more")


@bench.command("retry")
@click.argument("run")
@json_option
@pass_context
@verb
def retry_(context: Context, run: str, as_json: bool) -> None:
    """Ask again what has no answer; the failure stays on record."""
    project, connection = context.open()
    failed = require_benchmark(connection, run)
    count = retry_failures(project, connection, failed)
    say(f"asks {count} again")
    _finish(context, wait(connection, failed, _format_progress, quiet=as_json), as_json)


@bench.command("compare")
@click.argument("first")
@click.argument("second")
@json_option
@pass_context
@verb
def compare_(context: Context, first: str, second: str, as_json: bool) -> None:
    """How far run SECOND is ahead of run FIRST on the examples that both were asked, in pairs."""
    from core.benchmark.summary import compare_runs

    project, connection = context.open()
    first_run, second_run = require_benchmark(connection, first), require_benchmark(connection, second)
    comparison = compare_runs(project, connection, first_run, second_run)
    if as_json:
        print_json({"first": first_run.id, "second": second_run.id, **asdict(comparison)})
    else:
        show_comparison(first_run, second_run, comparison)


@click.command()
@click.option("--student", default="", help="A run, or a model whose newest run counts.  [default: the role]")
@click.option("--reference", default="", help="The same for the reference.  [default: the role, if it has a run]")
@click.option(
    "--target", type=click.FloatRange(0, 1, True, True), default=0.85, show_default=True, help="What is good enough."
)
@click.option(
    "--level",
    type=click.FloatRange(0.5, 1, True, True),
    default=0.95,
    show_default=True,
    help="How sure the answer is.",
)
@click.option(
    "--margin", type=click.FloatRange(0, 1, True, True), default=0.05, show_default=True, help="A smaller lead is none."
)
@json_option
@pass_context
@verb
def gate(
    context: Context, student: str, reference: str, target: float, level: float, margin: float, as_json: bool
) -> None:
    """Decide: good enough, worth training, no headroom, or not settled yet. Exit status 1: not settled."""
    from core.benchmark.run_choice import standing_benchmark
    from core.benchmark.sequential_gate import GateVerdict
    from core.benchmark.summary import decide_gate
    from core.runs.control import RunError

    project, connection = context.open()
    models = resolve.known_models(project, connection)

    def find_run(name: str) -> Run:
        name = resolve.resolve_name(project, connection, name)
        return standing_benchmark(connection, name) if name in models else require_benchmark(connection, name)

    student_run = find_run(student or project.task.roles.student)
    reference_run: Run | None = None
    try:
        reference_run = find_run(reference or project.task.roles.reference)
    except RunError:
        if reference:
            raise
    decision = decide_gate(project, connection, student_run, reference_run, target=target, level=level, margin=margin)
    if as_json:
        run_ids = {"student_run": student_run.id, "reference_run": None if reference_run is None else reference_run.id}
        print_json({**asdict(decision), "verdict": decision.verdict.value, **run_ids})
    else:
        show(f"{decision.verdict.value.upper()}\n")
        for reason in decision.reasons:
            show(f"  {reason}")
        for role, judged in (("student", student_run), ("reference", reference_run)):
            if judged is not None:
                show(f"  {_name_judged(connection, role, judged)}")
    raise SystemExit(1 if decision.verdict is GateVerdict.OPEN else 0)


def _name_judged(connection: sqlite3.Connection, role: str, run: Run) -> str:
    """Which run was judged in a role; that it is not whole, and what else could have been judged."""
    from core.benchmark.run_choice import other_modes

    params, state = params_of(run, BenchmarkParams), run_status(run).state
    text = f"The {role} is run {run.id[-6:]}, {clean(params.model, limit=60)}, mode {params.mode.value}"
    if state is not RunState.FINISHED:
        text += f", which is {state}: no run of this model is complete"
    others = ", ".join(f"{mode} (run {other.id[-6:]})" for mode, other in other_modes(connection, run).items())
    return text + (f". There is also {others}: --{role} RUN takes that." if others else ".")


def _finish(context: Context, run: Run, as_json: bool) -> None:
    """Print the figures of a run that has ended, and exit: with 0 only if it has finished."""
    _print_figures(context, run, as_json)
    state = run_status(run).state
    if not as_json:
        if run.reason:
            say(run.reason)
        if state in {RunState.STOPPED, RunState.FAILED, RunState.LOST}:
            say(f"`sidequest runs resume {run.id[-6:]}` continues it")
    raise SystemExit(0 if state is RunState.FINISHED else 1)


def _print_figures(context: Context, run: Run, as_json: bool) -> None:
    from core.benchmark.summary import summarize, summary_document

    project, connection = context.open()
    summary = summarize(project, connection, run)
    if as_json:
        print_json(summary_document(summary))
    else:
        show_summary(summary)


def _format_progress(run: Run) -> str:
    progress = progress_of(run, BenchmarkProgress)
    if progress.accuracy is None or progress.low is None or progress.high is None:
        return "no answer yet"
    return f"{100 * progress.accuracy:.1f} % right ({100 * progress.low:.1f}–{100 * progress.high:.1f})"


def _document(run: Run) -> dict[str, Any]:
    return {
        "run": run.id,
        "state": run_status(run).state.value,
        "reason": run.reason,
        "params": run.params,
    } | run.progress


def _format_accuracy(run: Run) -> str:
    progress = progress_of(run, BenchmarkProgress)
    if progress.accuracy is None or progress.low is None or progress.high is None:
        return "unknown"
    left = f", {format_duration(progress.eta_s)} left" if progress.eta_s and not run_status(run).state.ended else ""
    return f"{progress.accuracy:.1%} ({100 * progress.low:.1f}–{100 * progress.high:.1f}){left}"


def _format_counts(progress: BenchmarkProgress) -> tuple[str, str]:
    """How much is done of all, and how much right of what is done; unknown before the first answer."""
    if progress.total is None:
        return "?/?", "?/?"
    return f"{progress.done}/{progress.total}", f"{progress.right}/{progress.n}"
