"""What Training shows: one run, its figures and what it wrote, in one of several views."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import ContentSwitcher, Static

from core.runs.control import RunError, RunStatus, run_status
from core.runs.params import UnreadableRunError
from core.training.monitor import PhaseMonitor, TrainingMonitor, select_run
from core.training.run.start import check_recipe
from storage import runs, training
from storage.schema import Run
from tui.keymap import key
from tui.screens.training import figures as drawn
from tui.screens.training.plots import CurveGrid
from tui.screens.training.reading import TrainingReading
from tui.screens.training.side_by_side import beside
from tui.text import clean
from tui.widgets.fields import Field

# From so many columns and rows on, plots stand beside the figures.
WIDE, TALL = 120, 34
# Lines for alarms, and for what was written last, with their title: on a low terminal, and on a tall one.
ALARMS, NEWEST = (3, 8), (4, 7)
# What the bar, the footer and the four lines at the top take.
AROUND = 6

# A recipe needs no more than this; all else has defaults.
FIRST_RECIPE = '[train.sft] and below it algorithm = "sft" in sidequest.toml is one'


class TrainingViews(TrainingReading):
    """One training run, and what it is held against."""

    def __init__(self) -> None:
        super().__init__()
        # The runs that are shown, and held beside it; None: the newest, and none.
        self._id: str | None = None
        self._other: str | None = None
        # The phase that is shown; '': the one that the run is at.
        self._phase = ""
        self._seen: RunStatus | None = None

    def parts(self) -> ComposeResult:
        with ContentSwitcher(initial="overview", id="views"):
            with Vertical(id="overview"):
                for name in ("head", "standing", "dev", "mix"):
                    yield Static(id=name, classes="row")
                yield Static(id="alarms")
                with Horizontal(id="columns"):
                    yield Static(id="sparks")
                    yield CurveGrid(id="near")
                yield Static(id="newest")
            with Vertical(id="curves"):
                yield Static(id="curves-words", classes="row")
                yield CurveGrid(id="far")
                yield Static(id="notes")
            with Vertical(id="beside"):
                yield Static(id="beside-words")
                yield CurveGrid(id="both")
            with VerticalScroll(id="table"):
                yield Static(id="table-words")
        yield Field("", id="note", placeholder="a note, pinned to the step that it is at")

    def ticking(self) -> bool:
        """The age of a run passes by itself."""
        return self._seen is not None and not self._seen.state.ended

    @property
    def _view(self) -> str:
        return self.query_one("#views", ContentSwitcher).current or "overview"

    @property
    def _width(self) -> int:
        return self.size.width - 2

    # ------------------------------------------------------------ drawing

    def draw(self) -> None:
        """Read what is new of the run, and show the view in front."""
        found = self._look(self._id) or select_run(self.db, lambda run: not run_status(run).state.ended)
        self._seen = None if found is None else run_status(found)
        known = None if found is None else self._known(found)
        for name in ("columns", "newest", "alarms"):
            self.query_one(f"#{name}").display = known is not None
        self.query_one("#head").set_class(known is None, "open")
        if known is None or self._seen is None:
            self.show("#head", self._nothing() if found is None else unreadable(found))
            for name in ("standing", "dev", "mix"):
                self.show(f"#{name}", Content(""))
            return
        phase = known.phase(self._phase)
        match self._view:
            case "overview":
                self._draw_overview(known, phase, self._seen)
            case "curves":
                self._draw_curves(known, phase, self._seen)
            case "beside":
                self._draw_beside(known, phase)

    def _look(self, key: str | None) -> Run | None:
        return runs.get(self.db, key) if key else None

    def _known(self, run: Run) -> TrainingMonitor | None:
        """What is known of a run; None if another version of this program has made it."""
        try:
            return self.read_on(run)
        except UnreadableRunError:
            return None

    def _nothing(self) -> Content:
        """What training is, and the first step to it."""
        names = list(self.project.task.train)
        words = f"{key('training.start')} chooses a recipe, says what it takes, and starts it."
        if not names:
            again = key("app.read-the-project-file")
            words = f"There is no recipe: {FIRST_RECIPE}, then {again} reads it."
        else:
            try:
                check_recipe(self.project, self.db, names[0])
            except RunError as error:
                words = f"Not yet: {error}"
        return Content.assemble(
            ("Nothing was trained yet\n\n", "bold"),
            "Training makes an adapter for the student from accepted examples of the split train, by imitation (SFT) "
            "or by reward (GRPO, PPO), and looks at the split dev as it goes.\n\n",
            (clean(words, limit=500), "bold"),
            "\n\nIs it worth it? ",
            (key("benchmark.gate"), "bold"),
            " on ",
            (f"{key('app.benchmark')} Benchmark", "bold"),
            " says how far the student is behind.",
        )

    def _draw_overview(self, known: TrainingMonitor, phase: PhaseMonitor, seen: RunStatus) -> None:
        width, wide = self._width, self.size.width >= WIDE and self.size.height >= TALL
        self.query_one("#near").display = wide
        self.query_one("#overview").set_class(wide, "wide")
        self.show("#head", drawn.headline(known, phase, seen, width))
        self.show("#standing", drawn.standing(known, phase, seen, width))
        self.show("#dev", drawn.dev(phase, width))
        self.show("#mix", drawn.mix(phase, width))
        tall = self.size.height >= TALL
        told, taken = drawn.alarms(known, phase, width, ALARMS[tall])
        self.query_one("#alarms").display = bool(taken)
        self.show("#alarms", told)
        answers = training.answers(self.db, known.run.id, phase.name, phase.at)
        wrote = min(len(answers) + 1, NEWEST[tall]) if answers else 0
        room = self.size.height - AROUND - taken - wrote
        if self.reading(known.run):
            self.show("#sparks", Content.styled("reading the steps …", "$text-muted"))
        else:
            self.show("#sparks", drawn.sparks(phase, width // 2 if wide else width, room))
        if wide:
            self.query_one("#near", CurveGrid).draw([phase], known.notes_of(phase))
        title = Content.styled(f"step {phase.at:,}: what it wrote, and what that earned", "bold $text-accent")
        lines = [title, *(drawn.answer(one, width) for one in answers[: wrote - 1])] if wrote else []
        self.show("#newest", Content("\n").join(lines))

    def _draw_curves(self, known: TrainingMonitor, phase: PhaseMonitor, seen: RunStatus) -> None:
        self.show("#curves-words", drawn.headline(known, phase, seen, self._width))
        notes = known.notes_of(phase)
        self.query_one("#far", CurveGrid).draw([phase], notes)
        self.query_one("#notes").display = bool(notes)
        self.show("#notes", drawn.notes_of(notes, self._width, max(2, self.size.height // 6)))

    def _draw_beside(self, known: TrainingMonitor, phase: PhaseMonitor) -> None:
        run = self._look(self._other)
        other = None if run is None else self._known(run)
        self.query_one("#both").display = False
        if run is None or other is None:
            self.show(
                "#beside-words", Content(f"{key('training.compare')} chooses a run") if run is None else unreadable(run)
            )
            return
        if self.reading(known.run) or self.reading(run):
            self.show("#beside-words", Content.styled("reading the steps …", "$text-muted"))
            return
        second = other.phase(phase.name)
        self.show("#beside-words", beside(((known, phase), (other, second)), self._width))
        self.query_one("#both").display = self.size.height >= TALL
        self.query_one("#both", CurveGrid).draw([phase, second], ())


def unreadable(run: Run) -> Content:
    """What to say of a run whose recipes this version does not know."""
    return Content.assemble(
        (f"The recipes of run {run.id[-6:]} cannot be read\n\n", "bold"),
        "Another version of Sidequest has made it: open the project with that one. ",
        (key("training.choose"), "bold"),
        " chooses another run, ",
        (key("training.start"), "bold"),
        " starts one.",
    )
