"""What came of training runs, as the command line prints it."""

from __future__ import annotations

from core.training.comparison import Measured, Row, Table
from storage.schema import PredictionOutcome
from tui.commands.bench_figures import gap
from tui.commands.output import say, show, table


def show_table(found: Table) -> None:
    """Print the models beside each other, then in pairs, then what is missing."""
    if found.examples is None:
        show("No model has a finished benchmark yet.\n")
    else:
        show(f"{found.examples} examples, the same for all\n")
    table(
        ["", "model", "mode", "right (95 %)", "balanced", "Brier (95 %)", "ECE (95 %)", "without answer", "gate"],
        [(row.what, row.model, row.mode.value, *_figures(row)) for row in found.rows],
    )
    if found.pairs:
        show("")
        table(
            ["", "against", "is ahead by (95 %), exact McNemar", "only it right", "only the other"],
            [(one.second, one.first, gap(one.found), one.found.c, one.found.b) for one in found.pairs],
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


def _figures(row: Row) -> tuple[str, ...]:
    one = row.measured
    if one is None:
        return ("at work" if row.going else "no benchmark", "", "", "", "", "")
    return (
        "unknown" if one.accuracy is None else f"{one.right}/{one.n}, {_percent(one.accuracy, one.low, one.high)}",
        "unknown" if one.balanced_accuracy is None else f"{100 * one.balanced_accuracy:.1f} %",
        _score(one.brier, one.brier_low, one.brier_high),
        _score(one.ece, one.ece_low, one.ece_high),
        _without(one),
        one.verdict.value,
    )


def _without(one: Measured) -> str:
    told = [f"{number} {name}" for name, number in one.outcomes.items() if name != PredictionOutcome.ANSWERED.value]
    return ", ".join(told) or "0"


def _percent(rate: float, low: float, high: float) -> str:
    return f"{100 * rate:.1f} % ({100 * low:.1f}–{100 * high:.1f})"


def _score(value: float | None, low: float | None, high: float | None) -> str:
    return "unknown" if value is None or low is None or high is None else f"{value:.3f} ({low:.3f}–{high:.3f})"
