"""Dataset: all examples in a list; find, sort, split, and decide about many at once."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable

from storage import drafts, examples, listing, reviews
from storage.listing import SortOrder
from storage.reviews import ReviewError
from storage.schema import Example
from tui.actions import DATASET, bindings
from tui.keymap import key
from tui.screens.dataset.bulk_actions import ActScreen
from tui.screens.dataset.choice import Choice
from tui.screens.dataset.example_list import spoken
from tui.text import line
from tui.widgets.listing import Listing

# More than this is no matter for a clipboard; terminals take about so many bytes at once.
COPIED = 70_000


class DatasetScreen(ActScreen):
    """All examples of the project, and what can be done to many of them."""

    TITLE = "Dataset"
    ACTIONS = DATASET
    BINDINGS = bindings(DATASET)
    MARKS = (
        ("▸ ●", "the cursor · a row that m has marked"),
        ("· ✓ ✗", "waits for review · accepted · rejected"),
        ("!", "flagged for another look"),
    )

    def action_open(self) -> None:
        """Show the example whole."""
        from tui.screens.dataset.example_screen import ExampleScreen

        def closed(meant: str | None) -> None:
            now = examples.get(self.db, example.id) if meant == "edit" and example else None
            if now is not None:
                self._edit(now, then=self.action_open)
            elif meant == "undo":
                self.action_undo()

        if (example := self._one()) is not None:
            self.app.push_screen(ExampleScreen(self.project, self.db, example, self.where.text), closed)

    def on_listing_chosen(self, _: Listing.Chosen) -> None:
        """Show the example that was clicked."""
        self.action_open()

    def action_edit(self) -> None:
        """Edit the example under the cursor."""
        if (example := self._one()) is not None:
            self._edit(example)

    def _edit(self, example: Example, then: Callable[[], None] | None = None) -> None:
        from tui.screens.edit.screen import EditScreen

        def left(edited: Example | None) -> None:
            self._edited(edited)
            if then is not None:
                then()

        self.app.push_screen(EditScreen(self.project.task, example), left)

    def _edited(self, edited: Example | None) -> None:
        if edited is None:
            return
        reviewer = self.sidequest.reviewer
        try:
            done = reviews.edit(self.db, edited, reviewer=reviewer)
        except (ReviewError, sqlite3.Error) as error:
            self.tell(f"not saved, but kept as a draft: {error}", error=True)
            return
        drafts.drop(self.db, edited.id, reviewer)
        self.remember(done)
        self.tell(f"saved as version {done.version}, which no judge has read; {key('dataset.undo')} undoes")
        self.redraw()

    def action_copy(self) -> None:
        """Copy the marked examples, or the one under the cursor, as JSON to the terminal's clipboard."""
        meant = self._meant()
        found = listing.whole(self.db, meant[:100])
        documents = [one.model_dump(mode="json") for one in found]
        text = json.dumps(documents[0] if len(documents) == 1 else documents, indent=2)
        if not found:
            self.tell("there is no example under the cursor")
        elif len(meant) > len(found) or len(text) > COPIED:
            said = f"{len(meant):,} examples are too much for a clipboard: `sidequest examples list QUERY --json`"
            self.tell(said, error=True)
        else:
            self.app.copy_to_clipboard(text)
            what = "as JSON" if len(found) == 1 else f"as JSON: {len(found)} examples"
            self.tell(f"sent to the terminal's clipboard {what}; not every terminal takes it")

    def action_order(self) -> None:
        """Choose how the list is sorted."""
        orders = list(SortOrder)

        def answered(answer: int | None) -> None:
            if answer is not None and orders[answer] is not self.order:
                self.order, self._marked_last = orders[answer], None
                self.read_new()

        names = [spoken(order) for order in orders]
        self.app.push_screen(Choice("Sort", names, now=orders.index(self.order)), answered)

    def action_coverage(self) -> None:
        """Show what the examples cover."""
        from tui.screens.dataset.coverage import CoverageScreen

        def answered(query: str | None) -> None:
            if query is not None:
                before = self.query_text
                self.filter_by(query)
                self.filter_before = before
                was = f"“{line(before, 60)}”" if before else "all of them"
                self.tell(f"the filter is now “{line(query, 60)}”; escape brings back {was}")

        self.app.push_screen(CoverageScreen(self.project, self.db, self.query_text), answered)
