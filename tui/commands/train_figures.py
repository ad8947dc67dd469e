"""What came of training runs, as the command line prints it."""

from __future__ import annotations

from core.training.comparison import ComparisonRow, ComparisonTable
from core.training.comparison_words import (
    FIGURES,
    GROUP_FIGURES,
    describe_fields,
    describe_group,
    describe_row,
    describe_share,
)
from core.training.seed_groups import SeedGroup
from tui.commands.bench_figures import format_gap, format_p
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
    _show_fields(comparison.rows)
    _show_groups(comparison.groups)
    if comparison.pairs:
        show("")
        table(
            ["", "against", "is ahead by (95 %), exact McNemar", "p after Holm", "only it right", "only the other"],
            [
                (
                    pair.second,
                    pair.first,
                    format_gap(pair.found),
                    format_p(pair.found.corrected),
                    pair.found.c,
                    pair.found.b,
                )
                for pair in comparison.pairs
            ],
        )
        if len(comparison.pairs) > 1:
            show(
                f"p after Holm is corrected for {len(comparison.pairs)} pairs at once; the other is of each pair alone"
            )
    for row in comparison.rows:
        if row.going:
            say(f"{row.model}: benchmark {row.going[-6:]} is at work")
        elif row.command:
            say(f"{row.model} has no benchmark of this: {row.command}")
        elif row.measured is None:
            say(f"{row.model}: {row.problem}")
    if comparison.like and not comparison.reference:
        say("the reference was not asked the same: the gate says what can be said without it")


def _show_fields(rows: list[ComparisonRow]) -> None:
    """Print the accuracy by field of the models that write their steps."""
    fields = {row.model: describe_fields(row.measured) for row in rows if row.measured is not None}
    names = list(dict.fromkeys(name for of_model in fields.values() for name in of_model))
    if names:
        show("")
        rows_of_fields = [(model, *(row.get(name, "") for name in names)) for model, row in fields.items() if row]
        table(["by field of the steps", *names], rows_of_fields)


def _show_groups(groups: list[SeedGroup]) -> None:
    """Print the recipes that were trained with several seeds, each with mean and spread."""
    if not groups:
        return
    show("")
    names = list(dict.fromkeys(name for group in groups for name in group.fields))
    table(
        ["over seeds", *GROUP_FIGURES, *names],
        [
            (group.what, *describe_group(group), *(describe_share(group.fields.get(name)) for name in names))
            for group in groups
        ],
    )


def _verdict(row: ComparisonRow) -> str:
    return "" if row.measured is None else row.measured.verdict.value
