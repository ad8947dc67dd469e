"""The list of Dataset: the examples that match a query, in an order, with the example under the cursor beside it."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from storage import examples, listing
from storage.examples import Filter
from storage.listing import SortOrder
from storage.search import match_spans
from tui.keymap import key
from tui.screens.dataset.example_lines import example_lines, header
from tui.screens.dataset.list_reader import ListReader, RowsRead
from tui.screens.project_screen import ProjectScreen
from tui.text import clean, line
from tui.widgets.example import body
from tui.widgets.listing import Listing, Part

# From so many columns on the example under the cursor stands beside the list.
WIDE = 150
PREVIEW_S = 0.08
# No state of the database: what is shown is out of date.
OUTDATED = (-1, -1)


class ExampleList(Vertical):
    """The list, and a line above it that says where it stands; a thread reads it while the person goes on.

    `owner` is the screen with the project. `is_marked` says whether the example with a number is marked; `note` gives
    what else the line above the list is to say.
    """

    def __init__(self, owner: ProjectScreen, is_marked: Callable[[int], bool], note: Callable[[], str]) -> None:
        super().__init__()
        self.query_text = ""
        self.where = Filter()
        self.order = SortOrder.NEWEST
        self._owner = owner
        self._is_marked = is_marked
        self._note = note
        self._reader = ListReader(self)
        # What has been read of a list that will replace the one on the screen; None if the rows are shown as they come.
        self._replacement: array[int] | None = None
        # The state of the database that is shown.
        self._state = OUTDATED
        self._problem = ""

    def compose(self) -> ComposeResult:
        yield Static(id="progress")
        with Horizontal(id="columns"):
            with VerticalScroll(id="left"):
                yield Static(id="head")
                yield Listing(self._read_lines, id="list")
                yield Static(id="nothing")
            with VerticalScroll(id="preview"):
                yield Static(id="body")

    def on_mount(self) -> None:
        """Begin with the keys on the list, not in a field."""
        self.table.is_marked = self._is_marked
        self.table.focus()

    def on_unmount(self) -> None:
        """Let the thread that reads go."""
        self._reader.stop()

    @property
    def table(self) -> Listing:
        """The rows."""
        return self.query_one("#list", Listing)

    @property
    def complete(self) -> bool:
        """Whether the list has been read to its end."""
        return self._reader.complete

    @property
    def incomplete(self) -> bool:
        """Whether the list on the screen lacks rows that have not been read yet."""
        return not self.complete and self._replacement is None

    @property
    def outdated(self) -> bool:
        """Whether an example has changed since the list was read."""
        return self._state != listing.change_stamp(self._owner.db)

    def draw(self) -> None:
        """Draw the list, and read again what has changed."""
        self.query_one("#preview").display = self._owner.size.width >= WIDE
        state = listing.change_stamp(self._owner.db)
        if state != self._state:
            self.table.reload()
            if self.complete or not self._reader.started:
                self._read_again(state)
        self._owner.show("#head", Content.styled(header(self._owner.size.width), "bold"))
        self.draw_progress()
        self._draw_preview()

    # ------------------------------------------------------------ reading

    def show_matches(self, query: str, where: Filter) -> None:
        """Show what matches `query`, which means `where`."""
        self.query_text, self.where = query, where
        self._read_new()

    def sort_by(self, order: SortOrder) -> None:
        """Show the same examples in another order."""
        self.order = order
        self._read_new()

    def _read_new(self) -> None:
        """Read another list: the old one disappears at once."""
        self._state = listing.change_stamp(self._owner.db)
        self.table.fill(array("q"), 0)
        self._start(None)
        self.draw_progress()

    def _read_again(self, state: tuple[int, int]) -> None:
        """Read the same list again, unless it was read just now; until that is complete the old one stays."""
        if self._reader.started and not self._reader.rested:
            return
        self._state = state
        self._start(array("q") if self._reader.started else None)

    def _start(self, replacement: array[int] | None) -> None:
        self._replacement, self._problem = replacement, ""
        wait_for_paint = replacement is None
        self._reader.start(self._owner.project.database, self.where, self.order, wait_for_paint=wait_for_paint)

    def on_rows_read(self, event: RowsRead) -> None:
        """Show the rows that were read."""
        if not self._reader.is_current(event):
            return
        if self._replacement is not None:
            self._replacement.extend(event.numbers)
        elif self.table.numbers:
            self.table.extend(event.numbers)
        elif event.numbers:
            self.table.fill(event.numbers, 0)
        if event.last:
            self._reader.finish(event)
            self._problem = event.problem
            if event.problem:
                self._state = OUTDATED
            elif self._replacement is not None:
                self._replace(self._replacement)
            self._replacement = None
        self.draw_progress()
        self._preview_soon()
        self._reader.go_on_when_painted()

    def _replace(self, numbers: array[int]) -> None:
        """Show `numbers`, with the cursor on the same example, or else on the one that took its place."""
        chosen, row = self.table.cursor_number, self.table.cursor
        if chosen is not None and not (row < len(numbers) and numbers[row] == chosen) and chosen in numbers:
            row = numbers.index(chosen)
        self.table.fill(numbers, row)

    # ------------------------------------------------------------ drawing

    def _read_lines(self, numbers: Sequence[int], width: int) -> Mapping[int, list[Part]]:
        return example_lines(self._owner.db, numbers, self.where.text, width, self._owner.size.width)

    def draw_progress(self) -> None:
        """Say which rows are visible, of how many; and if there are none, why."""
        top, end = self.table.visible_rows
        rows = len(self.table.numbers)
        if self.complete:
            total = f"{rows:,}"
        elif self._replacement is None and examples.has_stored_count(self.where):
            total = f"{examples.count(self._owner.db, self.where):,}"
        else:
            total = f"{rows:,}" if self._replacement is not None else f"{rows:,}+"
        visible = f"rows {top + 1:,}–{end:,} of {total}" if rows else f"{total} examples"
        reading = " · reading …" if self.incomplete else ""
        state = f"{reading}{self._note()} · {describe_order(self.order)}"
        room = self._owner.size.width - len(visible) - len(state) - 6
        query = f" · {line(self.query_text, max(10, room))}" if self.query_text else ""
        self._owner.show("#progress", Content.assemble((f" {visible}", "bold"), state, query))
        empty = not rows and self.complete
        self.query_one("#nothing").display = empty
        self.table.display = not empty
        if empty:
            self._owner.show("#nothing", Content(f"\n {self._explain_empty()}"))

    def _explain_empty(self) -> str:
        if self._problem:
            return f"The list cannot be read: {clean(self._problem, limit=300)}. It is tried again."
        if self.query_text:
            advice = f"{key('dataset.filter')} changes the filter; an empty one shows all."
            return f"Nothing matches {line(self.query_text, 60)}. {advice}"
        return f"No example yet. Key {key('app.generate')} generates the first."

    def _preview_soon(self) -> None:
        if self._owner.size.width >= WIDE:
            self.set_timer(PREVIEW_S, self._draw_preview)

    def _draw_preview(self) -> None:
        """Draw the example under the cursor beside the list, where there is room."""
        if self._owner.size.width < WIDE:
            return
        number = self.table.cursor_number
        preview = Content("")
        for example in listing.read_examples(self._owner.db, [number]) if number is not None else []:
            label = f"{line(example.decision, 30)} {example.confidence:.2f}\n\n"
            preview = highlight(Content.assemble((label, "bold"), body(example)), self.where.text)
        self._owner.show("#body", preview)

    def on_listing_view_changed(self) -> None:
        """Say where the cursor is."""
        self.draw_progress()
        self._preview_soon()

    # ------------------------------------------------------------ moving

    def move(self, step: int) -> None:
        """Move the cursor by `step` rows."""
        self.table.move_cursor(self.table.cursor + step)

    def move_to_edge(self, last: bool) -> None:
        """Move the cursor to the last row, or to the first."""
        self.table.move_cursor(len(self.table.numbers) - 1 if last else 0)
        if last and self.incomplete:
            self._owner.tell("the list is still being read: its end is further down")

    def move_to_example(self, example: str) -> None:
        """Move the cursor to the example with this id, if it is in the list."""
        number = listing.number_of(self._owner.db, example)
        if number is not None and number in self.table.numbers:
            self.table.move_cursor(self.table.numbers.index(number))


def highlight(text: Content, words: str) -> Content:
    """`text` with everything marked in it that a search for `words` finds."""
    for start, end in match_spans([text.plain], words)[0] if words else []:
        text = text.stylize("$text-warning bold reverse", start, end)
    return text


def describe_order(order: SortOrder) -> str:
    """An order in words."""
    return "by cell" if order is SortOrder.CELL else f"{order.value.replace('-', ' ')} first"
