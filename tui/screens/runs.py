"""Runs: all of them, and the log of the chosen one."""

from __future__ import annotations

import json
from collections.abc import Callable

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import DataTable, Input, Static

from core.runs.control import Seen, look
from core.runs.figures import asked, duration
from core.runs.tail import Tail
from storage import runs
from storage.database import connect
from storage.schema import RunState
from tui.actions import RUNS, bindings
from tui.screens.run_control import RunControl
from tui.text import clean, content, line
from tui.widgets.fields import Field
from tui.widgets.log import Log
from tui.widgets.modals import Page

# So many runs are listed; more come when the cursor reaches the last of them.
PAGE = 100
# Each column from so many columns of the terminal on.
_COLUMNS = {
    "run": (7, 0),
    "kind": (9, 0),
    "state": (9, 0),
    "last sign": (11, 0),
    "done": (11, 0),
    "rate": (9, 110),
    "cost": (15, 110),
    "began": (12, 130),
}


class RunsScreen(RunControl):
    """The list of runs over the log of one."""

    TITLE = "Runs"
    GOES_ON = "r resumes it"
    ACTIONS = RUNS
    BINDINGS = bindings(RUNS)

    def __init__(self) -> None:
        super().__init__()
        self._seen: list[Seen] = []
        self._columns: dict[str, int] = {}
        self._limit = PAGE
        self._tail: Tail | None = None
        self._of_note = False
        self._query = ""
        # Lines that came while the cursor was further up.
        self._below = 0

    def parts(self) -> ComposeResult:
        yield Static(id="head")
        yield DataTable(id="runs", cursor_type="row", zebra_stripes=False)
        yield Log(id="log")
        yield Field("", id="find", placeholder="words in the log")

    def on_mount(self) -> None:
        """Begin with the list."""
        self._table.focus()

    def ticking(self) -> bool:
        """Ages of runs pass by themselves."""
        return any(not seen.state.ended for seen in self._seen)

    @property
    def _table(self) -> DataTable[Text]:
        return self.query_one("#runs", DataTable)

    @property
    def _log(self) -> Log:
        return self.query_one("#log", Log)

    # ------------------------------------------------------------ drawing

    def draw(self) -> None:
        """Read the runs, and the log of the chosen one."""
        found = [look(run) for run in runs.newest(self.db, self._limit)]
        table, chosen = self._table, self._chosen()
        if self._columns != (wanted := columns(self.size.width)):
            self._columns, self._seen = wanted, []
            table.clear(columns=True)
            for name, width in wanted.items():
                table.add_column(Text(name), width=width, key=name)
        known = {seen.run.id for seen in self._seen}
        if [seen.run.id for seen in found[: len(known)]] == [seen.run.id for seen in self._seen]:
            for seen in found:
                if seen.run.id not in known:
                    table.add_row(*cells(seen, self._columns), key=seen.run.id)
                    continue
                for name, cell in zip(self._columns, cells(seen, self._columns), strict=True):
                    if table.get_cell(seen.run.id, name) != cell:
                        table.update_cell(seen.run.id, name, cell)
        else:
            table.clear()
            for seen in found:
                table.add_row(*cells(seen, self._columns), key=seen.run.id)
        self._seen = found
        ids = [seen.run.id for seen in found]
        if chosen is not None and chosen.run.id in ids and table.cursor_row != ids.index(chosen.run.id):
            table.move_cursor(row=ids.index(chosen.run.id))
        self.show("#head", self._head())
        self._draw_log()

    def _head(self) -> Content:
        if not self._seen:
            return Content("no run yet: key 2 starts one")
        total = runs.count(self.db)
        going = sum(not seen.state.ended for seen in self._seen)
        lost = sum(seen.state is RunState.LOST for seen in self._seen)
        parts = [
            f"{len(self._seen)} of {total:,} runs"
            if total > len(self._seen)
            else f"{total} run{'s' if total > 1 else ''}"
        ]
        parts += [f"{going} going"] if going else []
        parts += [f"{lost} lost, r resumes"] if lost else []
        return Content(" · ".join(parts))

    def _draw_log(self) -> None:
        """Read what is new in the log; the cursor follows it while it is on the newest line."""
        seen = self._chosen()
        if seen is None:
            self._log.update([], 0, "")
            return
        if self._tail is None or (self._tail.run, self._tail.of_note) != (seen.run.id, self._of_note):
            self._tail = Tail(seen.run.id, self._of_note)
            self._tail.to_end(self.db)
            self._show_log(len(self._tail.events) - 1)
            return
        following = self._tail.at_end and self._log.at >= len(self._tail.events) - 1
        if following:
            if self._tail.down(self.db):
                self._show_log(len(self._tail.events) - 1)
        else:
            last = self._tail.events[-1].id if self._tail.events else 0
            self._below = len(runs.events(self.db, seen.run.id, after=last, limit=1000, of_note=self._of_note))
        self._entitle(seen)

    def _show_log(self, at: int | None) -> None:
        if self._tail is not None:
            self._log.update(self._tail.events, at, self._query)
            if self._tail.at_end and self._log.at >= len(self._tail.events) - 1:
                self._below = 0
        if (seen := self._chosen()) is not None:
            self._entitle(seen)

    def _entitle(self, seen: Seen) -> None:
        only = " · warnings and errors" if self._of_note else ""
        title = f"Log of {line(seen.run.kind, 12)} {seen.run.id[-6:]}{only} · {asked(seen)}"
        self._log.border_title = Content(line(title, self.size.width - 6))
        below = f"{self._below:,}{' or more' if self._below == 1000 else ''} newer lines below: end shows them"
        found = f"finding {line(self._query, 30)}: n before, N after" if self._query else ""
        self._log.border_subtitle = Content(" · ".join(part for part in (found, below if self._below else "") if part))

    def _chosen(self) -> Seen | None:
        row = self._table.cursor_row
        return self._seen[row] if 0 <= row < len(self._seen) else None

    @on(DataTable.RowHighlighted)
    def _another_run(self) -> None:
        """Show the log of the row; list more runs at the end."""
        if self._seen:
            self._draw_log()
            if self._table.cursor_row >= len(self._seen) - 1 and len(self._seen) == self._limit:
                self._limit += PAGE
                self.redraw()

    @on(Log.Moved)
    def _along_the_log(self, event: Log.Moved) -> None:
        """Read older or newer lines when the cursor comes to an end of the window."""
        tail = self._tail
        if tail is None:
            return
        if event.beyond < 0 and not tail.at_start:
            more = tail.up(self.db)
            self._show_log(max(0, more - 1))
        elif event.beyond > 0 and not tail.at_end:
            tail.to_end(self.db)
            self._show_log(len(tail.events) - 1)
        elif event.beyond > 0:
            tail.down(self.db)
            self._show_log(len(tail.events) - 1)

    # ------------------------------------------------------------ actions

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The search is left while keys are text."""
        if action == "leave_log":
            return self._seen_version >= 0 and not self._table.has_focus
        return super().check_action(action, parameters)

    def action_down(self) -> None:
        """The next run."""
        self._table.action_cursor_down()

    def action_up(self) -> None:
        """The previous run."""
        self._table.action_cursor_up()

    def action_pause(self) -> None:
        """Pause the chosen run."""
        self._with_chosen(self.pause)

    def action_resume(self) -> None:
        """Continue the chosen run."""
        self._with_chosen(self.resume)

    def action_stop(self) -> None:
        """Stop the chosen run, if the person confirms it."""
        self._with_chosen(self.stop)

    def action_kill(self) -> None:
        """Kill the chosen run, if the person confirms it."""
        self._with_chosen(self.kill)

    def _with_chosen(self, act: Callable[[Seen], None]) -> None:
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
        """Back to the runs."""
        self.query_one("#find").display = False
        self.set_focus(self._table)

    def action_of_note(self) -> None:
        """Only warnings and errors, or everything."""
        self._of_note = not self._of_note
        self.tell("only warnings and errors" if self._of_note else "all lines")
        self.redraw()

    def action_copy(self) -> None:
        """Copy the line of the log."""
        if (event := self._log.current) is not None:
            self.app.copy_to_clipboard(event.model_dump_json(indent=2))
            self.tell("copied as JSON")

    def action_find(self) -> None:
        """Ask what to find."""
        field = self.query_one("#find", Input)
        field.display, field.value = True, self._query
        self.set_focus(field)

    @on(Input.Submitted, "#find")
    def _asked_to_find(self, event: Input.Submitted) -> None:
        self._query = event.value.strip()
        self.query_one("#find").display = False
        self.set_focus(self._log)
        self._show_log(None)
        if self._query and self._tail is not None:
            self._find(self._tail.run, self._query, None, True)

    def action_again(self, up: bool) -> None:
        """The match before, or after."""
        event = self._log.current
        if not self._query:
            self.tell("nothing is looked for: / asks")
        elif self._tail is not None and event is not None:
            self._find(self._tail.run, self._query, event.id, up)

    @work(thread=True, exclusive=True, group="find")
    def _find(self, run: str, query: str, start: int | None, up: bool) -> None:
        """Look for it beside the app: a log can have a million lines."""
        connection = connect(self.project.database)
        try:
            bound = {} if start is None else {"before" if up else "after": start}
            found = runs.find_event(connection, run, query, up=up, **bound)
        finally:
            connection.close()
        self.app.call_from_thread(self._found, run, query, found, start is None)

    def _found(self, run: str, query: str, event: int | None, first: bool) -> None:
        if self._tail is None or self._tail.run != run or query != self._query:
            return
        if event is None:
            self.tell(f"{line(query, 40)} is {'nowhere in this log' if first else 'nowhere further'}")
            return
        ids = [one.id for one in self._tail.events]
        if event not in ids:
            if self._tail.of_note:  # the match may be a line of another kind
                self._of_note = self._tail.of_note = False
            self._tail.to(self.db, event)
            ids = [one.id for one in self._tail.events]
        self._show_log(ids.index(event))


def columns(width: int) -> dict[str, int]:
    """The columns with their widths in cells; the reason takes what the others leave. Each has a cell to its sides."""
    shown = {name: size for name, (size, least) in _COLUMNS.items() if width >= least}
    taken = sum(shown.values()) + 2 * (len(shown) + 1)
    return shown | {"reason": max(12, width - taken)}


def cells(seen: Seen, widths: dict[str, int]) -> list[Text]:
    """A run's row, a text for each of the columns in `widths`."""
    figures = seen.run.progress
    rate, cost, budget = figures.get("per_minute"), figures.get("cost"), figures.get("budget")
    began = seen.run.started or seen.run.created
    texts = {
        "run": seen.run.id[-6:],
        "kind": seen.run.kind,
        "state": str(seen.state),
        "last sign": "none yet" if seen.age_s is None else f"{duration(seen.age_s)} ago",
        "done": f"{figures['done']}/{figures['total']}" if figures.get("total") is not None else "unknown",
        "rate": "" if rate is None or seen.state is not RunState.RUNNING else f"{rate:,.0f}/min",
        "cost": "" if cost is None else f"{cost:.2f}" + ("" if budget is None else f" of {budget:.2f}"),
        "began": f"{began.astimezone():%m-%d %H:%M}",
        "reason": seen.run.reason or ("resume continues it" if seen.state is RunState.LOST else ""),
    }
    return [Text(line(texts[name], width)) for name, width in widths.items()]
