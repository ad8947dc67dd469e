"""Two training runs as Training holds them against each other: figure by figure, on the same steps and scale."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import set_cell_size
from textual.content import Content

from core.training.monitor import PhaseMonitor, Points, TrainingMonitor
from tui.screens.training.figures import is_share, number
from tui.text import line
from tui.widgets.bars import over, sparkline

_NAME, _SHORTEST = 13, 6
_STEPS = (
    ("reward", "reward"),
    ("right", "right"),
    ("kl", "kl"),
    ("entropy", "entropy"),
    ("loss", "loss"),
    ("length", "length"),
    ("confidence_sd", "confidence sd"),
    ("no_signal", "no signal"),
    ("tokens_per_s", "tokens/s"),
)
_LOOKS = (("accuracy", "dev accuracy"), ("ece", "dev ece"))

Pair = tuple[tuple[TrainingMonitor, PhaseMonitor], tuple[TrainingMonitor, PhaseMonitor]]


def beside(pair: Pair, width: int) -> Content:
    """Each figure that one of them knows: how it went over the steps of both, where it began and where it is."""
    half = max(20, (width - _NAME - 2) // 2)
    first, second = (phase for _, phase in pair)
    last = max(first.at, second.at, 1)
    titles = [line(_title(*one), half - 1) for one in pair]
    rows = [
        Content.assemble(
            " " * _NAME, (set_cell_size(titles[0], half), "bold $text-accent"), "  ", (titles[1], "bold $text-warning")
        ),
        _row("steps", [f"{one.at:,} of {one.recipe.steps:,}" for one in (first, second)], half),
    ]
    for name, label in _LOOKS:
        rows += _figure(name, label, [first.evaluation_points(name), second.evaluation_points(name)], last, half)
    for name, label in _STEPS:
        rows += _figure(name, label, [first.points(name), second.points(name)], last, half)
    return Content("\n").join(rows)


def _title(found: TrainingMonitor, phase: PhaseMonitor) -> str:
    name = found.run.params.get("name", "")
    of = f" {phase.name}" if phase.name != name else ""
    return f"{name}{of} · {phase.recipe.algorithm.value.upper()} · {found.run.id[-6:]}"


def _figure(name: str, label: str, both: Sequence[Points], last: int, half: int) -> list[Content]:
    values = [value for points in both for _, value in points]
    if not values:
        return []
    low, high = (0.0, 1.0) if is_share(name) else (min(values), max(values))
    tails = ["unknown" if not one else f"{number(name, one[0][1])} → {number(name, one[-1][1])}" for one in both]
    room = max(_SHORTEST, half - max(map(len, tails)) - 1)
    drawn = [
        f"{tail:<{half - room - 1}} {sparkline(over(points, last, room), low, high)}"
        for points, tail in zip(both, tails, strict=True)
    ]
    return [_row(label, drawn, half)]


def _row(label: str, cells: Sequence[str], half: int) -> Content:
    left, right = cells
    return Content.assemble(
        f"{label:<{_NAME}}", (set_cell_size(left, half), "$text-accent"), "  ", (right, "$text-warning")
    )
