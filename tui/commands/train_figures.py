"""What came of training runs, as the command line prints it."""

from __future__ import annotations

from core.training.comparison import FIGURES, ComparisonRow, ComparisonTable, describe_row
from tui.commands.bench_figures import format_gap
from tui.commands.output import say, show, table


def show_table(found: ComparisonTable) -> None:
    """Print the models beside each other, then in pairs, then what is missing."""
    if found.examples is None:
        show("No model has a finished benchmark yet.\n")
    else:
        show(f"{found.examples} examples, the same for all\n")
    table(
        ["", "model", "mode", *FIGURES, "gate"],
        [(row.what, row.model, row.mode.value, *describe_row(row), _verdict(row)) for row in found.rows],
    )
    if found.pairs:
        show("")
        table(
            ["", "against", "is ahead by (95 %), exact McNemar", "only it right", "only the other"],
            [(one.second, one.first, format_gap(one.found), one.found.c, one.found.b) for one in found.pairs],
        )
        if len(found.pairs) > 1:
            show(f"p is of each pair alone: of {len(found.pairs)} at once, one below 0.05 is easily chance")
    for row in found.rows:
        if row.going:
            say(f"{row.model}: benchmark {row.going[-6:]} is at work")
        elif row.command:
            say(f"{row.model} has no benchmark of this: {row.command}")
        elif row.measured is None:
            say(f"{row.model}: {row.problem}")
    if found.like and not found.reference:
        say("the reference was not asked the same: the gate says what can be said without it")


def _verdict(row: ComparisonRow) -> str:
    return "" if row.measured is None else row.measured.verdict.value
