"""Generate: the grid of cells, what to ask for, and the run as it goes."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import ClassVar, TypeVar

from pydantic import ValidationError
from textual.app import ComposeResult
from textual.containers import Container, VerticalGroup, VerticalScroll
from textual.content import Content
from textual.widgets import DataTable, Input, Static

from core.config.project import FILE
from core.generation.start import plan_generation, selected_cells, start_generation
from core.runs.control import RunStatus, run_status
from core.runs.params import GenerateParams
from storage import attempts, runs
from storage.errors import UserError
from tui.actions import FORM, GENERATE, Action, bindings
from tui.keymap import key
from tui.screens.generate.cell_grid import GRID_WIDTH, CellGrid
from tui.screens.generate.figures import attempt_line, run_panel, start_question
from tui.screens.generate.generation_form import LAST_FIELD, GenerationForm
from tui.screens.project_screen import ProjectScreen
from tui.screens.run_control import RunControl
from tui.widgets.heatmap import SHELVED
from tui.widgets.modals import Confirm

# From so many columns on, the run stands beside the grid.
WIDE = 130
T = TypeVar("T")


class GenerateScreen(ProjectScreen):
    """A form and a grid while nothing is generated; the run with its newest attempts while it is."""

    TITLE = "Generate"
    ACTIONS: ClassVar[list[Action]] = [*GENERATE, *FORM]
    BINDINGS = bindings(ACTIONS)
    MARKS = (
        ("3/12", "there, of those that are wanted"),
        (SHELVED, "shelved: nothing is generated for it"),
        ("✓ ✗ ? …", "passed QA · rejected · the judge failed · not judged yet"),
    )

    def __init__(self) -> None:
        super().__init__()
        self._run_control = RunControl(self)
        self._grid = CellGrid(self)
        self._form = GenerationForm(self)
        # The newest generating run.
        self._status: RunStatus | None = None

    def parts(self) -> ComposeResult:
        with VerticalScroll(id="body"):
            with Container(id="top"):
                yield self._grid
                with VerticalGroup(id="ask"):
                    yield self._form
                    yield Static(id="live", classes="panel")
            yield Static(id="newest", classes="panel")

    def on_mount(self) -> None:
        """Title the panels, and begin at the grid."""
        for name, title in (
            ("form", f"What to make · tab: fields · {key('generate.start')}: asks, then starts"),
            ("live", "Run"),
            ("newest", "Newest attempts"),
        ):
            self.query_one(f"#{name}").border_title = title
        self._grid.focus()

    def ticking(self) -> bool:
        """A run's figures change by themselves."""
        return self._status is not None and not self._status.state.ended

    def draw(self) -> None:
        """Read the plan and the newest run, and show them."""
        self._grid.read()
        self._form.offer_models()
        self._heed_wish()
        width, wide = self.size.width, self.size.width >= WIDE
        self.query_one("#top").set_class(wide, "wide")
        newest_run = next((run for run in runs.newest(self.db, 20) if run.kind == "generate"), None)
        self._status = run_status(newest_run) if newest_run is not None else None
        self._form.display = not self.ticking()
        self.query_one("#live").display = self._status is not None
        self.query_one("#newest").display = self._status is not None
        if self._status is not None:
            self.show("#live", run_panel(self._status, width - (GRID_WIDTH if wide else 0) - 6))
            room = max(3, self.size.height - (15 if wide else 2 + 10 + 8) - 2)
            newest = attempts.newest(self.db, run=self._status.run.id, limit=room)
            lines = [attempt_line(judged, width - 6) for judged in newest]
            self.show("#newest", Content("\n").join(lines) if lines else Content("none yet"))

    def _heed_wish(self) -> None:
        """Fill the form in with what another screen wants, and say what is then to do."""
        wish, self.sidequest.generation_wish = self.sidequest.generation_wish, None
        if wish is None:
            return
        filled = self._form.fill_in(wish)
        params = self._try(self._form.params)
        cells = selected_cells(self.project.task, self.db, params) if params is not None else []
        missing = sum(cell.missing for cell in cells)
        if missing:
            step = f"{key('generate.start')} asks, then starts; {missing:,} missing"
        else:
            step = f"They lack nothing: raise target in {FILE}, then {key('app.read-the-project-file')}"
        self.tell(f"cells: {filled}, since {wish.reason}. {step}", seconds=8)

    # ------------------------------------------------------------ the grid and the form

    def on_data_table_cell_selected(self, _: DataTable.CellSelected) -> None:
        """Choose the cell on which Enter was pressed."""
        self.action_choose()

    def action_choose(self) -> None:
        """Fill only the cell under the cursor; again: all cells."""
        self.tell(f"cells: {self._form.toggle_cells(self._grid.place) or 'all'}")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What goes on from a field holds while one is written in; a list that hangs open closes by itself."""
        if action in {"next_field", "leave_field", "explain_keys"}:
            return isinstance(self.focused, Input)
        return super().check_action(action, parameters)

    def action_next_field(self) -> None:
        """Go on to the next field; from the last one to the question whether to start."""
        if self.focused is not None and self.focused.id == LAST_FIELD:
            self.action_start()
        else:
            self.focus_next()

    def action_explain_keys(self) -> None:
        """Explain the keys that hold in a field, where `?` would be text that no field takes."""
        self.sidequest.action_explain()

    def action_leave_field(self) -> None:
        """Go back to the grid, so that keys are keys again."""
        self.set_focus(self._grid)

    # ------------------------------------------------------------ the run

    def action_start(self) -> None:
        """Say what a run with what the form says would do, and start it if the person confirms it."""
        if self.ticking():
            self.tell("a run is going on already: p pauses it, x stops it")
            return
        plan = self._try(lambda: plan_generation(self.project.task, self.db, self._form.params()))
        if plan is not None:
            question = Confirm(start_question(plan))
            self.app.push_screen(question, lambda confirmed: self._start(plan.params) if confirmed else None)

    def _start(self, params: GenerateParams) -> None:
        run = self._try(lambda: start_generation(self.project, self.db, params))
        if run is not None:
            self._grid.focus()
            self.tell(f"run {run.id[-6:]} starts; it goes on if you leave")
            self.redraw()

    def _try(self, work: Callable[[], T]) -> T | None:
        """What `work` returns; None if it fails, which the person is told."""
        try:
            return work()
        except ValidationError as error:
            first = error.errors()[0]
            self.tell(f"{first['loc'][0]}: {first['msg']}", error=True)
        except (UserError, ValueError, ArithmeticError, sqlite3.Error) as error:
            self.tell(str(error), error=True)
        return None

    def action_pause(self) -> None:
        """Pause the run, or let it go on, or resume one that stopped."""
        if self._status is None:
            self.tell("there is no run to pause")
        else:
            self._run_control.pause_or_resume(self._status)

    def action_stop(self) -> None:
        """Stop the run, if the person confirms it."""
        if self._status is None:
            self.tell("there is no run to stop")
        else:
            self._run_control.stop(self._status)
