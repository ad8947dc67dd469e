"""What can be done to many examples in the list of Dataset: mark them, decide about them, split them, undo it."""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from textual.content import Content
from textual.message import Message

from core.dataset import splits as core_splits
from core.review.item import deciding, read_item
from storage import bulk, listing, reviews, splits
from storage.database import connect_durably
from storage.reviews import ReviewError
from storage.schema import Example, Review, ReviewAction, Status
from storage.splits import SPLITS, SplitError
from tui.keymap import key
from tui.screens.dataset.choice import Choice
from tui.screens.dataset.example_list import ListScreen
from tui.screens.undo import UndoableScreen
from tui.text import line
from tui.widgets.bars import bar
from tui.widgets.modals import Confirm

# What the person did, for the message.
_DONE = {
    ReviewAction.ACCEPT: "accepted",
    ReviewAction.REJECT: "rejected",
    ReviewAction.FLAG: "flagged",
    ReviewAction.UNFLAG: "no longer flagged",
}
PUT = "families put into splits"
Work = Callable[[sqlite3.Connection], Iterator[int]]


@dataclass(slots=True)
class Marks:
    """Which rows are marked: those with these numbers, or `inverted` all but them."""

    numbers: set[int] = field(default_factory=set)
    inverted: bool = False

    def has(self, number: int) -> bool:
        """Whether this one is marked."""
        return (number in self.numbers) != self.inverted

    def put(self, number: int, marked: bool) -> None:
        """Mark it, or take its mark away."""
        if marked != self.inverted:
            self.numbers.add(number)
        else:
            self.numbers.discard(number)

    def count(self, of: array[int]) -> int:
        """How many are marked."""
        return len(of) - len(self.numbers) if self.inverted else len(self.numbers)

    def among(self, all_of_them: array[int]) -> array[int]:
        """The marked ones, in the order of the list."""
        return array("q", (number for number in all_of_them if self.has(number)))


class BulkProgress(Message):
    """How far the act of many has come; `over` says what became of it, `problem` what went wrong."""

    def __init__(self, done: int, *, over: bool = False, problem: str = "") -> None:
        super().__init__()
        self.done, self.over, self.problem = done, over, problem


