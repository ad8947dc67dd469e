"""What came of training runs, as the command line prints it."""

from __future__ import annotations

from core.training.comparison import FIGURES, ComparisonRow, ComparisonTable, describe_row
from tui.commands.bench_figures import format_gap
from tui.commands.output import say, show, table


def show_table(comparison: ComparisonTable) -> None:
    """Print the models beside each other, then in pairs, then what is missing."""
    if comparison.examples is None:
        show("No model has a finished benchmark yet.\n")
    else:
        show(f"{comparison.examples} examples, the same for all\n")
    table(
        ["", "model", "mode", *FIGURES, "gate"],
        [(row.what, row.model, row.mode.value, *describe_row(row), _verdict(row)) for row in comparison.rows],
    )
    if comparison.pairs:
        show("")
        table(
            ["", "against", "is ahead by (95 %), exact McNemar", "only it right", "only the other"],
            [
                (pair.second, pair.first, format_gap(pair.found), pair.found.c, pair.found.b)
                for pair in comparison.pairs
            ],
        )
        if len(comparison.pairs) > 1:
            show(f"p is of each pair alone: of {len(comparison.pairs)} at once, one below 0.05 is easily chance")
    for row in comparison.rows:
        if row.going:
            say(f"{row.model}: benchmark {row.going[-6:]} is at work")
        elif row.command:
            say(f"{row.model} has no benchmark of this: {row.command}")
        elif row.measured is None:
            say(f"{row.model}: {row.problem}")
    if comparison.like and not comparison.reference:
        say("the reference was not asked the same: the gate says what can be said without it")


def _verdict(row: ComparisonRow) -> str:
    return "" if row.measured is None else row.measured.verdict.value
