"""Plots of training runs in the terminal: what they earn, how far they go, what the dev split says, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual.app import ComposeResult
from textual.containers import Grid

from core.config.recipe import Algorithm
from core.training.monitor import PhaseMonitor, Points
from storage.training import Note
from tui.widgets.plot import Plot, faint

# How the first run's line is drawn, and the other's: apart without colours, too.
MARKERS = ("braille", "+")
_ROLES = ("student", "reference")


@dataclass(frozen=True, slots=True)
class CurveLine:
    """A figure over steps, of one run; `edges` are those of its interval."""

    points: Points
    edges: tuple[Points, ...] = ()


class CurvePlot(Plot):
    """The lines of one figure, one for each run; a line stands where a note is pinned."""

    def lines(self, title: str, lines: Sequence[CurveLine], notes: Sequence[Note], *, share: bool = False) -> None:
        """Draw them; of a `share` from 0 to 100 %."""
        if self.same((title, lines, notes)):
            return
        for note in notes:
            self.plt.vline(note.step, color=faint(self.role("reference"), self.ground()))
        factor = 100 if share else 1
        for one, role, marker in zip(lines, _ROLES, MARKERS, strict=False):
            for edge in one.edges:
                self._line(edge, factor, "·", faint(self.role(role), self.ground()))
            self._line(one.points, factor, marker, self.role(role))
        if share:
            self.plt.ylim(0, 100)
            self.plt.yticks([0, 50, 100], ["0", "50", "100 %"])
        # The first look is at step 0, where the axis would have no length yet.
        last = max([1, *(one.points[-1][0] for one in lines if one.points)])
        ticks: list[float] = sorted({0, last // 2, last})
        self.plt.xlim(0, last)
        self.plt.xticks(ticks, [f"{tick:,}" for tick in ticks])
        self.plt.title(title if any(one.points for one in lines) else f"{title}: not known yet")
        self.refresh()

    def _line(self, points: Points, factor: int, marker: str, colour: tuple[int, int, int]) -> None:
        if points:
            self.plt.plot(
                [step for step, _ in points], [factor * value for _, value in points], marker=marker, color=colour
            )


class CurveGrid(Grid):
    """Four plots: what is learnt by, how far that goes, and accuracy and ECE on the dev split; of one run or two."""

    def compose(self) -> ComposeResult:
        for number in range(4):
            yield CurvePlot(id=f"{self.id}-{number}")

    def draw(self, phases: Sequence[PhaseMonitor], notes: Sequence[Note]) -> None:
        """Draw a phase, or one of each of two runs."""
        gained, gone, accuracy, ece = self.query(CurvePlot)
        for plot, (name, title) in zip((gained, gone), names(phases), strict=True):
            plot.lines(f"{title}{_each(phases)}", [CurveLine(one.points(name)) for one in phases], notes)
        looks = [
            CurveLine(one.evaluation_points("accuracy"), (one.evaluation_points("low"), one.evaluation_points("high")))
            for one in phases
        ]
        accuracy.lines("dev accuracy", looks, notes, share=True)
        ece.lines("dev ece", [CurveLine(one.evaluation_points("ece")) for one in phases], notes)


def names(phases: Sequence[PhaseMonitor]) -> list[tuple[str, str]]:
    """What the first two plots show, by name and title: what all of the phases have, else what the first has."""
    if all(one.recipe.algorithm is not Algorithm.SFT for one in phases):
        far = ("kl", "kl") if any(one.points("kl") for one in phases) else ("entropy", "entropy")
        return [("reward", "reward"), far]
    return [("loss", "loss"), ("grad_norm", "gradient")]


def _each(phases: Sequence[PhaseMonitor]) -> str:
    """What a point stands for, where that is more than a step."""
    size = max(one.size for one in phases)
    return f", means of {size} steps" if size > 1 else ""
