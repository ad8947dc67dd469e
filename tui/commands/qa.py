"""`qa`: where attempts are rejected, and how good QA itself is."""

from __future__ import annotations

import click

from core.qa.matrix import matrix as matrix_of
from core.qa.scorecard import scorecard as scorecard_of
from storage import attempts
from storage.schema import Result
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
    found = matrix_of(attempts.reason_counts(connection), decision=decision)
    if as_json:
        print_json(found)
        return
    if not found.cells:
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
            for cell in found.cells
        ],
        widths={6: 80},
    )
    for one in found.flagged:
        show(f"! {one.sentence}")


@qa.command()
@json_option
@pass_context
@verb
def scorecard(context: Context, as_json: bool) -> None:
    """What QA made of planted flaws: caught and missed by kind, and good examples that it refused."""
    _, connection = context.open()
    found = scorecard_of(attempts.flaw_records(connection))
    if as_json:
        print_json(found)
        return
    if not found.planted:
        show("no flaw was planted: `sidequest generate --fill --flaws 0.1` plants some to measure QA with")
    else:
        show(f"caught {found.caught} of {found.planted} planted flaws")
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
                for score in found.by_flaw
            ],
            widths={4: 60},
        )
    if found.good:
        interval = f"{found.refused_low:.1%}-{found.refused_high:.1%}"
        show(f"refused {found.refused} of {found.good} good candidates ({interval})")


@qa.command("attempts")
@click.option("--run", "run_id", default="", help="Only attempts of this run.")
@click.option("--result", type=click.Choice([result.value for result in Result]), help="Only this result.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True)
@json_option
@pass_context
@verb
def attempts_(context: Context, run_id: str, result: str | None, limit: int, as_json: bool) -> None:
    """The newest attempts with their verdicts, newest first."""
    _, connection = context.open()
    found = attempts.newest(connection, run=run_id, result=Result(result) if result else None, limit=limit)
    if as_json:
        print_json(found)
        return
    table(
        ["attempt", "cell", "outcome", "result", "reason", "critique"],
        [
            (
                one.attempt.id,
                f"{one.attempt.domain} {one.attempt.level} {one.attempt.decision}",
                one.attempt.outcome.value,
                one.final.result.value if one.final else "",
                one.final.reason if one.final else "",
                one.final.critique if one.final else one.attempt.detail,
            )
            for one in found
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
    row = connection.execute("SELECT attempt FROM examples WHERE id = ?", (attempt.upper(),)).fetchone()
    found = attempts.chain(connection, row["attempt"] if row and row["attempt"] else attempt.upper())
    if not found:
        raise RefusedError(f"no attempt {attempt}: `sidequest qa attempts` shows the newest")
    if as_json:
        print_json(found)
        return
    for one in found:
        show(
            f"attempt {one.attempt.number} (idea {one.attempt.idea}) · {one.attempt.outcome.value} {one.attempt.detail}"
        )
        if one.attempt.candidate:
            show(f"  {one.attempt.candidate.hypothesis}")
        for verdict in one.verdicts:
            show(f"  {verdict.result.value} by {verdict.stage} {verdict.reason} {verdict.critique}")
