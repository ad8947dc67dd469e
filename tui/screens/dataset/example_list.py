"""The list of Dataset: what matches, in an order, read by a thread while the person goes on."""

from __future__ import annotations

import sqlite3
import threading
import time
from array import array
from collections.abc import Mapping, Sequence
from functools import partial

from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

from core.dataset.query import read_query
from storage import examples, listing
from storage.database import DatabaseError, connect
from storage.examples import Filter
from storage.listing import SortOrder
from storage.search import LANGUAGE, QueryError, spans
from tui.keymap import key
from tui.screens.dataset.columns import cell, columns
from tui.screens.project_screen import ProjectScreen
from tui.text import clean, line
from tui.widgets.example import body
from tui.widgets.excerpt import excerpt
from tui.widgets.fields import Field
from tui.widgets.listing import Listing, Part

# After a change the list is read again, but not so often that it takes more than a twentieth of the time.
SHARE = 20
# The first rows are painted before the thread that reads takes the interpreter again, unless that takes so long; then
# it leaves gaps for keys, and tells of more but so often, since each time all is laid out anew.
FIRST_S, PAINTED_S, GAP_S, MORE_S = 1.0, 0.15, 0.001, 0.25
# A list that begins with fewer rows than these is as good as read.
SHORT = 50
# From so many columns on the example under the cursor stands beside the list.
WIDE = 150
PREVIEW_S = 0.08


class RowsRead(Message):
    """A piece of the list with this number has been read; `last` if none follows, `problem` if none could.

    `waited` is how many of the seconds so far went by for the painting of the first rows.
    """

    def __init__(
        self, turn: int, numbers: array[int], *, last: bool = False, problem: str = "", waited: float = 0.0
    ) -> None:
        super().__init__()
        self.turn, self.numbers, self.last, self.problem, self.waited = turn, numbers, last, problem, waited