class ActScreen(UndoableScreen, ListScreen):
    """A list whose rows can be marked and decided about."""

    def __init__(self) -> None:
        super().__init__()
        self.marks = Marks()
        self._marked_last: int | None = None
        # What the person had asked for before Coverage showed them something else.
        self.filter_before: str | None = None
        # The act of many that goes on: what it does, to how many, how many are done, and whether it is to stop.
        self._acting = ""
        self._done = self._of = 0
        self._stop = False

    def on_mount(self) -> None:
        """Let the list show what is marked."""
        self.table.marked = lambda number: self.marks.has(number)

    def on_unmount(self) -> None:
        """Let an act of many stop after the piece that it writes; what is done can be undone."""
        self._stop = True

    def about(self) -> str:
        """Marks, and how far an act of many has come."""
        if self._acting:
            share = self._done / self._of if self._of else 0.0
            return f" · {bar(share, 10)} {self._acting} {self._done:,} of {self._of:,} · escape stops"
        marked = self.marks.count(self.table.numbers)
        return f" · {marked:,} marked" if marked else ""

    def filter_by(self, query: str) -> None:
        """Show what `query` means; marks were for what was shown before."""
        before = self.query_text
        self.filter_before = None
        super().filter_by(query)
        if self.query_text != before:
            self._unmark()

    def action_mark(self) -> None:
        """Mark the row, or take its mark away, and go on."""
        if (number := self.table.chosen) is not None:
            self.marks.put(number, not self.marks.has(number))
            self._marked_last = self.table.cursor
            self.action_move(1)

    def action_mark_range(self) -> None:
        """Mark from the row that was marked last to this one."""
        if self._marked_last is None:
            self.tell("m marks the first row of a range, v on the last row marks all between")
            return
        first, last = sorted((min(self._marked_last, len(self.table.numbers) - 1), self.table.cursor))
        for number in self.table.numbers[first : last + 1]:
            self.marks.put(number, True)
        self._marked_last = self.table.cursor
        self._draw_marks()

    def action_mark_all(self) -> None:
        """Mark all that match, or take all marks away."""
        if self.partial:
            self.tell("the list is still being read: mark all of it when it is")
        elif self.marks.inverted and not self.marks.numbers:
            self._unmark()
        else:
            self.marks = Marks(inverted=True)
            self._draw_marks()

    def action_release(self) -> None:
        """Stop the act of many, take the marks away, or bring back the filter that was there before Coverage."""
        if self._acting:
            self._stop = True
        elif self.marks.count(self.table.numbers):
            self._unmark()
        elif self.filter_before is not None:
            self.filter_by(self.filter_before)

    def _unmark(self) -> None:
        self.marks, self._marked_last = Marks(), None
        self._draw_marks()

    def _draw_marks(self) -> None:
        self.table.refresh()
        self.draw_progress()

    def _meant(self) -> array[int]:
        """The rows that an action is about: the marked ones, or that under the cursor."""
        if self.marks.count(self.table.numbers):
            return self.marks.among(self.table.numbers)
        chosen = self.table.chosen
        return array("q", [] if chosen is None else [chosen])

    def _one(self) -> Example | None:
        """The example under the cursor."""
        found = listing.whole(self.db, [self.table.chosen]) if self.table.chosen is not None else []
        if not found:
            self.tell("there is no example under the cursor")
        return found[0] if found else None

    # ------------------------------------------------------------ decisions

    def action_accept(self) -> None:
        """Accept."""
        self._decide(ReviewAction.ACCEPT)

    def action_reject(self) -> None:
        """Ask for the reason, and reject."""
        meant = self._ready()
        if meant is None:
            return
        reasons = self.project.task.review.reasons
        answers = [*reasons, "no reason"]

        def answered(answer: int | None) -> None:
            if answer is not None:
                self._decide(ReviewAction.REJECT, reason=answers[answer] if answer < len(answers) - 1 else "")

        many = f"{len(meant):,} examples" if len(meant) > 1 else "the example"
        self.app.push_screen(Choice(f"Reject {many}: why?", answers), answered)

    def action_flag(self) -> None:
        """Flag, or take the flag away if the first of them has one."""
        meant = self._meant()
        first = listing.rows(self.db, meant[:1])
        self._decide(ReviewAction.UNFLAG if first and first[0].flagged else ReviewAction.FLAG)

    def _ready(self) -> array[int] | None:
        """What an action is about, if there is something and nothing else goes on."""
        if self._acting:
            self.tell(f"wait: {self._acting} {self._done:,} of {self._of:,}; escape stops it")
            return None
        meant = self._meant()
        if not meant:
            self.tell("there is no example under the cursor")
            return None
        return meant

    def _decide(self, action: ReviewAction, *, reason: str = "") -> None:
        meant = self._ready()
        if meant is None:
            return
        if len(meant) == 1:
            self._decide_one(meant[0], action, reason)
            return
        because = f" for “{line(reason, 40)}”" if reason else ""
        verb = {ReviewAction.UNFLAG: "Take the flags of"}.get(action, action.value.capitalize())
        work = partial(bulk.act, numbers=meant, action=action, reason=reason, reviewer=self.sidequest.reviewer)
        self._confirm(f"{verb} {len(meant):,} examples{because}?", _DONE[action], len(meant), work)

    def _decide_one(self, number: int, action: ReviewAction, reason: str) -> None:
        found = listing.whole(self.db, [number])
        case = read_item(self.db, found[0].id) if found else None
        if case is None:
            self.tell("it has gone", error=True)
            return
        if action is ReviewAction.ACCEPT and case.example.status is Status.ACCEPTED:
            self.tell("it is accepted already")
            return
        marked = bool(self.marks.count(self.table.numbers))
        made = Review(example="", action=action, reason=reason, reviewer=self.sidequest.reviewer)
        try:
            done = reviews.act(self.db, case.example, deciding(case, made))
        except (ReviewError, sqlite3.Error) as error:
            self.tell(f"not saved: {error}", error=True)
            return
        self.remember(done)
        self.tell(f"{_DONE[action]}: {line(done.hypothesis, 50)}; {key('dataset.undo')} undoes")
        self._unmark()
        if action in {ReviewAction.ACCEPT, ReviewAction.REJECT} and not marked:
            self.action_move(1)
        self.redraw()

    def action_split(self) -> None:
        """Ask for the split, and put the families there."""
        meant = self._ready()
        if meant is None:
            return
        given = splits.families(self.db, meant)
        many = f"{len(given):,} families" if len(given) != 1 else "the example's family"
        shares = core_splits.shares_of(self.project.task)
        shared = " / ".join(f"{name} {share:.0%}" for name, share in shares.items())
        answers = [*SPLITS, "none", f"share out all accepted examples that are in none: {shared}"]

        def answered(answer: int | None) -> None:
            if answer == len(SPLITS) + 1:
                self._share_out()
            elif answer is not None:
                split = (*SPLITS, "")[answer]
                moved = {family: split for family, at in given.items() if at != split}
                self._put(moved, f"Put {len(moved):,} of {many} into {split or 'no split'}, with all their examples?")

        self.app.push_screen(Choice(f"Put {many} into", answers), answered)

    def _share_out(self) -> None:
        self.tell("looking at the families …")

        def plan() -> None:
            connection = connect_durably(self.project.database)
            try:
                found = core_splits.plan(self.project.task, connection)
            except (SplitError, sqlite3.Error) as error:
                self.app.call_from_thread(self.tell, str(error), error=True)
            else:
                self.app.call_from_thread(self._planned, found)
            finally:
                connection.close()

        self.run_worker(plan, thread=True, group="plan", exit_on_error=False)

    def _planned(self, found: core_splits.Assignment) -> None:
        linked = f" {found.linked:,} of them stay with near-duplicates." if found.linked else ""
        self._put(found.given, f"Put {len(found.given):,} families into splits?{linked}")

    def _put(self, given: dict[str, str], question: str) -> None:
        if not given:
            self.tell("all of them are there already")
            return
        work = partial(splits.put, given=given, reviewer=self.sidequest.reviewer)
        then = in_splits(core_splits.accepted_in(self.db, given))
        self._confirm(f"{question} Accepted examples are then: {then}.", PUT, len(given), work)

    # ------------------------------------------------------------ acts of many

    def _confirm(self, question: str, done: str, of: int, work: Work) -> None:
        def answered(yes: bool | None) -> None:
            if yes:
                self._begin(done, of, work)

        self.app.push_screen(Confirm(f"{question}\nu takes all of it back, after a question."), answered)

    def _begin(self, acting: str, of: int, work: Work) -> None:
        self._acting, self._done, self._of, self._stop = acting, 0, of, False
        self.draw_progress()
        self.run_worker(partial(self._act, work), thread=True, group="act", exit_on_error=False)

    def _act(self, work: Work) -> None:
        """Do it, in a thread of its own with short transactions."""
        problem, done = "", 0
        connection = None
        try:
            connection = connect_durably(self.project.database)
            for done in work(connection):
                self.post_message(BulkProgress(done))
                if self._stop:
                    break
        except (ReviewError, SplitError, sqlite3.Error) as error:
            problem = str(error)
        finally:
            if connection is not None:
                connection.close()
        self.post_message(BulkProgress(done, over=True, problem=problem))

    def on_bulk_progress(self, event: BulkProgress) -> None:
        """Show how far it has come."""
        self._done = event.done
        if event.over:
            acting, self._acting = self._acting, ""
            of = "" if event.done == self._of else f" of {self._of:,}"
            said = f"{event.done:,}{of} {acting}"
            if event.problem:
                said = f"{event.problem} ({said})" if event.done else event.problem
            elif event.done:
                now = f"; accepted examples: {in_splits(core_splits.accepted_in(self.db))}" if acting == PUT else ""
                said += f"{now}; {key('dataset.undo')} takes all of it back"
            self.tell(said, error=bool(event.problem))
            self._unmark()
            self.redraw()
        self.draw_progress()

    def action_undo(self) -> None:
        """Take the person's newest act back, if no act of many goes on."""
        if self._acting:
            self.tell(f"wait: {self._acting} {self._done:,} of {self._of:,}; escape stops it")
            return
        super().action_undo()

    def taken_back(self, _: Review, example: Example, said: Content) -> None:
        """Put the cursor on the example that the act was about."""
        self.say(said)
        number = listing.number_of(self.db, example.id)
        if number is not None and number in self.table.numbers:
            self.table.move(self.table.numbers.index(number))
        self.redraw()


def in_splits(counts: Mapping[str, int]) -> str:
    """How many examples each split has, and how many are in none."""
    return ", ".join(f"{name or 'none'} {counts.get(name, 0):,}" for name in (*SPLITS, ""))
