"""Runs: all of them, and the log of the chosen one."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

from textual import on, work
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Input, Static

from core.runs.control import RunStatus, run_status
from core.runs.describe import describe_request
from core.runs.tail import Tail
from storage import runs
from storage.database import connect
from storage.schema import RunState
from tui.actions import RUNS, bindings
from tui.keymap import key
from tui.screens.project_screen import ProjectScreen
from tui.screens.run_control import RunControl
from tui.screens.runs.log import EventLog
from tui.screens.runs.run_list import RunList, columns, header, row
from tui.text import clean, content, line
from tui.widgets.fields import Field
from tui.widgets.listing import Listing, Part
from tui.widgets.modals import Page

# So many lines that wait below are counted.
_COUNTED = 1000


class RunsScreen(ProjectScreen):
    """The list of runs over the log of one."""

    TITLE = "Runs"
    ACTIONS = RUNS
    BINDINGS = bindings(RUNS)

    def __init__(self) -> None:
        super().__init__()
        self._run_control = RunControl(self, "runs.resume")
        self._tail: Tail | None = None
        self._of_note = False
        self._query = ""
        # Whether the search goes towards older lines.
        self._up = True
        # Lines that came while the cursor was further up.
        self._below = 0

    def parts(self) -> ComposeResult:
        yield Static(id="head")
        yield Static(id="columns")
        yield RunList(self._rows, id="runs")
        yield EventLog(id="log")
        yield Field("", id="find", placeholder="words in the log")

    def on_mount(self) -> None:
        """Begin with the list."""
        self._list.focus()

    def on_screen_suspend(self) -> None:
        """Leave the search for what is laid over the screen, such as the palette: its actions act."""
        if self.query_one("#find").has_focus:
            self._close_field()

    def ticking(self) -> bool:
        """Ages of runs pass by themselves."""
        return len(self._list.numbers) > 0

    @property
    def _list(self) -> RunList:
        return self.query_one("#runs", RunList)

    @property
    def _log(self) -> EventLog:
        return self.query_one("#log", EventLog)

    # ------------------------------------------------------------ drawing

    def draw(self) -> None:
        """Read the runs that are in sight, and the log of the chosen one."""
        numbers, chosen = runs.numbers(self.db), self._list.cursor_number
        if numbers == self._list.numbers:
            self._list.refresh_changed()
        else:
            self._list.fill(
                numbers, numbers.index(chosen) if chosen is not None and chosen in numbers else self._list.cursor
            )
        self.show("#head", self._head())
        self.show("#columns", Content.styled(header(self.size.width) if numbers else "", "dim"))
        self._draw_log()

    def _rows(self, numbers: Sequence[int], width: int) -> Mapping[int, list[Part]]:
        widths = columns(self.size.width, width)
        return {number: row(run_status(run), widths) for number, run in runs.of_numbers(self.db, numbers).items()}

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

    def _draw_log(self) -> None:
        """Read what is new in the log; the cursor follows it while it is on the newest line."""
        seen, tail = self._chosen(), self._tail
        if seen is None:
            self._log.update([], 0, "")
        elif tail is None or (tail.run, tail.of_note) != (seen.run.id, self._of_note):
            self._tail = Tail(seen.run.id, self._of_note)
            self._tail.to_end(self.db)
            self._show_newest()
        elif tail.at_end and self._log.on_last:
            if tail.follow(self.db):
                self._show_newest()
        else:
            last = tail.events[-1].id if tail.events else 0
            self._below = runs.count_events(self.db, tail.run, after=last, limit=_COUNTED, of_note=tail.of_note)
        if seen is not None:
            self._entitle(seen)

    def _show_newest(self) -> None:
        if self._tail is not None:
            self._show_log(len(self._tail.events) - 1)

    def _show_log(self, at: int | None) -> None:
        if self._tail is not None:
            self._log.update(self._tail.events, at, self._query)
            if self._tail.at_end and self._log.on_last:
                self._below = 0
        if (seen := self._chosen()) is not None:
            self._entitle(seen)

    def _entitle(self, seen: RunStatus) -> None:
        only = "warnings and errors" if self._of_note else ""
        parts = (f"Log of {line(seen.run.kind, 12)} {seen.run.id[-6:]}", only, describe_request(seen))
        self._log.border_title = Content(line(" · ".join(part for part in parts if part), self.size.width - 6))
        more = " or more" if self._below == _COUNTED else ""
        below = f"{self._below:,}{more} newer lines below: end shows them" if self._below else ""
        ways = "n older, N newer" if self._up else "n newer, N older"
        found = f"finding {line(self._query, 30)}: {ways}" if self._query else ""
        self._log.border_subtitle = Content(" · ".join(part for part in (found, below) if part))

    def _chosen(self) -> RunStatus | None:
        number = self._list.cursor_number
        found = {} if number is None else runs.of_numbers(self.db, [number])
        return run_status(found[number]) if number in found else None

    def go_to(self, run: str) -> None:
        """Put the cursor on the run with this id, and show its log."""
        self.redraw()
        number = runs.number_of(self.db, run)
        if number is not None and number in self._list.numbers:
            self._list.move_cursor(self._list.numbers.index(number))
            self.set_focus(self._log)

    @on(Listing.ViewChanged)
    def _another_run(self) -> None:
        """Show the log of the row."""
        if self._seen_version >= 0:
            self._draw_log()

    @on(Listing.RowSelected)
    def _into_the_log(self) -> None:
        """A run that is clicked twice shows its log."""
        self.set_focus(self._log)

    @on(EventLog.Moved)
    def _along_the_log(self, event: EventLog.Moved) -> None:
        """Read older or newer lines when the cursor comes to an end of the window."""
        tail = self._tail
        if tail is None:
            return
        if event.beyond < 0 and not tail.at_start:
            more = tail.up(self.db)
            self._show_log(max(0, more - 1))
        elif event.beyond > 0 and (more := tail.down(self.db)):
            self._show_log(len(tail.events) - more)

    @on(EventLog.Edge)
    def _to_an_edge(self, event: EventLog.Edge) -> None:
        """Show the whole log's first lines, or its newest."""
        tail = self._tail
        if tail is None:
            return
        if event.newest:
            tail.to_end(self.db)
            self._show_newest()
        else:
            tail.to_start(self.db)
            self._show_log(0)

    # ------------------------------------------------------------ actions

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The search is left while keys are text."""
        if action == "leave_log":
            return self._seen_version >= 0 and (bool(self._query) or not self._list.has_focus)
        return super().check_action(action, parameters)

    def action_down(self) -> None:
        """The next run."""
        self._list.action_step(1)

    def action_up(self) -> None:
        """The previous run."""
        self._list.action_step(-1)

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
        if (seen := self._chosen()) is None:
            self.tell("there is no run yet")
        else:
            act(seen)

    def action_see(self) -> None:
        """From a run to its log; there, the whole of a line."""
        event = self._log.current
        if not self._log.has_focus:
            self.set_focus(self._log)
            self._log.refresh()
        elif event is None:
            self.tell("there is no line in this log")
        else:
            data = json.dumps(event.data, indent=2) if event.data else ""
            head = f"{event.severity} · {event.created.astimezone():%Y-%m-%d %H:%M:%S}\n\n"
            parts = [Content.styled(clean(head), "bold"), content(event.message)]
            self.app.push_screen(Page(Content.assemble(*parts, "\n\n" if data else "", content(data))))

    def action_leave_log(self) -> None:
        """Back to the runs; the search is over."""
        self._query = ""
        self._close_field()
        self.set_focus(self._list)
        self._show_log(None)

    def _close_field(self) -> None:
        self.query_one("#find").display = False
        self.set_focus(self._log)

    def action_of_note(self) -> None:
        """Only warnings and errors, or everything."""
        self._of_note = not self._of_note
        self.tell("only warnings and errors" if self._of_note else "all lines")
        self.redraw()

    def action_copy(self) -> None:
        """Copy the line of the log."""
        if (event := self._log.current) is None:
            self.tell("there is no line in this log to copy")
        else:
            self.app.copy_to_clipboard(event.model_dump_json(indent=2))
            self.tell("copied as JSON")

    def action_find(self) -> None:
        """Ask what to find."""
        field = self.query_one("#find", Input)
        field.display, field.value = True, self._query
        self.set_focus(field)

    @on(Input.Submitted, "#find")
    def _asked_to_find(self, event: Input.Submitted) -> None:
        """Look up from the newest line; from any other line down."""
        self._query = event.value.strip()
        self._close_field()
        tail, current = self._tail, self._log.current
        if self._query and tail is not None:
            self._up = current is None or (tail.at_end and self._log.on_last)
            self._find(tail.run, self._query, None if self._up or current is None else current.id, True)
        self._show_log(None)

    def action_again(self, back: bool) -> None:
        """The next match in the direction of the search, or back."""
        event = self._log.current
        if not self._query:
            self.tell("nothing is looked for: / asks")
        elif self._tail is not None and event is not None:
            self._find(self._tail.run, self._query, event.id, False, self._up != back)

    @work(thread=True, exclusive=True, group="find")
    def _find(self, run: str, query: str, start: int | None, first: bool, up: bool | None = None) -> None:
        """Look for it beside the app: a log can have a million lines."""
        up = self._up if up is None else up
        connection = connect(self.project.database)
        try:
            bound = {} if start is None else {"before" if up else "after": start}
            found = runs.find_event(connection, run, query, up=up, **bound)
            if first and found is None and start is not None:  # nothing below: then above
                up = True
                found = runs.find_event(connection, run, query, before=start + 1)
        finally:
            connection.close()
        self.app.call_from_thread(self._found, run, query, found, first, up)

    def _found(self, run: str, query: str, event: int | None, first: bool, up: bool) -> None:
        if self._tail is None or self._tail.run != run or query != self._query:
            return
        if event is None:
            where = "nowhere in this log" if first else f"nowhere further {'up' if up else 'down'}"
            self.tell(f"{line(query, 40)} is {where}")
            return
        if first:
            self._up = up
        ids = [one.id for one in self._tail.events]
        if event not in ids:
            if self._tail.of_note:  # the match may be a line of another kind
                self._of_note = self._tail.of_note = False
            self._tail.to(self.db, event)
            ids = [one.id for one in self._tail.events]
        self._show_log(ids.index(event))
