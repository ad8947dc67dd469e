"""What Benchmark shows: two runs and their figures, in one of several views."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from functools import partial

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import ContentSwitcher, Static

from core.benchmark.answer_stream import AnswerStream, PairKind, accuracy_curve, in_order, pairs, select_runs
from core.benchmark.calibration import Calibration, calibration
from core.benchmark.gate import Gate
from core.benchmark.metrics import BenchmarkFigures
from core.benchmark.scored import ScoredAnswer
from core.benchmark.start import KIND
from core.benchmark.summary import gate_of_answers
from core.runs.control import RunStatus, run_status
from core.runs.params import BenchmarkParams, params_of
from storage import predictions, runs
from storage.predictions import StoredQuestion
from storage.schema import Prediction, Run
from tui.keymap import key
from tui.screens.benchmark import figures as drawn
from tui.screens.benchmark.reading import BenchmarkReading, CachedFigures
from tui.text import clean, line
from tui.widgets.plot import Plot

# From so many columns and rows on, more stands beside and below.
WIDE, TALL = 120, 34
# Cells of the table beside the plot.
BESIDE = 40
# What a poll may read of texts.
NEWEST = 40

Answers = Mapping[str, ScoredAnswer]


class BenchmarkViews(BenchmarkReading):
    """Two benchmarks, by role, and the views of them; one of the two is the chosen one."""

    def __init__(self) -> None:
        super().__init__()
        # The runs that are shown, by role; empty until there is one.
        self._ids: dict[str, str | None] = {"student": None, "reference": None}
        self._seen: dict[str, RunStatus | None] = {"student": None, "reference": None}
        self._role = "student"

    def parts(self) -> ComposeResult:
        with ContentSwitcher(initial="overview", id="views"):
            with Vertical(id="overview"):
                for name in ("head", "student", "reference", "about", "pairs"):
                    yield Static(id=name, classes="row")
                with Horizontal(id="columns"):
                    yield Plot(id="plot")
                    yield Static(id="slices")
                yield Static(id="spent")
                yield Static(id="newest")
            for name in ("confusion", "slices-view", "gate"):
                with VerticalScroll(id=name):
                    yield Static(id=f"{name}-words")
            with Vertical(id="reliability"):
                yield Static(id="reliability-words")
                yield Plot(id="reliability-plot")

    def ticking(self) -> bool:
        """A run's age passes by itself; what was not read yet, or waits to be computed, comes with time."""
        behind, self._behind = self._behind, False
        return behind or any(seen is not None and not seen.state.ended for seen in self._seen.values())

    @property
    def _view(self) -> str:
        return self.query_one("#views", ContentSwitcher).current or "overview"

    @property
    def _chosen(self) -> RunStatus | None:
        return self._seen[self._role]

    # ------------------------------------------------------------ drawing

    def draw(self) -> None:
        """Read what is new of both runs, and show the view in front."""
        self._look()
        self.query_one("#columns").display = self.query_one("#newest").display = any(self._seen.values())
        self.query_one("#overview").set_class(self.size.width >= WIDE, "wide")
        self.query_one("#overview").set_class(self.size.height >= TALL, "tall")
        if not any(self._seen.values()):
            self._draw_nothing()
            return
        lives = {role: None if seen is None else self.read_on(seen) for role, seen in self._seen.items()}
        gate = self._gate(lives)
        match self._view:
            case "overview":
                self._draw_overview(lives, gate)
            case "confusion":
                self._draw_confusion(lives)
            case "slices-view":
                figures = {role: self.figures_of(self._seen[role], live) for role, live in lives.items()}
                self.show("#slices-view-words", drawn.every_slice(figures))
            case "gate":
                self.show("#gate-words", self._words(gate))
            case "reliability":
                self._draw_reliability(lives)

    def _look(self) -> None:
        """See the two runs as they are now; where none was chosen yet, choose."""
        if not any(self._ids.values()):
            every = runs.of_kind(self.db, KIND)
            student, reference = select_runs(self.project.task, every, lambda run: not run_status(run).state.ended)
            self._ids = {"student": student.id if student else None, "reference": reference.id if reference else None}
            self._role = "reference" if student is None and reference is not None else "student"
        for role, run in self._ids.items():
            found = runs.get(self.db, run) if run else None
            self._seen[role] = run_status(found) if found is not None else None

    def _draw_nothing(self) -> None:
        accepted = Content.assemble(
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
        self.show("#head", accepted)
        self.query_one("#head").set_class(True, "open")
        for name in ("student", "reference", "about", "pairs", "spent"):
            self.show(f"#{name}", Content(""))

    def _draw_overview(self, lives: Mapping[str, AnswerStream | None], gate: CachedFigures) -> None:
        width = self.size.width - 2
        verdict = gate.value if isinstance(gate.value, Gate) else None
        self.query_one("#head").set_class(False, "open")
        self.show("#head", drawn.headline(self._seen, verdict, width))
        for role, seen in self._seen.items():
            self.show(f"#{role}", drawn.progress(role, seen, width + 1, chosen=role == self._role))
        self.show("#about", drawn.about(self._chosen, width))
        student, reference = lives["student"], lives["reference"]
        counts: Mapping[PairKind, int] | None = None
        if student is not None and reference is not None:
            counts = {kind: len(found) for kind, found in pairs(student, reference).items()}
        both = all(self._seen.values())
        reading = Content.styled("reading the answers …", "$text-muted")
        self.show("#pairs", reading if both and counts is None else drawn.paired(counts, verdict, width))
        figures = {role: self.figures_of(self._seen[role], live) for role, live in lives.items()}
        self.show("#slices", self._beside(figures))
        curves = {
            role: accuracy_curve(live.answers.values(), len(live.answers)) for role, live in lives.items() if live
        }
        self.query_one("#plot", Plot).draw_accuracy(curves)
        chosen = self._chosen
        self.show("#spent", drawn.spent(figures[self._role], chosen.run.progress if chosen else {}, width))
        self.show("#newest", self._newest(chosen))

    def _beside(self, figures: Mapping[str, BenchmarkFigures | None]) -> Content:
        """What stands beside the plot: levels and domains, and where there is room the confusion."""
        room, mine = self.query_one("#columns").size.height, figures[self._role]
        matrix = drawn.small_confusion(mine, self._role, BESIDE) if mine is not None else Content("")
        below = matrix.plain.count("\n") + 2
        if mine is None or room < 12 + below:
            return drawn.slices(figures, BESIDE, room)
        return Content("\n\n").join([drawn.slices(figures, BESIDE, room - below), matrix])

    def _newest(self, seen: RunStatus | None) -> Content:
        if seen is None:
            return Content("")
        run = seen.run.id
        room = max(1, min(NEWEST, self.query_one("#newest").size.height - 1))
        found = predictions.newest(self.db, run, room)
        # Without names all cases would come, which may be 100,000.
        cases = predictions.cases(self.db, run, list({one.example for one in found})) if found else []
        asked = {one.question.example: one for one in cases}
        rows = [self._answer(one, asked[one.example]) for one in found]
        title = Content.styled(f"newest answers of the {self._role}", "bold $text-accent")
        return Content("\n").join([title, *(rows or [Content("none yet")])])

    def _answer(self, one: Prediction, asked: StoredQuestion) -> Content:
        about, right = asked.question, one.decision == asked.question.label
        sign, style = (
            ("·", "$text-warning")
            if one.decision is None
            else ("✓", "$text-success")
            if right
            else ("✗", "$text-error")
        )
        told = drawn.SILENT.get(one.outcome.value, "") if one.decision is None else clean(one.decision, limit=60)
        sure = "" if one.confidence is None else f" {one.confidence:.2f}"
        is_so = "" if right else f", is {about.label}"
        head = f"{line(told + sure + is_so, 34):<34} {line(f'{about.domain} {about.level}', 14):<14} "
        return Content.assemble(
            (f"{sign} ", style), head, line(asked.hypothesis, max(10, self.size.width - len(head) - 5))
        )

    def _draw_confusion(self, lives: Mapping[str, AnswerStream | None]) -> None:
        figures, seen = self.figures_of(self._chosen, lives[self._role]), self._chosen
        if figures is None or seen is None:
            self.show("#confusion-words", Content("reading the answers …" if seen else "no benchmark in this role"))
            return
        self.show("#confusion-words", drawn.confusion(figures, self._role, seen))

    def _draw_reliability(self, lives: Mapping[str, AnswerStream | None]) -> None:
        live, seen = lives[self._role], self._chosen
        if live is None or seen is None:
            self.show("#reliability-words", Content("reading the answers …" if seen else "no benchmark in this role"))
            return
        answers = list(live.answers.values())
        known = self.computed(
            "reliability", ((live.run,), live.cursor, seen.state.ended), lambda _: calibration(answers)
        )
        found = known.value
        if not isinstance(found, Calibration) or not _about(known, (live.run,)):
            self.show("#reliability-words", Content(clean(known.problem, limit=500) or "computing …"))
            return
        self.show("#reliability-words", drawn.sureness(found, self._role, seen))
        self.query_one("#reliability-plot", Plot).draw_reliability(drawn.basis(found).bins, self._role)

    # ------------------------------------------------------------ the gate

    def _gate(self, lives: Mapping[str, AnswerStream | None]) -> CachedFigures:
        """The gate over both runs, computed beside the app now and then."""
        student, other = self._seen["student"], self._seen["reference"]
        mine, theirs = lives["student"], lives["reference"]
        if student is None or mine is None or (other is not None and theirs is None) or student.run.params.get("sniff"):
            return CachedFigures()
        reference = None if other is None else other.run
        about = (student.run.id, None if reference is None else reference.id)
        basis = (about, mine.cursor, theirs and theirs.cursor, student.state.ended)
        heard = (mine.answers, theirs.answers if theirs else {})
        known = self.computed("gate", basis, partial(_weigh, student.run, reference, *heard))
        return known if _about(known, about) else CachedFigures()

    def _words(self, known: CachedFigures) -> Content:
        if self._seen["student"] is None:
            return Content(f"The gate needs a benchmark of the student: {key('benchmark.start')} starts one.")
        if self._seen["student"].run.params.get("sniff"):
            return Content(
                f"{drawn.SMOKE}\nThe gate needs a whole benchmark of the student: {key('benchmark.start')} starts one."
            )
        if isinstance(known.value, Gate):
            return drawn.words(known.value)
        return Content(clean(known.problem, limit=1000) or "weighing the answers …")


def _weigh(student: Run, reference: Run | None, mine: Answers, theirs: Answers, connection: sqlite3.Connection) -> Gate:
    """The gate over two runs; `connection` is the thread's own."""
    params = params_of(student, BenchmarkParams)
    return gate_of_answers(
        connection,
        student,
        reference,
        in_order(mine, predictions.families(connection, student.id)),
        None if reference is None else in_order(theirs, predictions.families(connection, reference.id)),
        target=params.target,
        level=params.level,
        margin=params.margin,
    )


def _about(known: CachedFigures, shown_: tuple[str | None, ...]) -> bool:
    """Whether figures are those of these runs."""
    return isinstance(known.basis, tuple) and known.basis[0] == shown_
