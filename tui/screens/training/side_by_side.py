"""Two training runs side by side: figure by figure, on the same steps and scale."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import set_cell_size
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content

from core.runs.params import TrainParams, params_of
from core.training.monitor import PhaseMonitor, Points, TrainingMonitor
from tui.screens.training.curves import CurveGrid
from tui.screens.training.figures import format_figure, is_share
from tui.screens.training.overview import TALL
from tui.text import line
from tui.widgets.bars import mean_per_cell, sparkline
from tui.widgets.text_panel import TextPanel

_LABEL_WIDTH, _SHORTEST_SPARKLINE = 13, 6
_STEP_FIGURES = (
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
_DEV_FIGURES = (("accuracy", "dev accuracy"), ("ece", "dev ece"))

RunPhase = tuple[TrainingMonitor, PhaseMonitor]


class SideBySideView(Vertical):
    """Another run beside the one that is shown; on tall terminals with the curves of both."""

    def compose(self) -> ComposeResult:
        yield TextPanel(id="beside-words")
        yield CurveGrid(id="both")

    def show_message(self, message: Content) -> None:
        """Show a message in place of the runs."""
        self.query_one("#both").display = False
        self.query_one("#beside-words", TextPanel).show(message)

    def draw(self, first: RunPhase, second: RunPhase) -> None:
        """Compare a phase of one run with a phase of another."""
        size = self.screen.size
        self.query_one("#beside-words", TextPanel).show(compare_figures(first, second, size.width - 2))
        curves = self.query_one("#both", CurveGrid)
        curves.display = size.height >= TALL
        curves.draw([first[1], second[1]], ())


def compare_figures(first: RunPhase, second: RunPhase, width: int) -> Content:
    """Each figure that at least one phase has: its first and newest value, and a sparkline over the steps of both."""
    column = max(20, (width - _LABEL_WIDTH - 2) // 2)
    phases = (first[1], second[1])
    last = max(1, *(phase.step for phase in phases))
    titles = [line(_title(*run_phase), column - 1) for run_phase in (first, second)]
    rows = [
        Content.assemble(
            " " * _LABEL_WIDTH,
            (set_cell_size(titles[0], column), "bold $text-accent"),
            "  ",
            (titles[1], "bold $text-warning"),
        ),
        _row("steps", [f"{phase.step:,} of {phase.recipe.steps:,}" for phase in phases], column),
    ]
    for name, label in _DEV_FIGURES:
        rows += _figure_rows(name, label, [phase.evaluation_points(name) for phase in phases], last, column)
    for name, label in _STEP_FIGURES:
        rows += _figure_rows(name, label, [phase.points(name) for phase in phases], last, column)
    return Content("\n").join(rows)


def _title(monitor: TrainingMonitor, phase: PhaseMonitor) -> str:
    name = params_of(monitor.run, TrainParams).name
    phase_name = f" {phase.name}" if phase.name != name else ""
    return f"{name}{phase_name} · {phase.recipe.algorithm.value.upper()} · {monitor.run.id[-6:]}"


def _figure_rows(name: str, label: str, series: Sequence[Points], last: int, column: int) -> list[Content]:
    """The row of a figure with the points of both phases; none if neither has any."""
    values = [value for points in series for _, value in points]
    if not values:
        return []
    low, high = (0.0, 1.0) if is_share(name) else (min(values), max(values))
    ranges = [
        f"{format_figure(name, points[0][1])} → {format_figure(name, points[-1][1])}" if points else "unknown"
        for points in series
    ]
    width = max(_SHORTEST_SPARKLINE, column - max(map(len, ranges)) - 1)
    cells = [
        f"{text:<{column - width - 1}} {sparkline(mean_per_cell(points, last, width), low, high)}"
        for points, text in zip(series, ranges, strict=True)
    ]
    return [_row(label, cells, column)]


def _row(label: str, cells: Sequence[str], column: int) -> Content:
    left, right = cells
    return Content.assemble(
        f"{label:<{_LABEL_WIDTH}}", (set_cell_size(left, column), "$text-accent"), "  ", (right, "$text-warning")
    )
