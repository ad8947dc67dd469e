"""Plots of benchmarks in the terminal: accuracy over the answers, and how well confidence fits what was right."""

from __future__ import annotations

from collections.abc import Mapping

from textual.color import Color
from textual_plotext import PlotextPlot

from core.benchmark.answer_stream import AccuracyCurve
from core.benchmark.calibration import Bin

Rgb = tuple[int, int, int]


class Plot(PlotextPlot):
    """A plot in the colours of the theme. It is drawn again only when its data, its size or the theme has changed."""

    def __init__(self, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._drawn: object = None

    def draw_accuracy(self, curves: Mapping[str, AccuracyCurve]) -> None:
        """Draw the accuracy over the answers with its interval, a line for each role."""
        if not self.clear_for(("accuracy", curves)):
            return
        for role, curve in curves.items():
            colour = self.role_colour(role)
            for edge in (curve.low, curve.high):
                self.plt.plot(curve.counts, edge, marker="·", color=fade(colour, self.background_colour()))
        for role, curve in curves.items():
            self.plt.plot(curve.counts, curve.accuracy, marker="braille", color=self.role_colour(role))
        self.plt.ylim(0, 100)
        self.plt.yticks([0, 50, 100], ["0", "50", "100 %"])
        most = max((curve.counts[-1] for curve in curves.values() if curve.counts), default=1)
        self.plt.xlim(0, most)
        self.plt.xticks([0, most], ["0", f"{most:,} answers"])
        self.refresh()

    def draw_reliability(self, bins: list[Bin], role: str) -> None:
        """Draw how often answers are right by their confidence; on the diagonal both are equal."""
        if not self.clear_for(("reliability", bins, role)):
            return
        colour = self.role_colour(role)
        self.plt.plot([0, 100], [0, 100], marker="·", color=fade(colour, self.background_colour()))
        for bin_ in bins:
            confidence = 100 * bin_.confidence
            self.plt.plot([confidence, confidence], [100 * bin_.low, 100 * bin_.high], marker="braille", color=colour)
        confidences = [100 * bin_.confidence for bin_ in bins]
        self.plt.scatter(confidences, [100 * bin_.accuracy for bin_ in bins], marker="●", color=colour)
        self.plt.xlim(0, 100)
        self.plt.ylim(0, 100)
        self.plt.xticks([0, 50, 100], ["0", "says 50 %", "100 %"])
        self.plt.yticks([0, 50, 100], ["0", "50", "100 %"])
        self.refresh()

    def clear_for(self, data: object) -> bool:
        """Clear the plot for `data`; returns False, and clears nothing, if it shows that in this theme already."""
        wanted = (data, self.app.theme)
        if self._drawn == wanted:
            return False
        self._drawn = wanted
        self.plt.clear_data()
        return True

    def role_colour(self, role: str = "student") -> Rgb:
        """The colour of a role."""
        return Color.parse(self.app.theme_variables["accent" if role == "student" else "warning"]).rgb

    def background_colour(self) -> Rgb:
        """The colour behind the plot."""
        return Color.parse(self.app.theme_variables["background"]).rgb


def fade(colour: Rgb, background: Rgb) -> Rgb:
    """The colour halfway between `colour` and `background`."""
    red, green, blue = ((part + other) // 2 for part, other in zip(colour, background, strict=True))
    return red, green, blue
