"""`runs`: list, show, control and resume runs, and read their logs."""

from __future__ import annotations

import click

from core.runs import control, launch
from core.runs.control import RunStatus
from core.runs.describe import (
    cost_of,
    describe_cells,
    describe_heartbeat,
    describe_progress,
    describe_request,
    format_duration,
)
from core.runs.progress import CurveProgress, FillProgress, GenerateProgress
from core.runs.readable import progress_or_none
from core.runs.tail import follow as follow_events
from storage import runs as stored
from storage.schema import Event
from tui.commands.context import Context, RefusedError, json_option, pass_context, verb
from tui.commands.output import print_json, say, show, table


@click.group()
def runs() -> None:
    """Runs: list, show, log, stop, kill, pause, resume."""


def _run_json(status: RunStatus) -> dict[str, object]:
    return status.run.model_dump(mode="json") | {"state": status.state.value, "age_s": status.age_s}


@runs.command("list")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="At most so many.")
@json_option
@pass_context
@verb
def list_(context: Context, limit: int, as_json: bool) -> None:
    """The newest runs, newest first."""
    _, connection = context.open()
    statuses = [control.run_status(run) for run in stored.newest(connection, limit)]
    total = stored.count(connection)
    if len(statuses) < total:
        say(f"the newest {len(statuses):,} of {total:,} runs; --limit shows more")
    if as_json:
        print_json([_run_json(status) for status in statuses])
        return
    table(
        ["run", "kind", "state", "last sign", "done", "reason"],
        [
            (
                status.run.id,
                status.run.kind,
                status.state.value,
                describe_heartbeat(status),
                describe_progress(status),
                status.run.reason,
            )
            for status in statuses
        ],
        widths={5: 60},
    )


@runs.command("show")
@click.argument("run")
@json_option
@pass_context
@verb
def show_(context: Context, run: str, as_json: bool) -> None:
    """One run with its figures."""
    _, connection = context.open()
    status = control.run_status(control.require_run(connection, run))
    if as_json:
        print_json(_run_json(status))
        return
    show(f"{status.run.kind} {status.run.id}: {status.state}{f', {status.run.reason}' if status.run.reason else ''}")
    for name, value in _describe_run(status):
        show(f"  {name:<12} {value}")


def _describe_run(status: RunStatus) -> list[tuple[str, str]]:
    """The figures of a run for a person; what is not known is left out."""
    progress = progress_or_none(status.run)
    cost, budget = cost_of(progress)
    rows = [("asked", describe_request(status)), ("began", f"{status.run.created.astimezone():%Y-%m-%d %H:%M}")]
    if status.age_s is not None:
        rows.append(("last sign", describe_heartbeat(status)))
    if progress.total is not None:
        rows.append(("done", f"{progress.done} of {progress.total}"))
    if isinstance(progress, GenerateProgress) and progress.total is not None:
        rows += [("attempts", str(progress.attempts)), ("passed QA", str(progress.accepted))]
        rows.append(("rejected", str(progress.rejected)))
    if isinstance(progress, FillProgress) and progress.total is not None:
        rows += [("written", str(progress.written)), ("refused", str(progress.refused))]
        rows.append(("skipped", str(progress.skipped)))
    if isinstance(progress, CurveProgress):
        rows.append(("at", describe_cells(progress)))
    if progress.per_minute and not status.state.ended:
        rows += [("rate", f"{progress.per_minute:.0f}/min"), ("eta", format_duration(progress.eta_s))]
    if cost is not None:
        rows.append(("cost", f"{cost:.4f}" + ("" if budget is None else f" of {budget:.2f}")))
    if isinstance(progress, GenerateProgress | FillProgress) and progress.reasons:
        rows.append(("reasons", ", ".join(f"{name} {count}" for name, count in progress.reasons.items())))
    return [(name, value) for name, value in rows if value]


@runs.command()
@click.argument("run")
@click.option("--follow", "-f", is_flag=True, help="Go on as lines come in.")
@click.option("--limit", type=click.IntRange(min=1), default=200, show_default=True, help="At most so many.")
@click.option("--search", default="", help="Only lines that hold these words.")
@click.option("--of-note", is_flag=True, help="Only warnings and errors.")
@json_option
@pass_context
@verb
def log(context: Context, run: str, follow: bool, limit: int, search: str, of_note: bool, as_json: bool) -> None:
    """The newest lines of a run's log."""
    if follow and as_json:
        raise RefusedError("--json prints one document, which --follow would never end: leave out one of them")
    _, connection = context.open()
    run_id = control.require_run(connection, run).id
    newest = stored.events_before(connection, run_id, limit=1)
    last = newest[-1].id if newest else 0
    lines = stored.events_before(connection, run_id, before=last + 1, limit=limit + 1, of_note=of_note, text=search)
    if len(lines) > limit:
        say(f"the newest {limit} lines; --limit shows more")
        lines = lines[-limit:]
    if as_json:
        print_json(lines)
        return
    for event in lines:
        _print_event(event)
    if follow:
        for event in follow_events(connection, run_id, last, of_note=of_note):
            if stored.contains_text(event.message, search):
                _print_event(event)


def _print_event(event: Event) -> None:
    show(f"{event.created.astimezone():%H:%M:%S} {event.severity:<7} {event.message}")


def _print_message(message: str, run_id: str, as_json: bool) -> None:
    if as_json:
        print_json({"run": run_id, "message": message})
    else:
        say(message)


@runs.command()
@click.argument("run")
@json_option
@pass_context
@verb
def stop(context: Context, run: str, as_json: bool) -> None:
    """Ask a run to stop after what is in flight; a second time kills it."""
    _, connection = context.open()
    run_id = control.require_run(connection, run).id
    _print_message(control.stop(connection, run_id), run_id, as_json)


@runs.command()
@click.argument("run")
@json_option
@pass_context
@verb
def kill(context: Context, run: str, as_json: bool) -> None:
    """End a run's process at once: what is in flight is lost, what is finished is kept."""
    _, connection = context.open()
    run_id = control.require_run(connection, run).id
    _print_message(control.kill(connection, run_id), run_id, as_json)


@runs.command()
@click.argument("run")
@json_option
@pass_context
@verb
def pause(context: Context, run: str, as_json: bool) -> None:
    """Ask a run to pause; its process stays."""
    _, connection = context.open()
    run_id = control.require_run(connection, run).id
    _print_message(control.pause(connection, run_id), run_id, as_json)


@runs.command()
@click.argument("run")
@json_option
@pass_context
@verb
def resume(context: Context, run: str, as_json: bool) -> None:
    """Continue a run that is paused, stopped, failed or lost."""
    project, connection = context.open()
    run_id = control.require_run(connection, run).id
    _print_message(launch.resume(project, connection, run_id), run_id, as_json)
