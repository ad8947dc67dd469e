"""`examples`: list, search, show, count them, and decide about many at once."""

from __future__ import annotations

import dataclasses
import sqlite3
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import click

from core.config.project import Project
from core.curriculum.plan import current
from core.dataset.coverage import NOT_REJECTED, Coverage, cover
from core.dataset.example_detail import example_detail
from core.dataset.query import read_query
from storage import attempts, bulk, listing
from storage import examples as stored
from storage.examples import Filter
from storage.listing import SortOrder
from storage.schema import Example, ReviewAction, Status
from storage.search import LANGUAGE, QueryError, spans
from tui.commands.context import Context, RefusedError, json_option, pass_context, verb
from tui.commands.output import print_json, say, show, table
from tui.text import clean
from tui.widgets.excerpt import excerpt

LANGUAGE_HELP = "\b\nA QUERY is made of such parts; all of them must hold:\n" + "\n".join(
    f"  {example:<20}{meaning}" for example, meaning in LANGUAGE
)


@click.group()
def examples() -> None:
    """The examples of the project."""


def which(connection: sqlite3.Connection, prefix: str) -> Example:
    """The one example whose id starts with `prefix`, or ends with it; raises RefusedError."""
    found = stored.resolve(connection, prefix)
    if len(found) > 1:
        raise RefusedError(f"{prefix} stands for several examples: write more of the id")
    example = stored.get(connection, found[0]) if found else None
    if example is None:
        raise RefusedError(f"no example {prefix}: `sidequest examples list` shows those there are")
    return example


# A part that begins with a minus is no option, nor is what begins with -h.
QUERYING: dict[str, Any] = {"ignore_unknown_options": True, "help_option_names": ["--help"]}


def refuse_options(words: Sequence[str]) -> None:
    """Raise RefusedError if an option that is not known stands among the words of a query."""
    mistaken = next((word for word in words if word.startswith("--")), None)
    if mistaken is not None:
        raise RefusedError(f"no option {mistaken}: --help shows those there are")


def asked(project: Project, connection: sqlite3.Connection, words: Sequence[str]) -> Filter:
    """What the words of a query mean; raises RefusedError."""
    refuse_options(words)
    try:
        return read_query(project.task, connection, " ".join(words))
    except QueryError as error:
        raise RefusedError(str(error)) from None


_FILTERS = (
    click.option("--status", multiple=True, type=click.Choice([status.value for status in Status])),
    click.option("--decision", multiple=True),
    click.option("--domain", multiple=True),
    click.option("--level", multiple=True, type=int),
    click.option("--family", default=""),
    click.option("--run", default=""),
    click.option("--flagged/--not-flagged", default=None),
    click.option("--sort", type=click.Choice([order.value for order in SortOrder]), default=SortOrder.OLDEST.value),
    click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True),
    click.option("--after", default="", help="Start after the example with this id, in the same order."),
    json_option,
)


def _filtered(command: Any) -> Any:
    for option in reversed(_FILTERS):
        command = option(command)
    return command


@examples.command("list", epilog=LANGUAGE_HELP, context_settings=QUERYING)
@click.argument("query", nargs=-1)
@_filtered
@pass_context
@verb
def list_(context: Context, query: tuple[str, ...], **options: Any) -> None:
    """List examples that match QUERY, oldest first unless --sort says otherwise."""
    _list(context, query, **options)


@examples.command(epilog=LANGUAGE_HELP, context_settings=QUERYING)
@click.argument("query", nargs=-1, required=True)
@_filtered
@pass_context
@verb
def search(context: Context, query: tuple[str, ...], **options: Any) -> None:
    """Show where examples hold the words of QUERY; the last may be the start of a word."""
    _list(context, query, found=True, **options)


def _list(
    context: Context,
    query: Sequence[str],
    *,
    sort: str,
    limit: int,
    after: str,
    as_json: bool,
    found: bool = False,
    **fields: Any,
) -> None:
    project, connection = context.open()
    given = {name: value for name, value in fields.items() if value not in ((), "", None)}
    where = dataclasses.replace(asked(project, connection, query), **given)
    numbers = listing.every(connection, where, SortOrder(sort))
    start = 0
    if after:
        number = listing.number_of(connection, which(connection, after).id)
        if number is None or number not in numbers:
            raise RefusedError(f"--after {after}: this example does not match: give the last one that was listed")
        start = numbers.index(number) + 1
    part = numbers[start : start + limit]
    shown = listing.whole(connection, part)
    if as_json:
        print_json(shown)
    elif found:
        _show_found(connection, part, where.text)
    else:
        table(
            ["id", "status", "decision", "domain", "level", "hypothesis"],
            [(one.id, one.status.value, one.decision, one.domain, one.level, one.hypothesis) for one in shown],
            widths={5: 60},
        )
    if not numbers:
        say("no example matches")
    elif len(shown) < len(numbers):
        more = f"; more: --after {shown[-1].id}" if shown and start + limit < len(numbers) else ""
        place = f"{start + 1:,} to {start + len(shown):,}" if start else f"{len(shown):,}"
        say(f"{place} of {len(numbers):,}{more}")


