"""The curves of training runs: what they learn by, how far they go, and accuracy and ECE on the dev split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual.app import ComposeResult
from textual.containers import Grid, Vertical

from core.runs.control import RunStatus
from core.training.monitor import PhaseMonitor, Points, TrainingMonitor
from storage.training import Note
from tui.screens.training.figures import headline, note_block
from tui.widgets.axis import axis_of
from tui.widgets.plot import Plot, Rgb, fade
from tui.widgets.text_panel import TextPanel

# The markers of the first run's line and of the other's: they differ without colours, too.
MARKERS = ("braille", "+")
_ROLES = ("student", "reference")
# A change that is small beside these looks small.
LEAST_SPANS = {"loss": 0.5, "grad_norm": 1.0, "reward": 0.5, "kl": 0.05, "entropy": 0.5, "ece": 0.2}


@dataclass(frozen=True, slots=True)
class CurveLine:
    """A figure of one run over its steps; `edges` are the bounds of its interval."""

    points: Points
    edges: tuple[Points, ...] = ()


class CurvePlot(Plot):
    """One figure, with a line for each run, and a vertical line at each step that has a note."""

    def draw_lines(
        self, title: str, lines: Sequence[CurveLine], notes: Sequence[Note], *, least: float = 1.0, share: bool = False
    ) -> None:
        """Draw the lines on an axis that is at least `least` long; a `share` is drawn from 0 to 100 %."""
        if not self.clear_for((title, lines, notes)):
            return
        for note in notes:
            self.plt.vline(note.step, color=fade(self.role_colour("reference"), self.background_colour()))
        factor = 100 if share else 1
        for curve, role, marker in zip(lines, _ROLES, MARKERS, strict=False):
            for edge in curve.edges:
                self._draw_points(edge, factor, "·", fade(self.role_colour(role), self.background_colour()))
            self._draw_points(curve.points, factor, marker, self.role_colour(role))
        if share:
            self.plt.ylim(0, 100)
            self.plt.yticks([0, 50, 100], ["0", "50", "100 %"])
        else:
            axis = axis_of((value for curve in lines for _, value in curve.points), least)
            self.plt.ylim(axis.low, axis.high)
            self.plt.yticks(axis.ticks, axis.labels)
        # The first point of the dev split is at step 0, where the axis would have no length yet.
        last = max([1, *(curve.points[-1][0] for curve in lines if curve.points)])
        ticks: list[float] = sorted({0, last // 2, last})
        self.plt.xlim(0, last)
        self.plt.xticks(ticks, [f"{tick:,}" for tick in ticks])
        self.plt.title(title if any(curve.points for curve in lines) else f"{title}: not known yet")
        self.refresh()

    def _draw_points(self, points: Points, factor: int, marker: str, colour: Rgb) -> None:
        if points:
            steps, values = [step for step, _ in points], [factor * value for _, value in points]
            self.plt.plot(steps, values, marker=marker, color=colour)


class CurveGrid(Grid):
    """Four plots of one run or two: what they learn by, how far that goes, and accuracy and ECE on the dev split."""

    def compose(self) -> ComposeResult:
        for number in range(4):
            yield CurvePlot(id=f"{self.id}-{number}")

    def draw(self, phases: Sequence[PhaseMonitor], notes: Sequence[Note]) -> None:
        """Draw a phase, or one phase of each of two runs."""
        learning_plot, distance_plot, accuracy_plot, ece_plot = self.query(CurvePlot)
        for plot, (name, title) in zip((learning_plot, distance_plot), learning_figures(phases), strict=True):
            lines = [CurveLine(phase.points(name)) for phase in phases]
            plot.draw_lines(f"{title}{_averaging(phases)}", lines, notes, least=LEAST_SPANS[name])
        accuracy_lines = [
            CurveLine(
                phase.evaluation_points("accuracy"), (phase.evaluation_points("low"), phase.evaluation_points("high"))
            )
            for phase in phases
        ]
        accuracy_plot.draw_lines("dev accuracy", accuracy_lines, notes, share=True)
        ece_lines = [CurveLine(phase.evaluation_points("ece")) for phase in phases]
        ece_plot.draw_lines("dev ece", ece_lines, notes, least=LEAST_SPANS["ece"])


class CurvesView(Vertical):
    """The curves of one run as large as the screen, and its notes."""

    def compose(self) -> ComposeResult:
        yield TextPanel(id="curves-words", classes="row")
        yield CurveGrid(id="far")
        yield TextPanel(id="notes")

    def draw(self, monitor: TrainingMonitor, phase: PhaseMonitor, status: RunStatus) -> None:
        """Show a phase of a run."""
        size = self.screen.size
        width = size.width - 2
        self.query_one("#curves-words", TextPanel).show(headline(monitor, phase, status, width))
        notes = monitor.notes_of(phase)
        self.query_one("#far", CurveGrid).draw([phase], notes)
        notes_text = self.query_one("#notes", TextPanel)
        notes_text.display = bool(notes)
        notes_text.show(note_block(notes, width, max(2, size.height // 6)))


def learning_figures(phases: Sequence[PhaseMonitor]) -> list[tuple[str, str]]:
    """The name and title of the two figures of the steps: those of RL if all phases are RL, else those of SFT."""
    if all(phase.recipe.algorithm.by_rewards for phase in phases):
        has_kl = any(phase.points("kl") for phase in phases)
        return [("reward", "reward"), ("kl", "kl") if has_kl else ("entropy", "entropy")]
    return [("loss", "loss"), ("grad_norm", "gradient")]


def _averaging(phases: Sequence[PhaseMonitor]) -> str:
    """What to add to a title where a point is the mean of several steps."""
    size = max(phase.size for phase in phases)
    return f", means of {size} steps" if size > 1 else ""
