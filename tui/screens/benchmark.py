"""Benchmark: the student against the reference, live; what it says so far, and whether it can be stopped."""

from __future__ import annotations

import sqlite3
import time
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.timer import Timer
from textual.widgets import Static
from textual_plotext import PlotextPlot

from core.benchmark.following import PIECE, Following, pairs
from core.benchmark.metrics import Counts
from core.benchmark.start import KIND, Asked, BenchParams, prepare, retry, start, title
from core.exchange.files import FileError
from core.project import ProjectError
from core.runs.control import RunError, Seen, look
from core.statistics import wilson
from storage import predictions, runs
from storage.schema import Run, RunState
from tui.actions import BENCHMARK, Action, bindings
from tui.screens.run_control import RunControl
from tui.text import content
from tui.widgets.choice import Choice
from tui.widgets.measured import REFERENCE, STUDENT, failures, newest, paired, reason, slices, standing
from tui.widgets.modals import Confirm

# From so many columns on, the newest answers stand beside the rest.
WIDE = 130
# What a long benchmark takes to read is taken in such moments.
READ_S, BREATH_S = 0.2, 0.1
# So many runs can be chosen from.
OFFERED = 10
FIRST = (
    "No benchmark yet.\n\nA benchmark asks a model about examples whose label is known, and counts what it gets right. "
    "It asks the accepted examples of a split: accept some in Review, or all at once in Dataset, and share them out "
    "there. Then start one here: five examples show whether the model answers at all."
)


