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
from core.curriculum.plan import current_plan
from core.dataset.coverage import NOT_REJECTED, Coverage, measure_coverage
from core.dataset.example_detail import KIN, example_detail
from core.dataset.query import read_query
from storage import attempts, bulk, listing
from storage import examples as stored
from storage.examples import Filter
from storage.listing import SortOrder
from storage.schema import Example, ReviewAction, Status
from storage.search import LANGUAGE, match_spans
from storage.staleness import describe_stale
from tui.commands.context import Context, RefusedError, json_option, pass_context, verb
from tui.commands.example_ids import resolve_example
from tui.commands.output import print_json, say, show, table
from tui.commands.repair import repair
from tui.text import clean
from tui.widgets.excerpt import excerpt

LANGUAGE_HELP = "\b\nA QUERY is made of such parts; all of them must hold:\n" + "\n".join(
    f"  {example:<20}{meaning}" for example, meaning in LANGUAGE
)


@click.group()
def examples() -> None:
    """The examples of the project."""


examples.add_command(repair)

# Settings of a command that takes a query: a word of it may begin with a minus, or with -h, and is no option then.
QUERY_SETTINGS: dict[str, Any] = {"ignore_unknown_options": True, "help_option_names": ["--help"]}


def refuse_options(words: Sequence[str]) -> None:
    """Raise RefusedError if an unknown option stands among the words of a query."""
    option = next((word for word in words if word.startswith("--")), None)
    if option is not None:
        raise RefusedError(f"no option {option}: --help shows those there are")


def parse_words(project: Project, connection: sqlite3.Connection, words: Sequence[str]) -> Filter:
    """The filter that the words of a query mean; raises RefusedError if they mean nothing, or hold an option."""
    refuse_options(words)
    return read_query(project.task, connection, " ".join(words))


_FILTER_OPTIONS = (
    click.option(
        "--status", multiple=True, type=click.Choice([status.value for status in Status]), help="May be repeated."
    ),
    click.option("--decision", multiple=True, help="May be repeated."),
    click.option("--domain", multiple=True, help="May be repeated."),
    click.option("--level", multiple=True, type=int, help="May be repeated."),
    click.option("--family", default="", help="Only this family."),
    click.option("--run", default="", help="Only what this run has made."),
    click.option("--flagged/--not-flagged", default=None, help="Only these."),
    click.option(
        "--sort",
        type=click.Choice([order.value for order in SortOrder]),
        default=SortOrder.OLDEST.value,
        show_default=True,
        help="In which order.",
    ),
    click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="At most so many."),
    click.option("--after", default="", help="Start after the example with this id, in the same order."),
    json_option,
)


def _filter_options(command: Any) -> Any:
    for option in reversed(_FILTER_OPTIONS):
        command = option(command)
    return command


@examples.command("list", epilog=LANGUAGE_HELP, context_settings=QUERY_SETTINGS)
@click.argument("query", nargs=-1)
@_filter_options
@pass_context
@verb
def list_(context: Context, query: tuple[str, ...], **options: Any) -> None:
    """List examples that match QUERY, oldest first unless --sort says otherwise."""
    _list(context, query, **options)


@examples.command(epilog=LANGUAGE_HELP, context_settings=QUERY_SETTINGS)
@click.argument("query", nargs=-1, required=True)
@_filter_options
@pass_context
@verb
def search(context: Context, query: tuple[str, ...], **options: Any) -> None:
    """Show where examples hold the words of QUERY; the last may be the start of a word."""
    _list(context, query, matches_only=True, **options)


def _list(
    context: Context,
    query: Sequence[str],
    *,
    sort: str,
    limit: int,
    after: str,
    as_json: bool,
    matches_only: bool = False,
    **fields: Any,
) -> None:
    """Print the examples that match; with `matches_only` of each only the lines that hold words of the query."""
    project, connection = context.open()
    given = {name: value for name, value in fields.items() if value not in ((), "", None)}
    where = dataclasses.replace(parse_words(project, connection, query), **given)
    numbers = listing.read_numbers(connection, where, SortOrder(sort))
    start = 0
    if after:
        number = listing.number_of(connection, resolve_example(connection, after).id)
        if number is None or number not in numbers:
            raise RefusedError(f"--after {after}: this example does not match: give the last one that was listed")
        start = numbers.index(number) + 1
    page = numbers[start : start + limit]
    listed = listing.read_examples(connection, page)
    if as_json:
        print_json(listed)
    elif matches_only:
        _show_matches(connection, page, where.text)
    else:
        table(
            ["id", "status", "decision", "domain", "level", "hypothesis"],
            [
                (example.id, example.status.value, example.decision, example.domain, example.level, example.hypothesis)
                for example in listed
            ],
            widths={5: 60},
        )
    if not numbers:
        say("no example matches")
    elif len(listed) < len(numbers):
        more = f"; more: --after {listed[-1].id}" if listed and start + limit < len(numbers) else ""
        positions = f"{start + 1:,} to {start + len(listed):,}" if start else f"{len(listed):,}"
        say(f"{positions} of {len(numbers):,}{more}")


