"""`bench` and `gate`: measure a model, hold two against each other, and decide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from core.benchmark.start import KIND, benchmark, retry, start_benchmark, title
from core.config.case import Mode
from core.exchange.files import FileError
from core.models import resolve
from core.runs.control import run_status
from core.runs.describe import duration
from core.runs.params import BenchmarkParams, params_of
from storage import runs as stored
from storage.schema import Run, RunState
from tui.commands.bench_figures import show_comparison, show_outcome
from tui.commands.context import Context, RefusedError, json_option, pass_context, verb
from tui.commands.generate import Money
from tui.commands.output import print_json, say, show, table
from tui.commands.waiting import wait


@click.group()
def bench() -> None:
    """Benchmarks: run, show, list, retry, compare."""


@bench.command("run")
@click.option("--model", help="A name that `models list` shows.  [default: the student]")
@click.option("--mode", type=click.Choice([one.value for one in Mode]), help="How it is asked.  [default: by model]")
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
@click.option("--detach", is_flag=True, help="Return at once; the run goes on by itself.")
@json_option
@pass_context
@verb
def run_(context: Context, detach: bool, as_json: bool, **asked: Any) -> None:
    """Ask a model about examples, and count what it gets right."""
    project, connection = context.open()
    if sum(bool(asked[name]) for name in ("split", "where", "file", "like")) > 1:
        raise RefusedError("say one of --split, --where, --file and --like: where the examples are")
    if asked["mapping"] and not asked["file"]:
        raise RefusedError("--map says how to read a file: name one with --file")
    model = asked["model"] or project.task.roles.student
    given = {name: str(value) if isinstance(value, Path) else value for name, value in asked.items()}
    update = {name: value for name, value in given.items() if value is not None}
    if not (asked["split"] or asked["where"] or asked["file"] or asked["like"]):
        update["split"] = "test"
    if asked["budget"] is None and project.task.limits.budget is not None:
        update["budget"] = project.task.limits.budget
    update |= {"model": model, "mode": asked["mode"] or resolve.default_mode(project, connection, model)}
    try:
        run = start_benchmark(project, connection, BenchmarkParams.model_validate(update))
    except FileError as error:
        raise RefusedError(str(error)) from None
    if detach:
        if as_json:
            print_json({"run": run.id, "state": run.state})
        else:
            say(f"run {run.id} goes on by itself: `sidequest bench show {run.id[-6:]}`")
        return
    _closing(context, wait(connection, run, _told, quiet=as_json), as_json)


@bench.command("show")
@click.argument("run")
@json_option
@pass_context
@verb
def show_(context: Context, run: str, as_json: bool) -> None:
    """The figures of a benchmark, while it runs or after."""
    _, connection = context.open()
    _figures(context, benchmark(connection, run), as_json)


@bench.command("list")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True)
@json_option
@pass_context
@verb
def list_(context: Context, limit: int, as_json: bool) -> None:
    """The benchmarks, newest first."""
    _, connection = context.open()
    every = stored.of_kind(connection, KIND)
    if as_json:
        print_json([_document(run) for run in every[:limit]])
        return
    table(
        ["run", "what", "state", "done", "right", "accuracy"],
        [
            (
                run.id[-6:],
                title(params_of(run, BenchmarkParams)),
                run_status(run).state.value,
                f"{run.progress.get('done', '?')}/{run.progress.get('total', '?')}",
                f"{run.progress.get('right', '?')}/{run.progress.get('n', '?')}",
                _accuracy(run),
            )
            for run in every[:limit]
        ],
        widths={1: 60},
    )
    if len(every) > limit:
        say(f"{limit} of {len(every)}: --limit shows more")


@bench.command("retry")
@click.argument("run")
@json_option
@pass_context
@verb
def retry_(context: Context, run: str, as_json: bool) -> None:
    """Ask again what has no answer; the failure stays on record."""
    project, connection = context.open()
    found = benchmark(connection, run)
    number = retry(project, connection, found)
    say(f"asks {number} again")
    _closing(context, wait(connection, found, _told, quiet=as_json), as_json)


@bench.command("compare")
@click.argument("first")
@click.argument("second")
@json_option
@pass_context
@verb
def compare_(context: Context, first: str, second: str, as_json: bool) -> None:
    """How far run SECOND is ahead of run FIRST on the examples that both were asked, in pairs."""
    from core.benchmark.paired import NotSharedError
    from core.benchmark.summary import compare_runs

    project, connection = context.open()
    one, two = benchmark(connection, first), benchmark(connection, second)
    try:
        found = compare_runs(project, connection, one, two)
    except NotSharedError as error:
        raise RefusedError(str(error)) from None
    if as_json:
        print_json({"first": one.id, "second": two.id, **asdict(found)})
    else:
        show_comparison(one, two, found)


@click.command()
@click.option("--student", default="", help="A run, or a model whose newest run counts.  [default: the role]")
@click.option("--reference", default="", help="The same for the reference.  [default: the role, if it has a run]")
@click.option("--target", type=click.FloatRange(0, 1, True, True), default=0.85, show_default=True)
@click.option("--level", type=click.FloatRange(0.5, 1, True, True), default=0.95, show_default=True)
@click.option("--margin", type=click.FloatRange(0, 1, True, True), default=0.05, show_default=True)
@json_option
@pass_context
@verb
def gate(
    context: Context, student: str, reference: str, target: float, level: float, margin: float, as_json: bool
) -> None:
    """Decide: good enough, worth training, no headroom, or not settled yet. Exit status 1: not settled."""
    from core.benchmark.paired import NotSharedError
    from core.benchmark.sequential_gate import GateVerdict
    from core.benchmark.summary import decide_gate, newest_benchmark
    from core.runs.control import RunError

    project, connection = context.open()
    known = resolve.known_models(project, connection)

    def found(name: str) -> Run:
        name = resolve.resolve_name(project, connection, name)
        return newest_benchmark(connection, name) if name in known else benchmark(connection, name)

    mine = found(student or project.task.roles.student)
    try:
        theirs = found(reference or project.task.roles.reference)
    except RunError:
        if reference:
            raise
        theirs = None
    try:
        answer = decide_gate(project, connection, mine, theirs, target=target, level=level, margin=margin)
    except NotSharedError as error:
        raise RefusedError(str(error)) from None
    if as_json:
        named = {"student_run": mine.id, "reference_run": None if theirs is None else theirs.id}
        print_json({**asdict(answer), "verdict": answer.verdict.value, **named})
    else:
        show(f"{answer.verdict.value.upper()}\n")
        for reason in answer.reasons:
            show(f"  {reason}")
    raise SystemExit(1 if answer.verdict is GateVerdict.OPEN else 0)


def _closing(context: Context, run: Run, as_json: bool) -> None:
    _figures(context, run, as_json)
    state = run_status(run).state
    if not as_json:
        if run.reason:
            say(run.reason)
        if state in {RunState.STOPPED, RunState.FAILED, RunState.LOST}:
            say(f"`sidequest runs resume {run.id[-6:]}` continues it")
    raise SystemExit(0 if state is RunState.FINISHED else 1)


def _figures(context: Context, run: Run, as_json: bool) -> None:
    from core.benchmark.summary import as_document, summarize

    project, connection = context.open()
    found = summarize(project, connection, run)
    if as_json:
        print_json(as_document(found))
    else:
        show_outcome(found)


def _told(figures: Mapping[str, Any]) -> str:
    if figures.get("accuracy") is None:
        return "no answer yet"
    low, high = 100 * figures["low"], 100 * figures["high"]
    return f"{100 * figures['accuracy']:.1f} % right ({low:.1f}–{high:.1f})"


def _document(run: Run) -> dict[str, Any]:
    return {
        "run": run.id,
        "state": run_status(run).state.value,
        "reason": run.reason,
        "params": run.params,
    } | run.progress


def _accuracy(run: Run) -> str:
    figures = run.progress
    if figures.get("accuracy") is None:
        return "unknown"
    eta = figures.get("eta_s")
    left = f", {duration(eta)} left" if eta and not run_status(run).state.ended else ""
    return f"{figures['accuracy']:.1%} ({100 * figures['low']:.1f}–{100 * figures['high']:.1f}){left}"