class ListScreen(ProjectScreen):
    """Examples in a list that can be filtered, sorted and searched."""

    def __init__(self) -> None:
        super().__init__()
        self.query_text = ""
        self.where = Filter()
        self.order = SortOrder.NEWEST
        # Which reading of the list is the present one, whether it is over, and since when it goes on.
        self._turn = 0
        self.complete = False
        self._began = self._took = 0.0
        self._reader: sqlite3.Connection | None = None
        # Whether the first rows of that reading are on the screen.
        self._painted = threading.Event()
        # A list that replaces another is shown when it is whole; a new one as it comes.
        self._whole: array[int] | None = None
        self._state = (-1, -1)
        self._problem = ""

    def parts(self) -> ComposeResult:
        yield Static(id="progress")
        with Horizontal(id="columns"):
            with VerticalScroll(id="left"):
                yield Static(id="head")
                yield Listing(self._lines, id="list")
                yield Static(id="nothing")
            with VerticalScroll(id="preview"):
                yield Static(id="body")
        yield Static(_language(), id="language")
        yield Field(id="filter", placeholder="words level:1-2 domain:risk -status:rejected; empty: all of them")

    def on_mount(self) -> None:
        """Begin with the keys on the list, not in a field."""
        self.table.focus()

    def on_unmount(self) -> None:
        """Let the thread that reads go."""
        self._turn += 1
        self._interrupt()

    @property
    def table(self) -> Listing:
        """The list."""
        return self.query_one("#list", Listing)

    @property
    def partial(self) -> bool:
        """Whether the list that is shown is not yet there as a whole."""
        return not self.complete and self._whole is None

    def draw(self) -> None:
        """Read again what has changed."""
        self.query_one("#preview").display = self.size.width >= WIDE
        state = listing.state(self.db)
        if state != self._state:
            self.table.forget()
            if self.complete or not self._turn:
                self._read_again(state)
        self._draw_head()
        self.draw_progress()
        self._draw_preview()

    def ticking(self) -> bool:
        """Whether something has changed that the list does not show yet."""
        return self._state != listing.state(self.db)

    # ------------------------------------------------------------ reading

    def _read_again(self, state: tuple[int, int]) -> None:
        """Read the same list anew, if it is time to."""
        if self._turn and time.monotonic() - self._began < SHARE * self._took:
            return
        self._state = state
        self._start(array("q") if self._turn else None)

    def read_new(self) -> None:
        """Read another list: from now on the old one is gone."""
        self._state = listing.state(self.db)
        self.table.fill(array("q"), 0)
        self._start(None)
        self.draw_progress()

    def _start(self, whole: array[int] | None) -> None:
        self._interrupt()
        self._turn += 1
        self.complete, self._whole, self._problem = False, whole, ""
        self._began, self._painted = time.monotonic(), threading.Event()
        if whole is not None:
            self._painted.set()
        work = partial(self._read, self._turn, self.where, self.order, self._painted)
        self.run_worker(work, thread=True, group="list", exit_on_error=False)

    def _interrupt(self) -> None:
        self._painted.set()
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.interrupt()

    def _read(self, turn: int, where: Filter, order: SortOrder, painted: threading.Event) -> None:
        """Read the list, in a thread of its own; each piece is a message, so that nothing waits for it."""
        problem, told, waited, gathered = "", 0.0, 0.0, array("q")
        try:
            connection = connect(self.project.database)
        except DatabaseError as error:
            self.post_message(RowsRead(turn, array("q"), last=True, problem=str(error)))
            return
        try:
            self._reader = connection
            for piece in listing.numbers(connection, where, order):
                if turn != self._turn:
                    return
                gathered.extend(piece)
                if time.monotonic() < told + MORE_S:
                    time.sleep(GAP_S)
                    continue
                self.post_message(RowsRead(turn, gathered))
                began, told = time.monotonic(), time.monotonic()
                if not waited and len(gathered) > SHORT:
                    painted.wait(FIRST_S)
                    told = time.monotonic()
                    waited = told - began
                gathered = array("q")
        except sqlite3.Error as error:
            problem = str(error)
        finally:
            if self._reader is connection:
                self._reader = None
            connection.close()
        self.post_message(RowsRead(turn, gathered, last=True, problem=problem, waited=waited))

    def on_rows_read(self, event: RowsRead) -> None:
        """Show what was read."""
        if event.turn != self._turn:
            return
        if self._whole is not None:
            self._whole.extend(event.numbers)
        elif self.table.numbers:
            self.table.extend(event.numbers)
        elif event.numbers:
            self.table.fill(event.numbers, 0)
        if event.last:
            self.complete, self._problem = True, event.problem
            if event.problem:
                self._state = (-1, -1)
            self._took = time.monotonic() - self._began - event.waited
            if self._whole is not None and not event.problem:
                self._replace(self._whole)
            self._whole = None
        self.draw_progress()
        self._preview_soon()
        if not self._painted.is_set():
            # After the refresh the rows are laid out; some time later they are on the terminal as well.
            self.call_after_refresh(self.set_timer, PAINTED_S, self._painted.set)

    def _replace(self, whole: array[int]) -> None:
        """Put the cursor where it was: on the same example, or else on the one that took its place."""
        chosen, at = self.table.chosen, self.table.cursor
        if chosen is not None and not (at < len(whole) and whole[at] == chosen) and chosen in whole:
            at = whole.index(chosen)
        self.table.fill(whole, at)

    # ------------------------------------------------------------ drawing

    def _lines(self, numbers: Sequence[int], width: int) -> Mapping[int, list[Part]]:
        searched = bool(self.where.text)
        rows = listing.rows(self.db, numbers, evidence=searched)
        texts = [text for row in rows for text in (row.hypothesis, row.evidence)] if searched else []
        found = spans(texts, self.where.text) if searched else []
        shown = columns(self.size.width)
        rest = max(10, width - sum(size + 1 for _, size in shown))
        lines = {}
        for place, row in enumerate(rows):
            in_hypothesis, in_evidence = found[2 * place : 2 * place + 2] if searched else ([], [])
            pieces: list[Part] = [part for name, size in shown for part in ((cell(row, name, size)), (" ", ""))]
            if in_evidence and not in_hypothesis:
                pieces.append(("ev ", "muted"))
                cut = excerpt(row.evidence, in_evidence, rest - len("ev "))
            else:
                cut = excerpt(row.hypothesis, in_hypothesis, rest)
            pieces += [(text, "found" if match else "") for text, match in cut]
            lines[row.number] = pieces
        return lines

    def _draw_head(self) -> None:
        names = [f"{name:<{size}}" for name, size in columns(self.size.width)]
        self.show("#head", Content.styled("  " + " ".join([*names, "hypothesis"]), "bold"))

    def draw_progress(self) -> None:
        """Where the list stands."""
        top, end = self.table.span
        there = len(self.table.numbers)
        if self.complete:
            total = f"{there:,}"
        elif self._whole is None and examples.kept(self.where):
            total = f"{examples.count(self.db, self.where):,}"
        else:
            total = f"{there:,}" if self._whole is not None else f"{there:,}+"
        rows = f"rows {top + 1:,}–{end:,} of {total}" if there else f"{total} examples"
        searching = " · reading …" if self.partial else ""
        about = f"{searching}{self.about()} · {spoken(self.order)}"
        query = f" · {line(self.query_text, max(10, self.size.width - len(rows) - len(about) - 6))}"
        self.show("#progress", Content.assemble((f" {rows}", "bold"), about, query if self.query_text else ""))
        nothing = self.query_one("#nothing", Static)
        empty = not there and self.complete
        nothing.display = empty
        self.table.display = not empty
        if empty:
            self.show("#nothing", Content(f"\n {self._nothing()}"))

    def about(self) -> str:
        """What else is to be said of the list, in its line."""
        return ""

    def _nothing(self) -> str:
        if self._problem:
            return f"The list cannot be read: {clean(self._problem, limit=300)}. It is tried again."
        if self.query_text:
            way = f"{key('dataset.filter')} changes the filter; an empty one shows all."
            return f"Nothing matches {line(self.query_text, 60)}. {way}"
        return f"No example yet. Key {key('app.generate')} generates the first."

    def _preview_soon(self) -> None:
        if self.size.width >= WIDE:
            self.set_timer(PREVIEW_S, self._draw_preview)

    def _draw_preview(self) -> None:
        number = self.table.chosen
        if self.size.width < WIDE:
            return
        found = listing.whole(self.db, [number]) if number is not None else []
        drawn = Content("")
        for one in found:
            label = f"{line(one.decision, 30)} {one.confidence:.2f}\n\n"
            drawn = highlighted(Content.assemble((label, "bold"), body(one)), self.where.text)
        self.show("#body", drawn)

    def on_listing_moved(self, _: Listing.Moved) -> None:
        """Say where the cursor is."""
        self.draw_progress()
        self._preview_soon()

    # ------------------------------------------------------------ moving, filter

    def action_move(self, step: int) -> None:
        """Move the cursor."""
        self.table.move(self.table.cursor + step)

    def action_page(self, step: int) -> None:
        """Move by pages."""
        self.table.page(step)

    def action_edge(self, last: bool) -> None:
        """Go to the first row or the last."""
        self.table.move(len(self.table.numbers) - 1 if last else 0)
        if last and self.partial:
            self.tell("the list is still being read: its end is further down")

    def action_filter(self) -> None:
        """Open the filter, with the language beside it."""
        field = self.query_one("#filter", Input)
        self.query_one("#language").display = field.display = True
        field.value = self.query_text
        # At once: the keys that follow are the filter's, however soon they come.
        self.set_focus(field)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Show what the filter means."""
        self.filter_by(event.value.strip())

    def filter_by(self, query: str) -> None:
        """Show what `query` means."""
        try:
            found = read_query(self.project.task, self.db, query)
        except QueryError as error:
            self.tell(str(error), error=True)
            return
        self.where, self.query_text = found, query
        self._close_filter()
        self.read_new()

    def key_escape(self) -> None:
        """Leave the filter as it was."""
        self._close_filter()

    def _close_filter(self) -> None:
        self.query_one("#filter").display = self.query_one("#language").display = False
        self.set_focus(self.table)


def highlighted(drawn: Content, words: str) -> Content:
    """`drawn` with what was searched for."""
    for start, end in spans([drawn.plain], words)[0] if words else []:
        drawn = drawn.stylize("$text-warning bold reverse", start, end)
    return drawn


def spoken(order: SortOrder) -> str:
    """An order in words."""
    return "by cell" if order is SortOrder.CELL else f"{order.value.replace('-', ' ')} first"


def _language() -> Content:
    return Content("\n").join(
        [Content.assemble((f" {example:<20}", "bold"), (meaning, "$text-muted")) for example, meaning in LANGUAGE]
    )
