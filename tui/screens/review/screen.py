"""Review: one example that fills the screen; one key decides, and the next is there."""

from __future__ import annotations

import sqlite3
import time
from functools import cached_property

from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static

from core.curriculum.plan import Quota
from core.review.blindness import Blindness
from core.review.item import ReviewItem, blind_decision_line, decision_lines
from core.review.progress import ReviewPace, accepted_quotas
from storage import drafts, examples, reviews
from storage.errors import UserError
from storage.queues import Queue
from storage.schema import Example, Review, ReviewAction
from tui.actions import FIELD, LABELS, REASON, REVIEW, bindings
from tui.keymap import key, label_keys
from tui.screens.project_screen import ProjectScreen
from tui.screens.review import wording
from tui.screens.review.example_panel import ExamplePanel
from tui.screens.review.item_edits import ItemEdits
from tui.screens.review.question_panel import QuestionPanel
from tui.screens.review.queue_session import QueueSession
from tui.screens.undo import UndoStack
from tui.text import line
from tui.widgets import steps


class ReviewScreen(ProjectScreen):
    """The example in front of a queue; its label is hidden until the person has decided, unless they want it shown."""

    TITLE = "Review"
    ACTIONS = REVIEW
    BINDINGS = bindings([*REVIEW, *LABELS, *REASON, *FIELD])
    MARKS = (
        ("▮▮▮▯▯", "how relevant a piece of evidence is"),
        *steps.MARKS,
        ("6.2/min", "so many you decide in a minute"),
    )

    def __init__(self) -> None:
        super().__init__()
        self._example = ExamplePanel(self)
        self._questions = QuestionPanel(self, self._reject, self._narrow)
        self._undo_stack = UndoStack(self, self._show_undone, self._questions.say)
        self._edits = ItemEdits(self, self._show_saved, lambda: self._questions.note)
        self._item: ReviewItem | None = None
        # What the person decided blind about the example in front, where its label turned out to be another.
        self._blind_decision = ""
        self._warned = False
        self._pace = ReviewPace()

    def parts(self) -> ComposeResult:
        yield Static(id="progress")
        yield self._example
        yield self._questions

    def on_mount(self) -> None:
        """Focus the example, so that keys decide; begin with the one whose edit was cut short."""
        self.query_one("#example").focus()
        draft = drafts.newest(self.db, self.sidequest.reviewer)
        example = examples.get(self.db, draft.example) if draft else None
        if example is not None:
            self._session.round.bring_to_front(example)
            self.tell(f"an edit of this example was not saved: {key('review.edit')} goes on with it")

    # ------------------------------------------------------------ the queue

    @cached_property
    def _session(self) -> QueueSession:
        return QueueSession(self.db, self.sidequest.reviewer)

    def _narrow(self, query: str) -> str:
        """Narrow the queue to what matches `query`; returns what is wrong with it, '' if nothing is."""
        problem = self._session.narrow(self.project.task, query)
        if not problem:
            self._leave()
        return problem

    def _leave(self) -> None:
        """Drop what was begun about the example in front: nothing of it holds for the next."""
        if self._questions.note:
            self.tell("the note was dropped: it goes with a decision")
        self._questions.say(Content(""))
        self._questions.note = self._blind_decision = ""
        self._example.reset()

    def _step(self, step: int) -> None:
        """Leave the example in front for another one."""
        if self._session.step(step):
            self.tell("from the beginning")
        self._leave()
        self.redraw()

    def action_choose(self) -> None:
        """Choose what to review."""
        from tui.screens.review.queue_choice import QueueChoice

        def on_choice(queue: Queue | None) -> None:
            if queue is not None:
                self._session.choose(queue)
                self._leave()
                self.redraw()

        self.app.push_screen(QueueChoice(self.db, self._session.queue, self.sidequest.reviewer), on_choice)

    def action_skip(self) -> None:
        """Go on without a decision."""
        self._step(1)

    def action_previous(self) -> None:
        """Go back to the previous example."""
        self._step(-1)

    # ------------------------------------------------------------ drawing

    def draw(self) -> None:
        """Read on where the queue ends, and draw the example in front."""
        self._item = self._session.read()
        quotas = accepted_quotas(self.project.task, self.db)
        self._draw_header(quotas)
        self._draw_item()
        self._example.show_context(self._item, quotas, hidden=self._label_hidden)
        self._edits.check()

    def _draw_header(self, quotas: dict[str, Quota]) -> None:
        session, current = self._session, self._session.round
        remaining = current.remaining()
        position = wording.position(current.position, current.size(remaining), remaining, self._pace.per_minute())
        title = wording.TITLES[session.queue][0]
        header = wording.header(title, session.query, position, quotas, self._label_keys, self.size.width)
        self.show("#progress", header)

    def _draw_item(self) -> None:
        width, item = self.size.width - 2, self._item
        if item is None:
            self._example.show_empty(self._empty_queue())
            self._questions.show_keys(Content(""))
            return
        if self._label_hidden:
            label, keys = wording.hidden_label(), wording.blind_keys(self._label_keys, width)
        elif self._blind_decision:
            label = wording.label(item.example, item.blind_decisions(), width)
            keys = wording.disagreement_keys(self._blind_decision, item.example, width)
        else:
            label = wording.label(item.example, item.blind_decisions(), width)
            keys = wording.open_keys(self._not_blind, width)
        self._example.show_item(item, label, hidden=self._label_hidden)
        if not self.asking:
            note = self._questions.note
            self._questions.show_keys(keys + (Content(f"\nnote: {line(note, width - 6)}") if note else Content("")))

    def _empty_queue(self) -> Content:
        session = self._session
        no_examples = not examples.count(self.db) and session.queue is not Queue.REFUSED
        return wording.empty_queue(
            session.queue,
            session.query,
            session.round.remaining(),
            no_examples=no_examples,
            begun=session.round.has_items,
        )

    # ------------------------------------------------------------ the hidden label

    @property
    def _label_keys(self) -> dict[str, str]:
        return label_keys(self.project.task.labels)

    @cached_property
    def _blindness(self) -> Blindness:
        return Blindness(self.sidequest.reviewer)

    @property
    def _label_hidden(self) -> bool:
        """Whether the label of the example in front is hidden."""
        return self._item is not None and self._blindness.enabled and not self._not_blind

    @property
    def _not_blind(self) -> str:
        """Why the label in front is no secret though the person wants it hidden; '' if it is one."""
        if self._item is None or not self._blindness.enabled:
            return ""
        return self._blindness.why_not_hidden(self._item, self._session.queue, self._session.round.where)

    def action_blind(self) -> None:
        """Hide labels from now on until there is a decision, or show them."""
        if self._label_hidden and self._item:
            self._blindness.mark_seen(self._item.example.id)
        self._blindness.enabled = not self._blindness.enabled
        exception = f", but not here: {self._not_blind}" if self._not_blind else ""
        self.redraw()
        message = f"labels are hidden until you decide{exception}" if self._blindness.enabled else "labels are shown"
        self._questions.say(Content(message))

    def action_label(self, letter: str) -> None:
        """Decide without having seen the label."""
        item, labels = self._item, [label for label, label_key in self._label_keys.items() if label_key == letter]
        if item is None or not labels:
            return
        if not self._label_hidden:
            self.tell(wording.explain_label_key(letter, self._not_blind))
            return
        undecided = item.undecided
        review = blind_decision_line(item, labels[0], note=self._questions.note, reviewer=self.sidequest.reviewer)
        example = self._save(review)
        if example is None:
            return
        if review.action is ReviewAction.ACCEPT or not undecided:
            self._go_on(review, wording.decided(review, example, self.size.width - 2))
            return
        self._blindness.mark_seen(item.example.id)
        self._blind_decision, self._questions.note = labels[0], ""
        self.redraw()

    # ------------------------------------------------------------ decisions

    @property
    def asking(self) -> bool:
        """Whether the reason of a rejection is asked for."""
        return self._questions.asks_reason

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Answers act where there is a question; letters where they stand for a label and other actions act."""
        if action in {"answer", "note_reason"}:
            return self.asking
        if action == "close_field":
            return self.typing
        if action == "label":
            ready = super().check_action("accept", ())
            return ready and self._item is not None and parameters[0] in self._label_keys.values()
        return super().check_action(action, parameters)

    def _item_in_front(self) -> ReviewItem | None:
        """What is in front; None if nothing is, which the person is told."""
        if self._item is None:
            self.tell("there is no example in front")
        return self._item

    def _save(self, review: Review) -> Example | None:
        """Log a decision about the example in front; None if that failed, which the person is told."""
        item = self._item_in_front()
        if item is None:
            return None
        try:
            example = reviews.record(self.db, item.example, decision_lines(item, review))
        except (UserError, sqlite3.Error) as error:
            self.tell(f"not saved: {error}", error=True)
            return None
        self._undo_stack.remember(example)
        return example

    def _go_on(self, review: Review, message: Content) -> None:
        """Show the next example after the decision `review`, and `message` about that decision."""
        self._questions.note = ""
        self._pace.add(time.monotonic())
        self._session.round.mark_decided(review)
        self._step(1)
        self._questions.say(message)

    def _review(self, action: ReviewAction, reason: str = "") -> Review:
        """The log line of a decision with the note; the example is filled in where it is saved."""
        return Review(
            example="", action=action, reason=reason, note=self._questions.note, reviewer=self.sidequest.reviewer
        )

    def _decide(self, action: ReviewAction, *, reason: str = "") -> None:
        """Accept or reject the example in front."""
        item = self._item
        review = self._review(action, reason)
        example = self._save(review)
        if example is None or item is None:
            return
        if self._label_hidden and item.undecided and not self._warned:
            self._warned = True
            keys = " ".join(self._label_keys.values())
            self.tell(f"decided, but not what it is: {keys} decide that blind, and count towards agreement")
        unchanged = item.undecided or item.example.status is example.status
        change = "" if unchanged else f"was {item.example.status}, now "
        self._go_on(review, Content(change).append(wording.decided(review, example, self.size.width - 2)))

    def _reject(self, reason: str) -> None:
        self._decide(ReviewAction.REJECT, reason=reason)

    def action_accept(self) -> None:
        """Accept the example."""
        self._decide(ReviewAction.ACCEPT)

    def action_reject(self) -> None:
        """Ask for the reason of a rejection."""
        if self._item_in_front() is not None:
            self._questions.ask_reason()

    def action_answer(self, number: int) -> None:
        """Answer the question for the reason."""
        self._questions.answer(number)

    def action_flag(self) -> None:
        """Flag the example, or take the flag away."""
        flagged = self._item is not None and self._item.example.flagged
        review = self._review(ReviewAction.UNFLAG if flagged else ReviewAction.FLAG)
        example = self._save(review)
        if example is not None:
            self._questions.note = ""
            self._session.round.mark_decided(review)
            self.redraw()
            self._questions.say(wording.decided(review, example, self.size.width - 2))

    def action_undo(self) -> None:
        """Undo the person's newest act."""
        self._undo_stack.undo()

    def _show_undone(self, newest: Review, example: Example, message: Content) -> None:
        """Show `example`, an act about which was undone; `newest` was its newest line."""
        if newest.action in {ReviewAction.ACCEPT, ReviewAction.REJECT}:
            self._pace.undo()
        self._session.round.bring_to_front(example)
        self._leave()
        self._questions.note = newest.note  # what was written goes with the decision that comes instead
        self.redraw()
        self._questions.say(message)

    def action_edit(self) -> None:
        """Edit the example, beginning with the decision that the person came to."""
        if (example := self._open_label("the form shows")) is not None:
            self._edits.edit(example, self._blind_decision)

    def action_repair(self) -> None:
        """Have stale fields of the example written for its decision."""
        if (example := self._open_label("a repair shows")) is not None:
            self._edits.repair(example)

    def _open_label(self, cause: str) -> Example | None:
        """The example in front, stored, now that "`cause` the label"; None if there is none."""
        if (item := self._item_in_front()) is None:
            return None
        # A draft is kept for what is stored; without a line about it, it stays as QA left it.
        example = item.example if item.stored else reviews.record(self.db, item.example, [])
        if self._label_hidden and item.undecided:
            self.tell(f"{cause} the label: this example cannot be decided blind any more")
        self._blindness.mark_seen(example.id)
        return example

    def _show_saved(self, example: Example) -> None:
        self._undo_stack.remember(example)
        self._questions.note = self._blind_decision = ""
        self._questions.say(wording.edit_saved(example))
        self.redraw()

    # ------------------------------------------------------------ notes, filter, changes, scrolling

    def action_note(self) -> None:
        """Write a note that goes with the next decision."""
        self._questions.open_note()

    def action_note_reason(self) -> None:
        """Write a note, then give the reason."""
        self._questions.open_note_before_reason()

    def action_filter(self) -> None:
        """Open the filter."""
        self._questions.open_filter(self._session.query)

    def action_close_field(self) -> None:
        """Leave the open field as it was."""
        self._questions.close_field()

    def action_diff(self) -> None:
        """Show what changed since the attempt, or the version, before; again: the example."""
        if self._example.toggle_changes(self._item):
            self.redraw()
        else:
            self.tell("nothing came before it: it was the first attempt, and nobody edited it")

    def action_page_down(self) -> None:
        """Scroll down a page."""
        self._example.scroll_page(1)

    def action_page_up(self) -> None:
        """Scroll up a page."""
        self._example.scroll_page(-1)

    def action_scroll_line(self, step: int) -> None:
        """Scroll a line."""
        self._example.scroll_line(step)

    # ------------------------------------------------------------ beside the review

    def action_agreement(self) -> None:
        """Show how far people, label and judge agree."""
        from tui.screens.agreement.screen import AgreementScreen

        self.app.push_screen(AgreementScreen(self.project.database))

    def action_copy(self) -> None:
        """Copy the example as JSON to the terminal's clipboard."""
        if self._item is not None:
            self.app.copy_to_clipboard(self._item.example.model_dump_json(indent=2, ensure_ascii=True))
            self.tell("sent to the terminal's clipboard as JSON, label and all; not every terminal takes it")