class BenchmarkScreen(RunControl):
    """Two runs side by side, or one."""

    TITLE = "Benchmark"
    ACTIONS: ClassVar[list[Action]] = BENCHMARK
    BINDINGS = bindings(BENCHMARK)
    MARKS = (
        ("✓ ✗", "the decision is the label · is another, or there is none"),
        ("!", "differs from the rest by more than chance (p < 0.05, Holm)"),
        ("(35–48)", "where 95 % of such intervals hold the true rate (Wilson)"),
    )
    GOES_ON = "t goes on with it"

    def __init__(self) -> None:
        super().__init__()
        self._chosen: dict[str, str | None] = {}
        self._shown: dict[str, Seen] = {}
        self._followed: dict[str, Following] = {}
        self._plotted: object = None
        self._gap = ""
        self._reading = False
        self._drawn_once = False
        self._again: Timer | None = None

    def parts(self) -> ComposeResult:
        with VerticalScroll(id="body"):
            yield Static(id="runs")
            with Horizontal(id="middle"):
                yield PlotextPlot(id="plot")
                yield Static(id="slices")
            yield Static(id="pairs")
            yield Static(id="newest")

    def on_mount(self) -> None:
        """Begin where keys scroll."""
        self.query_one("#body").focus()

    def ticking(self) -> bool:
        """A run's figures change by themselves, and what was not read yet is read on."""
        return any(not seen.state.ended for seen in self._shown.values())

    # ------------------------------------------------------------ which runs

    def _every(self) -> list[Run]:
        return runs.of_kind(self.db, KIND)

    def _choose(self) -> dict[str, Seen]:
        """The runs to be shown: those chosen, else the newest of the roles, else the newest there are."""
        every = self._every()
        known = {run.id: run for run in every}
        roles = self.project.task.roles
        found: dict[str, Run] = {}
        for role, model in (("student", roles.student), ("reference", roles.reference)):
            if role in self._chosen:
                chosen = self._chosen[role]
                if chosen is not None and chosen in known:
                    found[role] = known[chosen]
                continue
            taken = {run.id for run in found.values()}
            run = next((run for run in every if run.params.get("model") == model and run.id not in taken), None)
            if run is None and role == "student":
                run = next(iter(every), None)
            if run is not None:
                found[role] = run
        return {role: look(run) for role, run in found.items()}

    def _follow(self, role: str) -> Following:
        run = self._shown[role].run.id
        if run not in self._followed:
            self._followed[run] = Following(self.db, run, self.project.task.labels)
        return self._followed[run]

    # ------------------------------------------------------------ drawing

    def draw(self) -> None:
        """Read what is new, and show it."""
        self._shown = self._choose()
        for name in ("#middle", "#pairs", "#newest"):
            self.query_one(name).display = bool(self._shown)
        self.set_class(self.size.width >= WIDE, "wide")
        if not self._shown:
            key = self.sidequest.key("benchmark.start")
            self.show("#runs", Content(f"\n{FIRST}\n\n{key} starts one."))
            return
        self._read_on()
        counts = {role: self._counts(role) for role in self._shown}
        width = self.size.width - 4
        self.show("#runs", self._runs(counts, width))
        told = slices(counts.get("student"), counts.get("reference"), 40)
        self.show("#slices", told)
        self.query_one("#middle").styles.height = max(10, min(self.size.height - 10, len(told.plain.splitlines())))
        self._plot()
        self._draw_pairs(counts, width)
        self._draw_newest()

    def _read_on(self) -> None:
        """Read what is new for a moment; what is left is read on between two frames, so that keys are heard.

        The first frame shows what the runs say of themselves.
        """
        self._reading = bool(self._shown)
        until = time.monotonic() + READ_S
        for role in self._shown if self._drawn_once else ():
            while self._follow(role).read() == PIECE:
                if time.monotonic() >= until:
                    break
            else:
                continue
            break
        else:
            self._reading = not self._drawn_once
        self._drawn_once = True
        if self._reading and self._again is None:
            self._again = self.set_timer(BREATH_S, self._once_more)

    def _once_more(self) -> None:
        self._again = None
        self.redraw()

    def _counts(self, role: str) -> Counts | None:
        found = self._follow(role)
        return found.tally.counts() if found.heard and not self._reading else None

    def _runs(self, counts: dict[str, Counts | None], width: int) -> Content:
        rows: list[Content] = []
        for role, style in (("student", STUDENT), ("reference", REFERENCE)):
            if role in self._shown:
                rows.append(standing(role, style, self._shown[role], counts[role], width))
                if why := reason(self._shown[role], width):
                    rows.append(why)
        if "reference" not in self._shown:
            rows.append(Content.styled("reference  none yet: v chooses one, g runs one", "$text-muted"))
        student = BenchParams.model_validate(next(iter(self._shown.values())).run.params)
        said = [title(student)]
        if student.sniff:
            said.append("it shows that the model answers, and nothing of its accuracy")
        if settled := [seen.run.progress.get("settled") for seen in self._shown.values()]:
            told = next((one for one in settled if one), None)
            said.append(f"settled: {told}" if told and told != "not settled yet" else "settled: not yet")
        return Content("\n").join([content(" · ".join(said), style="$text-muted"), *rows])

    def _draw_pairs(self, counts: dict[str, Counts | None], width: int) -> None:
        rows = []
        if self._reading:
            rows.append(Content.styled("reading what was answered …", "$text-muted"))
        elif len(self._shown) == 2:
            found = pairs(self._follow("student"), self._follow("reference"))
            if found.n:
                rows.append(paired(found, self._gap, width))
            else:
                rows.append(Content.styled("no example is answered by both yet", "$text-muted"))
        if failed := failures(counts, width):
            rows.append(failed)
        self.show("#pairs", Content("\n").join(rows))
        self.query_one("#pairs").display = bool(rows)

    def _draw_newest(self) -> None:
        wide = self.size.width >= WIDE
        most = max(2, self.size.height - 22)
        told = []
        for role, seen in self._shown.items():
            fresh = predictions.newest(self.db, seen.run.id, most)
            asked = predictions.questions(self.db, seen.run.id, [one.example for one in fresh] or [""])
            labels = {one.example: one.label for one in asked}
            told += [(one, labels[one.example], role) for one in fresh]
        told.sort(key=lambda row: -row[0].id)
        width = self.size.width - 4
        self.show("#newest", newest(told[:most], width) if told else Content.styled("no answer yet", "$text-muted"))
        self.query_one("#newest").set_class(wide, "wide")

    def _plot(self) -> None:
        courses = {role: self._follow(role).course for role in self._shown}
        state = (
            [(role, course[-1] if course else None, len(course)) for role, course in courses.items()],
            self.size,
            self.app.theme,
        )
        if state == self._plotted or self._reading:
            return
        self._plotted = state
        plot = self.query_one("#plot", PlotextPlot)
        drawn = plot.plt
        drawn.clear_data()
        drawn.clear_figure()
        for role, course in courses.items():
            if not course:
                continue
            places = [at.n for at in course]
            bounds = [wilson(at.right, at.n) for at in course]
            colour = "cyan" if role == "student" else "orange"
            for end in (0, 1):
                drawn.plot(places, [100 * one[end] for one in bounds], color="gray", marker="dot")
            drawn.plot(places, [100 * at.right / at.n for at in course], color=colour, marker="braille", label=role)
        drawn.ylim(0, 100)
        drawn.yticks([0, 25, 50, 75, 100])
        drawn.title("accuracy in % by answers, with its interval")
        plot.refresh()

    # ------------------------------------------------------------ actions

    def action_choose(self, role: str) -> None:
        """Choose which run is shown as the student, or as the reference."""
        offered = self._every()[: OFFERED - 1]
        if not offered:
            self.tell("there is no benchmark to choose yet")
            return
        names = [
            f"{title(BenchParams.model_validate(run.params))} · {run.id[-6:]} · {look(run).state}" for run in offered
        ]
        if role == "reference":
            names.append("none")
        cut = "" if len(self._every()) <= len(offered) else f" (the newest {len(offered)})"

        def answered(at: int | None) -> None:
            if at is not None:
                self._chosen[role] = offered[at].id if at < len(offered) else None
                self._gap = ""
                self.redraw()

        self.app.push_screen(Choice(f"Which run is the {role}?{cut}", names), answered)

    def action_start(self) -> None:
        """Choose what to ask, see what that takes, then start."""
        from tui.screens.benchmark_form import BenchmarkForm

        student = self._shown.get("student")
        form = BenchmarkForm(self.project.task, None if student is None else student.run)
        self.app.push_screen(form, self._asked)

    def _asked(self, params: BenchParams | None) -> None:
        if params is None:
            return
        asked = self._tried(lambda: prepare(self.project, self.db, params))
        if asked is not None:
            question = Confirm(announced(asked))
            self.app.push_screen(question, lambda yes: self._start(asked.params) if yes else None)

    def _start(self, params: BenchParams) -> None:
        run = self._tried(lambda: start(self.project, self.db, params))
        if run is not None:
            role = "reference" if params.model == self.project.task.roles.reference or params.student else "student"
            self._chosen[role] = run.id
            self.tell(f"run {run.id[-6:]} starts; it goes on if you leave")
            self.redraw()

    def _tried(self, work: Any) -> Any:
        """What `work` gives; None if it cannot be done, and the person was told why."""
        try:
            return work()
        except (RunError, FileError, ProjectError, sqlite3.Error) as error:
            self.tell(str(error), error=True)
        return None

    def action_pause(self) -> None:
        """Pause all that is shown and goes on; or let it go on."""
        going = [seen for seen in self._shown.values() if not seen.state.ended]
        if not going:
            self.tell("no run goes on here: g starts one, t goes on with one that ended early")
        for seen in going:
            if seen.state in {RunState.PAUSED, RunState.PAUSING}:
                self.resume(seen)
            else:
                self.pause(seen)

    def action_stop(self) -> None:
        """Stop a run, if the person confirms it."""
        going = [seen for seen in self._shown.values() if not seen.state.ended or seen.state is RunState.LOST]
        if going:
            self.stop(going[0])
        else:
            self.tell("no run goes on here")

    def action_retry(self) -> None:
        """Go on with a run that ended early; of one that is finished, ask again what has no answer."""
        for seen in self._shown.values():
            if seen.state in {RunState.STOPPED, RunState.FAILED, RunState.LOST}:
                self.resume(seen)
                return
        for seen in self._shown.values():
            if seen.state is RunState.FINISHED and predictions.failed(self.db, seen.run.id):
                number = self._tried(lambda seen=seen: retry(self.project, self.db, seen.run))
                if number:
                    self.tell(f"asks {number} again")
                    self.redraw()
                return
        self.tell("nothing to ask again: all that was asked has an answer, or is still being asked")

    def action_gate(self) -> None:
        """What the gate says of the runs shown."""
        from tui.screens.benchmark_pages import GatePage

        if "student" not in self._shown:
            self.tell("there is no run to decide by yet")
            return
        both = [self._shown[role].run.id for role in ("student", "reference") if role in self._shown]
        self.app.push_screen(GatePage(self.project, both), self._heard_gate)

    def _heard_gate(self, gap: str | None) -> None:
        if gap:
            self._gap = gap
            self.redraw()

    def action_figures(self) -> None:
        """Everything that is known in figures."""
        from tui.screens.benchmark_pages import FiguresPage

        if self._shown:
            self.app.push_screen(FiguresPage(self.project, [seen.run.id for seen in self._shown.values()]))

    def action_pairs(self) -> None:
        """The examples one by one."""
        from tui.screens.pairs import PairsScreen

        if self._shown:
            both = {role: self._follow(role) for role in self._shown}
            self.app.push_screen(PairsScreen(self.project, self.db, both))


def announced(asked: Asked) -> str:
    """The question whether to start: how much, of which model, for how much."""
    params, n = asked.params, asked.examples
    each = f", {params.samples} times each" if params.samples > 1 else ""
    cost = "The cost is not known beforehand." if asked.cost is None else "It costs nothing."
    if asked.cost:
        cost = f"By its newest run it costs about {asked.cost:.2f}."
    kind = " A smoke test: it shows that the model answers, and nothing of its accuracy." if params.sniff else ""
    frozen = f" The split {params.split} is frozen from then on." if params.split else ""
    what = f"{n:,} example{'s' if n != 1 else ''}{each}"
    return f"Ask {params.model} ({params.mode.value}) about {what}? {cost}{kind}{frozen}"
