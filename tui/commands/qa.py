"""`qa`: where attempts are rejected, and how good QA itself is."""

from __future__ import annotations

import sqlite3

import click

from core.qa.matrix import rejection_matrix
from core.qa.scorecard import people_record
from core.qa.scorecard import scorecard as scorecard_of
from core.qa.verdicts import example_of_attempt
from storage import attempts, reviews
from storage.schema import Result
from tui.as_json import json_value
from tui.commands.context import Context, RefusedError, json_option, pass_context, verb
from tui.commands.output import print_json, show, table


@click.group()
def qa() -> None:
    """Verdicts, the matrix of rejections, and the scorecard of QA."""


@qa.command()
@click.option("--decision", help="Only attempts at this decision.")
@json_option
@pass_context
@verb
def matrix(context: Context, decision: str | None, as_json: bool) -> None:
    """Rejections by domain and level, with 95 % Wilson intervals; cells worse than the rest are flagged."""
    project, connection = context.open()
    if decision is not None and decision not in project.task.labels:
        raise RefusedError(f"no decision {decision!r}: there are {', '.join(project.task.labels)}")
    counts = rejection_matrix(attempts.reason_counts(connection), decision=decision)
    if as_json:
        print_json(counts)
        return
    if not counts.cells:
        show("no attempt has been judged yet: `sidequest generate --fill` makes some")
        return
    table(
        ["domain", "level", "rejected", "of", "rate", "95 %", "reasons"],
        [
            (
                cell.domain,
                cell.level,
                cell.rejected,
                cell.attempts,
                f"{cell.rate:.0%}",
                f"{cell.low:.0%}-{cell.high:.0%}",
                ", ".join(f"{name} {count}" for name, count in cell.reasons.items()),
            )
            for cell in counts.cells
        ],
        widths={6: 80},
    )
    for flagged in counts.flagged:
        show(f"! {flagged.sentence}")


@qa.command()
@json_option
@pass_context
@verb
def scorecard(context: Context, as_json: bool) -> None:
    """What QA made of planted flaws, of good examples, and what people said of its verdicts."""
    _, connection = context.open()
    card = scorecard_of(attempts.flaw_records(connection))
    record = people_record(attempts.reviewed_counts(connection))
    if as_json:
        print_json(json_value(card) | {"people": json_value(record)})
        return
    if not card.planted:
        show("no flaw was planted: `sidequest generate --fill --flaws 0.1` plants some to measure QA with")
    else:
        show(f"caught {card.caught} of {card.planted} planted flaws")
        table(
            ["flaw", "planted", "caught", "95 %", "reasons"],
            [
                (
                    score.flaw,
                    score.planted,
                    score.caught,
                    f"{score.low:.0%}-{score.high:.0%}",
                    ", ".join(f"{name} {count}" for name, count in score.reasons.items()),
                )
                for score in card.by_flaw
            ],
            widths={4: 60},
        )
    if card.good:
        interval = f"{card.refused_low:.1%}-{card.refused_high:.1%}"
        show(f"refused {card.refused} of {card.good} good candidates ({interval})")
    for verdict, outcome, reviewed in (
        ("passed", "accepted", record.passed),
        ("rejected", "rejected too", record.rejected),
    ):
        if reviewed.decided:
            interval = f"{reviewed.low:.0%}-{reviewed.high:.0%}"
            show(f"of what QA {verdict}, people {outcome} {reviewed.agreed} of {reviewed.decided} ({interval})")


@qa.command("attempts")
@click.option("--run", "run_id", default="", help="Only attempts of this run.")
@click.option("--result", type=click.Choice([result.value for result in Result]), help="Only this result.")
@click.option("--cell", nargs=2, type=(str, int), metavar="DOMAIN LEVEL", help="Only what was rejected there.")
@click.option("--decision", default="", help="With --cell: only attempts at this decision.")
@click.option("--reason", default="", help="With --cell: only what was rejected for this reason.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="At most so many.")
@json_option
@pass_context
@verb
def attempts_(
    context: Context,
    run_id: str,
    result: str | None,
    cell: tuple[str, int] | None,
    decision: str,
    reason: str,
    limit: int,
    as_json: bool,
) -> None:
    """The newest attempts with their verdicts, newest first."""
    project, connection = context.open()
    if cell is None:
        if decision or reason:
            raise RefusedError("--decision and --reason go with --cell DOMAIN LEVEL")
        rows = attempts.newest(connection, run=run_id, result=Result(result) if result else None, limit=limit)
    else:
        if run_id or result:
            raise RefusedError("--cell shows what was rejected in all runs: leave --run and --result away")
        unknown = project.task.find_unknown_names([cell[0]], [cell[1]], [decision] if decision else [])
        if unknown:
            raise RefusedError("; ".join(unknown))
        rows = attempts.of_cell(connection, *cell, decision=decision, reason=reason, limit=limit)
    if as_json:
        print_json(rows)
        return
    table(
        ["attempt", "cell", "outcome", "result", "reason", "critique"],
        [
            (
                judged.attempt.id,
                f"{judged.attempt.domain} {judged.attempt.level} {judged.attempt.decision}",
                judged.attempt.outcome.value,
                judged.final.result.value if judged.final else "",
                judged.final.reason if judged.final else "",
                judged.final.critique if judged.final else judged.attempt.detail,
            )
            for judged in rows
        ],
        widths={5: 60},
    )


@qa.command()
@click.argument("attempt")
@json_option
@pass_context
@verb
def chain(context: Context, attempt: str, as_json: bool) -> None:
    """The lineage of an attempt (or of the example it became): attempts, critiques, rewrites, verdicts."""
    _, connection = context.open()
    example = connection.execute("SELECT attempt FROM examples WHERE id = ?", (attempt.upper(),)).fetchone()
    key = example["attempt"] if example else _attempt_id(connection, attempt)
    if key is None:
        raise RefusedError(f"example {attempt} was imported: it has no attempts")
    judged_attempts = attempts.chain(connection, key)
    if as_json:
        print_json(judged_attempts)
        return
    from tui.widgets.lineage import lineage

    ids = [judged.attempt.id for judged in judged_attempts]
    overruled, planted = attempts.overruled_statuses(connection, ids), attempts.planted_flaws(connection, ids)
    show(lineage(judged_attempts, key, overruled, planted).plain)


@qa.command()
@click.argument("attempt")
@click.option("--note", default="", help="Free words that are kept with it.")
@click.option("--as", "reviewer", default="", help="Who decides.")
@json_option
@pass_context
@verb
def overrule(context: Context, attempt: str, note: str, reviewer: str, as_json: bool) -> None:
    """Bring a rejected attempt in for review, whatever the judge said."""
    _, connection = context.open()
    judged = attempts.get(connection, _attempt_id(connection, attempt))
    if judged is None or judged.attempt.candidate is None:
        raise RefusedError(f"attempt {attempt} has no candidate that could be brought in")
    if judged.final is None or judged.final.result is not Result.REJECTED:
        raise RefusedError(f"attempt {attempt} was not rejected")
    example = reviews.overrule(
        connection, example_of_attempt(judged.attempt, judged.final), note=note, reviewer=reviewer or context.reviewer
    )
    if as_json:
        print_json({"example": example})
        return
    show(f"example {example.id} waits for review")


def _attempt_id(connection: sqlite3.Connection, part: str) -> str:
    """The id of the attempt that `part` of it stands for; raises RefusedError."""
    key = attempts.resolve(connection, part)
    if key is None:
        raise RefusedError(f"no attempt {part}, or several: `sidequest qa attempts` shows the newest")
    return key
