"""The overview: both runs, how they compare, and the newest answers."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content

from core.benchmark.answer_stream import PairKind, accuracy_curve, pairs_by_kind
from core.benchmark.metrics import BenchmarkFigures
from core.runs.control import RunStatus
from core.runs.progress import BenchmarkProgress, progress_of
from storage import predictions
from tui.keymap import key
from tui.screens.benchmark.figures import (
    confusion_counts,
    headline,
    newest_answer,
    pair_counts,
    progress_line,
    run_line,
    slice_table,
    usage,
)
from tui.screens.benchmark.state import BenchmarkState
from tui.widgets.plot import Plot
from tui.widgets.text_panel import TextPanel

# From so many columns and rows on, more is shown beside and below the plot.
WIDE, TALL = 120, 34
# The width of the tables beside the plot, in cells.
TABLE_WIDTH = 40
# At most so many texts of answers are read at a poll.
MAX_NEWEST = 40


class BenchmarkOverview(Vertical):
    """What the screen shows first."""

    def compose(self) -> ComposeResult:
        for name in ("head", "student", "reference", "about", "pairs"):
            yield TextPanel(id=name, classes="row")
        with Horizontal(id="columns"):
            yield Plot(id="plot")
            yield TextPanel(id="slices")
        yield TextPanel(id="spent")
        yield TextPanel(id="newest")

    def lay_out(self, *, empty: bool) -> None:
        """Lay the overview out for the size of the screen; without a run there is neither plot nor answers."""
        size = self.screen.size
        self.query_one("#columns").display = self.query_one("#newest").display = not empty
        self.set_class(size.width >= WIDE, "wide")
        self.set_class(size.height >= TALL, "tall")

    def draw_empty(self) -> None:
        """Say what a benchmark is and how to start one."""
        self._show("head", _first_steps())
        self.query_one("#head").set_class(True, "open")
        for name in ("student", "reference", "about", "pairs", "spent"):
            self._show(name, Content(""))

    def draw(self, state: BenchmarkState) -> None:
        """Show both runs."""
        width = self.screen.size.width - 2
        shown = state.shown
        self.query_one("#head").set_class(False, "open")
        self._show("head", headline(shown.statuses, state.decided_gate, width))
        for role, status in shown.statuses.items():
            self._show(role, progress_line(role, status, width + 1, chosen=role == shown.role))
        self._show("about", run_line(shown.chosen, width))
        self._show("pairs", _pairs_line(state, width))
        figures = {role: state.figures(role) for role in state.streams}
        self._show("slices", self._tables(figures, shown.role))
        curves = {
            role: accuracy_curve(stream.answers.values(), len(stream.answers))
            for role, stream in state.streams.items()
            if stream
        }
        self.query_one("#plot", Plot).draw_accuracy(curves)
        budget = progress_of(shown.chosen.run, BenchmarkProgress).budget if shown.chosen else None
        self._show("spent", usage(figures[shown.role], budget, width))
        self._show("newest", self._newest_answers(state.db, shown.chosen, shown.role))

    def _show(self, name: str, text: Content) -> None:
        self.query_one(f"#{name}", TextPanel).show(text)

    def _tables(self, figures: Mapping[str, BenchmarkFigures | None], role: str) -> Content:
        """What is shown beside the plot: levels and domains, and the chosen run's confusion where there is room."""
        height = self.query_one("#columns").size.height
        run_figures = figures[role]
        if run_figures is None:
            return slice_table(figures, TABLE_WIDTH, height)
        confusion = confusion_counts(run_figures, role, TABLE_WIDTH)
        confusion_height = confusion.plain.count("\n") + 2
        if height < 12 + confusion_height:
            return slice_table(figures, TABLE_WIDTH, height)
        return Content("\n\n").join([slice_table(figures, TABLE_WIDTH, height - confusion_height), confusion])

    def _newest_answers(self, db: sqlite3.Connection, status: RunStatus | None, role: str) -> Content:
        if status is None:
            return Content("")
        run = status.run.id
        count = max(1, min(MAX_NEWEST, self.query_one("#newest").size.height - 1))
        newest = predictions.newest(db, run, count)
        # Without names, all questions would be read, which may be 100,000.
        asked = list({prediction.example for prediction in newest})
        questions = {
            question.question.example: question
            for question in (predictions.read_questions(db, run, asked) if newest else [])
        }
        width = self.screen.size.width
        rows = [newest_answer(prediction, questions[prediction.example], width) for prediction in newest]
        title = Content.styled(f"newest answers of the {role}", "bold $text-accent")
        return Content("\n").join([title, *(rows or [Content("none yet")])])


def _pairs_line(state: BenchmarkState, width: int) -> Content:
    student, reference = state.streams["student"], state.streams["reference"]
    counts: Mapping[PairKind, int] | None = None
    if student is not None and reference is not None:
        counts = {kind: len(answers) for kind, answers in pairs_by_kind(student, reference).items()}
    elif all(state.shown.statuses.values()):
        return Content.styled("reading the answers …", "$text-muted")
    return pair_counts(counts, state.decided_gate, width)


def _first_steps() -> Content:
    return Content.assemble(
        ("No benchmark yet\n\n", "bold"),
        "A benchmark asks a model about accepted examples and counts what it gets right.\n\n",
        (key("benchmark.start"), "bold"),
        " starts one: of the student first, then of the reference on the same examples.\n",
        "It needs accepted examples in the split test: ",
        (key("app.review"), "bold"),
        " reviews, and ",
        (key("app.dataset"), "bold"),
        " then ",
        (key("dataset.split"), "bold"),
        " shares them out into splits.",
    )
