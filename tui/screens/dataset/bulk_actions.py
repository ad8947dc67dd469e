"""What can be done to many examples of the list at once: mark them, decide about them, copy them."""

from __future__ import annotations

import json
import sqlite3
from array import array
from collections.abc import Callable
from functools import partial

from core.review.item import decision_lines, read_item
from storage import bulk, listing, reviews
from storage.errors import UserError
from storage.schema import Example, Review, ReviewAction, Status
from tui.keymap import key
from tui.screens.dataset.bulk_work import BulkProgress, BulkWork, Write
from tui.screens.dataset.choice import Choice
from tui.screens.dataset.example_list import ExampleList
from tui.screens.dataset.marks import Marks
from tui.screens.project_screen import ProjectScreen
from tui.text import line
from tui.widgets.modals import Confirm

# What has happened to an example, for messages.
_DONE = {
    ReviewAction.ACCEPT: "accepted",
    ReviewAction.REJECT: "rejected",
    ReviewAction.FLAG: "flagged",
    ReviewAction.UNFLAG: "no longer flagged",
}

# More examples, or characters, are not copied; terminals take about so many bytes at once.
MAX_COPIED, MAX_COPIED_CHARS = 100, 70_000


class BulkActions:
    """Marks rows of `example_list`, and decides about the marked ones, or about the one under the cursor.

    `remember` is called with each example that was decided about alone: such a decision is undone without a question.
    """

    def __init__(
        self,
        screen: ProjectScreen,
        example_list: ExampleList,
        marks: Marks,
        remember: Callable[[Example], None],
    ) -> None:
        self._screen = screen
        self._list = example_list
        self._marks = marks
        self._remember = remember
        self._work = BulkWork(screen)

    def note(self) -> str:
        """How far an act of many is, or how many rows are marked; '' if there is neither."""
        if self._work.running:
            return f" · {self._work.draw()}"
        marked = self._count_marked()
        return f" · {marked:,} marked" if marked else ""

    # ------------------------------------------------------------ marks

    def _count_marked(self) -> int:
        return self._marks.count(self._list.table.numbers)

    def mark(self) -> None:
        """Mark the row under the cursor, or take its mark away, and go on."""
        table = self._list.table
        if (number := table.cursor_number) is not None:
            self._marks.toggle(number)
            self._marks.last_row = table.cursor
            self._list.move(1)

    def mark_range(self) -> None:
        """Mark all rows from the one that was marked last to the one under the cursor."""
        table, last_row = self._list.table, self._marks.last_row
        if last_row is None:
            self._screen.tell("m marks the first row of a range, v on the last row marks all between")
            return
        first, last = sorted((min(last_row, len(table.numbers) - 1), table.cursor))
        for number in table.numbers[first : last + 1]:
            self._marks.mark(number)
        self._marks.last_row = table.cursor
        self._draw_marks()

    def mark_all(self) -> None:
        """Mark all that match, or take all marks away if they are."""
        if self._list.incomplete:
            self._screen.tell("the list is still being read: mark all of it when it is")
        elif self._marks.all_marked:
            self.clear_marks()
        else:
            self._marks.mark_all()
            self._draw_marks()

    def clear_marks(self) -> None:
        """Take all marks away."""
        self._marks.clear()
        self._draw_marks()

    def forget_last_mark(self) -> None:
        """Begin no range at the row that was marked last: it has another example now."""
        self._marks.last_row = None

    def _draw_marks(self) -> None:
        self._list.table.refresh()
        self._list.draw_progress()

    def release(self) -> bool:
        """Stop the act of many, or else take the marks away; returns False if there was neither."""
        if self._work.running:
            self._work.stop()
        elif self._count_marked():
            self.clear_marks()
        else:
            return False
        return True

    # ------------------------------------------------------------ what an action is about

    def targets(self) -> array[int]:
        """The numbers of the marked examples, or that of the one under the cursor; none in an empty list."""
        table = self._list.table
        if self._count_marked():
            return self._marks.among(table.numbers)
        return array("q", [] if table.cursor_number is None else [table.cursor_number])

    def check_idle(self) -> bool:
        """Whether no act of many is being written; if one is, says so."""
        if self._work.running:
            self._screen.tell(f"wait: {self._work}; escape stops it")
        return not self._work.running

    def ready_targets(self) -> array[int]:
        """The targets; none, with a message, if there are none or an act of many is being written."""
        if not self.check_idle():
            return array("q")
        targets = self.targets()
        if not targets:
            self._screen.tell("there is no example under the cursor")
        return targets

    def copy(self) -> None:
        """Copy the targets as JSON to the terminal's clipboard."""
        targets = self.targets()
        documents = [
            example.model_dump(mode="json") for example in listing.read_examples(self._screen.db, targets[:MAX_COPIED])
        ]
        text = json.dumps(documents[0] if len(documents) == 1 else documents, indent=2)
        if not documents:
            self._screen.tell("there is no example under the cursor")
        elif len(targets) > len(documents) or len(text) > MAX_COPIED_CHARS:
            message = f"{len(targets):,} examples are too much for a clipboard: `sidequest examples list QUERY --json`"
            self._screen.tell(message, error=True)
        else:
            self._screen.app.copy_to_clipboard(text)
            form = "as JSON" if len(documents) == 1 else f"as JSON: {len(documents)} examples"
            self._screen.tell(f"sent to the terminal's clipboard {form}; not every terminal takes it")

    # ------------------------------------------------------------ decisions

    def reject(self) -> None:
        """Ask for the reason, and reject."""
        targets = self.ready_targets()
        if not targets:
            return
        answers = [*self._screen.project.task.review.reasons, "no reason"]

        def on_answer(answer: int | None) -> None:
            if answer is not None:
                self.decide(ReviewAction.REJECT, reason=answers[answer] if answer < len(answers) - 1 else "")

        many = f"{len(targets):,} examples" if len(targets) > 1 else "the example"
        self._screen.app.push_screen(Choice(f"Reject {many}: why?", answers), on_answer)

    def flag(self) -> None:
        """Flag the targets, or take their flags away if the first of them has one."""
        first = listing.read_rows(self._screen.db, self.targets()[:1])
        self.decide(ReviewAction.UNFLAG if first and first[0].flagged else ReviewAction.FLAG)

    def decide(self, action: ReviewAction, *, reason: str = "") -> None:
        """Decide about the targets: about a single one at once, about many after a question."""
        targets = self.ready_targets()
        if len(targets) == 1:
            self._decide_one(targets[0], action, reason)
        elif targets:
            because = f" for “{line(reason, 40)}”" if reason else ""
            verb = {ReviewAction.UNFLAG: "Take the flags of"}.get(action, action.value.capitalize())
            reviewer = self._screen.sidequest.reviewer
            write = partial(bulk.record, numbers=targets, action=action, reason=reason, reviewer=reviewer)
            self.confirm(f"{verb} {len(targets):,} examples{because}?", _DONE[action], len(targets), write)

    def _decide_one(self, number: int, action: ReviewAction, reason: str) -> None:
        screen = self._screen
        examples = listing.read_examples(screen.db, [number])
        item = read_item(screen.db, examples[0].id) if examples else None
        if item is None:
            screen.tell("it has gone", error=True)
            return
        if action is ReviewAction.ACCEPT and item.example.status is Status.ACCEPTED:
            screen.tell("it is accepted already")
            return
        marked = bool(self._count_marked())
        review = Review(example="", action=action, reason=reason, reviewer=screen.sidequest.reviewer)
        try:
            example = reviews.record(screen.db, item.example, decision_lines(item, review))
        except (UserError, sqlite3.Error) as error:
            screen.tell(f"not saved: {error}", error=True)
            return
        self._remember(example)
        screen.tell(f"{_DONE[action]}: {line(example.hypothesis, 50)}; {key('dataset.undo')} undoes")
        self.clear_marks()
        if action in {ReviewAction.ACCEPT, ReviewAction.REJECT} and not marked:
            self._list.move(1)
        screen.redraw()

    # ------------------------------------------------------------ acts of many

    def confirm(
        self, question: str, label: str, total: int, write: Write, describe_result: Callable[[], str] = lambda: ""
    ) -> None:
        """Ask `question`, and start to write an act about `total` examples or families if the answer is yes.

        `label` and `describe_result` are those of `BulkWork.start`.
        """

        def on_answer(yes: bool | None) -> None:
            if yes:
                self._work.start(label, total, write, describe_result)
                self._list.draw_progress()

        self._screen.app.push_screen(Confirm(f"{question}\nu takes all of it back, after a question."), on_answer)

    def stop(self) -> None:
        """Let an act of many end after the piece that is being written."""
        self._work.stop()

    def show_progress(self, event: BulkProgress) -> None:
        """Show how far the act of many is; in the end say what was done."""
        self._work.update(event)
        if event.over:
            self._screen.tell(self._work.finish(event), error=bool(event.problem))
            self.clear_marks()
            self._screen.redraw()
        self._list.draw_progress()
