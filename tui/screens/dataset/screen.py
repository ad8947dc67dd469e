"""Dataset: all examples in a list; find, sort, split, and decide about many at once."""

from __future__ import annotations

from functools import partial

from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Input

from core.dataset.query import read_query
from storage.errors import UserError
from storage.listing import SortOrder
from storage.schema import Example, Review, ReviewAction
from tui.actions import DATASET, bindings
from tui.screens.dataset.bulk_actions import BulkActions
from tui.screens.dataset.bulk_work import BulkProgress
from tui.screens.dataset.choice import Choice
from tui.screens.dataset.example_actions import ExampleActions
from tui.screens.dataset.example_list import ExampleList, describe_order
from tui.screens.dataset.marks import Marks
from tui.screens.dataset.query_filter import QueryFilter
from tui.screens.dataset.split_actions import SplitActions
from tui.screens.project_screen import ProjectScreen
from tui.screens.undo import UndoStack
from tui.text import line
from tui.widgets import steps


class DatasetScreen(ProjectScreen):
    """All examples of the project, and what can be done to many of them."""

    TITLE = "Dataset"
    ACTIONS = DATASET
    BINDINGS = bindings(DATASET)
    MARKS = (
        ("▸ ●", "the cursor · a row that m has marked"),
        ("· ✓ ✗", "waits for review · accepted · rejected"),
        ("!", "flagged for another look"),
        *steps.MARKS,
    )

    def __init__(self) -> None:
        super().__init__()
        marks = Marks()
        self.undo_stack = UndoStack(self, self._show_undone)
        self.example_list = ExampleList(self, marks.is_marked, lambda: self.bulk_actions.note())
        self.query_filter = QueryFilter()
        self.bulk_actions = BulkActions(self, self.example_list, marks, self.undo_stack.remember)
        self.split_actions = SplitActions(self, self.bulk_actions)
        self.example_actions = ExampleActions(self, self.example_list, self.undo_stack.remember, self.action_undo)
        # The query that was there before Coverage or Check showed another one.
        self._query_before_view: str | None = None

    def parts(self) -> ComposeResult:
        yield self.example_list
        yield self.query_filter

    def draw(self) -> None:
        """Draw the list."""
        self.example_list.draw()
        self.example_actions.check_repairs()

    def ticking(self) -> bool:
        """Whether an example has changed and the list does not show that yet."""
        return self.example_list.outdated

    def on_unmount(self) -> None:
        """Let an act of many stop after the piece that is being written; what is done can be undone."""
        self.bulk_actions.stop()

    def on_bulk_progress(self, event: BulkProgress) -> None:
        """Show how far the act of many is."""
        self.bulk_actions.show_progress(event)

    # ------------------------------------------------------------ the list

    def action_move(self, step: int) -> None:
        """Move the cursor."""
        self.example_list.move(step)

    def action_page(self, step: int) -> None:
        """Move by pages."""
        self.example_list.table.move_pages(step)

    def action_edge(self, last: bool) -> None:
        """Go to the first row or the last."""
        self.example_list.move_to_edge(last)

    def action_order(self) -> None:
        """Choose how the list is sorted."""
        orders, current = list(SortOrder), self.example_list.order

        def on_answer(answer: int | None) -> None:
            if answer is not None and orders[answer] is not current:
                self.bulk_actions.forget_last_mark()
                self.example_list.sort_by(orders[answer])

        names = [describe_order(order) for order in orders]
        self.app.push_screen(Choice("Sort", names, current=orders.index(current)), on_answer)

    def action_filter(self) -> None:
        """Open the filter, with the language beside it."""
        self.query_filter.open(self.example_list.query_text)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Show what the filter means."""
        self.filter_by(event.value.strip())

    def key_escape(self) -> None:
        """Leave the filter as it was."""
        self._close_filter()

    def _close_filter(self) -> None:
        self.query_filter.close()
        self.set_focus(self.example_list.table)

    def filter_by(self, query: str) -> None:
        """Show the examples that match `query`; another query clears the marks."""
        before = self.example_list.query_text
        self._query_before_view = None
        try:
            where = read_query(self.project.task, self.db, query)
        except UserError as error:
            self.tell(str(error), error=True)
            return
        self._close_filter()
        self.example_list.show_matches(query, where)
        if query != before:
            self.bulk_actions.clear_marks()

    def action_coverage(self) -> None:
        """Show what the examples cover."""
        from tui.screens.dataset.coverage import CoverageScreen

        query = self.example_list.query_text
        self.app.push_screen(CoverageScreen(self.project, self.db, query), partial(self._show_chosen, query))

    def action_check(self) -> None:
        """Show what the examples say against each other."""
        from tui.screens.dataset.check import CheckScreen

        query = self.example_list.query_text
        self.app.push_screen(CheckScreen(self.project, query), partial(self._show_chosen, query))

    def _show_chosen(self, before: str, query: str | None) -> None:
        """Filter by the `query` that was chosen over the list; escape brings back the one `before`."""
        if query is not None:
            self.filter_by(query)
            self._query_before_view = before
            previous = f"“{line(before, 60)}”" if before else "all of them"
            self.tell(f"the filter is now “{line(query, 60)}”; escape brings back {previous}")

    # ------------------------------------------------------------ many examples

    def action_mark(self) -> None:
        """Mark the row, or take its mark away, and go on."""
        self.bulk_actions.mark()

    def action_mark_range(self) -> None:
        """Mark from the row that was marked last to this one."""
        self.bulk_actions.mark_range()

    def action_mark_all(self) -> None:
        """Mark all that match, or take all marks away."""
        self.bulk_actions.mark_all()

    def action_release(self) -> None:
        """Stop the act of many, take the marks away, or bring back the filter from before Coverage or Check."""
        if not self.bulk_actions.release() and self._query_before_view is not None:
            self.filter_by(self._query_before_view)

    def action_accept(self) -> None:
        """Accept."""
        self.bulk_actions.decide(ReviewAction.ACCEPT)

    def action_reject(self) -> None:
        """Ask for the reason, and reject."""
        self.bulk_actions.reject()

    def action_flag(self) -> None:
        """Flag, or take the flag away if the first of them has one."""
        self.bulk_actions.flag()

    def action_split(self) -> None:
        """Ask for the split, and put the families there."""
        self.split_actions.choose()

    def action_copy(self) -> None:
        """Copy the marked examples, or the one under the cursor, as JSON to the terminal's clipboard."""
        self.bulk_actions.copy()

    def action_undo(self) -> None:
        """Take the person's newest act back, if no act of many goes on."""
        if self.bulk_actions.check_idle():
            self.undo_stack.undo()

    def _show_undone(self, _: Review, example: Example, message: Content) -> None:
        """Put the cursor on the example that the act was about."""
        self.tell(message.plain)
        self.example_list.move_to_example(example.id)
        self.redraw()

    # ------------------------------------------------------------ the example under the cursor

    def action_open(self) -> None:
        """Show the whole example."""
        self.example_actions.open()

    def on_listing_row_selected(self) -> None:
        """Show the example that was clicked."""
        self.example_actions.open()

    def action_edit(self) -> None:
        """Edit the example under the cursor."""
        self.example_actions.edit()
