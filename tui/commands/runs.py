"""`runs`: what is at work, and what was."""

from __future__ import annotations

import click

from core.runs import control, launch
from core.runs.control import RunStatus
from core.runs.describe import cost_of, describe_heartbeat, describe_progress, describe_request, format_duration
from core.runs.progress import GenerateProgress
from core.runs.readable import progress_or_none
from core.runs.tail import follow as following
from storage import runs as stored
from storage.schema import Event
from tui.commands.context import Context, RefusedError, json_option, pass_context, verb
from tui.commands.output import print_json, say, show, table


@click.group()
def runs() -> None:
    """Runs: list, show, log, stop, kill, pause, resume."""


def _run_json(seen: RunStatus) -> dict[str, object]:
    return seen.run.model_dump(mode="json") | {"state": seen.state.value, "age_s": seen.age_s}


@runs.command("list")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="At most so many.")
@json_option
@pass_context
@verb
def list_(context: Context, limit: int, as_json: bool) -> None:
    """The newest runs, newest first."""
    _, connection = context.open()
    found = [control.run_status(run) for run in stored.newest(connection, limit)]
    total = stored.count(connection)
    if len(found) < total:
        say(f"the newest {len(found):,} of {total:,} runs; --limit shows more")
    if as_json:
        print_json([_run_json(seen) for seen in found])
        return
    table(
        ["run", "kind", "state", "last sign", "done", "reason"],
        [
            (
                seen.run.id,
                seen.run.kind,
                seen.state.value,
                describe_heartbeat(seen),
                describe_progress(seen),
                seen.run.reason,
            )
            for seen in found
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
    seen = control.run_status(control.require_run(connection, run))
    if as_json:
        print_json(_run_json(seen))
        return
    show(f"{seen.run.kind} {seen.run.id}: {seen.state}{f', {seen.run.reason}' if seen.run.reason else ''}")
    for name, said in _describe_run(seen):
        show(f"  {name:<12} {said}")


def _describe_run(seen: RunStatus) -> list[tuple[str, str]]:
    """The figures of a run for a person; what is not known is left out."""
    progress = progress_or_none(seen.run)
    cost, budget = cost_of(progress)
    found = [("asked", describe_request(seen)), ("began", f"{seen.run.created.astimezone():%Y-%m-%d %H:%M}")]
    if seen.age_s is not None:
        found.append(("last sign", describe_heartbeat(seen)))
    if progress.total is not None:
        found.append(("done", f"{progress.done} of {progress.total}"))
    if isinstance(progress, GenerateProgress) and progress.total is not None:
        found += [("attempts", str(progress.attempts)), ("passed QA", str(progress.accepted))]
        found.append(("rejected", str(progress.rejected)))
    if progress.per_minute and not seen.state.ended:
        found += [("rate", f"{progress.per_minute:.0f}/min"), ("eta", format_duration(progress.eta_s))]
    if cost is not None:
        found.append(("cost", f"{cost:.4f}" + ("" if budget is None else f" of {budget:.2f}")))
    if isinstance(progress, GenerateProgress) and progress.reasons:
        found.append(("reasons", ", ".join(f"{name} {count}" for name, count in progress.reasons.items())))
    return [(name, said) for name, said in found if said]


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
    found = control.require_run(connection, run)
    newest = stored.events_before(connection, found.id, limit=1)
    last = newest[-1].id if newest else 0
    wanted = {"before": last + 1, "limit": limit + 1}
    lines = stored.events_before(connection, found.id, **wanted, of_note=of_note, text=search)
    if len(lines) > limit:
        say(f"the newest {limit} lines; --limit shows more")
        lines = lines[-limit:]
    if as_json:
        print_json(lines)
        return
    for event in lines:
        _print_event(event)
    if follow:
        for event in following(connection, found.id, last, of_note=of_note):
            if stored.contains_text(event.message, search):
                _print_event(event)


def _print_event(event: Event) -> None:
    show(f"{event.created.astimezone():%H:%M:%S} {event.severity:<7} {event.message}")


def _print_message(message: str, run: str, as_json: bool) -> None:
    if as_json:
        print_json({"run": run, "message": message})
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
    found = control.require_run(connection, run)
    _print_message(control.stop(connection, found.id), found.id, as_json)


@runs.command()
@click.argument("run")
@json_option
@pass_context
@verb
def kill(context: Context, run: str, as_json: bool) -> None:
    """End a run's process at once: what is in flight is lost, what is finished is kept."""
    _, connection = context.open()
    found = control.require_run(connection, run)
    _print_message(control.kill(connection, found.id), found.id, as_json)


@runs.command()
@click.argument("run")
@json_option
@pass_context
@verb
def pause(context: Context, run: str, as_json: bool) -> None:
    """Ask a run to pause; its process stays."""
    _, connection = context.open()
    found = control.require_run(connection, run)
    _print_message(control.pause(connection, found.id), found.id, as_json)


@runs.command()
@click.argument("run")
@json_option
@pass_context
@verb
def resume(context: Context, run: str, as_json: bool) -> None:
    """Continue a run that is paused, stopped, failed or lost."""
    project, connection = context.open()
    found = control.require_run(connection, run)
    _print_message(launch.resume(project, connection, found.id), found.id, as_json)
