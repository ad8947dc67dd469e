"""The log of one run: followed while the cursor is on its newest line, read further on demand, searched in a thread."""

from __future__ import annotations

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input

from core.runs.control import RunStatus
from core.runs.describe import describe_request
from core.runs.tail import Tail
from storage import runs
from storage.database import connect
from tui.screens.project_screen import ProjectScreen
from tui.screens.runs.event_log import EventLog
from tui.text import line
from tui.widgets.fields import Field

# So many newer lines below the cursor are counted.
COUNT_LIMIT = 1000


class LogPane(Vertical):
    """Shows a window on the log of a run, all lines or only warnings and errors, with a field to search it."""

    def __init__(self, owner: ProjectScreen) -> None:
        super().__init__()
        self._owner = owner
        self._status: RunStatus | None = None
        self._tail: Tail | None = None
        self.warnings_only = False
        # What is searched for, and whether the search goes towards older lines.
        self.query_text = ""
        self._upwards = True
        # Lines that came while the cursor was further up.
        self._newer = 0

    def compose(self) -> ComposeResult:
        yield EventLog(id="log")
        yield Field("", id="find", placeholder="words in the log")

    @property
    def log_lines(self) -> EventLog:
        """The lines, with the cursor."""
        return self.query_one("#log", EventLog)

    # ------------------------------------------------------------ drawing

    def show_run(self, status: RunStatus | None) -> None:
        """Show what is new in the log of this run; the cursor follows it while it is on the newest line."""
        tail, view = self._tail, self.log_lines
        self._status = status
        if status is None:
            view.update([], 0, "")
            return
        if tail is None or (tail.run, tail.of_note) != (status.run.id, self.warnings_only):
            self._tail = Tail(status.run.id, self.warnings_only)
            self._tail.to_end(self._owner.db)
            self._show_newest()
        elif tail.at_end and view.on_last:
            if tail.follow(self._owner.db):
                self._show_newest()
        else:
            last = tail.events[-1].id if tail.events else 0
            self._newer = runs.count_events(
                self._owner.db, tail.run, after=last, limit=COUNT_LIMIT, of_note=tail.of_note
            )
        self._show_title()

    def _show_newest(self) -> None:
        if self._tail is not None:
            self._show_lines(len(self._tail.events) - 1)

    def _show_lines(self, row: int | None) -> None:
        """Show the lines that are read, with the cursor on `row` (None: where it is)."""
        if self._tail is not None:
            self.log_lines.update(self._tail.events, row, self.query_text)
            if self._tail.at_end and self.log_lines.on_last:
                self._newer = 0
        self._show_title()

    def _show_title(self) -> None:
        if (status := self._status) is None:
            return
        title = [f"Log of {line(status.run.kind, 12)} {status.run.id[-6:]}"]
        title += ["warnings and errors"] if self.warnings_only else []
        title += [request] if (request := describe_request(status)) else []
        self.log_lines.border_title = Content(line(" · ".join(title), self._owner.size.width - 6))
        subtitle = []
        if self.query_text:
            keys = "n older, N newer" if self._upwards else "n newer, N older"
            subtitle.append(f"finding {line(self.query_text, 30)}: {keys}")
        if self._newer:
            more = " or more" if self._newer == COUNT_LIMIT else ""
            subtitle.append(f"{self._newer:,}{more} newer lines below: end shows them")
        self.log_lines.border_subtitle = Content(" · ".join(subtitle))

    # ------------------------------------------------------------ reading further

    @on(EventLog.Moved)
    def _read_further(self, event: EventLog.Moved) -> None:
        """Read older or newer lines when the cursor comes to an end of the window."""
        tail = self._tail
        if tail is None:
            return
        if event.beyond < 0 and not tail.at_start:
            count = tail.up(self._owner.db)
            self._show_lines(max(0, count - 1))
        elif event.beyond > 0 and (count := tail.down(self._owner.db)):
            self._show_lines(len(tail.events) - count)

    @on(EventLog.Edge)
    def _read_edge(self, event: EventLog.Edge) -> None:
        """Show the first lines of the whole log, or its newest."""
        tail = self._tail
        if tail is None:
            return
        if event.newest:
            tail.to_end(self._owner.db)
            self._show_newest()
        else:
            tail.to_start(self._owner.db)
            self._show_lines(0)

    # ------------------------------------------------------------ search

    @property
    def field(self) -> Input:
        """The field of the search."""
        return self.query_one("#find", Input)

    def open_search(self) -> None:
        """Ask what to find."""
        self.field.display, self.field.value = True, self.query_text
        self._owner.set_focus(self.field)

    def close_search(self) -> None:
        """Close the field, and go to the lines."""
        self.field.display = False
        self._owner.set_focus(self.log_lines)

    def end_search(self) -> None:
        """Close the field, and let no match stand out any more."""
        self.query_text = ""
        self.close_search()
        self._show_lines(None)

    @on(Input.Submitted, "#find")
    def _find_first(self, event: Input.Submitted) -> None:
        """Search upwards from the newest line, downwards from any other."""
        self.query_text = event.value.strip()
        self.close_search()
        tail, current = self._tail, self.log_lines.current
        if self.query_text and tail is not None:
            self._upwards = current is None or (tail.at_end and self.log_lines.on_last)
            start = None if self._upwards or current is None else current.id
            self._find(tail.run, self.query_text, start, first=True, upwards=self._upwards)
        self._show_lines(None)

    def find_next(self, *, back: bool) -> None:
        """Go to the next match in the direction of the search, or in the other."""
        current = self.log_lines.current
        if not self.query_text:
            self._owner.tell("nothing is looked for: / asks")
        elif self._tail is not None and current is not None:
            self._find(self._tail.run, self.query_text, current.id, first=False, upwards=self._upwards != back)

    @work(thread=True, exclusive=True, group="find")
    def _find(self, run: str, query: str, start: int | None, *, first: bool, upwards: bool) -> None:
        """Search in a thread: a log can have a million lines. `first`: turn round if nothing is in the direction."""
        connection = connect(self._owner.project.database)
        try:
            bound = {} if start is None else {"before" if upwards else "after": start}
            match = runs.find_event(connection, run, query, up=upwards, **bound)
            if first and match is None and start is not None:  # nothing below: then above
                upwards = True
                match = runs.find_event(connection, run, query, before=start + 1)
        finally:
            connection.close()
        self.app.call_from_thread(self._show_match, run, query, match, first, upwards)

    def _show_match(self, run: str, query: str, match: int | None, first: bool, upwards: bool) -> None:
        """Put the cursor on the event `match`; the search may be over, or another, by now."""
        tail = self._tail
        if tail is None or tail.run != run or query != self.query_text:
            return
        if match is None:
            where = "nowhere in this log" if first else f"nowhere further {'up' if upwards else 'down'}"
            self._owner.tell(f"{line(query, 40)} is {where}")
            return
        if first:
            self._upwards = upwards
        ids = [event.id for event in tail.events]
        if match not in ids:
            if tail.of_note:  # the match may be a line of another kind
                self.warnings_only = tail.of_note = False
            tail.to(self._owner.db, match)
            ids = [event.id for event in tail.events]
        self._show_lines(ids.index(match))
