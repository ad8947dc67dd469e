"""`review`: what a person decides about examples, from the command line."""

from __future__ import annotations

import json
from typing import TextIO

import click
from pydantic import ValidationError

from storage import examples, reviews
from storage.schema import Action, Example, Review
from tui.commands.context import Context, RefusedError, json_option, pass_context, verb
from tui.commands.examples import which
from tui.commands.output import print_json, show, table

as_option = click.option("--as", "reviewer", default="", help="Who decides.  [default: nobody by name]")


@click.group()
def review() -> None:
    """Accept, reject, flag, edit; every decision can be undone."""


@review.command("list")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True)
@json_option
@pass_context
@verb
def list_(context: Context, limit: int, as_json: bool) -> None:
    """The newest decisions, newest first."""
    _, connection = context.open()
    found = reviews.newest(connection, limit)
    if as_json:
        print_json(found)
        return
    table(
        ["when", "action", "example", "reason", "note", "by"],
        [
            (f"{one.created:%Y-%m-%d %H:%M}", one.action.value, one.example, one.reason, one.note, one.reviewer)
            for one in found
        ],
        widths={4: 40},
    )


def _decide(context: Context, prefix: str, action: Action, as_json: bool, **said: str) -> None:
    _, connection = context.open()
    example = which(connection, prefix)
    _report(reviews.decide(connection, example.id, action, **said), as_json)


def _report(example: Example, as_json: bool, undone: Review | None = None) -> None:
    if as_json:
        print_json({"example": example, "undone": undone} if undone else {"example": example})
        return
    what = f"undid {undone.action} of " if undone else ""
    show(f"{what}{example.id}: {example.status}{', flagged' if example.flagged else ''}, version {example.version}")


@review.command()
@click.argument("example")
@click.option("--note", default="")
@as_option
@json_option
@pass_context
@verb
def accept(context: Context, example: str, note: str, reviewer: str, as_json: bool) -> None:
    """Accept an example."""
    _decide(context, example, Action.ACCEPT, as_json, note=note, reviewer=reviewer)


@review.command()
@click.argument("example")
@click.option("--reason", default="", help="One of the project's reasons.")
@click.option("--note", default="")
@as_option
@json_option
@pass_context
@verb
def reject(context: Context, example: str, reason: str, note: str, reviewer: str, as_json: bool) -> None:
    """Reject an example; its slot opens again."""
    known = context.project().task.review.reasons
    if reason and reason not in known:
        raise RefusedError(f"no reason {reason!r}: the project has {', '.join(known)}")
    _decide(context, example, Action.REJECT, as_json, reason=reason, note=note, reviewer=reviewer)


@review.command()
@click.argument("example")
@click.option("--off", is_flag=True, help="Take the flag away.")
@click.option("--note", default="")
@as_option
@json_option
@pass_context
@verb
def flag(context: Context, example: str, off: bool, note: str, reviewer: str, as_json: bool) -> None:
    """Flag an example for another look."""
    _decide(context, example, Action.UNFLAG if off else Action.FLAG, as_json, note=note, reviewer=reviewer)


@review.command()
@click.argument("example")
@click.argument("content", type=click.File("r", encoding="utf-8"))
@as_option
@json_option
@pass_context
@verb
def edit(context: Context, example: str, content: TextIO, reviewer: str, as_json: bool) -> None:
    """Replace fields of an example by those of a JSON object in file CONTENT ('-': stdin); makes a new version."""
    project, connection = context.open()
    current = which(connection, example)
    try:
        change = json.load(content)
    except json.JSONDecodeError as error:
        raise RefusedError(f"{content.name}:{error.lineno}: not JSON: {error.msg}") from None
    if not isinstance(change, dict) or not set(change) <= examples.CONTENT:
        raise RefusedError(f"{content.name}: give an object with some of: {', '.join(sorted(examples.CONTENT))}")
    try:
        edited = Example.model_validate(current.model_dump() | change)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise RefusedError(f"{content.name}: {place}: {first['msg']}") from None
    problems = project.task.misplaced(edited.domain, edited.level, edited.decision)
    if problems:
        raise RefusedError(f"{content.name}: {'; '.join(problems)}")
    _report(reviews.edit(connection, edited, reviewer=reviewer), as_json)


@review.command()
@click.option("--as", "reviewer", default=None, help="Only a decision of this person.")
@json_option
@pass_context
@verb
def undo(context: Context, reviewer: str | None, as_json: bool) -> None:
    """Take back the newest decision that stands."""
    _, connection = context.open()
    done = reviews.undo(connection, reviewer=reviewer)
    if done is None:
        raise RefusedError("there is nothing left to undo")
    _report(done.example, as_json, done.review)
