"""`review`: what a person decides about examples, from the command line."""

from __future__ import annotations

import sqlite3
from typing import TextIO

import click

from core.review.agreement import agreement_report, conclusion
from core.review.editing import parse_json, validate_edit
from core.review.item import ReviewItem, blind_decision_line, decision_lines, read_item
from storage import blind_reviews, queues, reviews
from storage.queues import Queue
from storage.schema import JUSTIFYING, Example, Review, ReviewAction
from storage.search import parse_query
from storage.staleness import describe_stale
from tui.commands.context import Context, RefusedError, json_option, pass_context, verb
from tui.commands.example_ids import resolve_example
from tui.commands.output import print_json, say, show, table

as_option = click.option("--as", "reviewer", default=None, help="Who decides.  [default: what `sidequest --as` says]")
note_option = click.option("--note", default="", help="Free words that are kept with it.")


@click.group()
def review() -> None:
    """Accept, reject, label, flag, edit; every decision can be undone."""


@review.command("list")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="At most so many.")
@json_option
@pass_context
@verb
def list_(context: Context, limit: int, as_json: bool) -> None:
    """The newest decisions, newest first."""
    _, connection = context.open()
    log = reviews.newest(connection, limit)
    if as_json:
        print_json(log)
        return
    table(
        ["when", "action", "example", "blind", "reason", "note", "by"],
        [
            (
                f"{line.created:%Y-%m-%d %H:%M}",
                line.action.value,
                line.example,
                line.value,
                line.reason,
                line.note,
                line.reviewer,
            )
            for line in log
        ],
        widths={5: 40},
    )