def _show_found(connection: sqlite3.Connection, numbers: Sequence[int], words: str) -> None:
    """Print each example with the line in which the words stand, marked where the terminal can."""
    rows = listing.rows(connection, numbers, evidence=True)
    places = spans([text for row in rows for text in (row.hypothesis, row.evidence)], words)
    for place, row in enumerate(rows):
        show(f"{row.id}  {row.status.value}  {row.decision}  {row.domain}  level {row.level}")
        in_hypothesis, in_evidence = places[2 * place : 2 * place + 2]
        _marked("  ", excerpt(row.hypothesis, in_hypothesis, 110))
        if in_evidence:
            _marked("  evidence: ", excerpt(row.evidence, in_evidence, 100))


def _marked(lead: str, parts: list[tuple[str, bool]]) -> None:
    click.echo(lead + "".join(click.style(text, bold=True, reverse=True) if match else text for text, match in parts))


@examples.command("show")
@click.argument("example")
@click.option("--find", default="", help="Mark these words.")
@json_option
@pass_context
@verb
def show_(context: Context, example: str, find: str, as_json: bool) -> None:
    """Show one example whole, with its reviews, versions, family and lineage."""
    _, connection = context.open()
    found = which(connection, example)
    everything = example_detail(connection, found.id)
    log = everything.case.log if everything else []
    if as_json:
        lineage = attempts.chain(connection, found.attempt) if found.attempt else []
        versions = [one for one, _ in everything.versions] if everything else []
        family = [row.id for row in everything.kin] if everything else []
        print_json({"example": found, "reviews": log, "lineage": lineage, "versions": versions, "family": family})
        return
    show(f"{found.id} · {found.status}{' · flagged' if found.flagged else ''} · version {found.version}")
    split = f"split {found.split or 'none'}"
    show(f"{found.domain} · level {found.level} · {split} · {found.source} {found.model} · family {found.family}\n")
    show("HYPOTHESIS")
    _text(f"  {found.hypothesis}", find)
    show("\nEVIDENCE")
    for piece in found.evidence:
        _text(f"  {piece.relevance:.2f}  {piece.source}\n        {piece.content}", find)
    show(f"\nDECISION  {found.decision}, confidence {found.confidence:.2f}")
    _text(f"  {found.reasoning}", find)
    for entry in log:
        said = " ".join(part for part in (entry.action, entry.value, entry.reason, entry.note, entry.reviewer) if part)
        show(f"\n{entry.created:%Y-%m-%d %H:%M} {said}")
    if everything and everything.family > 1:
        others = ", ".join(row.id for row in everything.kin)
        more = f" and {everything.family - 1 - len(everything.kin):,} more" if everything.family - 1 > 20 else ""
        show(f"\nSame family: {others}{more}")


def _text(text: str, find: str) -> None:
    """Print text, with what is to be found in it marked where the terminal can."""
    at = 0
    parts = []
    for start, end in spans([text], find)[0]:
        parts += [clean(text[at:start]), click.style(clean(text[start:end]), bold=True, reverse=True)]
        at = end
    click.echo("".join([*parts, clean(text[at:])]))


@examples.command(epilog=LANGUAGE_HELP, context_settings=QUERYING)
@click.argument("query", nargs=-1)
@json_option
@pass_context
@verb
def stats(context: Context, query: tuple[str, ...], as_json: bool) -> None:
    """Count examples that match QUERY by status, decision, level, domain and split."""
    project, connection = context.open()
    tallies: dict[str, Counter[str]] = {
        name: Counter() for name in ("by_status", "by_decision", "by_level", "by_domain", "by_split")
    }
    total = 0
    for row in stored.cell_counts(connection, asked(project, connection, query)):
        total += row.examples
        tallies["by_status"][row.status] += row.examples
        tallies["by_decision"][row.decision] += row.examples
        tallies["by_level"][str(row.level)] += row.examples
        tallies["by_domain"][row.domain] += row.examples
        tallies["by_split"][row.split or "none"] += row.examples
    if as_json:
        print_json({"total": total, **tallies})
        return
    show(f"{total:,} example{'s' if total != 1 else ''}")
    for name, tally in tallies.items():
        show(f"{name.replace('_', ' ')}: " + ", ".join(f"{key} {count:,}" for key, count in sorted(tally.items())))


