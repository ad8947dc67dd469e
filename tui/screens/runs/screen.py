"""Runs: all of them, and the log of the chosen one."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static

from core.runs.control import RunStatus, run_status
from storage import runs
from storage.schema import RunState
from tui.actions import RUNS, bindings
from tui.keymap import key
from tui.screens.project_screen import ProjectScreen
from tui.screens.run_control import RunControl
from tui.screens.runs.log_pane import LogPane
from tui.screens.runs.run_list import RunList, columns, header, run_row
from tui.text import clean, content
from tui.widgets.listing import Listing, Part
from tui.widgets.modals import Page


class RunsScreen(ProjectScreen):
    """The list of runs over the log of one."""

    TITLE = "Runs"
    ACTIONS = RUNS
    BINDINGS = bindings(RUNS)

    def __init__(self) -> None:
        super().__init__()
        self._run_control = RunControl(self, "runs.resume")
        self._list = RunList(self._read_rows, id="runs")
        self._log = LogPane(self)

    def parts(self) -> ComposeResult:
        yield Static(id="head")
        yield Static(id="columns")
        yield self._list
        yield self._log

    def on_mount(self) -> None:
        """Begin with the list."""
        self._list.focus()

    def on_screen_suspend(self) -> None:
        """Leave the search for what is laid over the screen, such as the palette: its actions act."""
        if self._log.field.has_focus:
            self._log.close_search()

    def ticking(self) -> bool:
        """Ages of runs pass by themselves."""
        return len(self._list.numbers) > 0

    # ------------------------------------------------------------ drawing

    def draw(self) -> None:
        """Read the visible runs, and the log of the chosen one."""
        numbers, chosen = runs.numbers(self.db), self._list.cursor_number
        if numbers == self._list.numbers:
            self._list.refresh_changed()
        else:
            row = numbers.index(chosen) if chosen is not None and chosen in numbers else self._list.cursor
            self._list.fill(numbers, row)
        self.show("#head", self._head())
        self.show("#columns", Content.styled(header(self.size.width) if numbers else "", "dim"))
        self._log.show_run(self._chosen())

    def _read_rows(self, numbers: Sequence[int], width: int) -> Mapping[int, list[Part]]:
        widths = columns(self.size.width, width)
        return {number: run_row(run_status(run), widths) for number, run in runs.by_number(self.db, numbers).items()}

    def _head(self) -> Content:
        total = len(self._list.numbers)
        if not total:
            return Content(f"no run yet: key {key('app.generate')} starts one")
        states = [run_status(run).state for run in runs.unended(self.db)]
        lost = states.count(RunState.LOST)
        parts = [f"{total:,} run{'s' if total > 1 else ''}"]
        parts += [f"{len(states) - lost} going"] if len(states) > lost else []
        parts += [f"{lost} lost, {key('runs.resume')} resumes, {key('runs.stop')} puts away"] if lost else []
        return Content(" · ".join(parts))

    # ------------------------------------------------------------ choosing a run

    def _chosen(self) -> RunStatus | None:
        """The run under the cursor of the list, as it is now."""
        number = self._list.cursor_number
        rows = {} if number is None else runs.by_number(self.db, [number])
        return run_status(rows[number]) if number in rows else None

    def go_to(self, run: str) -> None:
        """Put the cursor on the run with this id, and show its log."""
        self.redraw()
        number = runs.number_of(self.db, run)
        if number is not None and number in self._list.numbers:
            self._list.move_cursor(self._list.numbers.index(number))
            self.set_focus(self._log.log_lines)

    @on(Listing.ViewChanged)
    def _show_other_log(self) -> None:
        """Show the log of the run that the cursor is on now."""
        if self._seen_version >= 0:
            self._log.show_run(self._chosen())

    @on(Listing.RowSelected)
    def _focus_log(self) -> None:
        """Go to the log of a run that is clicked twice."""
        self.set_focus(self._log.log_lines)

    def action_down(self) -> None:
        """Go to the next run."""
        self._list.action_step(1)

    def action_up(self) -> None:
        """Go to the previous run."""
        self._list.action_step(-1)

    # ------------------------------------------------------------ the chosen run

    def action_pause(self) -> None:
        """Pause the chosen run."""
        self._with_chosen(self._run_control.pause)

    def action_resume(self) -> None:
        """Continue the chosen run."""
        self._with_chosen(self._run_control.resume)

    def action_stop(self) -> None:
        """Stop the chosen run, if the person confirms it."""
        self._with_chosen(self._run_control.stop)

    def action_kill(self) -> None:
        """Kill the chosen run, if the person confirms it."""
        self._with_chosen(self._run_control.kill)

    def _with_chosen(self, act: Callable[[RunStatus], None]) -> None:
        if (status := self._chosen()) is None:
            self.tell("there is no run yet")
        else:
            act(status)

    # ------------------------------------------------------------ its log

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Escape leaves the log, and the search even while keys are text."""
        if action == "leave_log":
            return self._seen_version >= 0 and (bool(self._log.query_text) or not self._list.has_focus)
        return super().check_action(action, parameters)

    def action_see(self) -> None:
        """Go from a run to its log; there, show the whole of a line."""
        log_lines = self._log.log_lines
        event = log_lines.current
        if not log_lines.has_focus:
            self.set_focus(log_lines)
            log_lines.refresh()
        elif event is None:
            self.tell("there is no line in this log")
        else:
            data = json.dumps(event.data, indent=2) if event.data else ""
            head = f"{event.severity} · {event.created.astimezone():%Y-%m-%d %H:%M:%S}\n\n"
            parts = [Content.styled(clean(head), "bold"), content(event.message)]
            self.app.push_screen(Page(Content.assemble(*parts, "\n\n" if data else "", content(data))))

    def action_leave_log(self) -> None:
        """Go back to the runs; the search is over."""
        self._log.end_search()
        self.set_focus(self._list)

    def action_of_note(self) -> None:
        """Show only warnings and errors, or everything."""
        self._log.warnings_only = not self._log.warnings_only
        self.tell("only warnings and errors" if self._log.warnings_only else "all lines")
        self.redraw()

    def action_copy(self) -> None:
        """Copy the line of the log."""
        if (event := self._log.log_lines.current) is None:
            self.tell("there is no line in this log to copy")
        else:
            self.app.copy_to_clipboard(event.model_dump_json(indent=2))
            self.tell("copied as JSON")

    def action_find(self) -> None:
        """Ask what to find in the log."""
        self._log.open_search()

    def action_again(self, back: bool) -> None:
        """Go to the next match in the direction of the search, or in the other."""
        self._log.find_next(back=back)
