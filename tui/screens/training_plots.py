"""Plots of a training run in the terminal: what it earns, and what the dev split says, step by step."""

from __future__ import annotations

from collections.abc import Sequence

from storage.training import Note, Step
from tui.screens.benchmark_plots import Plot, faint


class Curves(Plot):
    """A curve over the steps of a phase; a line stands where a note is pinned."""

    def steps(self, found: Sequence[Step], name: str, label: str, notes: Sequence[Note]) -> None:
        """A figure of each step."""
        points = [(one.step, one.figures[name]) for one in found if one.figures.get(name) is not None]
        if self.same((name, points, notes)):
            return
        self._notes(notes)
        self.plt.plot([step for step, _ in points], [value for _, value in points], marker="braille", color=self.role())
        self.plt.title(label)
        self.refresh()

    def looks(self, found: Sequence[Step], notes: Sequence[Note]) -> None:
        """The accuracy on the dev split, with its interval."""
        known = [one for one in found if one.figures.get("accuracy") is not None]
        if self.same(("looks", known, notes)):
            return
        self._notes(notes)
        steps = [one.step for one in known]
        for edge in ("low", "high"):
            self.plt.plot(
                steps, [100 * one.figures[edge] for one in known], marker="·", color=faint(self.role(), self.ground())
            )
        self.plt.plot(steps, [100 * one.figures["accuracy"] for one in known], marker="braille", color=self.role())
        self.plt.ylim(0, 100)
        self.plt.yticks([0, 50, 100], ["0", "50", "100 %"])
        self.plt.title("dev accuracy")
        self.refresh()

    def _notes(self, notes: Sequence[Note]) -> None:
        for one in notes:
            self.plt.vline(one.step, color=faint(self.role("reference"), self.ground()))
