"""The views beside the overview: confusion, levels and domains, reliability."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content

from core.benchmark.calibration import Calibration, calibration
from core.runs.control import RunStatus
from tui.screens.benchmark.figures import (
    confusion_matrix,
    preferred_reliability,
    reliability_summary,
    slice_details,
)
from tui.screens.benchmark.figures_cache import FiguresBasis
from tui.screens.benchmark.state import BenchmarkState
from tui.text import clean
from tui.widgets.plot import Plot
from tui.widgets.text_panel import TextPanel


class ConfusionView(VerticalScroll):
    """What the chosen run decides, by label."""

    def compose(self) -> ComposeResult:
        yield TextPanel(id="confusion-words")

    def draw(self, state: BenchmarkState) -> None:
        """Show the confusion matrix of the chosen run."""
        role, status = state.shown.role, state.shown.chosen
        figures = state.figures(role)
        if figures is None or status is None:
            self.query_one(TextPanel).show(_missing(status))
        else:
            self.query_one(TextPanel).show(confusion_matrix(figures, role, status))


class SlicesView(VerticalScroll):
    """The accuracy of both runs by level and by domain."""

    def compose(self) -> ComposeResult:
        yield TextPanel(id="slices-view-words")

    def draw(self, state: BenchmarkState) -> None:
        """Show all levels and domains."""
        self.query_one(TextPanel).show(slice_details({role: state.figures(role) for role in state.streams}))


class ReliabilityView(Vertical):
    """Whether the chosen run is right as often as its confidence says."""

    def compose(self) -> ComposeResult:
        yield TextPanel(id="reliability-words")
        yield Plot(id="reliability-plot")

    def draw(self, state: BenchmarkState) -> None:
        """Show the reliability of the chosen run, which a thread computes now and then."""
        role, status = state.shown.role, state.shown.chosen
        stream = state.streams[role]
        text = self.query_one(TextPanel)
        if stream is None or status is None:
            text.show(_missing(status))
            return
        answers = list(stream.answers.values())
        basis = FiguresBasis((stream.run,), (stream.cursor,), status.state.ended)
        computed = state.cache.compute("reliability", basis, lambda _: calibration(answers))
        if not isinstance(computed.value, Calibration) or not computed.describes(basis.runs):
            text.show(Content(clean(computed.problem, limit=500) or "computing …"))
            return
        text.show(reliability_summary(computed.value, role, status))
        self.query_one(Plot).draw_reliability(preferred_reliability(computed.value).bins, role)


def _missing(status: RunStatus | None) -> Content:
    return Content("reading the answers …" if status else "no benchmark in this role")