@review.command()
@click.argument("name", type=click.Choice([queue.value for queue in Queue]), default=Queue.UNCERTAIN.value)
@click.option("--narrow", default="", help="What the filter of the app takes: words, level:1-2 domain:risk.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="At most so many.")
@as_option
@json_option
@pass_context
@verb
def queue(context: Context, name: str, narrow: str, limit: int, reviewer: str | None, as_json: bool) -> None:
    """What the queue NAME holds, in the order in which the app shows it; `refused` holds attempts.

    The judge's certainty of label and quality goes from 0 to 1; of what it did not judge, or what was edited since,
    it is unknown.
    """
    _, connection = context.open()
    where = parse_query(narrow)
    chosen, person = Queue(name), _reviewer(context, reviewer)
    if chosen is Queue.REFUSED and (parts := queues.inapplicable_to_attempts(where)):
        raise RefusedError(f"what QA rejected has no {', '.join(parts)}")
    keys = queues.page(connection, chosen, where, reviewer=person, limit=limit).keys
    examples = [item.example for item in (read_item(connection, key) for key in keys) if item is not None]
    if as_json:
        print_json(examples)
        return
    table(
        ["id", "status", "judge's certainty", "domain", "level", "hypothesis"],
        [
            (example.id, example.status.value, _certainty(example), example.domain, example.level, example.hypothesis)
            for example in examples
        ],
        widths={5: 60},
    )
    left = queues.queue_size(connection, chosen, where, reviewer=person)
    if left.number > len(examples):
        say(f"{len(examples)} of {left.number:,}{' or more' if left.more else ''}")
    elif not examples:
        say("the queue is empty")


def _certainty(example: Example) -> str:
    return "unknown" if example.certainty is None else f"{example.certainty:.2f}"


def _reviewer(context: Context, reviewer: str | None) -> str:
    return context.reviewer if reviewer is None else reviewer


def _decide(
    context: Context,
    prefix: str,
    action: ReviewAction,
    as_json: bool,
    *,
    reviewer: str | None,
    note: str,
    reason: str = "",
) -> None:
    _, connection = context.open()
    item = _review_item(connection, prefix)
    line = Review(
        example=item.example.id, action=action, reason=reason, note=note, reviewer=_reviewer(context, reviewer)
    )
    _print_example(reviews.record(connection, item.example, decision_lines(item, line)), as_json)


def _review_item(connection: sqlite3.Connection, prefix: str) -> ReviewItem:
    """The example, or the attempt that QA rejected, that `prefix` stands for; raises RefusedError."""
    item = read_item(connection, prefix.upper()) or read_item(connection, resolve_example(connection, prefix).id)
    if item is None:
        raise RefusedError(f"no example {prefix}: `sidequest examples list` shows those there are")
    return item


def _print_example(example: Example, as_json: bool) -> None:
    if as_json:
        print_json({"example": example})
    else:
        show(_describe_state(example))


def _describe_state(example: Example) -> str:
    return f"{example.id}: {example.status}{', flagged' if example.flagged else ''}, version {example.version}"


@review.command()
@click.argument("example")
@click.argument("decision")
@note_option
@as_option
@json_option
@pass_context
@verb
def label(context: Context, example: str, decision: str, note: str, reviewer: str | None, as_json: bool) -> None:
    """Say what you decide about an example without having seen its label.

    Where it agrees with the label, and nobody has decided yet, it accepts the example.
    """
    project, connection = context.open()
    if decision not in project.task.labels:
        raise RefusedError(f"no decision {decision}: there are {', '.join(project.task.labels)}")
    item = _review_item(connection, example)
    line = blind_decision_line(item, decision, note=note, reviewer=_reviewer(context, reviewer))
    decided = reviews.record(connection, item.example, decision_lines(item, line))
    if as_json:
        print_json({"example": decided, "agrees": decision == decided.decision})
    else:
        agrees = "as the label says" if decision == decided.decision else f"the label is {decided.decision}"
        show(f"{decided.id}: you decided {decision}, {agrees}: {decided.status}")


@review.command()
@json_option
@pass_context
@verb
def agreement(context: Context, as_json: bool) -> None:
    """How far people agree with the label, the judge and each other, from what they decided blind."""
    from tui.widgets.agreement import describe_differences, format_coefficient

    _, connection = context.open()
    report = agreement_report(blind_reviews.read_current(connection))
    if as_json:
        print_json(report)
        return
    show(f"{report.decisions:,} blind decisions")
    if not report.pairs:
        say("nothing to compare yet: `sidequest review label`, or a letter under a hidden label in the app, decides")
        return
    table(
        ["who", "with", "agree", "95 %", "families", "Cohen's kappa", "Krippendorff's alpha"],
        [
            (
                pair.who,
                pair.whom,
                f"{pair.agreed}/{pair.examples}",
                f"{pair.low:.0%}-{pair.high:.0%}",
                pair.families,
                format_coefficient(pair.kappa),
                format_coefficient(pair.alpha),
            )
            for pair in report.pairs
        ],
    )
    for pair in report.pairs:
        show(f"{pair.who} with {pair.whom}: {conclusion(pair)}")
        for text in describe_differences(pair):
            show(f"{pair.who} with {pair.whom}: {text.strip()}")
    if report.together:
        show(f"all {report.together.people} people: alpha {format_coefficient(report.together.alpha)}")


@review.command()
@click.argument("example")
@note_option
@as_option
@json_option
@pass_context
@verb
def accept(context: Context, example: str, note: str, reviewer: str | None, as_json: bool) -> None:
    """Accept an example."""
    _decide(context, example, ReviewAction.ACCEPT, as_json, note=note, reviewer=reviewer)


@review.command()
@click.argument("example")
@click.option("--reason", default="", help="One of the project's reasons.")
@note_option
@as_option
@json_option
@pass_context
@verb
def reject(context: Context, example: str, reason: str, note: str, reviewer: str | None, as_json: bool) -> None:
    """Reject an example; its slot opens again."""
    reasons = context.project().task.review.reasons
    if reason and reason not in reasons:
        raise RefusedError(f"no reason {reason!r}: the project has {', '.join(reasons)}")
    _decide(context, example, ReviewAction.REJECT, as_json, reason=reason, note=note, reviewer=reviewer)


@review.command()
@click.argument("example")
@click.option("--off", is_flag=True, help="Take the flag away.")
@note_option
@as_option
@json_option
@pass_context
@verb
def flag(context: Context, example: str, off: bool, note: str, reviewer: str | None, as_json: bool) -> None:
    """Flag an example for another look."""
    _decide(context, example, ReviewAction.UNFLAG if off else ReviewAction.FLAG, as_json, note=note, reviewer=reviewer)


@review.command()
@click.argument("example")
@click.argument("content", type=click.File("r", encoding="utf-8"))
@click.option(
    "--still-right", is_flag=True, help="Reasoning and confidence are right for the decision, even unchanged."
)
@note_option
@as_option
@json_option
@pass_context
@verb
def edit(
    context: Context,
    example: str,
    content: TextIO,
    still_right: bool,
    note: str,
    reviewer: str | None,
    as_json: bool,
) -> None:
    """Replace fields of an example by those of a JSON object in file CONTENT ('-': stdin); makes a new version.

    Where the decision changes, reasoning and confidence that do not change with it are stale from then on.
    """
    project, connection = context.open()
    current = resolve_example(connection, example)
    change, problem = parse_json(content.read())
    edited, problems = validate_edit(project.task, current, change) if not problem else (None, [problem])
    if edited is None:
        raise RefusedError(f"{content.name}: {'; '.join(problems)}")
    person = _reviewer(context, reviewer)
    saved = reviews.edit(connection, edited, note=note, reviewer=person, confirmed=JUSTIFYING if still_right else ())
    _print_example(saved, as_json)
    for text in describe_stale(saved):
        say(f"! {text}: `sidequest examples repair {saved.id}`")


@review.command()
@click.option("--as", "reviewer", default=None, help="Only a decision of this person.")
@json_option
@pass_context
@verb
def undo(context: Context, reviewer: str | None, as_json: bool) -> None:
    """Take back the newest act that stands, whoever's; with a name, that person's. One of many is taken back whole."""
    _, connection = context.open()
    undone = reviews.undo(connection, reviewer=reviewer if reviewer is not None else context.reviewer or None)
    if undone is None:
        raise RefusedError("there is nothing left to undo")
    if as_json:
        print_json({"example": undone.example, "undone": undone.review, "lines": undone.lines})
        return
    from tui.widgets.example import undo_message

    show(f"{undo_message(undone.review, undone.example.hypothesis, undone.lines)}; {_describe_state(undone.example)}")
