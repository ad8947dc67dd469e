"""Plots of benchmarks in the terminal: accuracy as it narrows, and how well confidence fits what was right."""

from __future__ import annotations

from collections.abc import Mapping

from textual.color import Color
from textual_plotext import PlotextPlot

from core.benchmark.answer_stream import AccuracyCurve
from core.benchmark.calibration import Bin

Rgb = tuple[int, int, int]
_MUTED = "text-muted"


class Plot(PlotextPlot):
    """A plot in the colours of the theme, drawn anew only when what it shows, its size or the theme has changed."""

    def __init__(self, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._drawn: object = None

    def accuracy(self, curves: Mapping[str, AccuracyCurve]) -> None:
        """The accuracy over the answers, with its interval; a line for each role."""
        if self.same(("accuracy", curves)):
            return
        for role, found in curves.items():
            colour = self.role(role)
            for edge in (found.low, found.high):
                self.plt.plot(found.counts, edge, marker="·", color=faint(colour, self.ground()))
        for role, found in curves.items():
            self.plt.plot(found.counts, found.accuracy, marker="braille", color=self.role(role))
        self.plt.ylim(0, 100)
        self.plt.yticks([0, 50, 100], ["0", "50", "100 %"])
        most = max((found.counts[-1] for found in curves.values() if found.counts), default=1)
        self.plt.xlim(0, most)
        self.plt.xticks([0, most], ["0", f"{most:,} answers"])
        self.refresh()

    def reliability(self, bins: list[Bin], role: str) -> None:
        """How often answers are right by how sure they say they are; on the diagonal they are as often as they say."""
        if self.same(("reliability", bins, role)):
            return
        colour = self.role(role)
        self.plt.plot([0, 100], [0, 100], marker="·", color=faint(colour, self.ground()))
        for one in bins:
            at = 100 * one.confidence
            self.plt.plot([at, at], [100 * one.low, 100 * one.high], marker="braille", color=colour)
        places = [100 * one.confidence for one in bins]
        self.plt.scatter(places, [100 * one.accuracy for one in bins], marker="●", color=colour)
        self.plt.xlim(0, 100)
        self.plt.ylim(0, 100)
        self.plt.xticks([0, 50, 100], ["0", "says 50 %", "100 %"])
        self.plt.yticks([0, 50, 100], ["0", "50", "100 %"])
        self.refresh()

    def same(self, drawn: object) -> bool:
        """Whether this is shown already; if not, the plot is cleared for it."""
        wanted = (drawn, self.app.theme)
        if self._drawn == wanted:
            return True
        self._drawn = wanted
        self.plt.clear_data()
        return False

    def role(self, role: str = "student") -> Rgb:
        """The colour of a role."""
        return Color.parse(self.app.theme_variables["accent" if role == "student" else "warning"]).rgb

    def ground(self) -> Rgb:
        """The colour that the plot stands on."""
        return Color.parse(self.app.theme_variables["background"]).rgb


def faint(colour: Rgb, ground: Rgb) -> Rgb:
    """Half way to the ground."""
    red, green, blue = ((one + two) // 2 for one, two in zip(colour, ground, strict=True))
    return red, green, blue
