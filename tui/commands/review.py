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
from storage.schema import Example, Review, ReviewAction
from storage.search import parse_query
from tui.commands.context import Context, RefusedError, json_option, pass_context, verb
from tui.commands.examples import resolve_example
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
    found = reviews.newest(connection, limit)
    if as_json:
        print_json(found)
        return
    table(
        ["when", "action", "example", "blind", "reason", "note", "by"],
        [
            (
                f"{one.created:%Y-%m-%d %H:%M}",
                one.action.value,
                one.example,
                one.value,
                one.reason,
                one.note,
                one.reviewer,
            )
            for one in found
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
    chosen, who = Queue(name), _reviewer(context, reviewer)
    if chosen is Queue.REFUSED and (parts := queues.inapplicable_to_attempts(where)):
        raise RefusedError(f"what QA rejected has no {', '.join(parts)}")
    keys = queues.page(connection, chosen, where, reviewer=who, limit=limit).keys
    found = [case.example for case in (read_item(connection, key) for key in keys) if case is not None]
    if as_json:
        print_json(found)
        return
    table(
        ["id", "status", "judge's certainty", "domain", "level", "hypothesis"],
        [(one.id, one.status.value, _certainty(one), one.domain, one.level, one.hypothesis) for one in found],
        widths={5: 60},
    )
    left = queues.queue_size(connection, chosen, where, reviewer=who)
    if left.number > len(found):
        say(f"{len(found)} of {left.number:,}{' or more' if left.more else ''}")
    elif not found:
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
    case = _review_item(connection, prefix)
    line = Review(
        example=case.example.id, action=action, reason=reason, note=note, reviewer=_reviewer(context, reviewer)
    )
    _print_example(reviews.record(connection, case.example, decision_lines(case, line)), as_json)


def _review_item(connection: sqlite3.Connection, prefix: str) -> ReviewItem:
    """The example, or the attempt that QA rejected, that `prefix` stands for; raises RefusedError."""
    found = read_item(connection, prefix.upper()) or read_item(connection, resolve_example(connection, prefix).id)
    if found is None:
        raise RefusedError(f"no example {prefix}: `sidequest examples list` shows those there are")
    return found


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
    case = _review_item(connection, example)
    line = blind_decision_line(case, decision, note=note, reviewer=_reviewer(context, reviewer))
    done = reviews.record(connection, case.example, decision_lines(case, line))
    if as_json:
        print_json({"example": done, "agrees": decision == done.decision})
    else:
        agrees = "as the label says" if decision == done.decision else f"the label is {done.decision}"
        show(f"{done.id}: you decided {decision}, {agrees}: {done.status}")


@review.command()
@json_option
@pass_context
@verb
def agreement(context: Context, as_json: bool) -> None:
    """How far people agree with the label, the judge and each other, from what they decided blind."""
    from tui.widgets.agreement import describe_differences, format_coefficient

    _, connection = context.open()
    found = agreement_report(blind_reviews.read_current(connection))
    if as_json:
        print_json(found)
        return
    show(f"{found.decisions:,} blind decisions")
    if not found.pairs:
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
            for pair in found.pairs
        ],
    )
    for pair in found.pairs:
        show(f"{pair.who} with {pair.whom}: {conclusion(pair)}")
        for text in describe_differences(pair):
            show(f"{pair.who} with {pair.whom}: {text.strip()}")
    if found.together:
        show(f"all {found.together.people} people: alpha {format_coefficient(found.together.alpha)}")


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
    known = context.project().task.review.reasons
    if reason and reason not in known:
        raise RefusedError(f"no reason {reason!r}: the project has {', '.join(known)}")
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
@note_option
@as_option
@json_option
@pass_context
@verb
def edit(context: Context, example: str, content: TextIO, note: str, reviewer: str | None, as_json: bool) -> None:
    """Replace fields of an example by those of a JSON object in file CONTENT ('-': stdin); makes a new version."""
    project, connection = context.open()
    current = resolve_example(connection, example)
    change, problem = parse_json(content.read())
    edited, problems = validate_edit(project.task, current, change) if not problem else (None, [problem])
    if edited is None:
        raise RefusedError(f"{content.name}: {'; '.join(problems)}")
    _print_example(reviews.edit(connection, edited, note=note, reviewer=_reviewer(context, reviewer)), as_json)


@review.command()
@click.option("--as", "reviewer", default=None, help="Only a decision of this person.")
@json_option
@pass_context
@verb
def undo(context: Context, reviewer: str | None, as_json: bool) -> None:
    """Take back the newest act that stands, whoever's; with a name, that person's. One of many is taken back whole."""
    _, connection = context.open()
    done = reviews.undo(connection, reviewer=reviewer if reviewer is not None else context.reviewer or None)
    if done is None:
        raise RefusedError("there is nothing left to undo")
    if as_json:
        print_json({"example": done.example, "undone": done.review, "lines": done.lines})
        return
    from tui.widgets.example import undo_message

    show(f"{undo_message(done.review, done.example.hypothesis, done.lines)}; {_describe_state(done.example)}")