def _show_matches(connection: sqlite3.Connection, numbers: Sequence[int], words: str) -> None:
    """Print each example with the line in which the words stand, marked where the terminal can."""
    rows = listing.read_rows(connection, numbers, evidence=True)
    matches = match_spans([text for row in rows for text in (row.hypothesis, row.evidence)], words)
    for position, row in enumerate(rows):
        show(f"{row.id}  {row.status.value}  {row.decision}  {row.domain}  level {row.level}")
        in_hypothesis, in_evidence = matches[2 * position : 2 * position + 2]
        _show_excerpt("  ", excerpt(row.hypothesis, in_hypothesis, 110))
        if in_evidence:
            _show_excerpt("  evidence: ", excerpt(row.evidence, in_evidence, 100))


def _show_excerpt(prefix: str, pieces: list[tuple[str, bool]]) -> None:
    styled = (click.style(text, bold=True, reverse=True) if is_match else text for text, is_match in pieces)
    click.echo(prefix + "".join(styled))


@examples.command("show")
@click.argument("example")
@click.option("--find", default="", help="Mark these words.")
@json_option
@pass_context
@verb
def show_(context: Context, example: str, find: str, as_json: bool) -> None:
    """Show one example whole, with its reviews, versions, family and lineage."""
    _, connection = context.open()
    stored_example = resolve_example(connection, example)
    detail = example_detail(connection, stored_example.id)
    log = detail.case.log if detail else []
    if as_json:
        lineage = attempts.chain(connection, stored_example.attempt) if stored_example.attempt else []
        versions = [version for version, _ in detail.versions] if detail else []
        family = [row.id for row in detail.kin] if detail else []
        document = {"example": stored_example, "reviews": log, "lineage": lineage, "versions": versions}
        print_json(document | {"family": family})
        return
    _show_content(stored_example, find)
    for review in log:
        words = (review.action, review.value, review.reason, review.note, review.reviewer)
        show(f"\n{review.created:%Y-%m-%d %H:%M} {' '.join(word for word in words if word)}")
    if detail and detail.family > 1:
        others = ", ".join(row.id for row in detail.kin)
        more = f" and {detail.family - 1 - len(detail.kin):,} more" if detail.family - 1 > KIN else ""
        show(f"\nSame family: {others}{more}")


def _show_content(example: Example, find: str) -> None:
    """Print what the example says, with the words of `find` marked."""
    show(f"{example.id} · {example.status}{' · flagged' if example.flagged else ''} · version {example.version}")
    place = f"{example.domain} · level {example.level} · split {example.split or 'none'}"
    show(f"{place} · {example.source} {example.model} · family {example.family}\n")
    show("HYPOTHESIS")
    _show_marked(f"  {example.hypothesis}", find)
    show("\nEVIDENCE")
    for piece in example.evidence:
        _show_marked(f"  {piece.relevance:.2f}  {piece.source}\n        {piece.content}", find)
    if example.steps:
        from tui.widgets.steps import against_lines, step_line

        show("\nSTEPS  part · found · claimed")
        for step in example.steps:
            _show_marked("\n    ".join([f"  {step_line(step)}", *against_lines(step)]), find)
    show(f"\nDECISION  {example.decision}, confidence {example.confidence:.2f}")
    _show_marked(f"  {example.reasoning}", find)
    for text in describe_stale(example):
        show(f"  ! {text}")


def _show_marked(text: str, find: str) -> None:
    """Print text with the words of `find` marked where the terminal can."""
    position = 0
    parts = []
    for start, end in match_spans([text], find)[0]:
        parts += [clean(text[position:start]), click.style(clean(text[start:end]), bold=True, reverse=True)]
        position = end
    click.echo("".join([*parts, clean(text[position:])]))


