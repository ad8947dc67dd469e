"""`steps`: has steps written for examples that have none, and checks those that are there."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from decimal import Decimal
from itertools import islice
from typing import Any

import click

from core.config.project import Project
from core.dataset.coverage import NOT_REJECTED
from core.generation.fill.start import OFFLINE, lacks_steps, start_fill
from core.qa.step_check import CheckedExample, check_stored
from core.runs.control import run_status
from core.runs.describe import describe_fill
from core.runs.params import FillParams, params_of
from core.runs.progress import FillProgress, progress_of
from storage import fills, listing
from storage.schema import Example, Run, RunState, Status
from tui.commands.context import Context, json_option, pass_context, verb
from tui.commands.examples import LANGUAGE_HELP, QUERY_SETTINGS, parse_words
from tui.commands.generate import Money
from tui.commands.output import print_json, say, show
from tui.commands.waiting import wait
from tui.text import line

_LISTED = 20
_WIDTH = 400
_STATUSES = (Status.PENDING.value, Status.ACCEPTED.value)


@click.group()
def steps() -> None:
    """The steps of examples: their reasoning, part by part."""


@steps.command(epilog=LANGUAGE_HELP, context_settings=QUERY_SETTINGS)
@click.argument("query", nargs=-1)
@click.option("--model", default="", help="A model of the project file, or procedural.  [default: its generator]")
@click.option("--judge", default="", help="A model that reads the steps as well.  [default: none]")
@click.option("--status", multiple=True, type=click.Choice(_STATUSES), help="May be repeated.  [default: both]")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many examples, the oldest first.")
@click.option("--budget", type=Money(), help="Money that the run may spend.  [default: the project file's]")
@click.option("--detach", is_flag=True, help="Return at once; the run goes on by itself.")
@json_option
@pass_context
@verb
def fill(
    context: Context,
    query: tuple[str, ...],
    model: str,
    judge: str,
    status: tuple[str, ...],
    limit: int | None,
    budget: Decimal | None,
    detach: bool,
    as_json: bool,
) -> None:
    """Have steps written for examples that have none: all that are not rejected, or those that match QUERY.

    The procedural source knows the steps of its own examples, offline; a model writes all others. Steps that break a
    rule are asked for again, as often as [limits] max_attempts says, and then refused. The rest are stored as edits,
    and one `review undo` takes back a run. The exit status is 1 if an example was refused.
    """
    project, connection = context.open()
    selected = _select(project, connection, query, status, limit)
    if not selected:
        if as_json:
            print_json({"run": None, "written": [], "refused": [], "skipped": 0})
        else:
            say("no example that matches lacks steps" if query or status else "no example lacks steps")
        return
    run = start_fill(project, connection, selected, source=model, judge=judge, budget=budget, reviewer=context.reviewer)
    if detach:
        if as_json:
            print_json({"run": run.id, "state": run.state})
        else:
            say(f"run {run.id} goes on by itself: `sidequest runs show {run.id[-6:]}`")
        return
    _report(connection, wait(connection, run, _describe_counts, quiet=as_json), as_json=as_json)


def _select(
    project: Project, connection: sqlite3.Connection, words: Sequence[str], statuses: Sequence[str], limit: int | None
) -> list[Example]:
    """The examples without steps that match, the oldest first; never a rejected one."""
    matching = listing.iterate_examples(connection, parse_words(project, connection, words))
    allowed = statuses or _STATUSES
    return list(islice((each for each in matching if lacks_steps(each) and each.status.value in allowed), limit))


def _describe_counts(run: Run) -> str:
    return describe_fill(progress_of(run, FillProgress))


def _report(connection: sqlite3.Connection, run: Run, *, as_json: bool) -> None:
    """Print what a run has done; the exit status is 1 if it did not finish, or examples were refused."""
    progress, state = progress_of(run, FillProgress), run_status(run).state
    states = fills.of_run(connection, run.id)
    refused = [each for each in states if each.refused]
    if as_json:
        print_json(
            {
                "run": run.id,
                "state": state.value,
                "reason": run.reason,
                "written": [each.example for each in states if each.stored is not None],
                "refused": [each.model_dump(include={"example", "reason", "detail"}) for each in refused],
                "skipped": progress.skipped,
                "cost": progress.cost,
            }
        )
    else:
        for each in refused[:_LISTED]:
            show(line(f"{each.example}: {each.reason}: {each.detail}", _WIDTH))
        if len(refused) > _LISTED:
            show(f"… and {len(refused) - _LISTED:,} more: --json lists them all")
        _say_closing(run, state, progress)
    raise SystemExit(1 if refused or state is not RunState.FINISHED else 0)


def _say_closing(run: Run, state: RunState, progress: FillProgress) -> None:
    cost = "" if progress.cost is None else f", cost {progress.cost:.2f}"
    say(f"run {run.id[-6:]} {state}: {describe_fill(progress)}{cost}")
    if run.reason:
        say(run.reason)
    if params_of(run, FillParams).source == OFFLINE and progress.refused:
        say("the procedural source knows the steps of its own examples alone, as it wrote them: --model NAME has a")
        say("model write the others; [models.NAME] in sidequest.toml describes it")
    if state in {RunState.STOPPED, RunState.LOST, RunState.FAILED}:
        say(f"`sidequest runs resume {run.id[-6:]}` continues it")


@steps.command(epilog=LANGUAGE_HELP, context_settings=QUERY_SETTINGS)
@click.argument("query", nargs=-1)
@json_option
@pass_context
@verb
def check(context: Context, query: tuple[str, ...], as_json: bool) -> None:
    """List examples whose steps break a rule of QA; the exit status is 1 if there are any.

    Of all examples that are not rejected, unless a QUERY says which. Where a quote is not in its piece of evidence, the
    nearest sentence is shown.
    """
    project, connection = context.open()
    where = parse_words(project, connection, query) if query else NOT_REJECTED
    checked, without, broken = 0, 0, list[dict[str, Any]]()
    for each in check_stored(project.task.steps.rule, connection, where):
        if not each.example.steps:
            without += 1
            continue
        checked += 1
        if each.problems:
            broken.append(_as_record(each))
            if not as_json:
                _show_problems(each)
    if as_json:
        print_json({"checked": checked, "without_steps": without, "broken": broken})
    else:
        fill_hint = f"; {without:,} have no steps: `sidequest steps fill` has them written" if without else ""
        say(f"{checked:,} checked, {len(broken):,} break a rule{fill_hint}")
    raise SystemExit(1 if broken else 0)


def _as_record(checked: CheckedExample) -> dict[str, Any]:
    example = checked.example
    problems = [{"reason": problem.reason, "detail": problem.critique} for problem in checked.problems]
    return {"example": example.id, "version": example.version, "decision": example.decision, "problems": problems}


def _show_problems(checked: CheckedExample) -> None:
    example = checked.example
    show(line(f"{example.id} · {example.decision} · “{example.hypothesis}”", _WIDTH))
    for problem in checked.problems:
        show("  " + line(f"{problem.reason}: {problem.critique}", 2 * _WIDTH))
