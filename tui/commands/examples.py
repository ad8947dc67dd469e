"""`examples`: list, show, search and count them."""

from __future__ import annotations

import sqlite3
from collections import Counter
from typing import Any

import click

from storage import attempts, reviews
from storage import examples as stored
from storage.schema import Example, Status
from tui.commands.context import Context, RefusedError, json_option, pass_context, verb
from tui.commands.output import print_json, say, show, table


@click.group()
def examples() -> None:
    """The examples of the project."""


def which(connection: sqlite3.Connection, prefix: str) -> Example:
    """The one example whose id starts with `prefix`; raises RefusedError."""
    found = stored.resolve(connection, prefix)
    if len(found) > 1:
        raise RefusedError(f"{prefix} stands for several examples: write more of the id")
    example = stored.get(connection, found[0]) if found else None
    if example is None:
        raise RefusedError(f"no example {prefix}: `sidequest examples list` shows those there are")
    return example


_FILTERS = (
    click.option("--status", multiple=True, type=click.Choice([status.value for status in Status])),
    click.option("--decision", multiple=True),
    click.option("--domain", multiple=True),
    click.option("--level", multiple=True, type=int),
    click.option("--family", default=""),
    click.option("--run", default=""),
    click.option("--flagged/--not-flagged", default=None),
    click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True),
    click.option("--after", default="", help="Start after the example with this id."),
    json_option,
)


def _filtered(command: Any) -> Any:
    for option in reversed(_FILTERS):
        command = option(command)
    return command


@examples.command("list")
@_filtered
@pass_context
@verb
def list_(context: Context, limit: int, after: str, as_json: bool, **where: Any) -> None:
    """List examples, oldest first."""
    _list(context, stored.Filter(**where), limit, after, as_json)


@examples.command()
@click.argument("words", nargs=-1, required=True)
@_filtered
@pass_context
@verb
def search(context: Context, words: tuple[str, ...], limit: int, after: str, as_json: bool, **where: Any) -> None:
    """List examples with all these WORDS in hypothesis or evidence; the last may be the start of a word."""
    _list(context, stored.Filter(**where, text=" ".join(words)), limit, after, as_json)


def _list(context: Context, where: stored.Filter, limit: int, after: str, as_json: bool) -> None:
    _, connection = context.open()
    found = stored.page(connection, where, after=after, limit=limit)
    if as_json:
        print_json(found)
        return
    table(
        ["id", "status", "decision", "domain", "level", "hypothesis"],
        [(one.id, one.status.value, one.decision, one.domain, one.level, one.hypothesis) for one in found],
        widths={5: 60},
    )
    total = stored.count(connection, where)
    if total > len(found):
        more = f"; more: --after {found[-1].id}" if found else ""
        say(f"{len(found)} of {total:,}{more}")
    elif not total:
        say("no example matches")


@examples.command("show")
@click.argument("example")
@json_option
@pass_context
@verb
def show_(context: Context, example: str, as_json: bool) -> None:
    """Show one example whole, with its reviews and its lineage."""
    _, connection = context.open()
    found = which(connection, example)
    log = reviews.log(connection, found.id)
    lineage = attempts.chain(connection, found.attempt) if found.attempt else []
    if as_json:
        print_json({"example": found, "reviews": log, "lineage": lineage})
        return
    show(f"{found.id} · {found.status}{' · flagged' if found.flagged else ''} · version {found.version}")
    show(f"{found.domain} · level {found.level} · {found.source} {found.model} · family {found.family}\n")
    show(f"HYPOTHESIS\n  {found.hypothesis}\n\nEVIDENCE")
    for piece in found.evidence:
        show(f"  {piece.relevance:.2f}  {piece.source}\n        {piece.content}")
    show(f"\nDECISION  {found.decision}, confidence {found.confidence:.2f}\n  {found.reasoning}")
    for entry in log:
        show(f"\n{entry.created:%Y-%m-%d %H:%M} {entry.action} {entry.reason} {entry.note} {entry.reviewer}".rstrip())


@examples.command()
@json_option
@pass_context
@verb
def stats(context: Context, as_json: bool) -> None:
    """Count examples by status, decision, level and domain."""
    _, connection = context.open()
    tallies: dict[str, Counter[str]] = {
        name: Counter() for name in ("by_status", "by_decision", "by_level", "by_domain")
    }
    total = 0
    for row in stored.cell_counts(connection):
        total += row.examples
        tallies["by_status"][row.status] += row.examples
        tallies["by_decision"][row.decision] += row.examples
        tallies["by_level"][str(row.level)] += row.examples
        tallies["by_domain"][row.domain] += row.examples
    if as_json:
        print_json({"total": total, **tallies})
        return
    show(f"{total} examples")
    for name, tally in tallies.items():
        show(f"{name.replace('_', ' ')}: " + ", ".join(f"{key} {count}" for key, count in sorted(tally.items())))