@examples.command(epilog=LANGUAGE_HELP, context_settings=QUERY_SETTINGS)
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
    for row in stored.cell_counts(connection, parse_words(project, connection, query)):
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


@examples.command(epilog=LANGUAGE_HELP, context_settings=QUERY_SETTINGS)
@click.argument("query", nargs=-1)
@json_option
@pass_context
@verb
def coverage(context: Context, query: tuple[str, ...], as_json: bool) -> None:
    """What the examples cover: cells, lengths, evidence, confidence, near-duplicates, shortcuts.

    Of all examples that are not rejected, unless a QUERY says which.
    """
    project, connection = context.open()
    where = parse_words(project, connection, query) if query else NOT_REJECTED
    measured = Coverage(0, 0)
    for measured in measure_coverage(project.task, connection, where):
        if measured.doing and not as_json:
            say(f"{measured.doing} …")
    cells = current_plan(project.task, connection).cells
    if as_json:
        print_json({"cells": cells, "coverage": measured})
        return
    from tui.widgets.coverage_figures import draw_coverage

    full = sum(cell.have >= cell.want for cell in cells)
    show(f"{measured.sampled:,} of {measured.total:,} examples measured; {full} of {len(cells)} cells full")
    show(draw_coverage(measured, 100).plain)
    show(f"\nNEAR-DUPLICATES\n{measured.groups or 0:,} groups")
    for group in measured.alike[:10]:
        show(f"  {len(group.ids)} alike, {group.similarity:.0%}: {', '.join(group.ids[:10])}")


def _bulk_options(command: Any) -> Any:
    options: list[Any] = [
        click.argument("query", nargs=-1, required=True),
        click.option("--yes", is_flag=True, help="Do it; without this it is only counted."),
        click.option("--note", default="", help="Free words that are kept with it."),
        json_option,
        pass_context,
        verb,
    ]
    for option in reversed(options):
        command = option(command)
    return command


@examples.command(epilog=LANGUAGE_HELP, context_settings=QUERY_SETTINGS)
@_bulk_options
def accept(context: Context, query: tuple[str, ...], yes: bool, note: str, as_json: bool) -> None:
    """Accept all examples that match QUERY, as one act: one `review undo` takes it back."""
    _decide(context, query, ReviewAction.ACCEPT, yes, as_json, note=note)


@examples.command(epilog=LANGUAGE_HELP, context_settings=QUERY_SETTINGS)
@click.option("--reason", default="", help="One of the project's reasons.")
@_bulk_options
def reject(context: Context, query: tuple[str, ...], yes: bool, note: str, as_json: bool, reason: str) -> None:
    """Reject all examples that match QUERY, as one act."""
    reasons = context.project().task.review.reasons
    if reason and reason not in reasons:
        raise RefusedError(f"no reason {reason!r}: the project has {', '.join(reasons)}")
    _decide(context, query, ReviewAction.REJECT, yes, as_json, note=note, reason=reason)


@examples.command(epilog=LANGUAGE_HELP, context_settings=QUERY_SETTINGS)
@click.option("--off", is_flag=True, help="Take the flags away.")
@_bulk_options
def flag(context: Context, query: tuple[str, ...], yes: bool, note: str, as_json: bool, off: bool) -> None:
    """Flag all examples that match QUERY, as one act."""
    _decide(context, query, ReviewAction.UNFLAG if off else ReviewAction.FLAG, yes, as_json, note=note)


def _decide(
    context: Context, query: Sequence[str], action: ReviewAction, yes: bool, as_json: bool, **texts: str
) -> None:
    """Decide about all examples that match, with `texts` (note, reason) in the log; only count them without `yes`."""
    project, connection = context.open()
    numbers = listing.read_numbers(connection, parse_words(project, connection, query))
    if not yes:
        raise RefusedError(f"{len(numbers):,} examples match: --yes does it ({action.value})")
    work = bulk.record(connection, numbers, action, reviewer=context.reviewer, **texts)
    done = show_progress(work, len(numbers))
    if as_json:
        print_json({"action": action.value, "examples": done})
    else:
        show(f"{done:,} examples: {action.value}; `sidequest review undo` takes all of it back")


def show_progress(work: Iterator[int], total: int) -> int:
    """Do the work, which yields how much of `total` is done, with a bar on a terminal; returns how much was done."""
    done = 0
    with click.progressbar(length=total, file=sys.stderr) as bar:
        for now_done in work:
            bar.update(now_done - done)
            done = now_done
    return done
