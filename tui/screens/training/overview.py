"""The overview of one training run: its figures, its alarms and what the student wrote last."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content

from core.runs.control import RunStatus
from core.training.monitor import PhaseMonitor, TrainingMonitor
from storage.training import Figures
from tui.screens.training import figures
from tui.screens.training.curves import CurveGrid
from tui.screens.training.empty_state import LOADING
from tui.widgets.text_panel import TextPanel

# From so many columns and rows on, plots stand beside the figures.
WIDE, TALL = 120, 34
# Lines for alarms, and for the newest answers with their title: on a low terminal, and on a tall one.
ALARM_LINES, ANSWER_LINES = (3, 8), (4, 7)
# Lines that the bar, the footer and the four lines at the top take.
OTHER_LINES = 6


class TrainingOverview(Vertical):
    """The state of a run in one view. Wide terminals show its curves, too."""

    def compose(self) -> ComposeResult:
        for name in ("head", "standing", "dev", "mix"):
            yield TextPanel(id=name, classes="row")
        yield TextPanel(id="fields", classes="row")
        yield TextPanel(id="alarms")
        with Horizontal(id="columns"):
            yield TextPanel(id="sparks")
            yield CurveGrid(id="near")
        yield TextPanel(id="newest")

    def show_message(self, message: Content) -> None:
        """Show a message in place of a run."""
        self._show_parts(False)
        self._show("head", message)
        for name in ("standing", "dev", "mix"):
            self._show(name, Content(""))

    def draw(
        self,
        monitor: TrainingMonitor,
        phase: PhaseMonitor,
        status: RunStatus,
        answers: Sequence[Figures],
        *,
        loading: bool,
        lines_above: int = 0,
    ) -> None:
        """Show a phase of a run, with the `answers` of its newest step; `loading` while its steps are being read.

        So many lines of the screen, `lines_above`, are taken by what stands above.
        """
        size = self.screen.size
        width, tall = size.width - 2, size.height >= TALL
        wide = tall and size.width >= WIDE
        self._show_parts(True)
        self.set_class(wide, "wide")
        self._show("head", figures.headline(monitor, phase, status, width))
        self._show("standing", figures.status_line(monitor, phase, status, width))
        self._show("dev", figures.dev_line(phase, width))
        self._show("mix", figures.level_line(phase, width))
        fields = figures.field_line(phase, width)
        field_height = int(bool(fields.plain))
        self.query_one("#fields").display = bool(field_height)
        self._show("fields", fields)
        alarms, alarm_height = figures.alarm_block(monitor, phase, width, ALARM_LINES[tall])
        self.query_one("#alarms").display = bool(alarm_height)
        self._show("alarms", alarms)
        answer_height = min(len(answers) + 1, ANSWER_LINES[tall]) if answers else 0
        if loading:
            self._show("sparks", LOADING)
        else:
            height = size.height - OTHER_LINES - lines_above - field_height - alarm_height - answer_height
            self._show("sparks", figures.sparkline_block(phase, width // 2 if wide else width, height))
        curves = self.query_one("#near", CurveGrid)
        curves.display = wide
        if wide:
            curves.draw([phase], monitor.notes_of(phase))
        lines: list[Content] = []
        if answer_height:
            title = f"step {phase.step:,}: what it wrote, and what that earned"
            lines.append(Content.styled(title, "bold $text-accent"))
            lines += [figures.answer_line(answer, width) for answer in answers[: answer_height - 1]]
        self._show("newest", Content("\n").join(lines))

    def _show_parts(self, has_run: bool) -> None:
        """Make room for a run, or for a message of several lines."""
        if not has_run:
            self.query_one("#fields").display = False
        for name in ("columns", "newest", "alarms"):
            self.query_one(f"#{name}").display = has_run
        self.query_one("#head").set_class(not has_run, "open")

    def _show(self, name: str, text: Content) -> None:
        self.query_one(f"#{name}", TextPanel).show(text)