@examples.command(epilog=LANGUAGE_HELP, context_settings=QUERYING)
@click.argument("query", nargs=-1)
@json_option
@pass_context
@verb
def coverage(context: Context, query: tuple[str, ...], as_json: bool) -> None:
    """What the examples cover: cells, lengths, evidence, confidence, near-duplicates, shortcuts.

    Of all examples that are not rejected, unless a QUERY says which.
    """
    project, connection = context.open()
    where = asked(project, connection, query) if query else NOT_REJECTED
    found = Coverage(0, 0)
    for found in cover(project.task, connection, where):
        if found.doing and not as_json:
            say(f"{found.doing} …")
    cells = current(project.task, connection).cells
    if as_json:
        print_json({"cells": cells, "coverage": found})
        return
    from tui.widgets.spread import figures

    full = sum(cell.have >= cell.want for cell in cells)
    show(f"{found.sampled:,} of {found.total:,} examples measured; {full} of {len(cells)} cells full")
    show(figures(found, 100).plain)
    show(f"\nNEAR-DUPLICATES\n{found.groups or 0:,} groups")
    for group in found.alike[:10]:
        show(f"  {len(group.ids)} alike, {group.similarity:.0%}: {', '.join(group.ids[:10])}")


def _acting(command: Any) -> Any:
    options: list[Any] = [
        click.argument("query", nargs=-1, required=True),
        click.option("--yes", is_flag=True, help="Do it; without this it is only counted."),
        click.option("--note", default=""),
        json_option,
        pass_context,
        verb,
    ]
    for option in reversed(options):
        command = option(command)
    return command


@examples.command(epilog=LANGUAGE_HELP, context_settings=QUERYING)
@_acting
def accept(context: Context, query: tuple[str, ...], yes: bool, note: str, as_json: bool) -> None:
    """Accept all examples that match QUERY, as one act: one `review undo` takes it back."""
    _act(context, query, ReviewAction.ACCEPT, yes, as_json, note=note)


@examples.command(epilog=LANGUAGE_HELP, context_settings=QUERYING)
@click.option("--reason", default="", help="One of the project's reasons.")
@_acting
def reject(context: Context, query: tuple[str, ...], yes: bool, note: str, as_json: bool, reason: str) -> None:
    """Reject all examples that match QUERY, as one act."""
    known = context.project().task.review.reasons
    if reason and reason not in known:
        raise RefusedError(f"no reason {reason!r}: the project has {', '.join(known)}")
    _act(context, query, ReviewAction.REJECT, yes, as_json, note=note, reason=reason)


@examples.command(epilog=LANGUAGE_HELP, context_settings=QUERYING)
@click.option("--off", is_flag=True, help="Take the flags away.")
@_acting
def flag(context: Context, query: tuple[str, ...], yes: bool, note: str, as_json: bool, off: bool) -> None:
    """Flag all examples that match QUERY, as one act."""
    _act(context, query, ReviewAction.UNFLAG if off else ReviewAction.FLAG, yes, as_json, note=note)


def _act(context: Context, query: Sequence[str], action: ReviewAction, yes: bool, as_json: bool, **said: str) -> None:
    project, connection = context.open()
    numbers = listing.every(connection, asked(project, connection, query))
    if not yes:
        raise RefusedError(f"{len(numbers):,} examples match: --yes does it ({action.value})")
    work = bulk.act(connection, numbers, action, reviewer=context.reviewer, **said)
    done = follow(work, len(numbers))
    if as_json:
        print_json({"action": action.value, "examples": done})
    else:
        show(f"{done:,} examples: {action.value}; `sidequest review undo` takes all of it back")


def follow(work: Iterator[int], of: int) -> int:
    """Do the work, with a bar where somebody watches; returns how much was done."""
    done = 0
    with click.progressbar(length=of, file=sys.stderr) as drawn:
        for now in work:
            drawn.update(now - done)
            done = now
    return done
